//! A demo shop: sellers, products with pictures, past orders, and accounts to try.
//!
//! **Invariant:** accounts with a known password are made only in a development environment.

mod goods;
mod past;

use anyhow::{Context, Result, bail};
use secrecy::SecretString;

use self::goods::{Good, Goods};
use crate::{
    actors::{
        accounts::calls::{AccountRefusal, AddAddress, CreateAdmin, LogIn, LoginName, Register, Source},
        catalogue::calls::{CountProducts, CreateProduct, InsertProducts},
    },
    config::{Config, Environment},
    domain::order::Pricing,
    domain::{
        Timestamp,
        ids::{ProductId, UserId},
        money::{Currency, Money},
        product::{Product, ProductStatus},
        user::{FullName, Role},
    },
    http::routes::Services,
    runtime::calls::CallError,
    store::Stores,
};

/// The password of every demo account. They are for trying things out, on one's own machine.
const PASSWORD: &str = "microbazaar-demo";
/// User names of the accounts that are told: a buyer, a seller and an admin.
const BUYER: &str = "demo-buyer";
const SELLER: &str = "lakeside-lamps";
const ADMIN: &str = "demo-admin";
/// How many products are written at once when there are to be many.
const BATCH: usize = 1_000;
/// How many products are made between two lines of progress.
const TELL_EVERY: usize = 20;

/// By user name.
type Sellers<'a> = Vec<(&'a String, UserId)>;

/// Where the demo is made.
pub struct Stage<'a> {
    /// The running services.
    pub services: &'a Services,
    /// Their stores, for what happened in the past.
    pub stores: &'a Stores,
    /// Tax and shipping.
    pub pricing: Pricing,
}

/// Whether a shop of this configuration may have accounts whose password everybody knows.
///
/// # Errors
/// One sentence for production.
pub fn allow(config: &Config) -> Result<()> {
    if config.environment == Environment::Production {
        bail!("the demo makes accounts with a known password, so it is refused in production");
    }
    Ok(())
}

/// Fills an empty shop and tells of it on standard output; a shop with products is left alone.
pub(super) async fn fill_and_tell(stage: Stage<'_>, products: Option<u32>) {
    let tell = |line: &str| {
        use std::io::Write;
        // Nobody may be reading; the shop is filled all the same.
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    if let Err(error) = fill(&stage, products, &tell).await {
        tracing::error!(error = format!("{error:#}"), "the demo shop could not be filled");
    }
}

/// Fills an empty shop with `products`, or the usual demo catalogue.
///
/// # Errors
/// When a service does not do its part.
pub async fn fill(stage: &Stage<'_>, products: Option<u32>, tell: &dyn Fn(&str)) -> Result<()> {
    let services = stage.services;
    if services.calls.ask(CountProducts {}).await? > 0 {
        tell("demo: the shop has products already and is left as it is");
        if login(services, BUYER).await.is_ok() {
            tell_accounts(tell);
        }
        return Ok(());
    }
    let goods = Goods::read()?;
    let mut sellers = Sellers::new();
    for goods::Seller { username, first_name, last_name } in &goods.sellers {
        sellers.push((username, account(services, username, first_name, last_name, Role::Seller).await?));
    }
    let buyer = account(services, BUYER, "Meera", "Nair", Role::User).await?;
    let add = AddAddress { user: buyer, postal: past::address(0), is_default: true };
    services.calls.ask(add).await.context("the buyer has no address")?;
    admin(services).await?;
    match products {
        None => {
            let goods = goods.all();
            let plan = past::Plan::of(&goods);
            let made = with_pictures(services, &sellers, &goods, &plan, tell).await?;
            past::write(stage, &plan, &made, buyer, tell).await?;
        }
        Some(count) => many(services, &goods, &sellers, count, tell).await?,
    }
    tell_accounts(tell);
    Ok(())
}

fn tell_accounts(tell: &dyn Fn(&str)) {
    tell(&format!("demo: log in with the password {PASSWORD} as"));
    for (what, username) in [("buyer", BUYER), ("seller", SELLER), ("admin", ADMIN)] {
        tell(&format!("demo:   {what:<7} {}", email(username)));
    }
}

fn email(username: &str) -> String {
    format!("{username}@microbazaar.example")
}

async fn login(services: &Services, username: &str) -> Result<UserId> {
    let name = LoginName::Username(username.to_owned());
    let log_in = LogIn { name, password: SecretString::from(PASSWORD), source: Source::default() };
    let logged_in = services.calls.ask(log_in).await;
    Ok(logged_in.with_context(|| format!("{username} is there with another password"))?.user())
}

async fn account(services: &Services, username: &str, first: &str, last: &str, role: Role) -> Result<UserId> {
    let new = Register {
        email: email(username),
        username: Some(username.to_owned()),
        full_name: FullName { first_name: first.to_owned(), last_name: last.to_owned() },
        role,
        password: SecretString::from(PASSWORD),
        source: Source::default(),
    };
    match services.calls.ask(new).await {
        Ok(user) => Ok(user.id),
        Err(CallError::Refused(AccountRefusal::UserExists)) => login(services, username).await,
        Err(error) => Err(error.into()),
    }
}

async fn admin(services: &Services) -> Result<()> {
    let password = SecretString::from(PASSWORD);
    let create = CreateAdmin { email: email(ADMIN), username: Some(ADMIN.to_owned()), password };
    match services.calls.ask(create).await {
        Ok(_) | Err(CallError::Refused(AccountRefusal::UserExists)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The demo catalogue, in the order of `goods`, with what the past orders will take on top of
/// the stock that is to be left.
async fn with_pictures(
    services: &Services,
    sellers: &Sellers<'_>,
    goods: &[Good<'_>],
    plan: &past::Plan,
    tell: &dyn Fn(&str),
) -> Result<Vec<Product>> {
    let mut made = Vec::with_capacity(goods.len());
    for (at, good) in goods.iter().enumerate() {
        let seller = sellers.iter().find(|(username, _)| **username == good.category.seller);
        let new = CreateProduct {
            seller: seller.context("nobody sells a good of the demo")?.1,
            title: good.item.title.clone(),
            description: good.item.description.clone(),
            price: Money::new(good.item.rupees * 100, Currency::Inr),
            stock: good.item.stock + plan.sold(at),
            category: good.category.name.clone(),
            max_per_order: None,
            files: good.pictures(),
        };
        made.push(Product::clone(&services.calls.ask(new).await?.product));
        if made.len() % TELL_EVERY == 0 || made.len() == goods.len() {
            tell(&format!("demo: {} of {} products", made.len(), goods.len()));
        }
    }
    Ok(made)
}

/// Many products without pictures, for trying out what size does.
async fn many(
    services: &Services,
    goods: &Goods,
    sellers: &Sellers<'_>,
    count: u32,
    tell: &dyn Fn(&str),
) -> Result<()> {
    let (mut batch, now) = (Vec::with_capacity(BATCH), Timestamp::now());
    for number in 0..count {
        let good = goods.numbered(number);
        let at = usize::try_from(number)?;
        let product = Product {
            id: ProductId::generate(),
            title: good.title,
            description: good.description,
            price: Money::new(good.price_minor, Currency::Inr),
            category: good.category.to_owned(),
            seller: sellers[at % sellers.len()].1,
            images: vec![],
            max_per_order: None,
            status: ProductStatus::Live,
            status_reason: None,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        batch.push((product, 1_000_000));
        if batch.len() == BATCH || number + 1 == count {
            services.calls.ask(InsertProducts { products: std::mem::take(&mut batch) }).await?;
            if (number + 1) % 10_000 == 0 || number + 1 == count {
                tell(&format!("demo: {} of {count} products", number + 1));
            }
        }
    }
    Ok(())
}
