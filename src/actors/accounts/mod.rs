//! The auth service: users, their passwords and addresses, and dead tokens.
//!
//! Writes go to [`actor::AccountsActor`], passwords to the threads of [`Passwords`], reads
//! to a bounded cache or straight to the store. Tokens are made and read elsewhere; here
//! is only kept which of them are dead.
//!
//! **Invariant:** no password hash leaves this room (every [`User`] given out has an empty
//! one); every call ends within its deadline in an answer or a typed [`Failure`].

pub mod actor;
mod cache;
pub mod error;
pub mod messages;
pub mod passwords;
mod peer;
mod sweeper;

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use self::{
    actor::AccountsActor,
    cache::{Users, bare},
    error::told,
    messages::{AddAddress, Register, RemoveAddress, ReplaceEmail, ReplaceHash, SetRole},
    sweeper::TokenSweeper,
};
use super::runtime::{AskError, Limits, Runtime, Sharded, Traced};
use crate::{
    domain::{
        Timestamp, identity,
        ids::{AddressId, UserId},
        text,
        user::{Address, FullName, PostalAddress, Role, User},
    },
    store::{AccountStore, StoreError, accounts::block_key},
};

pub use self::{
    error::AccountError,
    passwords::{PasswordError, Passwords, Verified},
};

/// A call's failure.
pub type Failure = AskError<AccountError>;

/// How many actors write users.
const SHARDS: usize = 2;
/// How long a read may take.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// Who wants to be a user.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// E-mail address.
    pub email: String,
    /// User name; made from the e-mail address when absent.
    pub username: Option<String>,
    /// Name.
    pub full_name: FullName,
    /// [`Role::User`] or [`Role::Seller`].
    pub role: Role,
    /// 8 to 128 characters.
    pub password: SecretString,
}

/// What users call themselves when they log in.
#[derive(Debug, Clone)]
pub enum LoginName {
    /// Their e-mail address.
    Email(String),
    /// Their user name.
    Username(String),
}

/// The auth service as its callers hold it.
#[derive(Clone)]
pub struct Accounts {
    actors: Sharded<AccountsActor>,
    store: AccountStore,
    users: Arc<Users>,
    passwords: Passwords,
    /// Whether others write users too: then none is remembered.
    shared: bool,
}

impl Accounts {
    /// Starts the service's actors on `runtime`. With a `shared` store other nodes write
    /// users too.
    #[must_use]
    pub fn start(runtime: &Runtime, store: AccountStore, passwords: Passwords, shared: bool) -> Self {
        let users = Arc::new(Users::new());
        let (of_store, of_users, swept) = (store.clone(), Arc::clone(&users), store.clone());
        let actors = runtime.supervise_sharded("accounts", SHARDS, Limits::default(), move || {
            AccountsActor::new(of_store.clone(), Arc::clone(&of_users))
        });
        runtime.supervise("token_sweeper", Limits::default(), move || TokenSweeper(swept.clone()));
        Self { actors, store, users, passwords, shared }
    }

    /// Makes a user or seller.
    ///
    /// # Errors
    /// [`AccountError::UserExists`], [`AccountError::Invalid`] (also for any other role).
    pub async fn register(&self, account: NewAccount) -> Result<User, Failure> {
        if !matches!(account.role, Role::User | Role::Seller) {
            return Err(invalid("role", "must be user or seller"));
        }
        self.open(account).await
    }

    /// Makes an admin; for the command line.
    ///
    /// # Errors
    /// Those of [`Accounts::register`].
    pub async fn create_admin(
        &self,
        email: String,
        username: Option<String>,
        password: SecretString,
    ) -> Result<User, Failure> {
        let full_name = FullName::default();
        self.open(NewAccount { email, username, full_name, role: Role::Admin, password }).await
    }

    /// Makes the user of this e-mail address an admin; for the command line. They keep their password, and
    /// log in again to have the new role. `None` when nobody has the address.
    ///
    /// # Errors
    /// [`AccountError::Blocked`], and when the store does not answer.
    pub async fn promote(&self, email: &str) -> Result<Option<User>, Failure> {
        let Some(user) = read(self.store.by_email(&identity::email_key(email.trim()))).await? else { return Ok(None) };
        if read(self.store.is_dead(&block_key(&user.id.to_hex()))).await? {
            return Err(AskError::Refused(AccountError::Blocked));
        }
        let promoted = self.actors.of(&user.id).ask(SetRole { user: user.id, role: Role::Admin }).await;
        promoted.map(bare).map(Some).map_err(told)
    }

    async fn open(&self, account: NewAccount) -> Result<User, Failure> {
        let NewAccount { email, username, full_name, role, password } = account;
        if !identity::is_email(&email) {
            return Err(invalid("email", "must be an e-mail address"));
        }
        if username.as_deref().is_some_and(|name| !identity::is_username(name)) {
            return Err(invalid("username", "must be 3 to 32 letters, digits, dots, dashes or underscores"));
        }
        if username.as_deref().is_some_and(text::carries_page_address) {
            return Err(invalid("username", text::NO_PAGE));
        }
        let full_name = FullName {
            first_name: name("fullName.firstName", &full_name.first_name)?,
            last_name: name("fullName.lastName", &full_name.last_name)?,
        };
        // Mails and pages show one after the other.
        if text::carries_page_address(&format!("{} {}", full_name.first_name, full_name.last_name)) {
            return Err(invalid("fullName.lastName", text::NO_PAGE));
        }
        if !(8..=128).contains(&identity::password_length(password.expose_secret())) {
            return Err(invalid("password", "must be 8 to 128 characters"));
        }
        let password_hash = self.passwords.hash(password).await.map_err(AccountError::from)?;
        let actor = self.actors.of(&identity::email_key(&email));
        let register = Register { email, username, full_name, role, password_hash };
        actor.ask(Traced::new(register)).await.map(bare).map_err(told)
    }

    /// The user of that name, if this is her password.
    ///
    /// # Errors
    /// [`AccountError::BadCredentials`], alike for an unknown user and a wrong password;
    /// [`AccountError::Blocked`].
    pub async fn login(&self, name: LoginName, password: SecretString) -> Result<User, Failure> {
        // A flood of logins must not become one of reads.
        if self.passwords.is_full() {
            return Err(AskError::Busy);
        }
        let user = match name {
            LoginName::Email(email) => read(self.store.by_email(&identity::email_key(&email))).await?,
            LoginName::Username(username) => read(self.store.by_username(&identity::username_key(&username))).await?,
        };
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let verified = self.passwords.verify(password.clone(), hash).await.map_err(AccountError::from)?;
        let Some(user) = user.filter(|_| verified != Verified::No) else {
            return Err(AskError::Refused(AccountError::BadCredentials));
        };
        if read(self.store.is_dead(&block_key(&user.id.to_hex()))).await? {
            return Err(AskError::Refused(AccountError::Blocked));
        }
        // The command line may have given them another role, from a process of its own.
        if self.users.get(user.id).is_some_and(|held| held.version < user.version) {
            self.users.forget(user.id);
        }
        if verified == Verified::Former {
            self.hash_anew(&user, password).await;
        }
        Ok(bare(user))
    }

    /// Replaces a hash that was made of another form of the password than counts. If that fails the old
    /// one goes on working.
    async fn hash_anew(&self, user: &User, password: SecretString) {
        let replaced = async {
            let new = self.passwords.hash(password).await.map_err(AccountError::from)?;
            let replace = ReplaceHash { user: user.id, old: user.password_hash.clone(), new };
            self.actors.of(&user.id).ask(replace).await.map_err(told)
        };
        if let Err(error) = replaced.await {
            tracing::warn!(%error, user.id = %user.id, "a password's hash could not be replaced");
        }
    }

    /// Gives a user whose address the upgrade left to an older account another one.
    ///
    /// # Errors
    /// [`AccountError::BadCredentials`] when it is not this user's password, [`UserError::EmailKept`](crate::domain::user::UserError::EmailKept) when the
    /// user has an address, [`AccountError::UserExists`] when it is another's, [`AccountError::Invalid`].
    pub async fn replace_email(&self, id: UserId, email: String, password: SecretString) -> Result<User, Failure> {
        if !identity::is_email(&email) {
            return Err(invalid("email", "must be an e-mail address"));
        }
        let user = read(self.store.get(id)).await?.ok_or(AskError::Refused(AccountError::NoSuchUser))?;
        let verified = self.passwords.verify(password, Some(user.password_hash)).await.map_err(AccountError::from)?;
        if verified == Verified::No {
            return Err(AskError::Refused(AccountError::BadCredentials));
        }
        self.actors.of(&id).ask(ReplaceEmail { user: id, email }).await.map(bare).map_err(told)
    }

    /// The user of an id. What another process wrote to her less than a minute ago may be
    /// missing; [`Accounts::addresses`] is exact.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, Failure> {
        if !self.shared
            && let Some(user) = self.users.get(id)
        {
            return Ok(Some(user));
        }
        self.read_user(id).await
    }

    /// The user as the store has her now.
    async fn read_user(&self, id: UserId) -> Result<Option<User>, Failure> {
        let ticket = self.users.ticket(id);
        let user = read(self.store.get(id)).await?;
        if let Some(user) = &user {
            self.users.put_read(user, &ticket);
        }
        Ok(user.map(bare))
    }

    /// Her addresses, oldest first.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`].
    pub async fn addresses(&self, user: UserId) -> Result<Vec<Address>, Failure> {
        let user = self.read_user(user).await?;
        user.map(|user| user.addresses).ok_or(AskError::Refused(AccountError::NoSuchUser))
    }

    /// Adds an address and returns all; the first is the default.
    ///
    /// # Errors
    /// [`AccountError::Rule`] when there are as many as a user keeps;
    /// [`AccountError::NoSuchUser`].
    pub async fn add_address(
        &self,
        user: UserId,
        postal: PostalAddress,
        is_default: bool,
    ) -> Result<Vec<Address>, Failure> {
        let answer = self.actors.of(&user).ask(AddAddress { user, postal, is_default }).await;
        answer.map(|user| user.addresses).map_err(told)
    }

    /// Removes an address and returns those that are left.
    ///
    /// # Errors
    /// [`AccountError::Rule`] when it is not there; [`AccountError::NoSuchUser`].
    pub async fn remove_address(&self, user: UserId, address: AddressId) -> Result<Vec<Address>, Failure> {
        let answer = self.actors.of(&user).ask(RemoveAddress { user, address }).await;
        answer.map(|user| user.addresses).map_err(told)
    }

    /// Remembers that a token is dead, until it would have expired anyway.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn kill_token(&self, jti: &str, expires_at: Timestamp) -> Result<(), Failure> {
        read(self.store.kill_token(jti, expires_at)).await
    }

    /// The dead tokens that have not expired at `now`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn dead_tokens(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, Failure> {
        read(self.store.dead_tokens(now)).await
    }
}

/// A name as it is kept: without invisible characters at its ends.
fn name(field: &'static str, typed: &str) -> Result<String, Failure> {
    let seen = text::visible_or_empty(typed).ok_or_else(|| invalid(field, "must not be blank"))?;
    if text::has_control(seen) {
        return Err(invalid(field, text::ONE_LINE));
    }
    if text::carries_page_address(seen) {
        return Err(invalid(field, text::NO_PAGE));
    }
    Ok(seen.to_owned())
}

const fn invalid(field: &'static str, problem: &'static str) -> Failure {
    AskError::Refused(AccountError::Invalid { field, problem })
}

/// One call of the store, with a deadline.
async fn read<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
    let answer = tokio::time::timeout(READ_DEADLINE, call).await.unwrap_or(Err(StoreError::Deadline));
    answer.map_err(|error| AccountError::from(error).into())
}

#[cfg(test)]
mod tests;
