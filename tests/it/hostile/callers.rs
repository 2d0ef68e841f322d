//! Callers and their tokens.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{EncodingKey, Header, encode};
use microbazaar::{
    actors::tokens::Tokens,
    domain::{Timestamp, user::Role},
};
use serde_json::json;
use sha2::Sha512;

use super::shop::{SECRET, Shop, Things};

/// A caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    Nobody,
    User,
    Seller,
    Admin,
    Service,
    Garbage,
    Expired,
    WithoutAlgorithm,
    OtherSecret,
    OtherAlgorithm,
    Huge,
    Dead,
    UnknownRole,
    OddId,
}

/// Callers with a valid token.
pub const KNOWN: [Caller; 4] = [Caller::User, Caller::Seller, Caller::Admin, Caller::Service];

/// All callers.
pub const ALL: [Caller; 14] = [
    Caller::Nobody,
    Caller::User,
    Caller::Seller,
    Caller::Admin,
    Caller::Service,
    Caller::Garbage,
    Caller::Expired,
    Caller::WithoutAlgorithm,
    Caller::OtherSecret,
    Caller::OtherAlgorithm,
    Caller::Huge,
    Caller::Dead,
    Caller::UnknownRole,
    Caller::OddId,
];

/// `{"alg":"none","typ":"JWT"}`, encoded.
const NONE_HEADER: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
/// `{"alg":"HS512","typ":"JWT"}`.
const HS512_HEADER: &str = "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9";

/// Issues tokens. A known caller gets a new one each time, so that a logout affects no other call.
#[derive(Clone)]
pub struct Badges {
    tokens: Tokens,
    user: String,
    seller: String,
    admin: String,
    dead: String,
}

impl Badges {
    pub async fn of(shop: &Shop) -> Self {
        let Things { user, seller, .. } = shop.own.clone();
        let tokens = Tokens::new(SECRET.as_bytes());
        let mut badges = Self { tokens, user, seller, admin: shop.admin.clone(), dead: String::new() };
        badges.dead = badges.issue(&badges.user, Role::User);
        shop.post("/api/auth/logout", Some(&badges.dead), &json!({})).await;
        badges
    }

    fn issue(&self, id: &str, role: Role) -> String {
        self.tokens.issue(id.parse().unwrap(), role, Timestamp::now()).unwrap().0
    }

    fn signed(&self, secret: &str, id: &str, role: &str, lives: i64) -> String {
        let now = Timestamp::now().as_second();
        let claims = json!({"id": id, "role": role, "iat": now, "exp": now + lives, "jti": "0123"});
        encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    /// The value after `Bearer`.
    pub fn token(&self, caller: Caller) -> Option<String> {
        let admin = |secret, lives| self.signed(secret, &self.admin, "admin", lives);
        Some(match caller {
            Caller::Nobody => return None,
            Caller::User => self.issue(&self.user, Role::User),
            Caller::Seller => self.issue(&self.seller, Role::Seller),
            Caller::Admin => self.issue(&self.admin, Role::Admin),
            Caller::Service => self.tokens.issue_service("order", Timestamp::now()).unwrap(),
            Caller::Garbage => "a.b.c".to_owned(),
            Caller::Expired => admin(SECRET, -3600),
            Caller::WithoutAlgorithm => {
                let valid = self.issue(&self.admin, Role::Admin);
                format!("{NONE_HEADER}.{}.", valid.split('.').nth(1).unwrap())
            }
            Caller::OtherSecret => admin("another secret of more than thirty-two bytes", 3600),
            Caller::OtherAlgorithm => {
                let valid = self.issue(&self.admin, Role::Admin);
                let signed = format!("{HS512_HEADER}.{}", valid.split('.').nth(1).unwrap());
                let mac = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(&signed);
                format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
            }
            Caller::Huge => "x".repeat(60_000),
            Caller::Dead => self.dead.clone(),
            Caller::UnknownRole => self.signed(SECRET, &self.admin, "root", 3600),
            Caller::OddId => self.signed(SECRET, "{\"$gt\":\"\"}", "admin", 3600),
        })
    }
}
