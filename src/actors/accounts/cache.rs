//! A cache of users without their password hashes.
//!
//! A writer puts the written user into the cache before it answers. A reader that finds no entry takes a ticket,
//! reads the store, and puts the result only if there was no write in between, so that a slow
//! reader cannot put an outdated user back, even if the newer one was evicted in the meantime.
//! Changes by another process are visible after [`LIFETIME`] at the latest; code that needs them
//! at once (addresses) reads the store.
//!
//! **Invariant:** an older version never replaces a newer one; at most 10,000 users and
//! about as many KiB are held; no password hash is held.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use moka::{ops::compute::Op, sync::Cache};

use crate::domain::{
    ids::UserId,
    two_factor::TwoFactor,
    user::{MailedToken, Security, User},
};

/// The capacity in users or KiB.
const CAPACITY: u64 = 10_000;
/// The time to live of an entry.
const LIFETIME: Duration = Duration::from_secs(60);
/// The number of write counters; users whose ids end alike share one.
const STRIPES: usize = 256;

/// The cache; see the module documentation.
pub(super) struct Users {
    cache: Cache<UserId, User>,
    writes: Box<[AtomicU64]>,
}

/// The write counter at the time when a reader began.
pub(super) struct Ticket(u64);

impl Users {
    pub(super) fn new() -> Self {
        let weigh = |_: &UserId, user: &User| weight(user);
        Self {
            cache: Cache::builder().max_capacity(CAPACITY).weigher(weigh).time_to_live(LIFETIME).build(),
            writes: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(super) fn get(&self, id: UserId) -> Option<User> {
        self.cache.get(&id)
    }

    /// Must be taken before the store is read.
    pub(super) fn ticket(&self, id: UserId) -> Ticket {
        Ticket(self.writes(id).load(Ordering::SeqCst))
    }

    /// Puts a user that was read, unless there was a write since the ticket was taken.
    pub(super) fn put_read(&self, user: &User, ticket: &Ticket) {
        // Checked under the entry's lock: a write that is counted later also puts later.
        self.put_if(user, || self.writes(user.id).load(Ordering::SeqCst) == ticket.0);
    }

    /// Puts a user that was written.
    pub(super) fn put_written(&self, user: &User) {
        self.writes(user.id).fetch_add(1, Ordering::SeqCst);
        self.put_if(user, || true);
    }

    /// Removes a user when it is unknown whether a write happened.
    pub(super) fn forget(&self, id: UserId) {
        self.writes(id).fetch_add(1, Ordering::SeqCst);
        self.cache.entry(id).and_compute_with(|_| Op::Remove);
    }

    fn put_if(&self, user: &User, allowed: impl FnOnce() -> bool) {
        self.cache.entry(user.id).and_compute_with(|held| {
            let newer = held.is_none_or(|held| held.into_value().version < user.version);
            if newer && allowed() { Op::Put(bare(user.clone())) } else { Op::Nop }
        });
    }

    fn writes(&self, id: UserId) -> &AtomicU64 {
        &self.writes[usize::from(id.bytes()[11]) % STRIPES]
    }
}

/// The user without the hashes of the password and of mailed tokens, and without the secret of the second factor.
pub(super) fn bare(user: User) -> User {
    let unhashed = |token| MailedToken { hash: String::new(), ..token };
    let email_confirmation = user.security.email_confirmation.map(unhashed);
    let two_factor = user.security.two_factor.map(|factor| TwoFactor { secret: String::new(), ..factor });
    let security = Security {
        password_reset: None,
        email_confirmation,
        two_factor,
        two_factor_setup: None,
        login_tickets: vec![],
        ..user.security
    };
    User { password_hash: String::new(), security, ..user }
}

/// One for an ordinary user, plus one for each KiB.
fn weight(user: &User) -> u32 {
    let lines = |at: &crate::domain::user::Address| {
        let postal = &at.postal;
        let optional = [&postal.full_name, &postal.phone].into_iter().flatten();
        let lines = [&postal.street, &postal.city, &postal.state, &postal.country, &postal.zip];
        lines.into_iter().chain(optional).map(String::len).sum::<usize>()
    };
    let bytes = user.addresses.iter().map(lines).sum::<usize>() + user.email.len() + user.full_name.first_name.len();
    u32::try_from(1 + bytes / 1_024).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Timestamp,
        user::{FullName, Role},
    };

    fn user(version: u64) -> User {
        User {
            id: UserId::from_bytes([7; 12]),
            email: "a@b.cd".into(),
            username: "abc".into(),
            full_name: FullName::default(),
            role: Role::User,
            password_hash: "secret".into(),
            email_taken_by: None,
            security: Default::default(),
            no_announcements: false,
            addresses: vec![],
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version,
        }
    }

    fn version(users: &Users) -> Option<u64> {
        users.get(user(0).id).map(|held| held.version)
    }

    #[test]
    fn an_older_version_never_replaces_a_newer_one() {
        let users = Users::new();
        let id = user(0).id;
        let slow = users.ticket(id);
        users.put_written(&user(2));
        users.put_read(&user(1), &slow);
        users.put_written(&user(1));
        assert_eq!(version(&users), Some(2));
        // Also when the newer one was evicted.
        users.forget(id);
        users.put_read(&user(1), &slow);
        assert_eq!(version(&users), None);
        users.put_read(&user(3), &users.ticket(id));
        assert_eq!(version(&users), Some(3));
    }

    #[test]
    fn no_password_hash_is_held() {
        let users = Users::new();
        users.put_written(&user(1));
        assert_eq!(users.get(user(1).id).map(|held| held.password_hash), Some(String::new()));
    }
}
