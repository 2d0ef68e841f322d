//! Tokens: JWTs signed with HS256, and the list of revoked ones.
//!
//! **Invariant:** no other algorithm is accepted, whatever a token's header says, and no token for another audience.

use actix_web::cookie::{Cookie, SameSite, time::Duration as CookieDuration};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::{
    revoked::{RevokedTokens, TokenId, TokenStatus, follow},
    service::ServiceToken,
};
use super::checkout_link::CheckoutLink;
use crate::domain::{
    Timestamp,
    ids::{EventId, UserId},
    user::{Role, TokenPurpose, User},
};

mod hs256;
mod redis_tokens;
mod revoked;
mod service;

/// The cookie that holds a token.
pub const COOKIE: &str = "token";
/// The lifetime of a user's token in seconds: one day.
pub const LIFETIME_SECONDS: i64 = 24 * 60 * 60;
/// The lifetime of a service token in seconds.
const SERVICE_LIFETIME_SECONDS: i64 = 60;
/// The largest clock difference between two nodes, in seconds.
const LEEWAY_SECONDS: u64 = 5;

/// The authentication method of a second factor.
const OTP: &str = "otp";
/// Whom the tokens of this shop are for.
const AUDIENCE: &str = "microbazaar";

/// Whom a token is for (RFC 7519 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user's id, or the service's name.
    pub id: String,
    pub role: Role,
    /// When it was issued, in seconds.
    pub iat: i64,
    /// When it expires, in seconds.
    pub exp: i64,
    pub jti: String,
    /// Absent in tokens of earlier versions and of other programs that have the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience>,
    /// How the user was authenticated besides the password (RFC 8176): `otp` where a second factor is enabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
}

impl Claims {
    /// Whether the user has a second factor.
    #[must_use]
    pub fn has_two_factor(&self) -> bool {
        self.amr.iter().any(|method| method == OTP)
    }
}

/// The token is not valid, or not valid any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct BadToken;

/// Issues and verifies tokens with the shared secret.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    pages: Option<Hmac<Sha256>>,
    links: CheckoutLink,
}

impl Tokens {
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        // A token for other programs with this secret is refused; one for nobody in particular is accepted.
        validation.set_audience(&[AUDIENCE]);
        let pages = Hmac::<Sha256>::new_from_slice(secret).ok().and_then(|mut key| {
            key.update(b"microbazaar pages");
            Hmac::new_from_slice(&key.finalize().into_bytes()).ok()
        });
        let (encoding, decoding) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { encoding, decoding, validation, pages, links: CheckoutLink::new(secret) }
    }

    /// The signer of the checkout links that the assistant returns.
    #[must_use]
    pub const fn checkout_links(&self) -> &CheckoutLink {
        &self.links
    }

    /// A message authentication code of `text`, for a page's forms and cookies. It is the same after a restart and on
    /// every node; a code for one purpose is not valid for another.
    #[must_use]
    pub fn mark(&self, purpose: &str, text: &str) -> String {
        let Some(mut mac) = self.pages.clone() else { return hex::encode(rand::random::<[u8; 16]>()) };
        for part in [purpose.as_bytes(), &[0], text.as_bytes()] {
            mac.update(part);
        }
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    /// The token that is mailed for a request: the user's id and a code. Whoever has the shop's secret can derive it,
    /// so that it need not be in an event.
    #[must_use]
    pub fn mailed(&self, purpose: TokenPurpose, user: UserId, request: EventId) -> String {
        let purpose = match purpose {
            TokenPurpose::ResetPassword => "reset password",
            TokenPurpose::ConfirmEmail => "confirm email",
        };
        format!("{user}{}", self.mark(purpose, &format!("{user} {request}")))
    }

    /// The token by which a user unsubscribes from announcements, without a login and for good.
    #[must_use]
    pub fn unsubscribe_token(&self, user: UserId) -> String {
        let user = user.to_hex();
        format!("{user}.{}", self.mark("unsubscribe", &user))
    }

    /// Issues a user's token for one day.
    ///
    /// # Errors
    /// [`BadToken`] when it cannot be signed, which no input causes.
    pub fn issue(&self, user: UserId, role: Role, now: Timestamp) -> Result<(String, Claims), BadToken> {
        self.sign(user.to_hex(), role, LIFETIME_SECONDS, now, vec![])
    }

    /// Issues the token of a user who was authenticated at `at`. It counts as issued then, so that it is not valid if
    /// the user's tokens were ended since.
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn issue_to(&self, user: &User, at: Timestamp) -> Result<(String, Claims), BadToken> {
        let from = user.security.tokens_from.and_then(|from| Timestamp::from_second(from).ok());
        let amr = user.security.two_factor.iter().map(|_| OTP.to_owned()).collect();
        self.sign(user.id.to_hex(), user.role, LIFETIME_SECONDS, from.map_or(at, |from| from.max(at)), amr)
    }

    /// Issues a token with which one service calls another, for one minute.
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn issue_service(&self, name: &str, now: Timestamp) -> Result<String, BadToken> {
        self.sign(name.to_owned(), Role::Service, SERVICE_LIFETIME_SECONDS, now, vec![]).map(|(token, _)| token)
    }

    fn sign(
        &self,
        id: String,
        role: Role,
        lifetime: i64,
        now: Timestamp,
        amr: Vec<String>,
    ) -> Result<(String, Claims), BadToken> {
        let iat = now.as_second();
        let jti = hex::encode(rand::random::<[u8; 16]>());
        let aud = Some(Audience::One(AUDIENCE.to_owned()));
        let claims = Claims { id, role, iat, exp: iat.saturating_add(lifetime), jti, aud, amr };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        token.map(|token| (token, claims)).map_err(|_| BadToken)
    }

    /// The claims of a valid token. Whether it was revoked is not checked here; see [`RevokedTokens`].
    ///
    /// # Errors
    /// [`BadToken`].
    pub fn verify(&self, token: &str) -> Result<Claims, BadToken> {
        jsonwebtoken::decode(token, &self.decoding, &self.validation).map(|data| data.claims).map_err(|_| BadToken)
    }
}

/// The user of a mailed token.
#[must_use]
pub fn user_of_mailed(token: &str) -> Option<UserId> {
    token.get(..24).filter(|_| token.len() == 56)?.parse().ok()
}

/// The form in which a mailed token is stored.
#[must_use]
pub fn mailed_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// The cookie that sets a token in a browser.
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

/// The cookie that removes a token from a browser.
#[must_use]
pub fn removal_cookie(secure: bool) -> Cookie<'static> {
    let mut gone = cookie("", secure);
    gone.make_removal();
    gone
}
