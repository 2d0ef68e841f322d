use actix_web::ResponseError;
use serde_json::json;

use super::*;
use crate::{
    domain::{
        address::AddressProblem,
        cart::CartError,
        inventory::{Shortage, StockError},
        order::{OrderError, OrderStatus},
        user::UserError,
    },
    runtime::AskError,
    runtime::calls::{CallError, Never},
    store::StoreError,
};

fn shown(error: &ApiError) -> (u16, String, Value) {
    let response = error.response("id");
    let retry = response.headers().get("retry-after").map_or("", |value| value.to_str().unwrap()).to_owned();
    (response.status().as_u16(), retry, json!(error.body("id")))
}

#[test]
fn every_variant_has_its_status_code_and_body() {
    let body = |message: &str, code: &str| json!({"message": message, "code": code, "requestId": "id"});
    let invalid = json!({"message": "the request is not valid", "code": "request.invalid", "requestId": "id",
        "errors": [{"path": "qty", "msg": "must be 1 or more"}]});
    let short = json!({"message": "m", "code": "c", "requestId": "id", "available": 3});
    let bad_address = json!({"message": "nothing can be sent to this address", "code": "order.bad_address",
        "requestId": "id", "errors": [{"path": "shippingAddress.zip", "msg": "must not be empty"}]});
    let no_zip = AddressProblem { field: "zip".into(), what: "must not be empty".into(), is_malformed: true };
    let later = "too many requests; try again in 7 s";
    let unknown = "the answer took too long; whether it was done is not known";
    for (error, status, retry, expected) in [
        (ApiError::field("qty", "must be 1 or more"), 400, "", invalid),
        (ApiError::Malformed("m".into()), 400, "", body("m", "request.malformed")),
        (
            ApiError::bad_request("auth.user_exists", "User already exists"),
            400,
            "",
            body("User already exists", "auth.user_exists"),
        ),
        (ApiError::unauthorized(), 401, "", body("log in first", "auth.unauthorized")),
        (ApiError::forbidden(), 403, "", body("this is not yours to do", "auth.forbidden")),
        (ApiError::NotFound("product"), 404, "", body("there is no such product", "not_found")),
        (
            ApiError::MethodNotAllowed { allow: "GET".into() },
            405,
            "",
            body("this path does not know this method", "request.method_not_allowed"),
        ),
        (ApiError::conflict("c", "m").with("available", json!(3)), 409, "", short),
        (ApiError::TooLarge("m".into()), 413, "", body("m", "request.too_large")),
        (ApiError::UnsupportedMedia("m".into()), 415, "", body("m", "request.unsupported_media")),
        (ApiError::bad_address("shippingAddress", &[no_zip]), 422, "", bad_address),
        (ApiError::TooManyRequests { retry_after: 7 }, 429, "7", body(later, "rate_limited")),
        (ApiError::unavailable("order"), 503, "1", body("the order service is not available now", "unavailable")),
        (ApiError::OutcomeUnknown, 503, "1", body(unknown, "outcome_unknown")),
        (ApiError::Internal("secret".into()), 500, "", body("something went wrong on our side", "internal")),
    ] {
        assert_eq!(shown(&error), (status, retry.to_owned(), expected));
        assert_eq!(error.status_code().as_u16(), status);
    }
    let response = ApiError::MethodNotAllowed { allow: "GET, HEAD".into() }.response("id");
    assert_eq!(response.headers().get("allow").unwrap(), "GET, HEAD");
}

#[test]
fn errors_of_other_modules_map_to_the_contracts_statuses() {
    let status = |error: ApiError| error.status_code().as_u16();
    let short = CartError::InsufficientStock { available: 3 };
    assert_eq!(shown(&ApiError::from(short)).2["available"], 3);
    assert_eq!(ApiError::from(short).code(), "cart.insufficient_stock");
    assert_eq!(status(CartError::NotInCart.into()), 404);
    assert_eq!(status(UserError::NoSuchAddress.into()), 404);
    assert_eq!(status(OrderError::EmptyCart.into()), 400);
    assert_eq!(status(OrderError::WrongState { status: OrderStatus::Shipped, action: "cancelled".into() }.into()), 409);
    let shortage = Shortage { product: ProductId::from_bytes([0; 12]), requested: 2, available: 1 };
    let stock = CallError::Refused(StockError::Short(vec![shortage]));
    let item = json!({"productId": "000000000000000000000000", "requested": 2, "available": 1});
    assert_eq!(shown(&stock.into()).2["items"], json!([item]));
    assert_eq!(status(StoreError::Busy.into()), 503);
    assert_eq!(ApiError::from(CallError::<Never>::OutcomeUnknown("cart".into())).code(), "outcome_unknown");
    assert_eq!(status(AskError::<CartError>::Busy.into()), 503);
    assert_eq!(ApiError::from(AskError::<CartError>::Died).code(), "outcome_unknown");
    assert_eq!(status(AskError::Refused(CartError::NotInCart).into()), 404);
}
