//! Checkout: one page with address and totals, and placing the order.
//!
//! The form's idempotency key is derived from the cart that was shown. A second post, from a double click, the back
//! button, a reload or another tab, has the same key and leads to the order of the first post; a post of a cart that
//! has changed since shows the page again.
//!
//! **Invariant:** a cart that was shown makes at most one order, at the total that was shown.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use askama::Template;

use super::{
    account::{AddressView, address_of, countries, field_of, name_of},
    cart_summary::{CartSummary, LineView},
    context::PageContext,
    form::{Form, FormRequest},
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
    http::{
        error::ApiError,
        query,
        rate::work::{Limited, NewOrder},
    },
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

/// The message when the order would differ from the one that was shown.
const CHANGED: &str = "Your cart or a price has changed since. Look at the new total, then place the order.";

/// The error code of a product that is no longer for sale.
const NOT_FOR_SALE: &str = "cart.not_for_sale";

/// The idempotency key of an order of this cart.
fn key_of(context: &PageContext, cart_summary: &CartSummary) -> String {
    format!("page-{}", context.state().tokens.mark("checkout", &cart_summary.version))
}

/// The total that was shown, as the form sends it back.
fn shown(totals: &Totals) -> String {
    format!("{}{}", totals.total.minor(), totals.total.currency().code())
}

/// The part of the cart that can be ordered, and its totals.
async fn priced(context: &PageContext) -> Result<(CartSummary, Totals), ApiError> {
    let cart_summary = CartSummary::of(context).await?;
    if let Some((line, _)) = cart_summary.lines.iter().find(|(_, offer)| !offer.for_sale) {
        return Err(CartError::NotForSale { product: line.product }.into());
    }
    let totals = context.calls.ask(GetOrderTotals { items: cart_summary.items() }).await?;
    Ok((cart_summary, totals))
}

async fn page(
    context: PageContext,
    status: StatusCode,
    mut form: Form,
    problem: String,
) -> Result<HttpResponse, ApiError> {
    let user = context.buyer()?.id;
    let (cart_summary, totals) = match priced(&context).await {
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
        key: key_of(&context, &cart_summary),
        shown: shown(&totals),
        lines: cart_summary.views(),
        units: cart_summary.units(),
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
        context.flash_message("Your cart is empty.");
    } else if error.code() == NOT_FOR_SALE {
        context.flash_error("Some of your cart is not for sale any more. Remove it, then go on to checkout.");
    } else {
        context.flash_error(sentence(&error.to_string()));
    }
    context.redirect("/cart")
}

///
/// # Errors
///
/// 401, which leads to the login and back; 403 for sellers and admins; 503.
pub async fn show(req: HttpRequest, mut context: PageContext) -> Result<HttpResponse, ApiError> {
    let user = context.buyer()?.id;
    let mut problem = String::new();
    if let Some(token) = query::value(req.query_string(), "summary") {
        let cart = context.calls.ask(GetCart { user }).await?;
        let offers = offers_of(&context.calls, &cart).await?;
        let links = context.state().tokens.checkout_links();
        if let Err(error) = links.check(&token, user, &cart, &offers, Timestamp::now()) {
            problem = sentence(&format!("{error}; this is your cart as it is now"));
        }
    }
    let form = context.take_saved_form("/checkout").unwrap_or_default();
    page(context, StatusCode::OK, form, problem).await
}

/// The destination from the form.
fn destination(form: &mut Form) -> Option<Destination> {
    match form.text("address") {
        "" | "new" => address_of(form).map(Destination::Here),
        kept => Some(kept.parse().map_or(Destination::Unknown, |id: AddressId| Destination::Kept(id))),
    }
}

/// The destination with the buyer's name where a saved address has none: a parcel needs a name.
async fn named(context: &PageContext, user: UserId, destination: Destination) -> Result<Destination, ApiError> {
    let Destination::Kept(id) = destination else { return Ok(destination) };
    let account = context.calls.ask(GetUser { user }).await?.ok_or_else(ApiError::unauthorized)?;
    let kept = account.addresses.iter().find(|address| address.id == id);
    let Some(postal) = kept.filter(|address| address.postal.full_name.is_none()) else {
        return Ok(Destination::Kept(id));
    };
    let postal = PostalAddress { full_name: Some(name_of(&account)), ..postal.postal.clone() };
    // An address that was saved before there were rules for addresses is used as it is.
    Ok(postal.settled().map_or(Destination::Kept(id), Destination::Here))
}

/// Places the order and redirects to its payment.
///
/// # Errors
///
/// 401, 403, 503; errors that the buyer can act on show the page again.
pub async fn place(
    _limit: Limited<NewOrder>,
    FormRequest { mut context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let user = context.buyer()?.id;
    context.must_be_verified().await?;
    let key = form.text("key").to_owned();
    let is_key = key.len() <= 64 && key.starts_with("page-") && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key && let Some(order) = context.calls.ask(GetOrderByKey { user, key: key.clone() }).await? {
        return Ok(go_on(context, &order));
    }
    let priced = priced(&context).await;
    let is_shown = priced.as_ref().is_ok_and(|(cart_summary, totals)| {
        key == key_of(&context, cart_summary) && form.text("shown") == shown(totals)
    });
    // Another post of the same page may have made the order since the lookup above.
    if !is_shown
        && is_key
        && let Some(order) = context.calls.ask(GetOrderByKey { user, key: key.clone() }).await?
    {
        return Ok(go_on(context, &order));
    }
    let (cart_summary, totals) = match priced {
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
        // The order matters more than saving the address.
        let add = AddAddress { user, postal: postal.clone(), is_default: false };
        if let Err(error) = context.calls.ask(add).await {
            tracing::info!(%error, "an address was not saved");
        }
    }
    // A price or a cart that changes after the comparison above makes the order fail.
    let total = Some((totals.total.minor(), Some(totals.total.currency())));
    let expected = Expected { total, cart_version: cart_summary.cart_version };
    let asked = PlaceOrder { user, destination, expected, key: Some((key, "page".to_owned())) };
    match context.calls.ask(asked).await.map_err(ApiError::from) {
        Ok(placed) => {
            context.set_cart_count(0);
            Ok(go_on(context, &placed.order))
        }
        Err(error @ ApiError::Conflict { .. }) if error.code() == "order.insufficient_stock" => {
            context.flash_error(
                "Some of this was sold in the meantime. Lower the quantities that are marked, then try again.",
            );
            Ok(context.redirect("/cart"))
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

/// The path of an order's page.
pub(super) fn path_of(order: OrderId) -> String {
    format!("/orders/{order}")
}

fn go_on(context: PageContext, order: &Order) -> HttpResponse {
    let path = path_of(order.id);
    match order.status {
        OrderStatus::Pending => context.redirect(&format!("{path}/pay")),
        _ => context.redirect(&path),
    }
}
