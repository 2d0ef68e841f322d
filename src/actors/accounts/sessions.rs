//! Sessions: where a user is logged in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Accounts, read};
use crate::{
    config::Service,
    domain::{Timestamp, ids::UserId},
    runtime::calls::{Call, Handles, Never, Outcome, Registry},
    store::sessions::Session,
};

/// Records a session that has begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordSession {
    pub session: Session,
}

impl Call for RecordSession {
    type Reply = ();
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Records that a session was used; one without a record gets none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TouchSession {
    /// The id of its token.
    pub id: String,
    pub at: Timestamp,
}

impl Call for TouchSession {
    type Reply = ();
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Returns a user's sessions, newest first, at most [`SESSIONS_MAX`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetSessions {
    pub user: UserId,
}

impl Call for GetSessions {
    type Reply = Vec<Session>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// The most sessions that are listed.
pub const SESSIONS_MAX: u32 = 100;

/// Registers the calls.
pub(super) fn register(registry: &mut Registry, accounts: &Arc<Accounts>) {
    registry.serve::<RecordSession>(accounts).serve::<TouchSession>(accounts).serve::<GetSessions>(accounts);
}

impl Handles<RecordSession> for Accounts {
    async fn handle(&self, RecordSession { session }: RecordSession) -> Outcome<RecordSession> {
        Ok(read(self.store.sessions().put(&session)).await?)
    }
}

impl Handles<TouchSession> for Accounts {
    async fn handle(&self, TouchSession { id, at }: TouchSession) -> Outcome<TouchSession> {
        Ok(read(self.store.sessions().touch(id, at)).await?)
    }
}

impl Handles<GetSessions> for Accounts {
    async fn handle(&self, GetSessions { user }: GetSessions) -> Outcome<GetSessions> {
        let from = read(self.store.get(user)).await?.and_then(|user| user.security.tokens_from);
        let (now, sessions) = (Timestamp::now(), read(self.store.sessions().of_user(user, SESSIONS_MAX)).await?);
        let is_valid =
            |session: &Session| session.expires_at > now && from.is_none_or(|from| session.issued_at >= from);
        Ok(sessions.into_iter().filter(is_valid).collect())
    }
}
