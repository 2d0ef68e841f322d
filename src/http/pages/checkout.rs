//! Checkout: one page with address and totals, and the order that it makes.
//!
//! The form's key is made of the cart as it was shown. A second post, from a double click, the back
//! button, a reload or another tab, has the same key and leads to the order that the first one
//! made; a post of a cart that has changed since shows the page again.
//!
//! **Invariant:** one cart that was shown makes one order, at the total that was shown.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use askama::Template;

use super::{
    account::{AddressView, address_of, countries, field_of, name_of},
    basket::{Basket, LineView},
    context::PageContext,
    form::{Form, PostedForm},
    format,
    page::{Page, sentence},
};
use crate::{
    actors::order_saga::calls::{GetOrderByKey, GetOrderTotals},
    actors::{
        accounts::calls::{AddAddress, GetUser},
        cart::{calls::GetCart, offers_of},
        order_saga::{Destination, Expected, PlaceOrder},
    },
    domain::{
        Timestamp,
        cart::CartError,
        ids::{AddressId, OrderId, UserId},
        order::{Order, OrderStatus, Totals},
        user::PostalAddress,
    },
    http::error::ApiError,
};

#[derive(Template)]
#[template(path = "shop/checkout.html")]
struct CheckoutPage {
    page: Page,
    form: Form,
    problem: String,
    key: String,
    shown: String,
    lines: Vec<LineView>,
    addresses: Vec<AddressView>,
    countries: Vec<&'static str>,
    chosen: String,
    units: u64,
    subtotal: String,
    tax: String,
    shipping: String,
    total: String,
}

/// What is said when the order would be another than the one that was shown.
const CHANGED: &str = "Your cart or a price has changed since. Look at the new total, then place the order.";

/// The code of what is not for sale any more.
const NOT_FOR_SALE: &str = "cart.not_for_sale";

/// The key of an order of this cart.
fn key_of(context: &PageContext, basket: &Basket) -> String {
    format!("page-{}", context.state().tokens.mark("checkout", &basket.version))
}

/// What was shown to be paid, as the form says it back.
fn shown(totals: &Totals) -> String {
    format!("{}{}", totals.total.minor(), totals.total.currency().code())
}

/// What of the cart can be ordered, and for how much.
async fn priced(context: &PageContext) -> Result<(Basket, Totals), ApiError> {
    let basket = Basket::of(context).await?;
    if let Some((line, _)) = basket.lines.iter().find(|(_, offer)| !offer.for_sale) {
        return Err(CartError::NotForSale { product: line.product }.into());
    }
    let totals = context.calls.ask(GetOrderTotals { items: basket.items() }).await?;
    Ok((basket, totals))
}

async fn page(
    context: PageContext,
    status: StatusCode,
    mut form: Form,
    problem: String,
) -> Result<HttpResponse, ApiError> {
    let user = context.buyer()?.id;
    let (basket, totals) = match priced(&context).await {
        Ok(priced) => priced,
        Err(error) if error.code().starts_with("order.") || error.code() == NOT_FOR_SALE => {
            return Ok(back_to_cart(context, &error));
        }
        Err(error) => return Err(error),
    };
    let account = context.calls.ask(GetUser { user }).await?.ok_or_else(ApiError::unauthorized)?;
    form.suggest("full_name", name_of(&account));
    let addresses = account.addresses;
    let default = addresses.iter().find(|address| address.is_default).map(|address| address.id.to_hex());
    let chosen = if form.has("address") { form.text("address").to_owned() } else { default.unwrap_or_default() };
    let view = CheckoutPage {
        page: context.page("Checkout"),
        key: key_of(&context, &basket),
        shown: shown(&totals),
        lines: basket.views(),
        units: basket.units(),
        addresses: addresses.iter().map(AddressView::from).collect(),
        countries: countries(),
        chosen,
        subtotal: format::money(totals.subtotal),
        tax: format::money(totals.tax),
        shipping: format::money(totals.shipping),
        total: format::money(totals.total),
        form,
        problem,
    };
    context.html(status, &view)
}

fn back_to_cart(mut context: PageContext, error: &ApiError) -> HttpResponse {
    if error.code() == "order.empty_cart" {
        context.say("Your cart is empty.");
    } else if error.code() == NOT_FOR_SALE {
        context.warn("Some of your cart is not for sale any more. Remove it, then go on to checkout.");
    } else {
        context.warn(sentence(&error.to_string()));
    }
    context.go("/cart")
}

/// The page.
///
/// # Errors
/// 401, which leads to the login and back; 403 for sellers and admins; 503.
pub async fn show(req: HttpRequest, mut context: PageContext) -> Result<HttpResponse, ApiError> {
    let user = context.buyer()?.id;
    let pairs = req.query_string().split('&').filter_map(|pair| pair.split_once('='));
    let summary = pairs.filter(|(name, _)| *name == "summary").map(|(_, token)| token).next();
    let mut problem = String::new();
    if let Some(token) = summary {
        let cart = context.calls.ask(GetCart { user }).await?;
        let offers = offers_of(&context.calls, &cart).await?;
        let links = context.state().tokens.checkout_links();
        if let Err(error) = links.check(token, user, &cart, &offers, Timestamp::now()) {
            problem = sentence(&format!("{error}; this is your cart as it is now"));
        }
    }
    let form = context.take_kept("/checkout").unwrap_or_default();
    page(context, StatusCode::OK, form, problem).await
}

/// Where an order goes, as the form says.
fn destination(form: &mut Form) -> Option<Destination> {
    match form.text("address") {
        "" | "new" => address_of(form).map(Destination::Here),
        kept => Some(kept.parse().map_or(Destination::Unknown, |id: AddressId| Destination::Kept(id))),
    }
}

/// The same with the buyer's name, where a kept address names nobody: a parcel needs one.
async fn named(context: &PageContext, user: UserId, destination: Destination) -> Result<Destination, ApiError> {
    let Destination::Kept(id) = destination else { return Ok(destination) };
    let account = context.calls.ask(GetUser { user }).await?.ok_or_else(ApiError::unauthorized)?;
    let kept = account.addresses.iter().find(|address| address.id == id);
    let Some(postal) = kept.filter(|address| address.postal.full_name.is_none()) else {
        return Ok(Destination::Kept(id));
    };
    let postal = PostalAddress { full_name: Some(name_of(&account)), ..postal.postal.clone() };
    // One from before there were rules for addresses goes on as it is.
    Ok(postal.settled().map_or(Destination::Kept(id), Destination::Here))
}

/// Places the order, and goes on to pay it.
///
/// # Errors
/// 401, 403, 503; what the buyer can do something about shows the page again.
pub async fn place(PostedForm { mut context, mut form }: PostedForm) -> Result<HttpResponse, ApiError> {
    let user = context.buyer()?.id;
    let key = form.text("key").to_owned();
    let is_key = key.len() <= 64 && key.starts_with("page-") && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key && let Some(order) = context.calls.ask(GetOrderByKey { user, key: key.clone() }).await? {
        return Ok(go_on(context, &order));
    }
    let priced = priced(&context).await;
    let is_shown = priced
        .as_ref()
        .is_ok_and(|(basket, totals)| key == key_of(&context, basket) && form.text("shown") == shown(totals));
    // Another post of the same page may have made the order since it was looked for above.
    if !is_shown
        && is_key
        && let Some(order) = context.calls.ask(GetOrderByKey { user, key: key.clone() }).await?
    {
        return Ok(go_on(context, &order));
    }
    let (basket, totals) = match priced {
        Ok(priced) => priced,
        Err(error) if error.code().starts_with("order.") || error.code() == NOT_FOR_SALE => {
            return Ok(back_to_cart(context, &error));
        }
        Err(error) => return Err(error),
    };
    if !is_shown {
        return page(context, StatusCode::CONFLICT, form, CHANGED.to_owned()).await;
    }
    let Some(destination) = destination(&mut form) else {
        return page(context, StatusCode::UNPROCESSABLE_ENTITY, form, String::new()).await;
    };
    let destination = named(&context, user, destination).await?;
    if let (Destination::Here(postal), true) = (&destination, form.has("save")) {
        // The order matters more than the address book.
        let add = AddAddress { user, postal: postal.clone(), is_default: false };
        if let Err(error) = context.calls.ask(add).await {
            tracing::info!(%error, "an address was not kept");
        }
    }
    // What was compared above: a price or a cart that changes from here on makes no order.
    let total = Some((totals.total.minor(), Some(totals.total.currency())));
    let expected = Expected { total, cart_version: basket.cart_version };
    let asked = PlaceOrder { user, destination, expected, key: Some((key, "page".to_owned())) };
    match context.calls.ask(asked).await.map_err(ApiError::from) {
        Ok(placed) => {
            context.counted(0);
            Ok(go_on(context, &placed.order))
        }
        Err(error @ ApiError::Conflict { .. }) if error.code() == "order.insufficient_stock" => {
            context
                .warn("Some of this was sold in the meantime. Lower the quantities that are marked, then try again.");
            Ok(context.go("/cart"))
        }
        Err(error) if matches!(error.code(), "order.empty_cart" | "cart.max_per_order" | NOT_FOR_SALE) => {
            Ok(back_to_cart(context, &error))
        }
        Err(error) if error.code() == "order.total_changed" => {
            page(context, StatusCode::CONFLICT, form, CHANGED.to_owned()).await
        }
        Err(error) if error.code() == "order.too_many_unpaid" => {
            let problem = sentence(&error.to_string());
            page(context, StatusCode::CONFLICT, form, problem).await
        }
        Err(error) if error.code() == "order.no_such_address" => {
            let problem = "This address is not among yours any more. Choose another.".to_owned();
            page(context, StatusCode::UNPROCESSABLE_ENTITY, form, problem).await
        }
        Err(error) => {
            form.take(error, |path| field_of(path.trim_start_matches("shippingAddress.")))?;
            page(context, StatusCode::UNPROCESSABLE_ENTITY, form, String::new()).await
        }
    }
}

/// Where an order's page is.
pub(super) fn path_of(order: OrderId) -> String {
    format!("/orders/{order}")
}

fn go_on(context: PageContext, order: &Order) -> HttpResponse {
    let path = path_of(order.id);
    match order.status {
        OrderStatus::Pending => context.go(&format!("{path}/pay")),
        _ => context.go(&path),
    }
}
