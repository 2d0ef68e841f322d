//! Tokens: JWTs signed with HS256, and the memory of those that a logout has ended.
//!
//! **Invariant:** no other algorithm is taken, whatever a token says of itself.

use std::collections::HashMap;

use actix_web::cookie::{Cookie, SameSite, time::Duration as CookieDuration};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::domain::{Timestamp, ids::UserId, user::Role};

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
}

impl Tokens {
    /// With the shared secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_aud = false;
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), validation }
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

/// The ids of tokens that were ended before their time, until that time.
#[derive(Debug)]
pub struct DeadTokens {
    ends: RwLock<HashMap<String, i64>>,
    purge_at: Mutex<usize>,
}

/// How many are kept before those past their time are first looked for.
const PURGE_FROM: usize = 1024;

impl Default for DeadTokens {
    fn default() -> Self {
        Self { ends: RwLock::default(), purge_at: Mutex::new(PURGE_FROM) }
    }
}

impl DeadTokens {
    /// Those that were stored: token ids and when each ends by itself, in seconds.
    #[must_use]
    pub fn load(stored: impl IntoIterator<Item = (String, i64)>) -> Self {
        let ends: HashMap<String, i64> = stored.into_iter().collect();
        let purge_at = Mutex::new(PURGE_FROM.max(ends.len().saturating_mul(2)));
        Self { ends: RwLock::new(ends), purge_at }
    }

    /// Ends a token that would have lived until `exp` (seconds).
    pub fn insert(&self, jti: &str, exp: i64, now: Timestamp) {
        let mut ends = self.ends.write();
        ends.insert(jti.to_owned(), exp);
        let mut purge_at = self.purge_at.lock();
        if ends.len() >= *purge_at {
            // A minute more than any clock's leeway.
            let over = now.as_second().saturating_sub(60);
            ends.retain(|_, exp| *exp > over);
            ends.shrink_to(PURGE_FROM);
            *purge_at = PURGE_FROM.max(ends.len().saturating_mul(2));
        }
    }

    /// Whether this token was ended.
    #[must_use]
    pub fn contains(&self, jti: &str) -> bool {
        let ends = self.ends.read();
        !ends.is_empty() && ends.contains_key(jti)
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.read().len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
