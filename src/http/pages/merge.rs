//! Merges a guest's cart into the user's.
//!
//! Each line of the user's cart is set to the larger of the two quantities, so that repeating the merge (two tabs, a
//! login that is sent again) changes nothing.
//!
//! **Invariant:** no line is lost except for missing stock, which is reported; none is counted twice.

use super::{context::PageContext, guest::GuestCart};
use crate::{
    actors::{
        cart::calls::{AddToCart, GetCart, SetQuantity},
        catalogue::calls::GetOffer,
    },
    domain::{
        cart::CartError,
        ids::{ProductId, UserId},
        user::Role,
    },
    http::error::ApiError,
    runtime::calls::CallError::Refused,
};

/// Merges the guest's cart into the account of the user who logged in, and removes it from the browser. Returns the
/// titles of products with too little stock. Lines that fail because a service is unavailable stay in the browser for
/// the next login.
pub async fn merge_guest_cart(context: &mut PageContext) -> Vec<String> {
    let mut short = vec![];
    let buyer = context.user.as_ref().filter(|user| user.role == Role::User).map(|user| user.id);
    let Some(user) = buyer else { return short };
    let mut left = GuestCart::default();
    for line in context.guest_cart.lines.clone() {
        match one(context, user, line.product, line.quantity).await {
            Ok(Some(title)) => short.push(title),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "a line of a guest's cart was not merged");
                left.lines.push(line);
            }
        }
    }
    context.store_cart(left);
    short
}

/// Merges one line; returns the title when there is less stock than the guest chose.
async fn one(
    context: &PageContext,
    user: UserId,
    product: ProductId,
    quantity: u32,
) -> Result<Option<String>, ApiError> {
    let calls = &context.calls;
    let have = calls.ask(GetCart { user }).await?.quantity_of(product);
    if have >= quantity {
        return Ok(None);
    }
    // Adds first and then sets, so that two merges at once end with the chosen quantity, and not twice that.
    let made = match have {
        0 => calls.ask(AddToCart { user, product, quantity: 1 }).await.map(drop),
        _ => Ok(()),
    };
    let set = match made {
        Ok(()) | Err(Refused(CartError::InsufficientStock { available: 1.. } | CartError::MaxPerOrder { .. })) => {
            calls.ask(SetQuantity { user, product, quantity }).await.map(drop)
        }
        refused => refused,
    };
    let available = match set {
        Ok(()) | Err(Refused(CartError::NoSuchProduct | CartError::NotInCart)) => return Ok(None),
        Err(Refused(CartError::InsufficientStock { available })) => available,
        Err(Refused(CartError::MaxPerOrder { max })) => i64::from(max),
        Err(Refused(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    let title = match calls.ask(GetOffer { product }).await? {
        Some(offer) => offer.product.title.clone(),
        None => return Ok(None),
    };
    let available = u32::try_from(available.max(0)).unwrap_or(0);
    if available > have {
        // Another buyer has just taken the rest.
        let _still_less = calls.ask(SetQuantity { user, product, quantity: available.min(quantity) }).await;
    }
    Ok(Some(title))
}
