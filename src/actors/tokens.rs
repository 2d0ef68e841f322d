//! Tokens: JWTs signed with HS256, and the memory of those that a logout has ended.
//!
//! **Invariant:** no other algorithm is taken, whatever a token says of itself.

use actix_web::cookie::{Cookie, SameSite, time::Duration as CookieDuration};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

pub use self::{
    dead::{DeadTokens, Standing},
    service::ServiceToken,
};
use super::checkout_link::CheckoutLink;
use crate::domain::{Timestamp, ids::UserId, user::Role};

mod dead;
mod service;
mod shared;

/// The cookie that holds a token.
pub const COOKIE: &str = "token";
/// How long a token lives, in seconds: one day.
pub const LIFETIME_SECONDS: i64 = 24 * 60 * 60;
/// How long a token between services lives, in seconds.
const SERVICE_LIFETIME_SECONDS: i64 = 60;
/// How far clocks of two nodes may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 5;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user's id, or the service's name.
    pub id: String,
    /// What its bearer may do.
    pub role: Role,
    /// When it was made, in seconds.
    pub iat: i64,
    /// When it ends, in seconds.
    pub exp: i64,
    /// Its own id.
    pub jti: String,
}

/// The token is not one of ours, or not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct BadToken;

/// Makes and checks tokens with the shared secret.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    pages: Option<Hmac<Sha256>>,
    links: CheckoutLink,
}

impl Tokens {
    /// With the shared secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_aud = false;
        let pages = Hmac::<Sha256>::new_from_slice(secret).ok().and_then(|mut key| {
            key.update(b"microbazaar pages");
            Hmac::new_from_slice(&key.finalize().into_bytes()).ok()
        });
        let (encoding, decoding) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { encoding, decoding, validation, pages, links: CheckoutLink::new(secret) }
    }

    /// Checks the links to the checkout that the assistant hands out.
    #[must_use]
    pub const fn checkout_links(&self) -> &CheckoutLink {
        &self.links
    }

    /// What only who knows the secret can say about `text`, for a page's forms and cookies. The
    /// same after a restart and on every node; a mark for one purpose is none for another.
    #[must_use]
    pub fn mark(&self, purpose: &str, text: &str) -> String {
        let Some(mut mac) = self.pages.clone() else { return hex::encode(rand::random::<[u8; 16]>()) };
        for part in [purpose.as_bytes(), &[0], text.as_bytes()] {
            mac.update(part);
        }
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    /// A token of a user for one day.
    ///
    /// # Errors
    /// [`BadToken`] when it cannot be signed, which no input causes.
    pub fn issue(&self, user: UserId, role: Role, now: Timestamp) -> Result<(String, Claims), BadToken> {
        self.sign(user.to_hex(), role, LIFETIME_SECONDS, now)
    }

    /// A token by which one service calls another, for one minute.
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn issue_service(&self, name: &str, now: Timestamp) -> Result<String, BadToken> {
        self.sign(name.to_owned(), Role::Service, SERVICE_LIFETIME_SECONDS, now).map(|(token, _)| token)
    }

    fn sign(&self, id: String, role: Role, lifetime: i64, now: Timestamp) -> Result<(String, Claims), BadToken> {
        let iat = now.as_second();
        let jti = hex::encode(rand::random::<[u8; 16]>());
        let claims = Claims { id, role, iat, exp: iat.saturating_add(lifetime), jti };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        token.map(|token| (token, claims)).map_err(|_| BadToken)
    }

    /// What a valid token says. Whether a logout ended it is for [`DeadTokens`] to say.
    ///
    /// # Errors
    /// [`BadToken`].
    pub fn verify(&self, token: &str) -> Result<Claims, BadToken> {
        jsonwebtoken::decode(token, &self.decoding, &self.validation).map(|data| data.claims).map_err(|_| BadToken)
    }
}

/// The cookie that hands a token to a browser.
#[must_use]
pub fn cookie(token: &str, secure: bool) -> Cookie<'static> {
    Cookie::build(COOKIE, token.to_owned())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .max_age(CookieDuration::seconds(LIFETIME_SECONDS))
        .finish()
}

/// The cookie that takes a token from a browser.
#[must_use]
pub fn removal_cookie(secure: bool) -> Cookie<'static> {
    let mut gone = cookie("", secure);
    gone.make_removal();
    gone
}
