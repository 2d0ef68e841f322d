//! Stock: public to read; only the platform's own processes may change it.

use actix_web::{HttpResponse, get, post, put, web::Data};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Services;
use crate::{
    actors::inventory::calls::{CommitStock, GetStock, ReleaseStock, ReserveStock, SetStock},
    domain::{
        ids::{OrderId, ProductId},
        inventory::StockLine,
        product::STOCK_MAX,
    },
    http::{
        auth::ServiceCaller,
        error::{ApiError, ErrorBody},
        extract::{Json, PathId},
    },
    views::inventory::{ReservationView, StockView},
};

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct AvailableBody {
    /// Units that can be bought.
    #[garde(range(max = STOCK_MAX))]
    #[schema(example = 25, minimum = 0)]
    available: u32,
}

/// An item to reserve.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReserveItem {
    #[garde(skip)]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439012")]
    product_id: ProductId,
    #[garde(range(min = 1, max = STOCK_MAX))]
    #[schema(example = 2, minimum = 1)]
    quantity: u32,
}

/// What to reserve for an order.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReserveBody {
    #[garde(skip)]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439016")]
    order_id: OrderId,
    /// The items; all or nothing.
    #[garde(length(min = 1, max = 1000), dive)]
    items: Vec<ReserveItem>,
}

/// The order whose stock is released or committed.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderBody {
    #[garde(skip)]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439016")]
    order_id: OrderId,
}

/// A product's stock.
#[utoipa::path(
    tag = "inventory",
    operation_id = "getStock",
    params(("productId" = String, Path, description = "The product")),
    responses(
        (status = 200, description = "Its stock", body = StockView),
        (status = 404, description = "No such product", body = ErrorBody),
    ),
    security(())
)]
#[get("/api/inventory/{productId}")]
pub async fn get(services: Data<Services>, PathId(product): PathId<ProductId>) -> Result<HttpResponse, ApiError> {
    let level = services.calls.ask(GetStock { product }).await?.ok_or(ApiError::NotFound("product"))?;
    Ok(HttpResponse::Ok().json(StockView::from(&level)))
}

/// Sets the available stock; on hand becomes that plus what is reserved.
///
/// Role `service`: a token that only the platform's own processes can make.
#[utoipa::path(
    tag = "inventory",
    operation_id = "setStock",
    params(("productId" = String, Path, description = "The product")),
    request_body = AvailableBody,
    responses((status = 200, description = "Its stock, also when it had none before", body = StockView)),
    security(("bearer" = ["service"]))
)]
#[put("/api/inventory/{productId}")]
pub async fn put(
    _service: ServiceCaller,
    services: Data<Services>,
    PathId(product): PathId<ProductId>,
    Json(body): Json<AvailableBody>,
) -> Result<HttpResponse, ApiError> {
    let levels = services.calls.ask(SetStock { levels: vec![(product, body.available)] }).await?;
    let level = levels.first().ok_or(ApiError::NotFound("product"))?;
    Ok(HttpResponse::Ok().json(StockView::from(level)))
}

/// Reserves stock for an order, all or nothing; repeating returns the same reservation.
///
/// Role `service`: a token that only the platform's own processes can make.
#[utoipa::path(
    tag = "inventory",
    operation_id = "reserveStock",
    request_body = ReserveBody,
    responses(
        (status = 200, description = "The reservation", body = ReservationView),
        (status = 409, description = "The items that fell short, or the order's was released", body = ErrorBody),
    ),
    security(("bearer" = ["service"]))
)]
#[post("/api/inventory/reserve")]
pub async fn reserve(
    _service: ServiceCaller,
    services: Data<Services>,
    Json(body): Json<ReserveBody>,
) -> Result<HttpResponse, ApiError> {
    let line = |item: &ReserveItem| StockLine { product: item.product_id, quantity: item.quantity };
    let lines = body.items.iter().map(line).collect();
    let reservation = services.calls.ask(ReserveStock { order: body.order_id, lines }).await?;
    Ok(HttpResponse::Ok().json(ReservationView::from(&reservation)))
}

/// Releases an order's reservation.
///
/// Role `service`: a token that only the platform's own processes can make.
#[utoipa::path(
    tag = "inventory",
    operation_id = "releaseStock",
    request_body = OrderBody,
    responses((status = 200, description = "The reservation", body = ReservationView)),
    security(("bearer" = ["service"]))
)]
#[post("/api/inventory/release")]
pub async fn release(
    _service: ServiceCaller,
    services: Data<Services>,
    Json(body): Json<OrderBody>,
) -> Result<HttpResponse, ApiError> {
    let reservation = services.calls.ask(ReleaseStock { order: body.order_id, fence: None }).await?;
    Ok(HttpResponse::Ok().json(ReservationView::from(&reservation)))
}

/// Commits an order's reservation: its stock is sold.
///
/// Role `service`: a token that only the platform's own processes can make.
#[utoipa::path(
    tag = "inventory",
    operation_id = "commitStock",
    request_body = OrderBody,
    responses(
        (status = 200, description = "The reservation", body = ReservationView),
        (status = 404, description = "No reservation for this order", body = ErrorBody),
        (status = 409, description = "The order's was released", body = ErrorBody),
    ),
    security(("bearer" = ["service"]))
)]
#[post("/api/inventory/commit")]
pub async fn commit(
    _service: ServiceCaller,
    services: Data<Services>,
    Json(body): Json<OrderBody>,
) -> Result<HttpResponse, ApiError> {
    let reservation = services.calls.ask(CommitStock { order: body.order_id, fence: None }).await?;
    Ok(HttpResponse::Ok().json(ReservationView::from(&reservation)))
}
