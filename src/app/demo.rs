//! A demo shop: sellers, products with pictures, and accounts to try.

mod goods;
mod picture;

use anyhow::{Context, Result};
use bytes::Bytes;
use secrecy::SecretString;

use crate::{
    actors::{
        accounts::{AccountError, LoginName, NewAccount},
        catalogue::NewProduct,
        runtime::AskError,
    },
    domain::{
        Timestamp,
        ids::{ProductId, UserId},
        money::{Currency, Money},
        product::Product,
        user::{FullName, Role},
    },
    http::routes::Services,
};

/// The password of every demo account. They are for trying things out, on one's own machine.
const PASSWORD: &str = "microbazaar-demo";
/// How many products are written at once when there are to be many.
const BATCH: usize = 1_000;
/// How many products are made between two lines of progress.
const TELL_EVERY: usize = 20;

/// Fills an empty shop and tells of it on standard output; a shop with products is left alone.
pub(super) async fn fill_and_tell(services: &Services, products: Option<u32>) {
    let tell = |line: &str| {
        use std::io::Write;
        // Nobody may be reading; the shop is filled all the same.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    };
    if let Err(error) = fill(services, products, &tell).await {
        tracing::error!(error = format!("{error:#}"), "the demo shop could not be filled");
    }
}

/// Fills an empty shop with `products`, or the usual demo catalogue.
///
/// # Errors
/// When a service does not do its part.
pub async fn fill(services: &Services, products: Option<u32>, tell: &dyn Fn(&str)) -> Result<()> {
    if services.catalogue()?.count().await? > 0 {
        tell("demo: the shop has products already and is left as it is");
        return Ok(());
    }
    let mut sellers = Vec::new();
    for (username, first, last) in goods::SELLERS {
        sellers.push(account(services, username, first, last, Role::Seller).await?);
    }
    account(services, "demo-buyer", "Meera", "Nair", Role::User).await?;
    match products {
        None => with_pictures(services, &sellers, tell).await?,
        Some(count) => many(services, &sellers, count, tell).await?,
    }
    tell(&format!("demo: log in as demo-buyer or {} with the password {PASSWORD}", goods::SELLERS[0].0));
    Ok(())
}

async fn account(services: &Services, username: &str, first: &str, last: &str, role: Role) -> Result<UserId> {
    let new = NewAccount {
        email: format!("{username}@microbazaar.example"),
        username: Some(username.to_owned()),
        full_name: FullName { first_name: first.to_owned(), last_name: last.to_owned() },
        role,
        password: SecretString::from(PASSWORD),
    };
    match services.accounts()?.register(new).await {
        Ok(user) => Ok(user.id),
        Err(AskError::Refused(AccountError::UserExists)) => {
            let name = LoginName::Username(username.to_owned());
            let user = services.accounts()?.login(name, SecretString::from(PASSWORD)).await;
            Ok(user.with_context(|| format!("{username} is there with another password"))?.id)
        }
        Err(error) => Err(error.into()),
    }
}

async fn with_pictures(services: &Services, sellers: &[UserId], tell: &dyn Fn(&str)) -> Result<()> {
    let goods: Vec<_> = goods::all().collect();
    for (at, good) in goods.iter().enumerate() {
        let drawn = good.clone();
        let file = tokio::task::spawn_blocking(move || picture::draw(&drawn)).await??;
        let new = NewProduct {
            seller: sellers[at % sellers.len()],
            title: good.title.clone(),
            description: good.description.clone(),
            price: Money::new(good.price_minor, Currency::Inr),
            stock: good.stock,
            category: good.category.to_owned(),
            files: vec![Bytes::from(file)],
        };
        services.catalogue()?.create(new).await?;
        if (at + 1) % TELL_EVERY == 0 || at + 1 == goods.len() {
            tell(&format!("demo: {} of {} products", at + 1, goods.len()));
        }
    }
    Ok(())
}

/// Many products without pictures, for trying out what size does.
async fn many(services: &Services, sellers: &[UserId], count: u32, tell: &dyn Fn(&str)) -> Result<()> {
    let (mut batch, now) = (Vec::with_capacity(BATCH), Timestamp::now());
    for number in 0..count {
        let good = goods::numbered(number);
        let at = usize::try_from(number)?;
        let product = Product {
            id: ProductId::generate(),
            title: good.title,
            description: good.description,
            price: Money::new(good.price_minor, Currency::Inr),
            category: good.category.to_owned(),
            seller: sellers[at % sellers.len()],
            images: vec![],
            created_at: now,
            updated_at: now,
            version: 0,
        };
        batch.push((product, 1_000_000));
        if batch.len() == BATCH || number + 1 == count {
            services.catalogue()?.import(&batch).await?;
            batch.clear();
            if (number + 1) % 10_000 == 0 || number + 1 == count {
                tell(&format!("demo: {} of {count} products", number + 1));
            }
        }
    }
    Ok(())
}
