//! The account service: users, their passwords and addresses, and revoked tokens.
//!
//! Users are written by the actors of `actor`, passwords are hashed on the threads of [`Passwords`],
//! and reads go to a bounded cache or to the store. Tokens are issued and verified elsewhere; this service
//! only stores which of them are revoked.
//!
//! **Invariant:** no password hash leaves this module (every returned [`User`] has an empty one); every call
//! ends within its deadline.

mod actor;
mod cache;
pub mod calls;
pub mod credentials;
pub mod leaving;
pub mod passwords;
pub mod sessions;
mod sweeper;
pub mod two_factor;

use std::{borrow::Cow, sync::Arc, time::Duration};

use secrecy::SecretString;

pub use self::passwords::{PasswordError, Passwords, Verified};
use self::{
    actor::{Effects, NewUser, Writer},
    cache::{Users, bare},
    calls::{
        AccountRefusal, AddAddress, CreateAdmin, GetAddress, GetAddresses, GetAdmins, GetContact, GetRole, GetUser,
        LogIn, LoginName, PromoteToAdmin, Register, RemoveAddress, ReplaceEmail, RevokeToken, SetAnnouncements, Source,
    },
    credentials::{Requests, check_password},
};
use crate::{
    actors::tokens::Tokens,
    config::Service,
    domain::{
        Timestamp, identity,
        ids::{AddressId, UserId},
        text,
        user::{FullName, Role, User, UserError},
    },
    runtime::{
        Limits, Runtime,
        calls::{CallError, Handles, Outcome, Registry, Workers},
    },
    store::{AccountStore, StoreError, accounts::block_key},
};

type Failure = CallError<AccountRefusal>;

/// The shop's name, which must not be a password.
const SHOP: &str = "microBazaar";
const RESERVED: &str = "is reserved for the shop itself; choose another";
/// The number of actors that write users.
const WORKERS: usize = 2;
/// Time limit for a read.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// Time limit for a write, slightly shorter than the time that its caller waits.
const WRITE_WITHIN: Duration = Duration::from_secs(9);
/// The maximum number of admins that one mail is sent to.
const ADMINS_MAX: u32 = 20;

/// The state of the calls. They run in their caller's task, so that a password whose caller has gone is not hashed
/// and reads wait only for the store; the actors do all writes.
struct Accounts {
    writers: Workers<Writer>,
    store: AccountStore,
    users: Arc<Users>,
    passwords: Passwords,
    requests: Requests,
    settings: AccountSettings,
}

/// How the account service works.
#[derive(Debug, Clone, Copy)]
pub struct AccountSettings {
    /// Whether other nodes write users too; then users are not cached.
    pub shared: bool,
    /// Whether registered users are mailed a link to confirm their address.
    pub confirms_email: bool,
}

/// Starts the account service and registers its calls. `tokens` makes the tokens of mailed links.
pub fn start(
    runtime: &Runtime,
    registry: &mut Registry,
    store: AccountStore,
    passwords: Passwords,
    tokens: Tokens,
    settings: AccountSettings,
) {
    let users = Arc::new(Users::new());
    let writer = Arc::new(Writer::new(store.clone(), Arc::clone(&users)));
    let writers = Workers::start(runtime, "accounts", WORKERS, Limits::default(), writer);
    sweeper::start(runtime, store.clone());
    let accounts = Arc::new(Accounts { writers, store, users, passwords, requests: Requests(tokens), settings });
    credentials::register(registry, &accounts);
    sessions::register(registry, &accounts);
    two_factor::register(registry, &accounts);
    leaving::register(registry, &accounts);
    registry
        .serve::<Register>(&accounts)
        .serve::<CreateAdmin>(&accounts)
        .serve::<PromoteToAdmin>(&accounts)
        .serve::<LogIn>(&accounts)
        .serve::<ReplaceEmail>(&accounts)
        .serve::<SetAnnouncements>(&accounts)
        .serve::<GetUser>(&accounts)
        .serve::<GetContact>(&accounts)
        .serve::<GetRole>(&accounts)
        .serve::<GetAdmins>(&accounts)
        .serve::<GetAddress>(&accounts)
        .serve::<GetAddresses>(&accounts)
        .serve::<AddAddress>(&accounts)
        .serve::<RemoveAddress>(&accounts)
        .serve::<RevokeToken>(&accounts);
}

impl Accounts {
    async fn create(&self, account: Register) -> Result<User, Failure> {
        let Register { email, username, full_name, role, password, source } = account;
        if !identity::is_email(&email) {
            return Err(invalid("email", "must be an e-mail address"));
        }
        check_username(username.as_deref())?;
        let full_name = check_full_name(full_name)?;
        check_password(&password, &email, username.as_deref(), &full_name)?;
        let password_hash = self.passwords.hash(password, source).await?;
        let requests = self.settings.confirms_email.then(|| self.requests.clone());
        let new = NewUser { email, username, full_name, role, password_hash, requests };
        self.write(|writer| async move { writer.create(new).await }).await
    }

    /// Runs a write on an actor, with a deadline.
    async fn write<F>(&self, work: impl FnOnce(Arc<Writer>) -> F + Send + 'static) -> Result<User, Failure>
    where
        F: Future<Output = Result<User, Failure>> + Send + 'static,
    {
        let in_time = |writer| async {
            tokio::time::timeout(WRITE_WITHIN, work(writer)).await.unwrap_or(Err(StoreError::Deadline.into()))
        };
        self.writers.run(Service::Auth, in_time).await.map(bare)
    }

    async fn change(
        &self,
        id: UserId,
        change: impl Fn(&mut User) -> Result<(), UserError> + Send + 'static,
    ) -> Result<User, Failure> {
        self.write(move |writer| async move { writer.change(id, change).await }).await
    }

    /// As [`Accounts::change`], for changes with effects.
    async fn change_with(
        &self,
        id: UserId,
        change: impl Fn(&mut User, Timestamp) -> Result<Effects, UserError> + Send + 'static,
    ) -> Result<User, Failure> {
        self.write(move |writer| async move { writer.change_with(id, change).await }).await
    }

    /// Replaces a hash of a password form that is no longer used. If that fails, the old hash
    /// stays valid.
    async fn hash_anew(&self, user: &User, password: SecretString, source: Source) {
        let (id, old) = (user.id, user.password_hash.clone());
        let replaced = async {
            let new = self.passwords.hash(password, source).await?;
            let change = move |user: &mut User| {
                if user.password_hash == old {
                    user.password_hash.clone_from(&new);
                }
                Ok(())
            };
            self.change(id, change).await
        };
        if let Err(error) = replaced.await {
            tracing::warn!(%error, user.id = %user.id, "a password's hash could not be replaced");
        }
    }

    async fn refuse_blocked(&self, id: UserId) -> Result<(), Failure> {
        if read(self.store.is_dead(&block_key(&id.to_hex()))).await? {
            return Err(AccountRefusal::Blocked.into());
        }
        Ok(())
    }

    /// The user, from the cache where that is exact.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        if !self.settings.shared
            && let Some(user) = self.users.get(id)
        {
            return Ok(Some(user));
        }
        self.read_user(id).await
    }

    /// The user as currently stored.
    async fn read_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let ticket = self.users.ticket(id);
        let user = read(self.store.get(id)).await?;
        if let Some(user) = &user {
            self.users.put_read(user, &ticket);
        }
        Ok(user.map(bare))
    }
}

impl Handles<Register> for Accounts {
    async fn handle(&self, call: Register) -> Outcome<Register> {
        if !matches!(call.role, Role::User | Role::Seller) {
            return Err(invalid("role", "must be user or seller"));
        }
        if call.username.as_deref().is_some_and(identity::is_reserved) {
            return Err(invalid("username", RESERVED));
        }
        self.create(call).await
    }
}

impl Handles<CreateAdmin> for Accounts {
    async fn handle(&self, CreateAdmin { email, username, password }: CreateAdmin) -> Outcome<CreateAdmin> {
        self.create(Register {
            email,
            username,
            full_name: FullName::default(),
            role: Role::Admin,
            password,
            source: Source::default(),
        })
        .await
    }
}

impl Handles<PromoteToAdmin> for Accounts {
    async fn handle(&self, call: PromoteToAdmin) -> Outcome<PromoteToAdmin> {
        let user = read(self.store.by_email(&identity::email_key(call.email.trim()))).await?;
        let Some(User { id, .. }) = user else { return Ok(None) };
        self.refuse_blocked(id).await?;
        let change = |user: &mut User| {
            user.role = Role::Admin;
            Ok(())
        };
        self.change(id, change).await.map(Some)
    }
}

impl Handles<LogIn> for Accounts {
    async fn handle(&self, LogIn { name, password, source }: LogIn) -> Outcome<LogIn> {
        // A burst of logins must not cause a burst of reads.
        if self.passwords.is_full(source) {
            return Err(PasswordError::Busy.into());
        }
        let user = match name {
            LoginName::Email(email) => read(self.store.by_email(&identity::email_key(&email))).await?,
            LoginName::Username(username) => read(self.store.by_username(&identity::username_key(&username))).await?,
        };
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let verified = self.passwords.verify(password.clone(), hash, source).await?;
        let user = user.filter(|_| verified != Verified::No).ok_or(AccountRefusal::BadCredentials)?;
        self.refuse_blocked(user.id).await?;
        // The command line may have changed the role from a process of its own.
        if self.users.get(user.id).is_some_and(|held| held.version < user.version) {
            self.users.forget(user.id);
        }
        if verified == Verified::Former {
            self.hash_anew(&user, password, source).await;
            let user = read(self.store.get(user.id)).await?.ok_or(AccountRefusal::BadCredentials)?;
            return self.after_password(user).await;
        }
        self.after_password(user).await
    }
}

impl Handles<ReplaceEmail> for Accounts {
    async fn handle(&self, call: ReplaceEmail) -> Outcome<ReplaceEmail> {
        let ReplaceEmail { user: id, email, password, source } = call;
        if !identity::is_email(&email) {
            return Err(invalid("email", "must be an e-mail address"));
        }
        let user = read(self.store.get(id)).await?.ok_or(AccountRefusal::NoSuchUser)?;
        if self.passwords.verify(password, Some(user.password_hash), source).await? == Verified::No {
            return Err(AccountRefusal::BadCredentials.into());
        }
        self.change(id, move |user| user.replace_email(&email)).await
    }
}

impl Handles<SetAnnouncements> for Accounts {
    async fn handle(&self, SetAnnouncements { user, wanted }: SetAnnouncements) -> Outcome<SetAnnouncements> {
        let set = move |user: &mut User| {
            user.no_announcements = !wanted;
            Ok(())
        };
        self.change(user, set).await.map(drop)
    }
}

impl Handles<GetUser> for Accounts {
    async fn handle(&self, call: GetUser) -> Outcome<GetUser> {
        Ok(self.user(call.user).await?.filter(|user| !user.is_deleted()))
    }
}

impl Handles<GetContact> for Accounts {
    async fn handle(&self, call: GetContact) -> Outcome<GetContact> {
        Ok(self.user(call.user).await?.map(|user| user.contact()))
    }
}

impl Handles<GetRole> for Accounts {
    async fn handle(&self, call: GetRole) -> Outcome<GetRole> {
        Ok(self.user(call.user).await?.filter(|user| !user.is_deleted()).map(|user| user.role))
    }
}

impl Handles<GetAdmins> for Accounts {
    async fn handle(&self, GetAdmins {}: GetAdmins) -> Outcome<GetAdmins> {
        let admins = read(self.store.of_role(Role::Admin, ADMINS_MAX)).await?;
        Ok(admins.iter().filter(|admin| !admin.is_deleted()).map(User::contact).collect())
    }
}

impl Handles<GetAddress> for Accounts {
    async fn handle(&self, call: GetAddress) -> Outcome<GetAddress> {
        let Some(user) = self.read_user(call.user).await? else { return Ok(None) };
        let address = match call.address {
            Some(id) => user.addresses.iter().find(|address| address.id == id),
            None => user.default_address(),
        };
        Ok(address.map(|address| address.postal.clone()))
    }
}

impl Handles<GetAddresses> for Accounts {
    async fn handle(&self, call: GetAddresses) -> Outcome<GetAddresses> {
        Ok(self.read_user(call.user).await?.ok_or(AccountRefusal::NoSuchUser)?.addresses)
    }
}

impl Handles<AddAddress> for Accounts {
    async fn handle(&self, AddAddress { user, postal, is_default }: AddAddress) -> Outcome<AddAddress> {
        // All attempts use one id, because it is the same address.
        let id = AddressId::generate();
        Ok(self.change(user, move |user| user.add_address(id, postal.clone(), is_default)).await?.addresses)
    }
}

impl Handles<RemoveAddress> for Accounts {
    async fn handle(&self, RemoveAddress { user, address }: RemoveAddress) -> Outcome<RemoveAddress> {
        Ok(self.change(user, move |user| user.remove_address(address)).await?.addresses)
    }
}

impl Handles<RevokeToken> for Accounts {
    async fn handle(&self, call: RevokeToken) -> Outcome<RevokeToken> {
        read(self.store.kill_token(&call.jti, call.expires_at)).await?;
        Ok(read(self.store.sessions().delete(call.jti)).await?)
    }
}

fn check_username(username: Option<&str>) -> Result<(), Failure> {
    let Some(username) = username else { return Ok(()) };
    if !identity::is_username(username) {
        return Err(invalid("username", "must be 3 to 32 letters, digits, dots, dashes or underscores"));
    }
    if text::carries_page_address(username) {
        return Err(invalid("username", text::NO_PAGE));
    }
    Ok(())
}

fn check_full_name(full_name: FullName) -> Result<FullName, Failure> {
    let full_name = FullName {
        first_name: name("fullName.firstName", &full_name.first_name)?,
        last_name: name("fullName.lastName", &full_name.last_name)?,
    };
    // Mails and pages show the names one after the other.
    if text::carries_page_address(&format!("{} {}", full_name.first_name, full_name.last_name)) {
        return Err(invalid("fullName.lastName", text::NO_PAGE));
    }
    Ok(full_name)
}

/// The stored form of a name: without invisible characters at its ends.
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
    CallError::Refused(AccountRefusal::Invalid { field: Cow::Borrowed(field), problem: Cow::Borrowed(problem) })
}

/// Reads the store with a deadline.
async fn read<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(READ_WITHIN, call).await.unwrap_or(Err(StoreError::Deadline))
}

#[cfg(test)]
mod tests;
