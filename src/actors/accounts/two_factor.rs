//! The second factor: setting it up, and logging in with it.
//!
//! **Invariant:** a login of a user who has it needs a code, whatever was reset before; a code and a ticket are good
//! once, on whichever node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    Accounts, Failure,
    actor::Effects,
    calls::{AccountRefusal, GetUser, LoggedIn, password as secret},
    read,
};
use crate::{
    actors::tokens::{mailed_hash, user_of_mailed},
    config::Service,
    domain::{
        Timestamp, identity,
        ids::UserId,
        two_factor::{LoginTicket, RECOVERY_CODES, TICKET_FOR, new_recovery_code, new_secret, recovery_hash},
        user::{User, UserError},
    },
    runtime::calls::{Call, CallError, Calls, Handles, Never, Outcome, Registry, WITHIN_NESTED},
};

/// Whether a user lacks the second factor. Tokens of other programs may be of users that are not known here.
///
/// # Errors
/// Those of the call.
pub async fn is_missing(calls: &Calls, user: UserId) -> Result<bool, CallError<Never>> {
    Ok(calls.ask(GetUser { user }).await?.is_none_or(|user| user.security.two_factor.is_none()))
}

/// Finishes a login with a code of the app or a recovery code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogInWithCode {
    #[serde(serialize_with = "secret")]
    pub ticket: SecretString,
    #[serde(serialize_with = "secret")]
    pub code: SecretString,
}

impl Call for LogInWithCode {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
}

/// Makes a secret for an authenticator app, in base 32. It has no effect before [`EnableTwoFactor`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetUpTwoFactor {
    pub user: UserId,
}

impl Call for SetUpTwoFactor {
    type Reply = String;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// Enables the second factor with a code of the app; returns the recovery codes, which are not shown again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnableTwoFactor {
    pub user: UserId,
    #[serde(serialize_with = "secret")]
    pub code: SecretString,
}

impl Call for EnableTwoFactor {
    type Reply = Vec<String>;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
}

/// Disables the second factor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DisableTwoFactor {
    pub user: UserId,
    #[serde(serialize_with = "secret")]
    pub password: SecretString,
    #[serde(serialize_with = "secret")]
    pub code: SecretString,
}

impl Call for DisableTwoFactor {
    type Reply = ();
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Disables the second factor of the user with this e-mail address, or refuses if there is none; used by the command
/// line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResetTwoFactor {
    pub email: String,
}

impl Call for ResetTwoFactor {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// Registers the calls.
pub(super) fn register(registry: &mut Registry, accounts: &Arc<Accounts>) {
    registry
        .serve::<LogInWithCode>(accounts)
        .serve::<SetUpTwoFactor>(accounts)
        .serve::<EnableTwoFactor>(accounts)
        .serve::<DisableTwoFactor>(accounts)
        .serve::<ResetTwoFactor>(accounts);
}

impl Accounts {
    /// What a user with the right password gets: the user, or a ticket where a code is needed.
    pub(super) async fn after_password(&self, user: User) -> Result<LoggedIn, Failure> {
        if user.security.two_factor.is_none() {
            return Ok(LoggedIn::User(Box::new(super::cache::bare(user))));
        }
        let ticket = format!("{}{}", user.id, hex::encode(rand::random::<[u8; 16]>()));
        let (hash, password_hash) = (mailed_hash(&ticket), user.password_hash);
        let change = move |user: &mut User, now: Timestamp| {
            if user.password_hash != password_hash {
                return Err(UserError::PasswordChanged);
            }
            let ends = now.as_second().saturating_add(TICKET_FOR);
            let expires_at = Timestamp::from_second(ends).unwrap_or(Timestamp::MAX);
            user.add_login_ticket(LoginTicket { hash: hash.clone(), expires_at, tries: 0 }, now);
            Ok(Effects::default())
        };
        let user = self.change_with(user.id, change).await?.id;
        Ok(LoggedIn::CodeNeeded { user, ticket: SecretString::from(ticket) })
    }
}

impl Handles<LogInWithCode> for Accounts {
    async fn handle(&self, LogInWithCode { ticket, code }: LogInWithCode) -> Outcome<LogInWithCode> {
        let id = user_of_mailed(ticket.expose_secret()).ok_or(UserError::CodeInvalid)?;
        let hash = mailed_hash(ticket.expose_secret());
        let is_right = Arc::new(AtomicBool::new(false));
        let found = Arc::clone(&is_right);
        let change = move |user: &mut User, now| {
            found.store(user.use_login_ticket(&hash, code.expose_secret(), now)?, Ordering::Relaxed);
            Ok(Effects::default())
        };
        let user = match self.change_with(id, change).await {
            Err(Failure::Refused(AccountRefusal::NoSuchUser)) => return Err(UserError::CodeInvalid.into()),
            user => user?,
        };
        if !is_right.load(Ordering::Relaxed) {
            return Err(UserError::CodeInvalid.into());
        }
        self.refuse_blocked(id).await?;
        Ok(user)
    }
}

impl Handles<SetUpTwoFactor> for Accounts {
    async fn handle(&self, SetUpTwoFactor { user }: SetUpTwoFactor) -> Outcome<SetUpTwoFactor> {
        let secret = new_secret();
        let new = secret.clone();
        self.change(user, move |user| user.set_up_two_factor(new.clone())).await?;
        Ok(secret)
    }
}

impl Handles<EnableTwoFactor> for Accounts {
    async fn handle(&self, EnableTwoFactor { user, code }: EnableTwoFactor) -> Outcome<EnableTwoFactor> {
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| new_recovery_code()).collect();
        let hashes: Vec<String> = codes.iter().map(|code| recovery_hash(code)).collect();
        let change = move |user: &mut User, now| {
            user.enable_two_factor(code.expose_secret(), hashes.clone(), now)?;
            Ok(Effects::default())
        };
        self.change_with(user, change).await?;
        Ok(codes)
    }
}

impl Handles<DisableTwoFactor> for Accounts {
    async fn handle(&self, call: DisableTwoFactor) -> Outcome<DisableTwoFactor> {
        let DisableTwoFactor { user, password, code } = call;
        self.check_current(user, password).await?;
        let change = move |user: &mut User, now| {
            user.check_code(Some(code.expose_secret()), now)?;
            user.disable_two_factor();
            Ok(Effects::default())
        };
        self.change_with(user, change).await.map(drop)
    }
}

impl Handles<ResetTwoFactor> for Accounts {
    async fn handle(&self, ResetTwoFactor { email }: ResetTwoFactor) -> Outcome<ResetTwoFactor> {
        let user = read(self.store.by_email(&identity::email_key(email.trim()))).await?;
        let disable = |user: &mut User| {
            user.disable_two_factor();
            Ok(())
        };
        self.change(user.ok_or(AccountRefusal::NoSuchUser)?.id, disable).await
    }
}
