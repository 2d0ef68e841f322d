//! Links to the checkout page that an assistant returns.
//!
//! A link is a summary of one user's cart as it was shown to them: the page opens only while the cart still has those
//! products, quantities and prices. Opening it orders nothing; the user confirms on the page.
//!
//! **Invariant:** a token is valid for one user, one content of their cart and [`LIFETIME`].

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::domain::{Timestamp, cart::Cart, ids::UserId, product::Offer};

/// How long a link is valid.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// The purpose of the derived key, so that no other signature of the same secret is valid here.
const PURPOSE: &[u8] = b"microbazaar checkout link v1";
/// The user and the expiry, then the digest of the cart, then the signature.
const USER: usize = 12;
const EXPIRY: usize = USER + 8;
const DIGEST: usize = EXPIRY + 32;

/// Why a link is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckoutLinkError {
    /// It was not issued here, or for another user.
    #[error("this link is not valid")]
    Invalid,
    /// It is older than [`LIFETIME`].
    #[error("this summary has expired")]
    Expired,
    /// Products, quantities or prices are not those of the summary.
    #[error("your cart has changed since this summary was made")]
    CartChanged,
}

/// Makes and checks the tokens of checkout links.
#[derive(Clone)]
pub struct CheckoutLink {
    key: [u8; 32],
}

impl CheckoutLink {
    /// With a key derived from the shared secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { key: mac(secret, &[PURPOSE]).finalize().into_bytes().into() }
    }

    /// A token for this cart, at the prices of `offers`.
    #[must_use]
    pub fn make(&self, user: UserId, cart: &Cart, offers: &[Offer], now: Timestamp) -> String {
        let expires = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX).as_second();
        let mut token = Vec::with_capacity(DIGEST + 32);
        token.extend_from_slice(user.as_slice());
        token.extend_from_slice(&expires.to_be_bytes());
        token.extend_from_slice(&digest(cart, offers));
        let signature = mac(&self.key, &[&token]).finalize().into_bytes();
        token.extend_from_slice(&signature);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Whether `token` is a summary of this cart as it is now.
    ///
    /// # Errors
    /// [`CheckoutLinkError`], whose text is for the user.
    pub fn check(
        &self,
        token: &str,
        user: UserId,
        cart: &Cart,
        offers: &[Offer],
        now: Timestamp,
    ) -> Result<(), CheckoutLinkError> {
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| CheckoutLinkError::Invalid)?;
        let (said, signature) = token.split_at_checked(DIGEST).ok_or(CheckoutLinkError::Invalid)?;
        mac(&self.key, &[said]).verify_slice(signature).map_err(|_| CheckoutLinkError::Invalid)?;
        let expires: [u8; 8] = said[USER..EXPIRY].try_into().map_err(|_| CheckoutLinkError::Invalid)?;
        if said[..USER] != *user.as_slice() {
            return Err(CheckoutLinkError::Invalid);
        }
        if now.as_second() >= i64::from_be_bytes(expires) {
            return Err(CheckoutLinkError::Expired);
        }
        if said[EXPIRY..] != digest(cart, offers) {
            return Err(CheckoutLinkError::CartChanged);
        }
        Ok(())
    }
}

/// The page that a token leads to.
#[must_use]
pub fn path(token: &str) -> String {
    format!("/checkout?summary={token}")
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // A key of any length is accepted, so this never fails.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
    for part in parts {
        mac.update(part);
    }
    mac
}

/// Covers the visible lines: those whose product is still offered, in any order.
fn digest(cart: &Cart, offers: &[Offer]) -> [u8; 32] {
    let mut lines: Vec<_> = cart
        .lines
        .iter()
        .filter_map(|line| {
            let offer = offers.iter().find(|offer| offer.product.id == line.product)?;
            Some((line.product, line.quantity, offer.product.price))
        })
        .collect();
    lines.sort_unstable_by_key(|line| line.0);
    let mut sha = Sha256::new();
    for (product, quantity, price) in lines {
        sha.update(product.as_slice());
        sha.update(quantity.to_be_bytes());
        sha.update(price.minor().to_be_bytes());
        sha.update(price.currency().code());
    }
    sha.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use test_support::{BASE64_URL, altered};

    use super::*;
    use crate::domain::{
        ids::{CartId, ProductId},
        money::{Currency, Money},
        product::{Offer, Product, ProductStatus},
    };

    fn offer(id: ProductId, minor: i64) -> Offer {
        let product = Product {
            id,
            title: "Brass desk lamp".into(),
            description: String::new(),
            price: Money::new(minor, Currency::Inr),
            category: String::new(),
            seller: UserId::from_bytes([7; 12]),
            images: vec![],
            max_per_order: None,
            status: ProductStatus::Live,
            status_reason: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version: 1,
        };
        Offer { product: Arc::new(product), available: 9, for_sale: true }
    }

    #[test]
    fn a_link_is_of_one_user_one_cart_and_a_quarter_of_an_hour() {
        use CheckoutLinkError::{CartChanged, Expired, Invalid};
        let (now, user) = (Timestamp::UNIX_EPOCH, UserId::from_bytes([1; 12]));
        let (a, b) = (ProductId::from_bytes([2; 12]), ProductId::from_bytes([3; 12]));
        let offers = [offer(a, 100), offer(b, 250)];
        let mut cart = Cart::empty(CartId::from_bytes([4; 12]), user, now);
        cart.add(a, 2, 9, now).unwrap();
        cart.add(b, 1, 9, now).unwrap();
        let links = CheckoutLink::new(b"a secret of thirty-two bytes, or more");
        let token = links.make(user, &cart, &offers, now);
        let check = |token: &str, cart: &Cart, offers: &[Offer], later: i64| {
            links.check(token, user, cart, offers, now + SignedDuration::from_secs(later))
        };
        assert_eq!(check(&token, &cart, &offers, 899), Ok(()));
        assert_eq!(check(&token, &cart, &offers, 900), Err(Expired));
        assert_eq!(check(&token, &cart, &[offer(a, 101), offer(b, 250)], 1), Err(CartChanged));
        assert_eq!(check(&token, &cart, &[offer(a, 100)], 1), Err(CartChanged));
        let stranger = links.check(&token, UserId::from_bytes([9; 12]), &cart, &offers, now);
        assert_eq!(stranger, Err(Invalid));
        let other = CheckoutLink::new(b"another secret of thirty-two bytes, or so");
        assert_eq!(other.check(&token, user, &cart, &offers, now), Err(Invalid));
        for nearly in altered(&token, BASE64_URL) {
            assert_eq!(check(&nearly, &cart, &offers, 1), Err(Invalid), "{nearly}");
        }
        let mut reordered = cart.clone();
        reordered.lines.reverse();
        assert_eq!(check(&token, &reordered, &offers, 1), Ok(()));
        cart.set(a, 3, 9, now).unwrap();
        assert_eq!(check(&token, &cart, &offers, 1), Err(CartChanged));
    }
}
