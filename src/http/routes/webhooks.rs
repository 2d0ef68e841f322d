//! Webhooks of sellers and admins: who is told of events by signed HTTP calls.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web::Data};
use garde::Validate;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    actors::webhook::calls::{
        Caller, ChangeWebhook, DeleteWebhook, GetWebhook, GetWebhookDeliveries, GetWebhooks, PingWebhook,
        RedeliverWebhook, RegisterWebhook, RotateWebhookSecret, WebhookPatch,
    },
    domain::{
        ids::{WebhookDeliveryId, WebhookId},
        webhook::WebhookDelivery,
    },
    http::{
        auth::SellerOrAdmin,
        error::{ApiError, ErrorBody},
        extract::{Json, JsonOrEmpty, PathId, path_id},
        paging::{Paging, PagingParams},
        query::Query,
    },
    runtime::calls::Calls,
    views::webhook::{WebhookAnswer, WebhookDeliveryAnswer, WebhookDeliveryView, WebhookView},
};

/// The most patterns of events of a webhook.
const EVENTS_MAX: usize = 50;

/// A webhook to be.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct WebhookBody {
    /// Where to: https, and a public address.
    #[garde(length(chars, min = 1, max = 2000))]
    #[schema(example = "https://seller.example/hooks/microbazaar")]
    url: String,
    /// `*`, groups like `order.*`, events like `order.created`. Sellers are told of `order.*` and
    /// `product.*` that are theirs, admins of everything.
    #[garde(length(min = 1, max = EVENTS_MAX), inner(length(chars, min = 1, max = 50)))]
    #[schema(example = json!(["order.*"]))]
    events: Vec<String>,
    /// 16 to 128 characters; after `whsec_` base64. One is made when there is none.
    #[serde(default)]
    #[garde(inner(length(chars, min = 16, max = 128)))]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
    /// What the owner calls it.
    #[serde(default, deserialize_with = "crate::http::seen::seen_option")]
    #[garde(inner(length(chars, max = 200)))]
    #[schema(example = "Warehouse")]
    description: Option<String>,
}

/// What is to change of a webhook.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct WebhookPatchBody {
    /// Where to.
    #[serde(default)]
    #[garde(inner(length(chars, min = 1, max = 2000)))]
    #[schema(example = "https://seller.example/hooks/microbazaar")]
    url: Option<String>,
    /// Which events.
    #[serde(default)]
    #[garde(inner(length(min = 1, max = EVENTS_MAX), inner(length(chars, min = 1, max = 50))))]
    #[schema(example = json!(["order.created", "product.*"]))]
    events: Option<Vec<String>>,
    /// What the owner calls it; empty for nothing.
    #[serde(default, deserialize_with = "crate::http::seen::seen_option")]
    #[garde(inner(length(chars, max = 200)))]
    #[schema(example = "Warehouse")]
    description: Option<String>,
    /// Whether it is sent to. Switched on again, what waits goes on.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = true)]
    active: Option<bool>,
}

/// A new secret.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
pub struct SecretBody {
    /// As when registering; one is made when there is none.
    #[serde(default)]
    #[garde(inner(length(chars, min = 16, max = 128)))]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
}

/// Whose webhooks.
#[derive(Debug, Clone, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhoseParams {
    /// Everybody's; for admins.
    #[garde(skip)]
    #[param(example = false)]
    all: Option<bool>,
}

fn caller(user: &SellerOrAdmin) -> Caller {
    Caller { id: user.id, role: user.role }
}

fn answer(message: &str, webhook: WebhookView) -> WebhookAnswer {
    WebhookAnswer { message: message.to_owned(), webhook }
}

fn delivery_answer(message: &str, delivery: &WebhookDelivery) -> WebhookDeliveryAnswer {
    WebhookDeliveryAnswer { message: message.to_owned(), delivery: delivery.into() }
}

/// Registers a webhook. Only this answer tells its secret.
///
/// Roles `seller` and `admin`; 20 a user.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "registerWebhook",
    request_body = WebhookBody,
    responses(
        (status = 201, description = "The webhook with its secret", body = WebhookAnswer),
        (status = 409, description = "There are 20 already", body = ErrorBody),
    )
)]
#[post("/api/webhooks")]
pub async fn register(
    user: SellerOrAdmin,
    calls: Data<Calls>,
    Json(body): Json<WebhookBody>,
) -> Result<HttpResponse, ApiError> {
    let (WebhookBody { url, events, secret, description }, caller) = (body, caller(&user));
    let webhook = calls.ask(RegisterWebhook { caller, url, events, secret, description }).await?;
    Ok(HttpResponse::Created().json(answer("Webhook registered", WebhookView::with_secret(&webhook))))
}

/// The caller's webhooks, newest first.
///
/// Roles `seller` and `admin`.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "listWebhooks",
    params(WhoseParams, PagingParams),
    responses((status = 200, description = "Webhooks", body = [WebhookView], headers(
            ("X-Total-Count" = u64, description = "How many there are in all"),
            ("Link" = String, description = "First, previous, next and last page (RFC 8288)"),
        )))
)]
#[get("/api/webhooks")]
pub async fn list(
    req: HttpRequest,
    user: SellerOrAdmin,
    calls: Data<Calls>,
    Query(whose): Query<WhoseParams>,
    paging: Paging,
) -> Result<HttpResponse, ApiError> {
    let all = whose.all.unwrap_or(false);
    if all && !user.is_admin() {
        return Err(ApiError::forbidden());
    }
    let Paging { skip, limit, .. } = paging;
    let page = calls.ask(GetWebhooks { caller: caller(&user), all, skip, limit }).await?;
    let rows: Vec<WebhookView> = page.rows.iter().map(WebhookView::from).collect();
    Ok(paging.answer(&req, page.total).json(rows))
}

/// A webhook.
///
/// Its owner, and admins.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "getWebhook",
    params(("id" = String, Path, description = "The webhook")),
    responses(
        (status = 200, description = "The webhook", body = WebhookView),
        (status = 404, description = "No such webhook of the caller", body = ErrorBody),
    )
)]
#[get("/api/webhooks/{id}")]
pub async fn get(
    user: SellerOrAdmin,
    calls: Data<Calls>,
    PathId(id): PathId<WebhookId>,
) -> Result<HttpResponse, ApiError> {
    let webhook = calls.ask(GetWebhook { caller: caller(&user), webhook: id }).await?;
    Ok(HttpResponse::Ok().json(WebhookView::from(&webhook)))
}

/// Changes a webhook, switches it off or on again.
///
/// Its owner; admins may only switch.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "changeWebhook",
    params(("id" = String, Path, description = "The webhook")),
    request_body = WebhookPatchBody,
    responses(
        (status = 200, description = "The webhook", body = WebhookAnswer),
        (status = 404, description = "No such webhook of the caller", body = ErrorBody),
    )
)]
#[patch("/api/webhooks/{id}")]
pub async fn change(
    user: SellerOrAdmin,
    calls: Data<Calls>,
    PathId(id): PathId<WebhookId>,
    Json(body): Json<WebhookPatchBody>,
) -> Result<HttpResponse, ApiError> {
    let WebhookPatchBody { url, events, description, active } = body;
    let patch = WebhookPatch { url, events, description, active };
    let webhook = calls.ask(ChangeWebhook { caller: caller(&user), webhook: id, patch }).await?;
    Ok(HttpResponse::Ok().json(answer("Webhook changed", WebhookView::from(&webhook))))
}

/// Deletes a webhook with its log.
///
/// Its owner, and admins.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "deleteWebhook",
    params(("id" = String, Path, description = "The webhook")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such webhook of the caller", body = ErrorBody),
    )
)]
#[delete("/api/webhooks/{id}")]
pub async fn remove(
    user: SellerOrAdmin,
    calls: Data<Calls>,
    PathId(id): PathId<WebhookId>,
) -> Result<HttpResponse, ApiError> {
    calls.ask(DeleteWebhook { caller: caller(&user), webhook: id }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Gives a webhook a new secret; the old one signs beside it for 24 hours.
///
/// Its owner. Only this answer tells the secret.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "rotateWebhookSecret",
    params(("id" = String, Path, description = "The webhook")),
    request_body = SecretBody,
    responses(
        (status = 200, description = "The webhook with its new secret", body = WebhookAnswer),
        (status = 404, description = "No such webhook of the caller", body = ErrorBody),
    )
)]
#[post("/api/webhooks/{id}/rotate-secret")]
pub async fn rotate_secret(
    user: SellerOrAdmin,
    calls: Data<Calls>,
    PathId(id): PathId<WebhookId>,
    JsonOrEmpty(body): JsonOrEmpty<SecretBody>,
) -> Result<HttpResponse, ApiError> {
    let webhook = calls.ask(RotateWebhookSecret { caller: caller(&user), webhook: id, secret: body.secret }).await?;
    Ok(HttpResponse::Ok().json(answer("Secret replaced", WebhookView::with_secret(&webhook))))
}

/// Sends a `ping`, to try a webhook out.
///
/// Its owner.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "pingWebhook",
    params(("id" = String, Path, description = "The webhook")),
    responses(
        (status = 202, description = "The delivery that is to be sent", body = WebhookDeliveryAnswer),
        (status = 404, description = "No such webhook of the caller", body = ErrorBody),
        (status = 409, description = "It is switched off", body = ErrorBody),
    )
)]
#[post("/api/webhooks/{id}/ping")]
pub async fn ping(
    user: SellerOrAdmin,
    calls: Data<Calls>,
    PathId(id): PathId<WebhookId>,
) -> Result<HttpResponse, ApiError> {
    let delivery = calls.ask(PingWebhook { caller: caller(&user), webhook: id }).await?;
    Ok(HttpResponse::Accepted().json(delivery_answer("Ping is sent", &delivery)))
}

/// What was sent to a webhook in the last 30 days, newest first.
///
/// Its owner, and admins.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "listWebhookDeliveries",
    params(("id" = String, Path, description = "The webhook"), PagingParams),
    responses(
        (status = 200, description = "Deliveries", body = [WebhookDeliveryView], headers(
            ("X-Total-Count" = u64, description = "How many there are in all"),
            ("Link" = String, description = "First, previous, next and last page (RFC 8288)"),
        )),
        (status = 404, description = "No such webhook of the caller", body = ErrorBody),
    )
)]
#[get("/api/webhooks/{id}/deliveries")]
pub async fn deliveries(
    req: HttpRequest,
    user: SellerOrAdmin,
    calls: Data<Calls>,
    PathId(id): PathId<WebhookId>,
    paging: Paging,
) -> Result<HttpResponse, ApiError> {
    let Paging { skip, limit, .. } = paging;
    let page = calls.ask(GetWebhookDeliveries { caller: caller(&user), webhook: id, skip, limit }).await?;
    let rows: Vec<WebhookDeliveryView> = page.rows.iter().map(WebhookDeliveryView::from).collect();
    Ok(paging.answer(&req, page.total).json(rows))
}

/// Sends a delivery again, whatever became of it.
///
/// The webhook's owner.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "redeliverWebhookDelivery",
    params(
        ("id" = String, Path, description = "The webhook"),
        ("deliveryId" = String, Path, description = "The delivery"),
    ),
    responses(
        (status = 202, description = "The delivery that is to be sent", body = WebhookDeliveryAnswer),
        (status = 404, description = "No such delivery of the caller", body = ErrorBody),
        (status = 409, description = "The webhook is switched off", body = ErrorBody),
    )
)]
#[post("/api/webhooks/{id}/deliveries/{deliveryId}/redeliver")]
pub async fn redeliver(req: HttpRequest, user: SellerOrAdmin, calls: Data<Calls>) -> Result<HttpResponse, ApiError> {
    let id: WebhookId = path_id(&req, "id")?;
    let delivery: WebhookDeliveryId = path_id(&req, "deliveryId")?;
    let delivery = calls.ask(RedeliverWebhook { caller: caller(&user), webhook: id, delivery }).await?;
    Ok(HttpResponse::Accepted().json(delivery_answer("Delivery is sent again", &delivery)))
}
