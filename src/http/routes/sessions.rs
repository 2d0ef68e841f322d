//! Where a user is logged in.

use actix_web::{
    HttpResponse, delete, get,
    web::{Data, Path},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    actors::accounts::sessions::GetSessions,
    domain::Timestamp,
    http::{
        auth::AuthUser,
        error::{ApiError, ErrorBody},
        sessions,
        state::State,
    },
    runtime::calls::Calls,
};

/// A session. One that began before sessions were recorded has no details.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015")]
    pub id: String,
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
    /// Exact to five minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub last_seen_at: Option<Timestamp>,
    /// The name of the browser or program, as it sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")]
    pub user_agent: Option<String>,
    /// The address from which it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "203.0.113.7")]
    pub ip: Option<String>,
    /// Whether it is the session of this request.
    pub current: bool,
}

/// `{sessions}`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionsAnswer {
    /// The sessions, newest first, at most 100.
    sessions: Vec<SessionView>,
}

/// The sessions of a user whose request is in the session `caller`, newest first.
///
/// # Errors
/// 503.
pub async fn sessions_of(caller: &AuthUser, calls: &Calls) -> Result<Vec<SessionView>, ApiError> {
    let known = calls.ask(GetSessions { user: caller.id }).await?;
    let mut sessions: Vec<SessionView> = known
        .into_iter()
        .map(|session| SessionView {
            current: session.id == caller.jti,
            id: session.id,
            created_at: session.created_at,
            last_seen_at: Some(session.last_seen_at),
            user_agent: Some(session.user_agent),
            ip: Some(session.ip),
        })
        .collect();
    if !sessions.iter().any(|session| session.current) {
        let created_at = Timestamp::from_second(caller.iat).unwrap_or(Timestamp::UNIX_EPOCH);
        let (id, current) = (caller.jti.clone(), true);
        sessions.insert(0, SessionView { id, created_at, last_seen_at: None, user_agent: None, ip: None, current });
    }
    Ok(sessions)
}

/// Ends a session of the user.
///
/// # Errors
/// 404, 503.
pub async fn end(caller: &AuthUser, state: &State, calls: &Calls, id: &str) -> Result<(), ApiError> {
    let exp = if id == caller.jti {
        caller.exp
    } else {
        let known = calls.ask(GetSessions { user: caller.id }).await?;
        let session = known.into_iter().find(|session| session.id == id);
        session.ok_or(ApiError::NotFound("session"))?.expires_at.as_second()
    };
    sessions::end(state, calls, id, exp).await
}

/// Where the user is logged in.
#[utoipa::path(
    tag = "auth",
    operation_id = "listSessions",
    responses((status = 200, description = "The sessions, newest first", body = SessionsAnswer)),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[get("/api/auth/sessions")]
pub async fn list(user: AuthUser, calls: Data<Calls>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(SessionsAnswer { sessions: sessions_of(&user, &calls).await? }))
}

/// Ends a session: its token is not valid any more, and its chats are closed.
#[utoipa::path(
    tag = "auth",
    operation_id = "endSession",
    params(("id" = String, Path, description = "The session")),
    responses(
        (status = 204, description = "It has ended"),
        (status = 404, description = "The user has no such session", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[delete("/api/auth/sessions/{id}")]
pub async fn remove(
    user: AuthUser,
    state: Data<State>,
    calls: Data<Calls>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    end(&user, &state, &calls, &id).await?;
    Ok(HttpResponse::NoContent().finish())
}
