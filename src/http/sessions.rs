//! Sessions: begun at a login, with a record of where, and touched by requests.

use std::time::Duration;

use actix_web::{HttpRequest, cookie::Cookie, http::header::USER_AGENT, web::Data};
use moka::sync::Cache;

use super::{address, error::ApiError, state::State};
use crate::{
    actors::{
        accounts::{
            calls::{GetUser, RevokeToken},
            sessions::{RecordSession, TouchSession},
        },
        tokens::Claims,
    },
    domain::{
        Timestamp,
        ids::UserId,
        user::{Role, User},
    },
    runtime::calls::Calls,
    store::sessions::Session,
};

/// How long after a request of a session no other one is recorded: a record is exact to five minutes.
const EXACT_TO: Duration = Duration::from_mins(4);
/// How many sessions are remembered as recorded.
const RECORDED: u64 = 20_000;
/// The longest name of a client that is stored, in characters.
const USER_AGENT_MAX: usize = 200;

/// The sessions whose last request was recorded a short time ago.
pub(super) struct Recorded(Cache<String, ()>);

impl Default for Recorded {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(RECORDED).time_to_live(EXACT_TO).build())
    }
}

/// Begins a session of a user who was authenticated at `at`: makes the token with its cookie, and records where it is. A
/// session whose record cannot be stored begins nevertheless.
///
/// # Errors
/// [`ApiError::Internal`] when no token can be signed.
pub async fn begin(
    req: &HttpRequest,
    state: &State,
    calls: &Calls,
    user: &User,
    at: Timestamp,
) -> Result<(String, Claims, Cookie<'static>), ApiError> {
    let (token, claims, cookie) = state.issue(user, at)?;
    let agent = req.headers().get(USER_AGENT).map(|name| String::from_utf8_lossy(name.as_bytes()));
    let now = Timestamp::now();
    let session = Session {
        id: claims.jti.clone(),
        user: user.id,
        created_at: now,
        last_seen_at: now,
        issued_at: claims.iat,
        expires_at: Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX),
        user_agent: agent
            .unwrap_or_default()
            .chars()
            .filter(|letter| !letter.is_control())
            .take(USER_AGENT_MAX)
            .collect(),
        ip: address::of(req, &state.settings.trusted_proxies).to_string(),
        version: 0,
    };
    match calls.ask(RecordSession { session }).await {
        Ok(()) => state.recorded.0.insert(claims.jti.clone(), ()),
        Err(error) => tracing::warn!(%error, user.id = %user.id, "a session was not recorded"),
    }
    Ok((token, claims, cookie))
}

/// Ends a session on every node: its token, which expires at `exp` in seconds, is not valid any more.
///
/// # Errors
/// 503 when that cannot be stored.
pub async fn end(state: &State, calls: &Calls, jti: &str, exp: i64) -> Result<(), ApiError> {
    let expires_at = Timestamp::from_second(exp).unwrap_or(Timestamp::MAX);
    calls.ask(RevokeToken { jti: jti.to_owned(), expires_at }).await?;
    state.dead_tokens.revoke(jti, exp, Timestamp::now()).await;
    Ok(())
}

/// The calls to services, from within an extractor.
pub(super) fn calls(req: &HttpRequest) -> Calls {
    req.app_data::<Data<Calls>>().map(|calls| calls.get_ref().clone()).unwrap_or_default()
}

/// Records that a session was used, unless that was recorded a short time ago. The request does not wait for it.
pub(super) fn touch(req: &HttpRequest, state: &State, claims: &Claims) {
    if claims.role == Role::Service || state.recorded.0.contains_key(&claims.jti) {
        return;
    }
    state.recorded.0.insert(claims.jti.clone(), ());
    let (calls, touch) = (calls(req), TouchSession { id: claims.jti.clone(), at: Timestamp::now() });
    actix_web::rt::spawn(async move {
        if let Err(error) = calls.ask(touch).await {
            tracing::debug!(%error, "the use of a session was not recorded");
        }
    });
}

/// Refuses a user whose e-mail address is not confirmed, where that is required.
///
/// # Errors
/// 403 `auth.email_unverified`; 503.
pub async fn must_be_verified(state: &State, calls: &Calls, user: UserId) -> Result<(), ApiError> {
    if !state.settings.verified_only {
        return Ok(());
    }
    match calls.ask(GetUser { user }).await? {
        Some(user) if user.security.email_verified => Ok(()),
        _ => Err(ApiError::Forbidden {
            code: "auth.email_unverified",
            message: "confirm your e-mail address first: open the link in the mail that was sent to it",
        }),
    }
}
