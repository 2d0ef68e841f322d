//! Who may come in, and for how long.
//!
//! **Invariant:** a socket is there by a token that holds; once the token has ended, a logout has
//! ended it or its user is blocked, the socket ends: at once where this node knows of it, and else at
//! its next event at the latest.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Map, Value as Json};

use crate::{
    actors::tokens::{COOKIE, Claims, DeadTokens, Standing, Tokens},
    config::Origins,
    domain::{Timestamp, ids::UserId, user::Role},
    ws::{
        agent::Shopper,
        socket::{Handshake, Refusal, Socket},
    },
};

/// Lets in who shows a valid token.
pub struct Gate {
    tokens: Tokens,
    dead: Arc<DeadTokens>,
    origins: Origins,
    doors: Arc<Doors>,
}

/// Who came in, and by what.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) shopper: Shopper,
    pub(super) jti: String,
    pub(super) exp: i64,
    token: String,
}

fn invalid() -> Refusal {
    Refusal::new("unauthenticated", "Invalid token")
}

impl Gate {
    /// With the tokens of this process, and the origins whose pages may use their cookies. Sockets
    /// are ended when `dead` hears of their tokens' end.
    #[must_use]
    pub fn new(tokens: Tokens, dead: Arc<DeadTokens>, origins: Origins) -> Self {
        let doors = Arc::new(Doors::default());
        let told = Arc::clone(&doors);
        dead.on_death(move |jti| told.close(jti));
        let told = Arc::clone(&doors);
        dead.on_block(move |user| told.close_user(user));
        Self { tokens, dead, origins, doors }
    }

    /// The sockets by their tokens.
    #[must_use]
    pub fn doors(&self) -> Arc<Doors> {
        Arc::clone(&self.doors)
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
                    // Browsers send cookies by themselves, whoever made the page.
                    let [site, origin, host] = [&handshake.fetch_site, &handshake.origin, &handshake.host];
                    if !self.origins.may_use_cookie(site.as_deref(), origin.as_deref(), host.as_deref()) {
                        return Err(Refusal::new("forbidden", "This page may not connect with a cookie"));
                    }
                    token
                }
            },
            Some(_) => return Err(invalid()),
        };
        let Claims { id, role, jti, exp, .. } = self.tokens.verify(token).map_err(|_| invalid())?;
        let id = id.parse().ok().filter(|_| role != Role::Service).ok_or_else(invalid)?;
        let caller = Caller { shopper: Shopper { id, role }, jti, exp, token: token.to_owned() };
        self.check_alive(&caller).await?;
        Ok(caller)
    }

    /// Whether the caller's token still holds.
    pub(super) async fn check(&self, caller: &Caller) -> Result<(), Refusal> {
        self.tokens.verify(&caller.token).map_err(|_| invalid())?;
        self.check_alive(caller).await
    }

    async fn check_alive(&self, caller: &Caller) -> Result<(), Refusal> {
        let user = caller.shopper.id.to_hex();
        let dead = match self.dead.standing_of(&caller.jti, &user) {
            Standing::Dead => true,
            Standing::Alive => false,
            Standing::Unknown => self.dead.is_dead_of(&caller.jti, caller.exp, &user).await.map_err(|error| {
                tracing::warn!(%error, "whether a socket's token is dead is not known");
                Refusal::new("unavailable", "The server is busy")
            })?,
        };
        if dead { Err(invalid()) } else { Ok(()) }
    }

    /// Remembers by which token a socket is there.
    pub(super) fn enter(&self, caller: &Caller, socket: Socket) {
        let user = caller.shopper.id.to_hex();
        self.doors.enter(caller, socket);
        // A logout or a block in between found no socket to end.
        if self.dead.contains(&caller.jti) || self.dead.blocks(&user) {
            self.doors.close(&caller.jti);
        }
    }

    pub(super) fn leave(&self, caller: &Caller, socket: &Socket) {
        self.doors.leave(&caller.jti, socket.id());
    }
}

/// The sockets that are there, by their tokens.
#[derive(Default)]
pub struct Doors(Mutex<HashMap<String, Door>>);

struct Door {
    user: UserId,
    exp: i64,
    sockets: Vec<Socket>,
}

impl Doors {
    fn enter(&self, caller: &Caller, socket: Socket) {
        let mut doors = self.0.lock();
        let new = || Door { user: caller.shopper.id, exp: caller.exp, sockets: vec![] };
        let door = doors.entry(caller.jti.clone()).or_insert_with(new);
        door.sockets.push(socket);
    }

    fn leave(&self, jti: &str, socket: &str) {
        let mut doors = self.0.lock();
        if let Some(door) = doors.get_mut(jti) {
            door.sockets.retain(|there| there.id() != socket);
            if door.sockets.is_empty() {
                doors.remove(jti);
            }
        }
    }

    /// Ends the sockets of a token.
    pub fn close(&self, jti: &str) {
        let door = self.0.lock().remove(jti);
        if let Some(door) = door {
            end(door);
        }
    }

    /// Ends the sockets of a user, whichever token each is there by.
    pub fn close_user(&self, user: &str) {
        let Ok(user) = user.parse::<UserId>() else { return };
        let over: Vec<Door> = self.0.lock().extract_if(|_, door| door.user == user).map(|(_, door)| door).collect();
        over.into_iter().for_each(end);
    }

    /// Ends the sockets of tokens that are over.
    pub fn close_expired(&self, now: Timestamp) {
        let over: Vec<Door> =
            self.0.lock().extract_if(|_, door| door.exp <= now.as_second()).map(|(_, door)| door).collect();
        over.into_iter().for_each(end);
    }

    /// Whether a socket is there by this token.
    #[must_use]
    pub fn knows(&self, jti: &str) -> bool {
        self.0.lock().contains_key(jti)
    }

    /// Whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

fn end(door: Door) {
    for socket in door.sockets {
        let _gone = socket.emit_error(&invalid());
        socket.disconnect();
    }
}
