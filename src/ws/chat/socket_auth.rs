//! Authentication of sockets, when they connect and as long as they are connected.
//!
//! **Invariant:** every socket has a valid token. When the token expires or is revoked, or its user is blocked, the
//! socket is disconnected: at once if this node is notified, otherwise at the next event of the client.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Map, Value as Json};

use crate::{
    actors::{
        accounts::two_factor,
        tokens::{COOKIE, Claims, RevokedTokens, TokenId, TokenStatus, Tokens},
    },
    config::Origins,
    domain::{Timestamp, ids::UserId, user::Role},
    runtime::calls::Calls,
    ws::{
        agent::Shopper,
        socket::{Handshake, Refusal, Socket},
    },
};

/// Authenticates sockets by their tokens.
pub struct SocketAuth {
    tokens: Tokens,
    revoked: Arc<RevokedTokens>,
    origins: Origins,
    registrations: Arc<Registrations>,
    /// The roles that must have a second factor.
    two_factor_for: Vec<Role>,
    calls: Calls,
}

/// The user of a socket and the token that authenticated it.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) shopper: Shopper,
    pub(super) jti: String,
    pub(super) iat: i64,
    pub(super) exp: i64,
    token: String,
}

impl Caller {
    fn token_id<'a>(&'a self, user: &'a str) -> TokenId<'a> {
        TokenId { jti: &self.jti, user, iat: self.iat, exp: self.exp }
    }
}

fn invalid() -> Refusal {
    Refusal::new("unauthenticated", "Invalid token")
}

impl SocketAuth {
    /// `origins` are those whose pages may authenticate with a cookie. Sockets are disconnected when `revoked` reports that
    /// their token was revoked.
    #[must_use]
    pub fn new(tokens: Tokens, revoked: Arc<RevokedTokens>, origins: Origins) -> Self {
        let registrations = Arc::new(Registrations::default());
        let sockets = Arc::clone(&registrations);
        revoked.on_revoked(move |jti| sockets.close(jti));
        let sockets = Arc::clone(&registrations);
        revoked.on_user_revoked(move |user| sockets.close_user(user));
        Self { tokens, revoked, origins, registrations, two_factor_for: vec![], calls: Calls::default() }
    }

    /// Refuses users of these roles who have no second factor.
    #[must_use]
    pub fn requiring_two_factor(self, two_factor_for: Vec<Role>, calls: Calls) -> Self {
        Self { two_factor_for, calls, ..self }
    }

    /// The connected sockets by token.
    #[must_use]
    pub fn registrations(&self) -> Arc<Registrations> {
        Arc::clone(&self.registrations)
    }

    pub(super) async fn admit(&self, auth: &Map<String, Json>, handshake: &Handshake) -> Result<Caller, Refusal> {
        let none = || Refusal::new("unauthenticated", "Token not provided");
        let token = match auth.get("token") {
            Some(Json::String(token)) if !token.is_empty() => token.as_str(),
            None | Some(Json::Null | Json::String(_)) => match &handshake.authorization {
                Some(_) => handshake.bearer().ok_or_else(invalid)?,
                None => {
                    let token = handshake.cookie(COOKIE).map(|token| token.trim_matches('"'));
                    let token = token.filter(|token| !token.is_empty()).ok_or_else(none)?;
                    // Browsers send cookies with requests of any page.
                    let [site, origin, host] = [&handshake.fetch_site, &handshake.origin, &handshake.host];
                    if !self.origins.may_use_cookie(site.as_deref(), origin.as_deref(), host.as_deref()) {
                        return Err(Refusal::new("forbidden", "This page may not connect with a cookie"));
                    }
                    token
                }
            },
            Some(_) => return Err(invalid()),
        };
        let claims = self.tokens.verify(token).map_err(|_| invalid())?;
        let has_two_factor = claims.has_two_factor();
        let Claims { id, role, jti, iat, exp, .. } = claims;
        let id = id.parse().ok().filter(|_| role != Role::Service).ok_or_else(invalid)?;
        if self.two_factor_for.contains(&role) && !has_two_factor {
            let missing = two_factor::is_missing(&self.calls, id).await;
            if missing.map_err(|_| Refusal::new("unavailable", "The server is busy"))? {
                return Err(Refusal::new("forbidden", "Set up two-factor authentication first"));
            }
        }
        let caller = Caller { shopper: Shopper { id, role }, jti, iat, exp, token: token.to_owned() };
        self.check_alive(&caller).await?;
        Ok(caller)
    }

    /// Whether the caller's token is still valid.
    pub(super) async fn check(&self, caller: &Caller) -> Result<(), Refusal> {
        self.tokens.verify(&caller.token).map_err(|_| invalid())?;
        self.check_alive(caller).await
    }

    async fn check_alive(&self, caller: &Caller) -> Result<(), Refusal> {
        let user = caller.shopper.id.to_hex();
        let revoked = match self.revoked.status_of(caller.token_id(&user)) {
            TokenStatus::Revoked => true,
            TokenStatus::Valid => false,
            TokenStatus::Unknown => self.revoked.is_revoked(caller.token_id(&user)).await.map_err(|error| {
                tracing::warn!(%error, "the status of a socket's token could not be read");
                Refusal::new("unavailable", "The server is busy")
            })?,
        };
        if revoked { Err(invalid()) } else { Ok(()) }
    }

    /// Registers a socket under its token.
    pub(super) fn enter(&self, caller: &Caller, socket: Socket) {
        let user = caller.shopper.id.to_hex();
        self.registrations.enter(caller, socket);
        // A token that was revoked before the socket was registered disconnected nothing.
        if self.revoked.refuses(caller.token_id(&user)) {
            self.registrations.close(&caller.jti);
        }
    }

    pub(super) fn leave(&self, caller: &Caller, socket: &Socket) {
        self.registrations.leave(&caller.jti, socket.id());
    }
}

/// The connected sockets by token.
#[derive(Default)]
pub struct Registrations(Mutex<HashMap<String, Registration>>);

struct Registration {
    user: UserId,
    exp: i64,
    sockets: Vec<Socket>,
}

impl Registrations {
    fn enter(&self, caller: &Caller, socket: Socket) {
        let mut registrations = self.0.lock();
        let new = || Registration { user: caller.shopper.id, exp: caller.exp, sockets: vec![] };
        let registration = registrations.entry(caller.jti.clone()).or_insert_with(new);
        registration.sockets.push(socket);
    }

    fn leave(&self, jti: &str, socket: &str) {
        let mut registrations = self.0.lock();
        if let Some(registration) = registrations.get_mut(jti) {
            registration.sockets.retain(|there| there.id() != socket);
            if registration.sockets.is_empty() {
                registrations.remove(jti);
            }
        }
    }

    /// Disconnects the sockets of a token.
    pub fn close(&self, jti: &str) {
        let registration = self.0.lock().remove(jti);
        if let Some(registration) = registration {
            end(registration);
        }
    }

    /// Disconnects all sockets of a user.
    pub fn close_user(&self, user: &str) {
        let Ok(user) = user.parse::<UserId>() else { return };
        let over: Vec<Registration> = self
            .0
            .lock()
            .extract_if(|_, registration| registration.user == user)
            .map(|(_, registration)| registration)
            .collect();
        over.into_iter().for_each(end);
    }

    /// Disconnects the sockets whose tokens have expired.
    pub fn close_expired(&self, now: Timestamp) {
        let over: Vec<Registration> = self
            .0
            .lock()
            .extract_if(|_, registration| registration.exp <= now.as_second())
            .map(|(_, registration)| registration)
            .collect();
        over.into_iter().for_each(end);
    }

    /// Whether a socket with this token is connected.
    #[must_use]
    pub fn knows(&self, jti: &str) -> bool {
        self.0.lock().contains_key(jti)
    }

    /// Whether no socket is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

fn end(registration: Registration) {
    for socket in registration.sockets {
        let _gone = socket.emit_error(&invalid());
        socket.disconnect();
    }
}
