//! Sessions: where users are logged in. A record is deleted when its token is ended or has expired.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    document::{Backend, Collection, Desc, Document, Index, NoUniqueKey, SaveError, key, stored_as},
};
use crate::{
    config::Service,
    domain::{Timestamp, ids::UserId},
};

/// How many records are deleted at once.
const AT_ONCE: u32 = 500;

/// A session of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The id of its token.
    pub id: String,
    pub user: UserId,
    pub created_at: Timestamp,
    /// Exact to five minutes.
    pub last_seen_at: Timestamp,
    /// When the token counts as issued, in seconds.
    pub issued_at: i64,
    pub expires_at: Timestamp,
    /// Empty if the client named none.
    pub user_agent: String,
    pub ip: String,
    #[serde(skip)]
    pub version: u64,
}

const USER: Index<Session> = Index::new("user", |of| key((of.user, Desc(of.created_at))));
const EXPIRY: Index<Session> = Index::new("expiry", |of| key(of.expires_at));

impl Document for Session {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "sessions";
    const SERVICE: Service = Service::Auth;
    const INDEXES: &'static [Index<Self>] = &[USER, EXPIRY];

    stored_as!(self, String = self.id.clone(), self.version);
}

#[derive(Clone)]
pub struct SessionStore(Collection<Session>);

impl SessionStore {
    /// The sessions in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self(Collection::new(backend))
    }

    /// Stores a session; a repetition changes nothing.
    pub async fn put(&self, session: &Session) -> Result<(), StoreError> {
        match self.0.save(session, &[]).await {
            Ok(_) | Err(SaveError::Store(StoreError::Conflict)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Records when a session was used, if it is stored.
    pub async fn touch(&self, id: String, at: Timestamp) -> Result<(), StoreError> {
        let later = |session: &mut Session| (session.last_seen_at < at).then(|| session.last_seen_at = at);
        Ok(self.0.change(id, later).await.map(drop)?)
    }

    /// A user's sessions, newest first.
    pub async fn of_user(&self, user: UserId, limit: u32) -> Result<Vec<Session>, StoreError> {
        self.0.find(USER.of(user).limit(limit)).await
    }

    /// Deletes a session.
    pub async fn delete(&self, id: String) -> Result<(), StoreError> {
        self.0.delete(id).await.map(drop)
    }

    /// Deletes a user's sessions.
    pub async fn delete_of(&self, user: UserId) -> Result<(), StoreError> {
        while self.0.delete_found(USER.of(user).limit(AT_ONCE)).await? >= u64::from(AT_ONCE) {}
        Ok(())
    }

    /// Deletes the sessions whose tokens have expired at `now`.
    pub async fn delete_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        while self.0.delete_found(EXPIRY.due(now).limit(AT_ONCE)).await? >= u64::from(AT_ONCE) {}
        Ok(())
    }
}
