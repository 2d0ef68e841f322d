//! A guest's cart becomes a user's.
//!
//! Each line is taken over by setting the user's line to the larger of what she had and what she
//! chose as a guest, so that doing it twice (two tabs, a login that is sent again) changes nothing.
//!
//! **Invariant:** no line is lost but for want of stock, which is told; none is doubled.

use super::{guest::GuestCart, visit::Visit};
use crate::{
    actors::{cart::CartFailure, runtime::AskError},
    domain::{
        cart::CartError,
        ids::{ProductId, UserId},
        user::Role,
    },
    http::error::ApiError,
};

/// Takes the guest's cart over into the account of whoever logged in, and then out of the browser.
/// Returns the titles of what there was too little of. What could not be taken over because a
/// service is away stays in the browser for the next time.
pub async fn take_over(visit: &mut Visit) -> Vec<String> {
    let mut short = vec![];
    let buyer = visit.user.as_ref().filter(|user| user.role == Role::User).map(|user| user.id);
    let Some(user) = buyer else { return short };
    let mut left = GuestCart::default();
    for line in visit.guest_cart.lines.clone() {
        match one(visit, user, line.product, line.quantity).await {
            Ok(Some(title)) => short.push(title),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "a guest's line was not taken over");
                left.lines.push(line);
            }
        }
    }
    visit.keep_cart(left);
    short
}

/// One line; `Some` title when there is less than was chosen.
async fn one(visit: &Visit, user: UserId, product: ProductId, quantity: u32) -> Result<Option<String>, ApiError> {
    let carts = visit.shop.carts()?;
    let have = carts.get(user).await?.cart.quantity_of(product);
    if have >= quantity {
        return Ok(None);
    }
    // Made first and then set, so that two at once end with what was chosen, and not twice that.
    let made = match have {
        0 => carts.add(user, product, 1).await,
        _ => Ok(carts.get(user).await?),
    };
    let set = match made {
        Ok(_)
        | Err(AskError::Refused(CartFailure::Rule(
            CartError::InsufficientStock { available: 1.. } | CartError::MaxPerOrder { .. },
        ))) => carts.set(user, product, quantity).await,
        refused => refused,
    };
    let available = match set {
        Ok(_) | Err(AskError::Refused(CartFailure::NoSuchProduct | CartFailure::Rule(CartError::NotInCart))) => {
            return Ok(None);
        }
        Err(AskError::Refused(CartFailure::Rule(CartError::InsufficientStock { available }))) => available,
        Err(AskError::Refused(CartFailure::Rule(CartError::MaxPerOrder { max }))) => i64::from(max),
        Err(AskError::Refused(CartFailure::Rule(_))) => 0,
        Err(error) => return Err(error.into()),
    };
    let title = match visit.shop.catalogue()?.get(product).await? {
        Some(snapshot) => snapshot.product.title.clone(),
        None => return Ok(None),
    };
    let available = u32::try_from(available.max(0)).unwrap_or(0);
    if available > have {
        // Whoever took the rest in this moment was first.
        let _still_less = carts.set(user, product, available.min(quantity)).await;
    }
    Ok(Some(title))
}
