//! Orders.

use actix_web::{HttpRequest, HttpResponse, get, http::header::LOCATION, patch, post, web::Data};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::idempotency_key;
use crate::{
    actors::order_saga::{
        Destination, Expected, OrderRefusal, Party, PlaceOrder,
        calls::{CancelOrder, DeliverOrder, GetOrderFor, GetOrdersOfUser, SetOrderAddress, ShipOrder},
    },
    domain::{
        ids::OrderId,
        order::OrderStatus,
        user::{PostalAddress, Role},
    },
    http::{
        auth::{AuthUser, Buyer, BuyerOrAdmin, SellerOrAdmin},
        error::{ApiError, ErrorBody},
        extract::{Json, JsonOrEmpty, PathId},
        paging::{Paging, PagingParams},
        query::Query,
        rate::work::{Limited, NewOrder},
        sessions,
        state::State,
    },
    runtime::calls::Calls,
    views::{
        money::MoneyInput,
        order::{OrderAnswer, OrderView, OrdersAnswer},
        words,
    },
};

/// A shipping address. Whether `city`, `state` and `zip` are needed, and their format, depends on the country. A
/// missing or invalid line makes the address invalid: 422.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ShippingAddressBody {
    /// The recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Asha Rao", max_length = 200)]
    full_name: Option<String>,
    /// The phone number for the carrier: 5 to 20 digits, optionally with a leading plus and separators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "+91 98765 43210", max_length = 40)]
    phone: Option<String>,
    /// Street and number.
    #[schema(example = "12 Lake Road")]
    street: String,
    /// City.
    #[schema(example = "Pune")]
    city: Option<String>,
    /// State or province: its ISO 3166-2 code, or its name.
    #[schema(example = "MH")]
    state: Option<String>,
    /// Country: its ISO code, or its English name.
    #[schema(example = "IN")]
    country: String,
    /// Postal code.
    #[schema(example = "411001")]
    zip: Option<String>,
}

impl From<ShippingAddressBody> for PostalAddress {
    fn from(body: ShippingAddressBody) -> Self {
        let ShippingAddressBody { full_name, phone, street, city, state, country, zip } = body;
        let [city, state, zip] = [city, state, zip].map(Option::unwrap_or_default);
        Self { full_name, phone, street, city, state, country, zip }
    }
}

/// The destination of an order; the order has the cart's items at current prices.
#[derive(Debug, Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlaceBody {
    /// The shipping address.
    #[serde(default)]
    #[garde(skip)]
    shipping_address: Option<ShippingAddressBody>,
    /// Instead of `shippingAddress`: the id of one of the user's addresses.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "665f1f77bcf86cd799439013")]
    address_id: Option<String>,
    /// The total that the buyer saw: an order with another total is refused.
    // Skipped when absent, so that older idempotency keys still match the same request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    expected_total: Option<MoneyInput>,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct CancelBody {
    /// The reason, in the buyer's words.
    #[serde(default, deserialize_with = "crate::http::visible_text::visible_option")]
    #[garde(inner(length(chars, max = 1000)))]
    #[schema(example = "ordered twice", max_length = 1000)]
    reason: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeAddressBody {
    /// The new address.
    #[garde(skip)]
    shipping_address: ShippingAddressBody,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShipBody {
    /// The carrier's tracking number.
    #[serde(default, deserialize_with = "crate::http::visible_text::visible_option")]
    #[garde(inner(length(chars, max = 200)))]
    #[schema(example = "AWB123456789", max_length = 200)]
    tracking_number: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MineParams {
    /// Only orders with this status.
    #[garde(skip)]
    #[param(schema_with = words::order_status, example = "PENDING")]
    status: Option<OrderStatus>,
}

const fn party(user: &AuthUser) -> Party {
    match user.role {
        Role::User | Role::Service => Party::Buyer(user.id),
        Role::Seller => Party::Seller(user.id),
        Role::Admin => Party::Admin,
    }
}

/// Orders the items in the cart.
///
/// Role `user`.
#[utoipa::path(
    tag = "orders",
    operation_id = "placeOrder",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key, user and body gives the same order again, for 24 hours")),
    request_body(content = Option<PlaceBody>),
    responses(
        (status = 201, description = "The order, `PENDING`; with `Idempotent-Replayed: true` if it was made before", body = OrderAnswer),
        (status = 400, description = "The cart is empty, or has two currencies", body = ErrorBody),
        (
            status = 409,
            description = "Items are short of stock, or no longer for sale (`cart.not_for_sale`): in `items`; or the total is not `expectedTotal` \
                (`order.total_changed`, with the new `totals`); or a line has more than one order may have \
                (`cart.max_per_order`, with `max` and `productId`); or too many orders of the user are unpaid \
                (`order.too_many_unpaid`). Nothing is made, and the cart is as it was",
            body = ErrorBody,
            examples(
                ("insufficient_stock" = (value = json!({
                    "message": "some items are short of stock", "code": "order.insufficient_stock",
                    "requestId": "9f86d081884c7d65",
                    "items": [{"productId": "665f1f77bcf86cd799439012", "requested": 3, "available": 1}]
                }))),
                ("total_changed" = (value = json!({
                    "message": "the total is now 1148.90 INR", "code": "order.total_changed",
                    "requestId": "9f86d081884c7d65",
                    "totals": {
                        "subtotal": {"amount": 999, "currency": "INR"},
                        "taxPrice": {"amount": 99.9, "currency": "INR"},
                        "shippingPrice": {"amount": 50, "currency": "INR"},
                        "totalPrice": {"amount": 1148.9, "currency": "INR"}
                    }
                }))),
            ),
        ),
        (status = 422, description = "A bad address, or a key used for another request", body = ErrorBody),
        (status = 429, description = "Too many; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[post("/api/orders")]
pub async fn place(
    req: HttpRequest,
    user: Buyer,
    _limit: Limited<NewOrder>,
    state: Data<State>,
    calls: Data<Calls>,
    JsonOrEmpty(body): JsonOrEmpty<PlaceBody>,
) -> Result<HttpResponse, ApiError> {
    sessions::must_be_verified(&state, &calls, user.id).await?;
    let key = idempotency_key(&req, &body)?;
    let destination = match (body.shipping_address, body.address_id) {
        (Some(address), _) => Destination::Here(address.into()),
        (None, Some(id)) => id.parse().map_or(Destination::Unknown, Destination::Kept),
        (None, None) => Destination::Default,
    };
    let total = body.expected_total.map(|total| (total.amount.minor(), total.currency));
    let expected = Expected { total, cart_version: None };
    let placed = calls.ask(PlaceOrder { user: user.id, destination, expected, key }).await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((LOCATION, format!("/api/orders/{}", placed.order.id)));
    if placed.replayed {
        answer.insert_header(("idempotent-replayed", "true"));
    }
    Ok(answer.json(OrderAnswer::from(&placed.order)))
}

/// The user's orders, newest first.
///
/// Role `user`.
#[utoipa::path(
    tag = "orders",
    operation_id = "listMyOrders",
    params(PagingParams, MineParams),
    responses((status = 200, description = "A page of orders", body = OrdersAnswer)),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[get("/api/orders/me")]
pub async fn mine(
    req: HttpRequest,
    user: Buyer,
    calls: Data<Calls>,
    paging: Paging,
    Query(params): Query<MineParams>,
) -> Result<HttpResponse, ApiError> {
    let Paging { skip, limit, .. } = paging;
    let page = calls.ask(GetOrdersOfUser { user: user.id, status: params.status, skip, limit }).await?;
    let orders = page.rows.iter().map(OrderView::from).collect();
    Ok(paging.answer(&req, page.total).json(OrdersAnswer { orders, pagination: paging.pagination(page.total) }))
}

/// An order, for its user, an admin or a seller in it.
///
/// A seller gets their own lines and their share of the sums, and the address once the order is paid.
#[utoipa::path(
    tag = "orders",
    operation_id = "getOrder",
    params(("id" = String, Path, description = "The order")),
    responses(
        (status = 200, description = "The order", body = OrderAnswer),
        (status = 404, description = "No such order", body = ErrorBody),
    )
)]
#[get("/api/orders/{id}")]
pub async fn get(user: AuthUser, calls: Data<Calls>, PathId(id): PathId<OrderId>) -> Result<HttpResponse, ApiError> {
    let order = calls.ask(GetOrderFor { order: id, who: party(&user) }).await?;
    Ok(HttpResponse::Ok().json(OrderAnswer::from(&order)))
}

/// Cancels an order: stock and money are returned. An admin can cancel any order.
///
/// Role `user` or `admin`.
#[utoipa::path(
    tag = "orders",
    operation_id = "cancelOrder",
    params(("id" = String, Path, description = "The order")),
    request_body(content = Option<CancelBody>),
    responses(
        (status = 200, description = "The order, `CANCELLED`", body = OrderAnswer),
        (status = 404, description = "No such order", body = ErrorBody),
        (status = 409, description = "It is shipped, or cancelled already", body = ErrorBody),
    )
)]
#[post("/api/orders/{id}/cancel")]
pub async fn cancel(
    user: BuyerOrAdmin,
    calls: Data<Calls>,
    PathId(id): PathId<OrderId>,
    JsonOrEmpty(body): JsonOrEmpty<CancelBody>,
) -> Result<HttpResponse, ApiError> {
    let order = calls.ask(CancelOrder { order: id, who: party(&user), reason: body.reason }).await?;
    Ok(HttpResponse::Ok().json(OrderAnswer::from(&order)))
}

/// Changes the shipping address, while nothing is shipped.
///
/// Role `user`.
#[utoipa::path(
    tag = "orders",
    operation_id = "setOrderAddress",
    params(("id" = String, Path, description = "The order")),
    request_body = ChangeAddressBody,
    responses(
        (status = 200, description = "The order", body = OrderAnswer),
        (status = 404, description = "No such order", body = ErrorBody),
        (status = 409, description = "It is shipped or cancelled", body = ErrorBody),
        (status = 422, description = "A bad address", body = ErrorBody),
    )
)]
#[patch("/api/orders/{id}/address")]
pub async fn set_address(
    user: Buyer,
    calls: Data<Calls>,
    PathId(id): PathId<OrderId>,
    Json(body): Json<ChangeAddressBody>,
) -> Result<HttpResponse, ApiError> {
    let address = PostalAddress::from(body.shipping_address).settled().map_err(OrderRefusal::BadAddress)?;
    let order = calls.ask(SetOrderAddress { order: id, who: party(&user), address }).await?;
    Ok(HttpResponse::Ok().json(OrderAnswer::from(&order)))
}

/// Marks lines as shipped: a seller their own lines, an admin all lines.
///
/// Role `seller` or `admin`.
#[utoipa::path(
    tag = "orders",
    operation_id = "shipOrder",
    params(("id" = String, Path, description = "The order")),
    request_body(content = Option<ShipBody>),
    responses(
        (status = 200, description = "The order", body = OrderAnswer),
        (status = 404, description = "No such order", body = ErrorBody),
        (status = 409, description = "Out of order, or without an address", body = ErrorBody),
    )
)]
#[post("/api/orders/{id}/ship")]
pub async fn ship(
    user: SellerOrAdmin,
    calls: Data<Calls>,
    PathId(id): PathId<OrderId>,
    JsonOrEmpty(body): JsonOrEmpty<ShipBody>,
) -> Result<HttpResponse, ApiError> {
    let order = calls.ask(ShipOrder { order: id, who: party(&user), tracking: body.tracking_number }).await?;
    Ok(HttpResponse::Ok().json(OrderAnswer::from(&order)))
}

/// Marks lines as delivered: a seller their own lines, an admin all lines.
///
/// Role `seller` or `admin`.
#[utoipa::path(
    tag = "orders",
    operation_id = "deliverOrder",
    params(("id" = String, Path, description = "The order")),
    request_body(content = Option<ShipBody>),
    responses(
        (status = 200, description = "The order", body = OrderAnswer),
        (status = 404, description = "No such order", body = ErrorBody),
        (status = 409, description = "Out of order", body = ErrorBody),
    )
)]
#[post("/api/orders/{id}/deliver")]
pub async fn deliver(
    user: SellerOrAdmin,
    calls: Data<Calls>,
    PathId(id): PathId<OrderId>,
    JsonOrEmpty(body): JsonOrEmpty<ShipBody>,
) -> Result<HttpResponse, ApiError> {
    let order = calls.ask(DeliverOrder { order: id, who: party(&user), tracking: body.tracking_number }).await?;
    Ok(HttpResponse::Ok().json(OrderAnswer::from(&order)))
}
