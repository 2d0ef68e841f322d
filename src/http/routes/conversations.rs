//! Stored conversations with the assistant.

use actix_web::{HttpRequest, HttpResponse, delete, get, web::Data};

use crate::{
    domain::ids::ConversationId,
    http::{
        auth::AuthUser,
        error::{ApiError, ErrorBody},
        extract::PathId,
        paging::{Paging, PagingParams},
    },
    runtime::calls::Calls,
    views::conversation::{ConversationView, WholeConversationView},
    ws::chat::calls::{DeleteConversation, GetConversation, GetConversations},
};

/// The user's conversations, most recently active first.
///
/// They are stored for 30 days after their last message.
#[utoipa::path(
    tag = "assistant",
    operation_id = "listConversations",
    params(PagingParams),
    responses(
        (status = 200, description = "Conversations", body = [ConversationView]),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[get("/api/ai/conversations")]
pub async fn list(
    req: HttpRequest,
    user: AuthUser,
    calls: Data<Calls>,
    paging: Paging,
) -> Result<HttpResponse, ApiError> {
    let Paging { skip, limit, .. } = paging;
    let page = calls.ask(GetConversations { user: user.id, skip, limit }).await?;
    let rows: Vec<ConversationView> = page.rows.into_iter().map(ConversationView::from).collect();
    Ok(paging.answer(&req, page.total).json(rows))
}

/// A conversation with its messages.
///
/// For its user.
#[utoipa::path(
    tag = "assistant",
    operation_id = "getConversation",
    params(("id" = String, Path, description = "The conversation")),
    responses(
        (status = 200, description = "The conversation", body = WholeConversationView),
        (status = 404, description = "No such conversation", body = ErrorBody),
    )
)]
#[get("/api/ai/conversations/{id}")]
pub async fn get(
    user: AuthUser,
    calls: Data<Calls>,
    PathId(id): PathId<ConversationId>,
) -> Result<HttpResponse, ApiError> {
    let conversation = calls.ask(GetConversation { user: user.id, conversation: id }).await?;
    Ok(HttpResponse::Ok().json(WholeConversationView::from(conversation)))
}

/// Deletes a conversation; the assistant forgets it.
///
/// For its user.
#[utoipa::path(
    tag = "assistant",
    operation_id = "deleteConversation",
    params(("id" = String, Path, description = "The conversation")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such conversation", body = ErrorBody),
    )
)]
#[delete("/api/ai/conversations/{id}")]
pub async fn delete(
    user: AuthUser,
    calls: Data<Calls>,
    PathId(id): PathId<ConversationId>,
) -> Result<HttpResponse, ApiError> {
    calls.ask(DeleteConversation { user: user.id, conversation: id }).await?;
    Ok(HttpResponse::NoContent().finish())
}
