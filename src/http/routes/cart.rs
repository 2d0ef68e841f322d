//! Carts of users.

use actix_web::{HttpResponse, delete, get, patch, post, web::Data};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    actors::cart::{
        calls::{AddToCart, ClearCart, GetCart, RemoveFromCart, SetQuantity},
        offers_of,
    },
    domain::{cart::Cart, ids::ProductId},
    http::{
        auth::Buyer,
        error::{ApiError, ErrorBody},
        extract::{Json, PathId},
        rate::work::{CartChange, Limited},
    },
    runtime::calls::Calls,
    views::cart::CartAnswer,
};

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddBody {
    #[garde(skip)]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439012")]
    product_id: ProductId,
    /// The quantity; `qty` is accepted as well.
    #[serde(alias = "qty")]
    #[garde(range(min = 1, max = 999))]
    #[schema(example = 2, minimum = 1, maximum = 999)]
    quantity: u32,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct SetBody {
    /// The quantity; `qty` is accepted as well.
    #[serde(alias = "qty")]
    #[garde(range(min = 1, max = 999))]
    #[schema(example = 3, minimum = 1, maximum = 999)]
    quantity: u32,
}

async fn answer(calls: &Calls, cart: &Cart) -> Result<HttpResponse, ApiError> {
    let offers = offers_of(calls, cart).await?;
    Ok(HttpResponse::Ok().json(CartAnswer::new(cart, &offers)))
}

/// The user's cart, with current prices.
///
/// Role `user`.
#[utoipa::path(
    tag = "cart",
    operation_id = "getCart",
    responses((status = 200, description = "The cart", body = CartAnswer)),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[get("/api/cart")]
pub async fn get(user: Buyer, calls: Data<Calls>) -> Result<HttpResponse, ApiError> {
    answer(&calls, &calls.ask(GetCart { user: user.id }).await?).await
}

/// Adds a quantity of a product to the cart.
///
/// Role `user`.
#[utoipa::path(
    tag = "cart",
    operation_id = "addCartItem",
    request_body = AddBody,
    responses(
        (status = 200, description = "The cart", body = CartAnswer),
        (status = 404, description = "No such product", body = ErrorBody),
        (status = 409, description = "Not enough of it, with `available`; or `cart.max_per_order`, with `max`; or `cart.not_for_sale`, with `items`", body = ErrorBody, example = json!({
            "message": "only 3 of this product can be bought now", "code": "cart.insufficient_stock",
            "requestId": "9f86d081884c7d65", "available": 3
        })),
        (status = 429, description = "Too many; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[post("/api/cart/items")]
pub async fn add(
    user: Buyer,
    _limit: Limited<CartChange>,
    calls: Data<Calls>,
    Json(body): Json<AddBody>,
) -> Result<HttpResponse, ApiError> {
    let add = AddToCart { user: user.id, product: body.product_id, quantity: body.quantity };
    answer(&calls, &calls.ask(add).await?).await
}

/// Sets the quantity of a product in the cart.
///
/// Role `user`.
#[utoipa::path(
    tag = "cart",
    operation_id = "setCartItem",
    params(("productId" = String, Path, description = "The product")),
    request_body = SetBody,
    responses(
        (status = 200, description = "The cart", body = CartAnswer),
        (status = 404, description = "Not in the cart", body = ErrorBody),
        (status = 409, description = "Not enough of it, with `available`; or `cart.max_per_order`, with `max`; or `cart.not_for_sale`, with `items`", body = ErrorBody, example = json!({
            "message": "only 3 of this product can be bought now", "code": "cart.insufficient_stock",
            "requestId": "9f86d081884c7d65", "available": 3
        })),
        (status = 429, description = "Too many; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[patch("/api/cart/items/{productId}")]
pub async fn set(
    user: Buyer,
    _limit: Limited<CartChange>,
    calls: Data<Calls>,
    PathId(product): PathId<ProductId>,
    Json(body): Json<SetBody>,
) -> Result<HttpResponse, ApiError> {
    let set = SetQuantity { user: user.id, product, quantity: body.quantity };
    answer(&calls, &calls.ask(set).await?).await
}

/// Removes a product from the cart.
///
/// Role `user`.
#[utoipa::path(
    tag = "cart",
    operation_id = "removeCartItem",
    params(("productId" = String, Path, description = "The product")),
    responses(
        (status = 200, description = "The cart", body = CartAnswer),
        (status = 404, description = "Not in the cart", body = ErrorBody),
        (status = 429, description = "Too many; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[delete("/api/cart/items/{productId}")]
pub async fn remove(
    user: Buyer,
    _limit: Limited<CartChange>,
    calls: Data<Calls>,
    PathId(product): PathId<ProductId>,
) -> Result<HttpResponse, ApiError> {
    answer(&calls, &calls.ask(RemoveFromCart { user: user.id, product }).await?).await
}

/// Removes everything from the cart.
///
/// Role `user`.
#[utoipa::path(
    tag = "cart",
    operation_id = "clearCart",
    responses(
        (status = 200, description = "The empty cart", body = CartAnswer),
        (status = 429, description = "Too many; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[delete("/api/cart")]
pub async fn clear(user: Buyer, _limit: Limited<CartChange>, calls: Data<Calls>) -> Result<HttpResponse, ApiError> {
    answer(&calls, &calls.ask(ClearCart { user: user.id }).await?).await
}
