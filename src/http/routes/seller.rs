//! The seller dashboard.

use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use garde::Validate;
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::{
    actors::inventory::calls::GetStockOfMany,
    actors::seller_dashboard::calls::{GetSellerMetrics, GetSellerOrders, GetSellerProducts},
    domain::{Timestamp, ids::ProductId, inventory::StockLevel},
    http::{
        auth::SellerUser,
        error::ApiError,
        paging::{Paging, PagingParams},
        query::Query,
    },
    runtime::calls::Calls,
    store::dashboard::Range,
    views::dashboard::{MetricsView, SoldProductView, product_with_sold},
};

/// The range of days.
#[derive(Debug, Clone, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RangeParams {
    /// From this time or day (UTC).
    #[garde(skip)]
    #[param(example = "2026-01-01")]
    from: Option<String>,
    /// Up to this time or including this day (UTC).
    #[garde(skip)]
    #[param(example = "2026-01-31")]
    to: Option<String>,
}

/// A time, or the start of a day; with `end`, the start of the following day.
fn moment(field: &str, text: &str, end: bool) -> Result<Timestamp, ApiError> {
    let refused = || ApiError::field(field, "must be a day like 2026-01-31 or a moment like 2026-01-31T12:00:00Z");
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day: Date = text.parse().map_err(|_| refused())?;
    let day = if end { day.checked_add(1.day()).map_err(|_| refused())? } else { day };
    Ok(day.to_zoned(TimeZone::UTC).map_err(|_| refused())?.timestamp())
}

/// The seller's sales.
///
/// Role `seller`.
#[utoipa::path(
    tag = "seller",
    operation_id = "getSalesMetrics",
    params(RangeParams),
    responses((status = 200, description = "Sales, revenue, best products, orders by status, by day", body = MetricsView)),
    security(("bearer" = ["seller"]), ("cookie" = ["seller"]))
)]
#[get("/api/seller/dashboard/metrics")]
pub async fn metrics(
    seller: SellerUser,
    calls: Data<Calls>,
    Query(params): Query<RangeParams>,
) -> Result<HttpResponse, ApiError> {
    let from = params.from.as_deref().map(|text| moment("from", text, false)).transpose()?;
    let to = params.to.as_deref().map(|text| moment("to", text, true)).transpose()?;
    let metrics = calls.ask(GetSellerMetrics { seller: seller.id, range: Range { from, to } }).await?;
    Ok(HttpResponse::Ok().json(MetricsView::from(&metrics)))
}

#[derive(Debug, Clone, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct SoldParams {
    /// `true`: only paid orders that wait to be shipped, oldest first.
    #[serde(default)]
    #[garde(skip)]
    to_ship: Option<bool>,
}

/// Orders with lines of the seller, newest first, each with only the seller's lines and sums.
///
/// Role `seller`.
#[utoipa::path(
    tag = "seller",
    operation_id = "listSoldOrders",
    params(PagingParams, SoldParams),
    responses((status = 200, description = "Orders", body = [crate::views::order::OrderView])),
    security(("bearer" = ["seller"]), ("cookie" = ["seller"]))
)]
#[get("/api/seller/dashboard/orders")]
pub async fn orders(
    req: HttpRequest,
    seller: SellerUser,
    calls: Data<Calls>,
    paging: Paging,
    Query(params): Query<SoldParams>,
) -> Result<HttpResponse, ApiError> {
    let (to_ship, Paging { skip, limit, .. }) = (params.to_ship == Some(true), paging);
    let page = calls.ask(GetSellerOrders { seller: seller.id, to_ship, skip, limit }).await?;
    let documents: Vec<&Value> = page.rows.iter().map(|row| &row.document).collect();
    Ok(paging.answer(&req, page.total).json(documents))
}

/// Products of the seller, with stock and units sold.
///
/// Role `seller`.
#[utoipa::path(
    tag = "seller",
    operation_id = "listSoldProducts",
    params(PagingParams),
    responses((status = 200, description = "Products with `stock` and `sold`", body = [SoldProductView])),
    security(("bearer" = ["seller"]), ("cookie" = ["seller"]))
)]
#[get("/api/seller/dashboard/products")]
pub async fn products(
    req: HttpRequest,
    seller: SellerUser,
    calls: Data<Calls>,
    paging: Paging,
) -> Result<HttpResponse, ApiError> {
    let Paging { skip, limit, .. } = paging;
    let page = calls.ask(GetSellerProducts { seller: seller.id, skip, limit }).await?;
    let ids: Vec<ProductId> = page.rows.iter().map(|row| row.id).collect();
    let levels = calls.ask(GetStockOfMany { products: ids }).await?;
    let available = |id: ProductId| levels.iter().find(|level| level.product == id).map(StockLevel::available);
    let rows: Vec<Value> = page.rows.iter().map(|row| product_with_sold(row, available(row.id))).collect();
    Ok(paging.answer(&req, page.total).json(rows))
}
