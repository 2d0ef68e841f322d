//! The calls of the accounts.

use secrecy::ExposeSecret;

use super::{super::text, assert_round_trip};
use crate::{
    actors::accounts::{
        calls::{
            AccountRefusal, AddAddress, CreateAdmin, GetAddress, GetAddresses, GetAdmins, GetContact, GetRole, GetUser,
            LogIn, LoggedIn, LoginName, PromoteToAdmin, Register, RemoveAddress, ReplaceEmail, RevokeToken,
            SetAnnouncements, Source,
        },
        credentials::{
            ChangeEmail, ChangePassword, ChangeProfile, ConfirmEmail, Confirmed, MakeResetToken, RequestPasswordReset,
            ResetPassword, SendConfirmation, UpdateAddress,
        },
        sessions::{GetSessions, RecordSession, TouchSession},
        two_factor::{DisableTwoFactor, EnableTwoFactor, LogInWithCode, ResetTwoFactor, SetUpTwoFactor},
    },
    domain::{
        Timestamp,
        ids::{AddressId, EventId, UserId},
        two_factor::TwoFactor,
        user::{Address, Contact, FullName, MailedToken, PostalAddress, Role, Security, User, UserError},
    },
    runtime::calls::CallError,
    store::sessions::Session,
};

const USER: UserId = UserId::from_bytes([0xff; 12]);
const ADDRESS: AddressId = AddressId::from_bytes([2; 12]);

fn user() -> User {
    let postal = PostalAddress {
        full_name: None,
        phone: Some("+49 30 1".into()),
        street: "Straße 1 \"hinten\"\n".into(),
        city: String::new(),
        state: "日本".into(),
        country: "DE".into(),
        zip: "\u{0}".into(),
    };
    User {
        id: USER,
        email: "jane@x.io".into(),
        username: "jane".into(),
        full_name: FullName { first_name: "Jäne\u{301}".into(), last_name: String::new() },
        role: Role::Seller,
        password_hash: String::new(),
        email_taken_by: Some(USER),
        no_announcements: true,
        security: Security {
            email_verified: true,
            password_reset: None,
            email_confirmation: Some(MailedToken {
                request: EventId::from_bytes([3; 12]),
                hash: String::new(),
                expires_at: Timestamp::MAX,
                email: Some("new@x.io".into()),
                used: true,
            }),
            tokens_from: Some(i64::MAX),
            two_factor: Some(TwoFactor {
                secret: String::new(),
                last_step: i64::MIN,
                recovery_codes: vec!["hash".into()],
            }),
            two_factor_setup: None,
            login_tickets: vec![],
            deleted_at: Some(Timestamp::UNIX_EPOCH),
        },
        addresses: vec![Address { id: ADDRESS, postal, is_default: true }],
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::new(1, 999).unwrap(),
        version: u64::MAX >> 1,
    }
}

#[actix_rt::test]
async fn calls_of_the_accounts_are_the_same_on_either_side() {
    let (user, secret) = (user(), || "pässword \"\u{1F600}".into());
    let source = Source { flow: u64::MAX, known: true };
    let (email, username, full_name) = (user.email.clone(), None, user.full_name.clone());
    let register =
        Register { email: email.clone(), username, full_name, role: Role::Service, password: secret(), source };
    assert_round_trip(register.clone(), Ok(user.clone())).await;
    let create = CreateAdmin { email: email.clone(), username: Some("é".into()), password: secret() };
    assert_round_trip(create, Ok(user.clone())).await;
    assert_round_trip(PromoteToAdmin { email: email.clone() }, Ok(Some(user.clone()))).await;
    assert_round_trip(PromoteToAdmin { email: String::new() }, Ok(None)).await;
    let [by_email, by_name] = [LoginName::Email(email.clone()), LoginName::Username("\u{0}".into())];
    let log_in = |name| LogIn { name, password: secret(), source };
    assert_round_trip(log_in(by_email), Ok(LoggedIn::User(Box::new(user.clone())))).await;
    assert_round_trip(log_in(by_name.clone()), Ok(LoggedIn::CodeNeeded { user: USER, ticket: secret() })).await;
    assert_round_trip(LogInWithCode { ticket: secret(), code: secret() }, Ok(user.clone())).await;
    assert_round_trip(SetUpTwoFactor { user: USER }, Ok("secret".into())).await;
    assert_round_trip(EnableTwoFactor { user: USER, code: secret() }, Ok(vec!["code".into()])).await;
    let disable = DisableTwoFactor { user: USER, password: secret(), code: secret() };
    assert_round_trip(disable, Ok(())).await;
    assert_round_trip(ResetTwoFactor { email: email.clone() }, Ok(user.clone())).await;
    assert_round_trip(MakeResetToken { email: email.clone() }, Ok("token".into())).await;
    let session = Session {
        id: "jti".into(),
        user: USER,
        created_at: Timestamp::UNIX_EPOCH,
        last_seen_at: Timestamp::MAX,
        issued_at: i64::MIN,
        expires_at: Timestamp::MAX,
        user_agent: "\u{1F600}".into(),
        ip: "::1".into(),
        version: 0,
    };
    assert_round_trip(GetSessions { user: USER }, Ok(vec![session.clone()])).await;
    assert_round_trip(RecordSession { session }, Ok(())).await;
    assert_round_trip(TouchSession { id: "jti".into(), at: Timestamp::MAX }, Ok(())).await;
    assert_round_trip(ReplaceEmail { user: USER, email, password: secret(), source }, Ok(user.clone())).await;
    assert_round_trip(SetAnnouncements { user: USER, wanted: false }, Ok(())).await;
    assert_round_trip(GetUser { user: USER }, Ok(Some(user.clone()))).await;
    assert_round_trip(GetUser { user: USER }, Ok(None)).await;
    assert_round_trip(GetContact { user: USER }, Ok(Some(user.contact()))).await;
    assert_round_trip(GetContact { user: USER }, Ok(None)).await;
    assert_round_trip(GetRole { user: USER }, Ok(Some(Role::Admin))).await;
    assert_round_trip(GetRole { user: USER }, Ok(None)).await;
    let contacts: Vec<Contact> = vec![user.contact(), user.contact()];
    assert_round_trip(GetAdmins {}, Ok(contacts)).await;
    let Address { postal, .. } = user.addresses[0].clone();
    assert_round_trip(GetAddress { user: USER, address: Some(ADDRESS) }, Ok(Some(postal.clone()))).await;
    assert_round_trip(GetAddress { user: USER, address: None }, Ok(None)).await;
    assert_round_trip(GetAddresses { user: USER }, Ok(user.addresses.clone())).await;
    let update = UpdateAddress { user: USER, address: ADDRESS, postal: postal.clone(), is_default: true };
    assert_round_trip(update, Ok(user.addresses.clone())).await;
    assert_round_trip(RequestPasswordReset { email: email_of(&user) }, Ok(())).await;
    assert_round_trip(ResetPassword { token: secret(), password: secret() }, Ok(user.clone())).await;
    let change = ChangePassword { user: USER, current: secret(), password: secret() };
    assert_round_trip(change, Ok(user.clone())).await;
    let names = ChangeProfile { user: USER, full_name: Some(user.full_name.clone()), username: None };
    assert_round_trip(names, Ok(user.clone())).await;
    assert_round_trip(SendConfirmation { user: USER }, Ok(())).await;
    assert_round_trip(ConfirmEmail { token: secret() }, Ok(Confirmed { user: user.clone(), replaced: true })).await;
    assert_round_trip(ChangeEmail { user: USER, email: email_of(&user), password: secret(), code: None }, Ok(())).await;
    assert_round_trip(AddAddress { user: USER, postal, is_default: false }, Ok(user.addresses.clone())).await;
    assert_round_trip(RemoveAddress { user: USER, address: ADDRESS }, Ok(vec![])).await;
    assert_round_trip(RevokeToken { jti: "jti".into(), expires_at: Timestamp::MAX }, Ok(())).await;
    for refusal in [
        AccountRefusal::UserExists,
        AccountRefusal::BadCredentials,
        AccountRefusal::Blocked,
        AccountRefusal::NoSuchUser,
        AccountRefusal::WrongPassword,
        AccountRefusal::Rule(UserError::TokenInvalid),
        AccountRefusal::Rule(UserError::PasswordChanged),
        AccountRefusal::Invalid { field: "fullName.firstName".into(), problem: "must be größer".into() },
        AccountRefusal::Rule(UserError::NoSuchAddress),
        AccountRefusal::Rule(UserError::TooManyAddresses),
        AccountRefusal::Rule(UserError::EmailKept),
        AccountRefusal::Rule(UserError::CodeInvalid),
        AccountRefusal::Rule(UserError::TwoFactorOn),
    ] {
        assert_round_trip(log_in(by_name.clone()), Err(CallError::Refused(refusal.clone()))).await;
        assert_round_trip(register.clone(), Err(CallError::Refused(refusal))).await;
    }
}

fn email_of(user: &User) -> String {
    user.email.clone()
}

#[test]
fn a_password_is_not_in_what_is_logged_and_arrives() {
    let sent =
        LogIn { name: LoginName::Username("jane".into()), password: "correct horse".into(), source: Source::default() };
    assert!(!text(&sent).contains("horse"), "{sent:?}");
    let got: LogIn = serde_json::from_str(&serde_json::to_string(&sent).unwrap()).unwrap();
    assert_eq!(got.password.expose_secret(), "correct horse");
}
