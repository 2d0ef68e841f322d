//! Webhooks of sellers and admins: signed HTTP calls that report events.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header::LOCATION, patch, post, web::Data};
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

/// The most event patterns of a webhook.
const EVENTS_MAX: usize = 50;

/// A new webhook.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct WebhookBody {
    /// The URL: https, with a public address.
    #[garde(length(chars, min = 1, max = 2000))]
    #[schema(example = "https://seller.example/hooks/microbazaar")]
    url: String,
    /// `*`, groups like `order.*`, events like `order.created`. Sellers receive their own `order.*` and `product.*`,
    /// admins everything.
    #[garde(length(min = 1, max = EVENTS_MAX), inner(length(chars, min = 1, max = 50)))]
    #[schema(example = json!(["order.*"]))]
    events: Vec<String>,
    /// 16 to 128 characters; base64 after `whsec_`. Generated when absent.
    #[serde(default)]
    #[garde(inner(length(chars, min = 16, max = 128)))]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
    /// A description for the owner.
    #[serde(default, deserialize_with = "crate::http::visible_text::visible_option")]
    #[garde(inner(length(chars, max = 200)))]
    #[schema(example = "Warehouse")]
    description: Option<String>,
}

/// A change of a webhook.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct WebhookPatchBody {
    /// The URL.
    #[serde(default)]
    #[garde(inner(length(chars, min = 1, max = 2000)))]
    #[schema(example = "https://seller.example/hooks/microbazaar")]
    url: Option<String>,
    /// The event patterns.
    #[serde(default)]
    #[garde(inner(length(min = 1, max = EVENTS_MAX), inner(length(chars, min = 1, max = 50))))]
    #[schema(example = json!(["order.created", "product.*"]))]
    events: Option<Vec<String>>,
    /// A description for the owner; empty removes it.
    #[serde(default, deserialize_with = "crate::http::visible_text::visible_option")]
    #[garde(inner(length(chars, max = 200)))]
    #[schema(example = "Warehouse")]
    description: Option<String>,
    /// Whether it is enabled. Waiting deliveries continue when it is enabled again.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = true)]
    active: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
pub struct SecretBody {
    /// As in the registration; generated when absent.
    #[serde(default)]
    #[garde(inner(length(chars, min = 16, max = 128)))]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhoseParams {
    /// `true`: the webhooks of all users; for admins.
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

/// Registers a webhook. Only this response contains its secret.
///
/// Roles `seller` and `admin`; at most 20 for each user.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "registerWebhook",
    request_body = WebhookBody,
    responses(
        (status = 201, description = "The webhook with its secret", body = WebhookAnswer),
        (status = 409, description = "There are 20 already", body = ErrorBody),
    ),
    security(("bearer" = ["seller", "admin"]), ("cookie" = ["seller", "admin"]))
)]
#[post("/api/webhooks")]
pub async fn register(
    user: SellerOrAdmin,
    calls: Data<Calls>,
    Json(body): Json<WebhookBody>,
) -> Result<HttpResponse, ApiError> {
    let (WebhookBody { url, events, secret, description }, caller) = (body, caller(&user));
    let webhook = calls.ask(RegisterWebhook { caller, url, events, secret, description }).await?;
    let location = (LOCATION, format!("/api/webhooks/{}", webhook.id));
    Ok(HttpResponse::Created()
        .insert_header(location)
        .json(answer("Webhook registered", WebhookView::with_secret(&webhook))))
}

/// The caller's webhooks, newest first.
///
/// Roles `seller` and `admin`.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "listWebhooks",
    params(WhoseParams, PagingParams),
    responses((status = 200, description = "Webhooks", body = [WebhookView])),
    security(("bearer" = ["seller", "admin"]), ("cookie" = ["seller", "admin"]))
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
/// For its owner and admins.
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

/// Changes a webhook, disables or enables it.
///
/// For its owner; admins may only disable and enable it.
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

/// Deletes a webhook and its log.
///
/// For its owner and admins.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "deleteWebhook",
    params(("id" = String, Path, description = "The webhook")),
    responses(
        (status = 204, description = "Deleted"),
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

/// Gives a webhook a new secret; the old one signs as well for 24 hours.
///
/// For its owner. Only this response contains the secret.
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

/// Sends a `ping`, to test a webhook.
///
/// For its owner.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "pingWebhook",
    params(("id" = String, Path, description = "The webhook")),
    responses(
        (status = 202, description = "The delivery that is to be sent", body = WebhookDeliveryAnswer),
        (status = 404, description = "No such webhook of the caller", body = ErrorBody),
        (status = 409, description = "The webhook is disabled", body = ErrorBody),
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

/// The deliveries of a webhook in the last 30 days, newest first.
///
/// For its owner and admins.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "listWebhookDeliveries",
    params(("id" = String, Path, description = "The webhook"), PagingParams),
    responses(
        (status = 200, description = "Deliveries", body = [WebhookDeliveryView]),
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

/// Sends a delivery again, whatever its state.
///
/// For the webhook's owner.
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
        (status = 409, description = "The webhook is disabled", body = ErrorBody),
    )
)]
#[post("/api/webhooks/{id}/deliveries/{deliveryId}/redeliver")]
pub async fn redeliver(req: HttpRequest, user: SellerOrAdmin, calls: Data<Calls>) -> Result<HttpResponse, ApiError> {
    let id: WebhookId = path_id(&req, "id")?;
    let delivery: WebhookDeliveryId = path_id(&req, "deliveryId")?;
    let delivery = calls.ask(RedeliverWebhook { caller: caller(&user), webhook: id, delivery }).await?;
    Ok(HttpResponse::Accepted().json(delivery_answer("Delivery is sent again", &delivery)))
}
