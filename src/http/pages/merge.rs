//! A guest's cart becomes a user's.
//!
//! Each line is taken over by setting the user's line to the larger of what she had and what she
//! chose as a guest, so that doing it twice (two tabs, a login that is sent again) changes nothing.
//!
//! **Invariant:** no line is lost but for want of stock, which is told; none is doubled.

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

/// Takes the guest's cart over into the account of whoever logged in, and then out of the browser.
/// Returns the titles of what there was too little of. What could not be taken over because a
/// service is away stays in the browser for the next time.
pub async fn take_over(context: &mut PageContext) -> Vec<String> {
    let mut short = vec![];
    let buyer = context.user.as_ref().filter(|user| user.role == Role::User).map(|user| user.id);
    let Some(user) = buyer else { return short };
    let mut left = GuestCart::default();
    for line in context.guest_cart.lines.clone() {
        match one(context, user, line.product, line.quantity).await {
            Ok(Some(title)) => short.push(title),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "a guest's line was not taken over");
                left.lines.push(line);
            }
        }
    }
    context.keep_cart(left);
    short
}

/// One line; `Some` title when there is less than was chosen.
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
    // Made first and then set, so that two at once end with what was chosen, and not twice that.
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
        // Whoever took the rest in this moment was first.
        let _still_less = calls.ask(SetQuantity { user, product, quantity: available.min(quantity) }).await;
    }
    Ok(Some(title))
}
