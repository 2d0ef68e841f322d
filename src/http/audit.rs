//! Lines of the log, under the target `audit`, about logins, refusals, and what staff does.
//!
//! **Invariant:** a line names users, requests and things by id alone: no name, no address, nothing that was typed.

use actix_web::{
    HttpMessage, HttpRequest,
    http::{Method, StatusCode},
};

use super::{error::ApiError, request_id};
use crate::domain::{ids::UserId, user::Role};

/// The caller of a request, where the log names them.
#[derive(Debug, Clone, Copy)]
struct Actor(UserId, Role);

/// Notes who sends a request, if the log will tell.
pub(super) fn note(req: &HttpRequest, user: UserId, role: Role, is_refused: bool) {
    if role == Role::Admin || is_refused {
        req.extensions_mut().insert(Actor(user, role));
    }
}

fn actor(req: &HttpRequest) -> Option<Actor> {
    req.extensions().get::<Actor>().copied()
}

/// The client's id of the request. Without one the trace's id, which is in the line as well, finds the rest.
fn id(req: &HttpRequest) -> &str {
    request_id::of_client(req.headers()).unwrap_or_default()
}

/// Logs the outcome of an attempt to log in.
pub(super) fn login(req: &HttpRequest, outcome: Result<UserId, &ApiError>) {
    match outcome {
        Ok(user) => tracing::info!(target: "audit", { request.id = id(req), user.id = %user }, "a user logged in"),
        Err(error) => {
            tracing::info!(target: "audit", { request.id = id(req), reason = error.code() }, "a login failed");
        }
    }
}

/// Logs a refusal of a caller: of too many requests, of a request that another site sent, of a role. They are warnings,
/// of each kind one a second: a stranger can cause any number.
pub(super) fn refused(req: &HttpRequest, error: &ApiError, request_id: &str) {
    let user = actor(req).map(|Actor(user, _)| user.to_hex()).unwrap_or_default();
    let (method, route) = (req.method(), req.match_pattern().unwrap_or_default());
    match error {
        ApiError::TooManyRequests { .. } => {
            tracing::warn!(target: "audit", { request.id = request_id, %method, route }, "too many requests were refused");
        }
        ApiError::Forbidden { code: "request.csrf", .. } => {
            tracing::warn!(target: "audit", { request.id = request_id, %method, route }, "a request of another site was refused");
        }
        ApiError::Forbidden { code, .. } => {
            tracing::warn!(
                target: "audit", { request.id = request_id, user.id = user, %method, route, reason = code },
                "a user was refused"
            );
        }
        _ => {}
    }
}

/// Logs a change by staff, with the ids in its path.
pub(super) fn staff(req: &HttpRequest, status: StatusCode) {
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(req.method());
    let Some(Actor(user, Role::Admin)) = actor(req).filter(|_| !reads) else { return };
    let is_id = |part: &&str| part.len() == 24 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ids = req.path().split('/').filter(is_id).collect::<Vec<_>>().join(" ");
    tracing::info!(
        target: "audit",
        {
            request.id = id(req), user.id = %user, method = %req.method(),
            route = req.match_pattern().unwrap_or_default(), ids, status = status.as_u16()
        },
        "a member of staff changed something"
    );
}
