//! The cart page, for users and guests.

use actix_web::{
    HttpResponse,
    web::{self, Path, ServiceConfig},
};
use askama::Template;
use async_trait::async_trait;
use serde_json::json;

use super::{
    cart_summary::{CartSummary, LineView},
    context::PageContext,
    form::{Form, FormRequest},
    format, merge,
    page::{NO_COOKIES, Page, sentence},
    product::id_of,
};
use crate::{
    actors::{
        cart::calls::{AddToCart, GetCart, RemoveFromCart, SetQuantity},
        catalogue::calls::GetOffer,
    },
    domain::{
        cart::{CartError, QUANTITY_MAX},
        ids::ProductId,
        user::Role,
    },
    http::{
        error::ApiError,
        features::Feature,
        rate::work::{CartChange, Limited},
        routes::{self, Registrar},
    },
};

/// The cart of users and guests.
pub struct Cart;

#[async_trait(?Send)]
impl Feature for Cart {
    fn path(&self) -> &'static str {
        "/cart"
    }

    fn api(&self, registrar: &mut Registrar<'_, '_>) {
        use routes::cart::{add, clear, get, remove, set};
        registrar.add(get).add(add).add(set).add(remove).add(clear);
    }

    fn pages(&self, config: &mut ServiceConfig) {
        super::page(config, web::resource("/cart").get(show).post(add));
        super::page(config, web::resource("/cart/tidy").post(tidy));
        super::page(config, web::resource("/cart/items/{id}").post(change));
    }

    async fn merge_guest(&self, context: &mut PageContext) -> Option<String> {
        match merge::merge_guest_cart(context).await.as_slice() {
            [] => None,
            short => Some(format!("Less of this is in stock than you had chosen: {}.", short.join(", "))),
        }
    }
}

#[derive(Template)]
#[template(path = "shop/cart.html")]
struct CartPage {
    page: Page,
    lines: Vec<LineView>,
    units: u64,
    subtotal: String,
    mixed: bool,
    short: bool,
    gone: bool,
}

///
/// # Errors
/// 403 for sellers and admins, 503.
pub async fn show(mut context: PageContext) -> Result<HttpResponse, ApiError> {
    let cart_summary = CartSummary::of(&context).await?;
    context.set_cart_count(cart_summary.units());
    let (lines, subtotal) = (cart_summary.views(), cart_summary.subtotal());
    let view = CartPage {
        page: context.page_with_cookie_check("Cart"),
        units: cart_summary.units(),
        mixed: subtotal.is_none() && !lines.is_empty(),
        short: lines.iter().any(|line| line.short),
        gone: lines.iter().any(|line| line.gone),
        subtotal: subtotal.map(format::money).unwrap_or_default(),
        lines,
    };
    context.ok(&view)
}

fn quantity(form: &Form) -> Result<u32, ApiError> {
    let read = form.number("quantity").filter(|quantity| (1..=QUANTITY_MAX).contains(quantity));
    read.ok_or_else(|| ApiError::field("quantity", "must be a whole number from 1 to 999"))
}

/// Asks a script to send its request again when no cookie came: this response sets one, and a browser that still
/// sends none stores no cookies.
fn first_cookie(context: &PageContext) -> Option<ApiError> {
    (context.is_new && context.wants_json)
        .then(|| ApiError::conflict("page.no_cookies", NO_COOKIES.trim_end_matches('.')))
}

/// Adds to the cart; a script gets the new count as JSON.
///
/// # Errors
///
/// To a script, the error; a browser sees it on the next page.
pub async fn add(
    _limit: Limited<CartChange>,
    FormRequest { mut context, form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    if let Some(answer) = first_cookie(&context) {
        return Ok(context.error_json(&answer));
    }
    let product: ProductId = id_of(form.text("product"), "product")?;
    let added = match quantity(&form) {
        Ok(quantity) => change_quantity(&mut context, product, quantity, true).await,
        Err(error) => Err(error),
    };
    match added {
        Ok(units) if context.wants_json => Ok(context.json(&json!({"count": units, "message": "Added to your cart"}))),
        Ok(_) => {
            context.flash_message("Added to your cart.");
            Ok(context.redirect_checking_cookies("/cart", "/cart"))
        }
        Err(error) if context.wants_json => Err(error),
        Err(error) => redirect_with_error(context, error, &format!("/products/{product}")),
    }
}

/// Changes a line of the cart or removes it, depending on the button.
///
/// # Errors
/// As [`add`].
pub async fn change(
    _limit: Limited<CartChange>,
    FormRequest { mut context, form }: FormRequest,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    if let Some(answer) = first_cookie(&context) {
        return Ok(context.error_json(&answer));
    }
    let product: ProductId = id_of(&path, "product")?;
    let changed = match form.has("remove") {
        true => take_out(&mut context, product).await,
        // A number that the user did not change is not written: another tab may have changed the line.
        false if form.seen("quantity") == Some(form.trimmed("quantity")) => {
            return Ok(context.redirect("/cart"));
        }
        false => match quantity(&form) {
            Ok(quantity) => match must_be_seen(&context, product, quantity, &form).await {
                Ok(()) => change_quantity(&mut context, product, quantity, false).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        },
    };
    match changed {
        Ok(units) if context.wants_json => {
            Ok(context.json(&json!({"count": units, "message": "Your cart is changed"})))
        }
        Ok(_) => Ok(context.redirect("/cart")),
        Err(error) if context.wants_json => Err(error),
        Err(ApiError::NotFound(_)) => {
            context.flash_error(match context.user {
                Some(_) => "Nothing was changed: this product is no longer in your cart.",
                None => "Nothing was changed: you are not logged in, and this product is not in the cart of this browser. Log in to see the cart of your account.",
            });
            Ok(context.redirect("/cart"))
        }
        Err(error) => redirect_with_error(context, error, "/cart"),
    }
}

/// Refuses a quantity that differs from the cart's when the form has no value that the page was rendered with: then
/// it is unknown whether the user changed it.
async fn must_be_seen(context: &PageContext, product: ProductId, quantity: u32, form: &Form) -> Result<(), ApiError> {
    if form.seen("quantity").is_some_and(|seen| seen.parse::<u32>().is_ok()) {
        return Ok(());
    }
    let now = match &context.user {
        Some(user) => context.calls.ask(GetCart { user: user.id }).await?.quantity_of(product),
        None => context.guest_cart.quantity_of(product),
    };
    if now == 0 || now == quantity {
        return Ok(());
    }
    let message = format!("nothing was changed: there are {now} of this in your cart now. Enter the number again");
    Err(ApiError::conflict("cart.quantity_moved", message))
}

/// Shows an error that the buyer can act on, on the page `to`.
fn redirect_with_error(mut context: PageContext, error: ApiError, to: &str) -> Result<HttpResponse, ApiError> {
    let text = match &error {
        ApiError::Conflict { .. } => error.to_string(),
        ApiError::Validation(errors) => match errors.first() {
            Some(first) => format!("{} {}", first.path, first.msg),
            None => error.to_string(),
        },
        _ => return Err(error),
    };
    context.flash_error(sentence(&text));
    Ok(context.redirect(to))
}

/// Adds to a line or sets it; returns the number of units in the cart.
async fn change_quantity(
    context: &mut PageContext,
    product: ProductId,
    quantity: u32,
    adding: bool,
) -> Result<u64, ApiError> {
    let Some(user) = &context.user else {
        let offer = context.calls.ask(GetOffer { product }).await?.ok_or(ApiError::NotFound("product"))?;
        let mut cart = context.guest_cart.clone();
        let have = cart.quantity_of(product);
        if !adding && have == 0 {
            return Err(ApiError::NotFound("product in the cart"));
        }
        let wanted = if adding { have.saturating_add(quantity) } else { quantity };
        if !offer.for_sale {
            return Err(CartError::NotForSale { product }.into());
        }
        cart.set(product, wanted, offer.buyable())?;
        context.store_cart(cart);
        return Ok(context.guest_cart.units());
    };
    if user.role != Role::User {
        return Err(ApiError::forbidden());
    }
    let (calls, user) = (&context.calls, user.id);
    let cart = match adding {
        true => calls.ask(AddToCart { user, product, quantity }).await?,
        false => calls.ask(SetQuantity { user, product, quantity }).await?,
    };
    Ok(cart.units())
}

/// Removes products that are no longer for sale from the cart.
///
/// # Errors
/// As [`add`].
pub async fn tidy(
    _limit: Limited<CartChange>,
    FormRequest { mut context, .. }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let cart_summary = CartSummary::of(&context).await?;
    for (line, _) in cart_summary.lines.iter().filter(|(_, offer)| !offer.for_sale) {
        match take_out(&mut context, line.product).await {
            // Another tab has removed it.
            Ok(_) | Err(ApiError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    context.flash_message("What is not for sale any more is out of your cart.");
    Ok(context.redirect("/cart"))
}

async fn take_out(context: &mut PageContext, product: ProductId) -> Result<u64, ApiError> {
    let Some(user) = &context.user else {
        let mut cart = context.guest_cart.clone();
        cart.remove(product);
        context.store_cart(cart);
        return Ok(context.guest_cart.units());
    };
    if user.role != Role::User {
        return Err(ApiError::forbidden());
    }
    Ok(context.calls.ask(RemoveFromCart { user: user.id, product }).await?.units())
}
