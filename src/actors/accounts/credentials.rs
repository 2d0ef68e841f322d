//! Passwords and e-mail addresses: changing them, and what users do with mailed links.
//!
//! A mailed token is derived from its request (`Tokens::mailed`), so that neither an event nor the store has it.
//!
//! **Invariant:** a token is good once and for one purpose; whatever ends a user's tokens is stored before it is
//! answered; neither an answer nor its time tells whether an e-mail address belongs to a user.

use std::{borrow::Cow, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::{
    Accounts, Failure, SHOP,
    actor::Effects,
    calls::{AccountRefusal, Source, password as secret},
    invalid, read,
};
use crate::{
    actors::tokens::{Tokens, mailed_hash, user_of_mailed},
    config::Service,
    domain::{
        Timestamp,
        event::{AccountNotice, NoticeKind},
        identity::{self, password_problem},
        ids::{AddressId, EventId, UserId},
        user::{Address, FullName, MailedToken, PostalAddress, Role, TokenPurpose, User, UserError},
    },
    runtime::calls::{Call, Handles, Outcome, Registry, WITHIN_NESTED},
};

/// How long a link to reset a password is valid, in seconds.
const RESET_FOR: i64 = 30 * 60;
/// How long a link to confirm an e-mail address is valid, in seconds.
const CONFIRM_FOR: i64 = 24 * 60 * 60;
/// When a request for a reset is answered: later than a mail is stored, so that the time does not tell whether one was.
const ANSWER_AFTER: Duration = Duration::from_millis(200);

/// Mails a link to set a new password, if a user has this address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RequestPasswordReset {
    pub email: String,
}

impl Call for RequestPasswordReset {
    type Reply = ();
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Makes a token for a link to set a new password, or refuses if no user has this address; used by the command line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MakeResetToken {
    pub email: String,
}

impl Call for MakeResetToken {
    type Reply = String;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// Sets a new password with a mailed token, and ends all tokens of the user. A refused password leaves the mailed token
/// valid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResetPassword {
    #[serde(serialize_with = "secret")]
    pub token: SecretString,
    #[serde(serialize_with = "secret")]
    pub password: SecretString,
}

impl Call for ResetPassword {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Sets a new password, and ends all tokens of the user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangePassword {
    pub user: UserId,
    #[serde(serialize_with = "secret")]
    pub current: SecretString,
    #[serde(serialize_with = "secret")]
    pub password: SecretString,
}

impl Call for ChangePassword {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Changes a user's names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeProfile {
    pub user: UserId,
    pub full_name: Option<FullName>,
    pub username: Option<String>,
}

impl Call for ChangeProfile {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Mails a link to confirm the address that a user is changing to, or the user's own; nothing if that is confirmed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendConfirmation {
    pub user: UserId,
}

impl Call for SendConfirmation {
    type Reply = ();
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// Confirms an address with a mailed token. If it replaces the user's former one, all tokens of the user end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConfirmEmail {
    #[serde(serialize_with = "secret")]
    pub token: SecretString,
}

impl Call for ConfirmEmail {
    type Reply = Confirmed;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// A user with a confirmed address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    pub user: User,
    /// Whether it replaced the former address.
    pub replaced: bool,
}

/// Mails a link to confirm the address that replaces the user's, which stays until then and is told about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeEmail {
    pub user: UserId,
    pub email: String,
    #[serde(serialize_with = "secret")]
    pub password: SecretString,
    /// Of the second factor, where it is enabled.
    pub code: Option<String>,
}

impl Call for ChangeEmail {
    type Reply = ();
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Replaces an address and returns all of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateAddress {
    pub user: UserId,
    pub address: AddressId,
    pub postal: PostalAddress,
    /// Whether it becomes the default.
    pub is_default: bool,
}

impl Call for UpdateAddress {
    type Reply = Vec<Address>;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// Registers the calls.
pub(super) fn register(registry: &mut Registry, accounts: &std::sync::Arc<Accounts>) {
    registry
        .serve::<RequestPasswordReset>(accounts)
        .serve::<MakeResetToken>(accounts)
        .serve::<ResetPassword>(accounts)
        .serve::<ChangePassword>(accounts)
        .serve::<ChangeProfile>(accounts)
        .serve::<SendConfirmation>(accounts)
        .serve::<ConfirmEmail>(accounts)
        .serve::<ChangeEmail>(accounts)
        .serve::<UpdateAddress>(accounts);
}

/// Makes the tokens of requests, and asks for their mails.
#[derive(Clone)]
pub(super) struct Requests(pub(super) Tokens);

impl Requests {
    fn token(
        &self,
        purpose: TokenPurpose,
        user: UserId,
        request: EventId,
        email: Option<String>,
        ends: i64,
    ) -> MailedToken {
        let hash = mailed_hash(&self.0.mailed(purpose, user, request));
        let expires_at = Timestamp::from_second(ends).unwrap_or(Timestamp::MAX);
        MailedToken { request, hash, expires_at, email, used: false }
    }

    /// A request to confirm that `email` is the user's.
    pub(super) fn confirmation(&self, user: &User, email: String, now: Timestamp) -> (MailedToken, AccountNotice) {
        let ends = now.as_second().saturating_add(CONFIRM_FOR);
        let token = self.token(TokenPurpose::ConfirmEmail, user.id, EventId::generate(), Some(email.clone()), ends);
        let notice =
            AccountNotice { kind: NoticeKind::EmailConfirmation, user: user.id, email, request: Some(token.request) };
        (token, notice)
    }

    fn reset(&self, user: UserId, request: EventId, now: Timestamp) -> MailedToken {
        let ends = now.as_second().saturating_add(RESET_FOR);
        self.token(TokenPurpose::ResetPassword, user, request, None, ends)
    }
}

fn notice(kind: NoticeKind, user: &User) -> AccountNotice {
    AccountNotice { kind, user: user.id, email: user.email.clone(), request: None }
}

/// Refuses a password that attackers try first, or that is a name of the user or the shop.
pub(super) fn check_password(
    password: &SecretString,
    email: &str,
    username: Option<&str>,
    full_name: &FullName,
) -> Result<(), Failure> {
    let FullName { first_name, last_name } = full_name;
    let (whole, local) = (format!("{first_name} {last_name}"), email.split('@').next().unwrap_or_default());
    let own = [SHOP, email, local, username.unwrap_or_default(), first_name, last_name, &whole];
    match password_problem(password.expose_secret(), own) {
        None => Ok(()),
        Some(problem) => {
            Err(AccountRefusal::Invalid { field: "password".into(), problem: Cow::Borrowed(problem) }.into())
        }
    }
}

/// Changes of one user wait for each other, and not for those of others.
fn source_of(user: UserId) -> Source {
    let flow = user.bytes().iter().fold(0, |flow: u64, byte| flow.rotate_left(8) ^ u64::from(*byte));
    Source { flow, known: true }
}

impl Accounts {
    async fn request_reset(&self, email: &str) -> Result<(), Failure> {
        let Some(user) = read(self.store.by_email(&identity::email_key(email.trim()))).await? else { return Ok(()) };
        let requests = self.requests.clone();
        let change = move |user: &mut User, now| {
            let request = EventId::generate();
            user.security.password_reset = Some(requests.reset(user.id, request, now));
            let notice = AccountNotice { request: Some(request), ..notice(NoticeKind::PasswordReset, user) };
            Ok(Effects { notices: vec![notice], ends_tokens: false })
        };
        self.change_with(user.id, change).await.map(drop)
    }

    /// The user of a mailed token, if it looks valid.
    async fn user_of(&self, token: &SecretString) -> Result<(User, String), Failure> {
        let id = user_of_mailed(token.expose_secret()).ok_or(UserError::TokenInvalid)?;
        let user = read(self.store.get(id)).await?.ok_or(UserError::TokenInvalid)?;
        Ok((user, mailed_hash(token.expose_secret())))
    }

    pub(super) async fn check_current(&self, id: UserId, password: SecretString) -> Result<User, Failure> {
        let user = read(self.store.get(id)).await?.ok_or(AccountRefusal::NoSuchUser)?;
        let verified = self.passwords.verify(password, Some(user.password_hash.clone()), source_of(id)).await?;
        if verified == super::Verified::No { Err(AccountRefusal::WrongPassword.into()) } else { Ok(user) }
    }
}

impl Handles<RequestPasswordReset> for Accounts {
    async fn handle(&self, call: RequestPasswordReset) -> Outcome<RequestPasswordReset> {
        let answer_at = Instant::now() + ANSWER_AFTER;
        self.request_reset(&call.email).await?;
        sleep_until(answer_at).await;
        Ok(())
    }
}

impl Handles<MakeResetToken> for Accounts {
    async fn handle(&self, MakeResetToken { email }: MakeResetToken) -> Outcome<MakeResetToken> {
        let user = read(self.store.by_email(&identity::email_key(email.trim()))).await?;
        let id = user.ok_or(AccountRefusal::NoSuchUser)?.id;
        let (requests, request) = (self.requests.clone(), EventId::generate());
        let change = move |user: &mut User, now| {
            user.security.password_reset = Some(requests.reset(user.id, request, now));
            Ok(Effects::default())
        };
        self.change_with(id, change).await?;
        Ok(self.requests.0.mailed(TokenPurpose::ResetPassword, id, request))
    }
}

impl Handles<ResetPassword> for Accounts {
    async fn handle(&self, ResetPassword { token, password }: ResetPassword) -> Outcome<ResetPassword> {
        let (user, hash) = self.user_of(&token).await?;
        if !user.security.password_reset.is_some_and(|reset| reset.is_valid(&hash, Timestamp::now())) {
            return Err(UserError::TokenInvalid.into());
        }
        check_password(&password, &user.email, Some(&user.username), &user.full_name)?;
        let password_hash = self.passwords.hash(password, source_of(user.id)).await?;
        let change = move |user: &mut User, now| {
            user.reset_password(&hash, password_hash.clone(), now)?;
            Ok(Effects { notices: vec![notice(NoticeKind::PasswordChanged, user)], ends_tokens: true })
        };
        self.change_with(user.id, change).await
    }
}

impl Handles<ChangePassword> for Accounts {
    async fn handle(&self, call: ChangePassword) -> Outcome<ChangePassword> {
        let ChangePassword { user: id, current, password } = call;
        let user = self.check_current(id, current).await?;
        check_password(&password, &user.email, Some(&user.username), &user.full_name)?;
        let (new, old) = (self.passwords.hash(password, source_of(user.id)).await?, user.password_hash);
        let change = move |user: &mut User, _| {
            // Another change came first, with which `current` is not the password any more.
            if user.password_hash != old {
                return Err(UserError::PasswordChanged);
            }
            user.password_hash.clone_from(&new);
            user.security.password_reset = None;
            Ok(Effects { notices: vec![notice(NoticeKind::PasswordChanged, user)], ends_tokens: true })
        };
        self.change_with(id, change).await
    }
}

impl Handles<ChangeProfile> for Accounts {
    async fn handle(&self, call: ChangeProfile) -> Outcome<ChangeProfile> {
        let ChangeProfile { user, full_name, username } = call;
        super::check_username(username.as_deref())?;
        if let Some(new) = username.as_deref().filter(|name| identity::is_reserved(name)) {
            let user = read(self.store.get(user)).await?.ok_or(AccountRefusal::NoSuchUser)?;
            if user.role != Role::Admin && identity::username_key(&user.username) != identity::username_key(new) {
                return Err(invalid("username", super::RESERVED));
            }
        }
        let full_name = full_name.map(super::check_full_name).transpose()?;
        let change = move |user: &mut User| {
            if let Some(full_name) = &full_name {
                user.full_name.clone_from(full_name);
            }
            if let Some(username) = &username {
                user.username.clone_from(username);
            }
            Ok(())
        };
        self.change(user, change).await
    }
}

impl Handles<SendConfirmation> for Accounts {
    async fn handle(&self, SendConfirmation { user }: SendConfirmation) -> Outcome<SendConfirmation> {
        let requests = self.requests.clone();
        let change = move |user: &mut User, now| {
            let Some(email) = user.unconfirmed_email(now).map(str::to_owned) else { return Ok(Effects::default()) };
            let (token, notice) = requests.confirmation(user, email, now);
            user.security.email_confirmation = Some(token);
            Ok(Effects { notices: vec![notice], ends_tokens: false })
        };
        self.change_with(user, change).await.map(drop)
    }
}

impl Handles<ConfirmEmail> for Accounts {
    async fn handle(&self, ConfirmEmail { token }: ConfirmEmail) -> Outcome<ConfirmEmail> {
        let (user, hash) = self.user_of(&token).await?;
        let former = user.email;
        let change = move |user: &mut User, now| {
            let ends_tokens = user.confirm_email(&hash, now)?;
            Ok(Effects { notices: vec![], ends_tokens })
        };
        let user = self.change_with(user.id, change).await?;
        let replaced = user.email != former;
        Ok(Confirmed { user, replaced })
    }
}

impl Handles<ChangeEmail> for Accounts {
    async fn handle(&self, call: ChangeEmail) -> Outcome<ChangeEmail> {
        let ChangeEmail { user: id, email, password, code } = call;
        if !identity::is_email(&email) {
            return Err(invalid("email", "must be an e-mail address"));
        }
        let user = self.check_current(id, password).await?;
        let key = identity::email_key(&email);
        match read(self.store.by_email(&key)).await? {
            Some(other) if other.id != id => return Err(AccountRefusal::UserExists.into()),
            Some(_) if user.email == email => return Err(invalid("email", "is your e-mail address already")),
            _ => {}
        }
        let requests = self.requests.clone();
        let change = move |user: &mut User, now| {
            user.check_code(code.as_deref(), now)?;
            let (token, confirmation) = requests.confirmation(user, email.clone(), now);
            user.security.email_confirmation = Some(token);
            let mut notices = vec![confirmation];
            // An address that belongs to another account is not this user's to write to.
            if user.email_taken_by.is_none() {
                notices.push(notice(NoticeKind::EmailChange, user));
            }
            Ok(Effects { notices, ends_tokens: false })
        };
        self.change_with(id, change).await.map(drop)
    }
}

impl Handles<UpdateAddress> for Accounts {
    async fn handle(&self, call: UpdateAddress) -> Outcome<UpdateAddress> {
        let UpdateAddress { user, address, postal, is_default } = call;
        let change = move |user: &mut User| user.update_address(address, postal.clone(), is_default);
        Ok(self.change(user, change).await?.addresses)
    }
}

impl From<UserError> for AccountRefusal {
    fn from(error: UserError) -> Self {
        Self::Rule(error)
    }
}
