//! Conversions of the services' errors into API errors.

use serde_json::json;

use super::error::ApiError;
use crate::{
    actors::{
        accounts::calls::AccountRefusal, catalogue::calls::ProductRefusal, order_saga::OrderRefusal,
        payment::calls::PaymentRefusal, webhook::calls::WebhookRefusal,
    },
    domain::order::OrderItem,
    integrations::{image::ImageError, payment::GatewayError},
    views::{inventory::ShortageView, order::OrderTotalsView},
    ws::chat::calls::ChatRefusal,
};

impl From<AccountRefusal> for ApiError {
    fn from(error: AccountRefusal) -> Self {
        match error {
            AccountRefusal::UserExists => Self::bad_request("auth.user_exists", "User already exists"),
            AccountRefusal::BadCredentials => {
                Self::Unauthorized { code: "auth.bad_credentials", message: "Invalid credentials" }
            }
            AccountRefusal::Blocked => Self::Forbidden {
                code: "auth.blocked",
                message: "this account is blocked; write to those who run the shop",
            },
            AccountRefusal::NoSuchUser => Self::unauthorized(),
            AccountRefusal::WrongPassword => Self::bad_request("auth.wrong_password", "the password is wrong"),
            AccountRefusal::HasOpenOrders => Self::conflict("auth.has_open_orders", error.to_string()),
            AccountRefusal::Invalid { field, problem } => Self::field(field, problem),
            AccountRefusal::Rule(error) => error.into(),
        }
    }
}

impl From<OrderRefusal> for ApiError {
    fn from(error: OrderRefusal) -> Self {
        let message = error.to_string();
        match error {
            OrderRefusal::NotFound => Self::NotFound("order"),
            OrderRefusal::NotYours => Self::forbidden(),
            OrderRefusal::Rule(error) => error.into(),
            OrderRefusal::MaxPerOrder { product, max } => {
                Self::conflict("cart.max_per_order", message).with("max", json!(max)).with("productId", json!(product))
            }
            OrderRefusal::NotForSale(items) => {
                let item = |item: &OrderItem| json!({ "productId": item.product, "title": item.title, "quantity": item.quantity });
                let items: Vec<_> = items.iter().map(item).collect();
                Self::conflict("cart.not_for_sale", message).with("items", json!(items))
            }
            OrderRefusal::Short(items) => {
                let items: Vec<ShortageView> = items.iter().map(ShortageView::from).collect();
                Self::conflict("order.insufficient_stock", message).with("items", json!(items))
            }
            OrderRefusal::TotalChanged(totals) => {
                let totals = OrderTotalsView::from(&totals);
                Self::conflict("order.total_changed", message).with("totals", json!(totals))
            }
            OrderRefusal::TooManyUnpaid(_) => Self::conflict("order.too_many_unpaid", message),
            OrderRefusal::NoSuchAddress => {
                Self::Unprocessable { code: "order.no_such_address", message, errors: vec![] }
            }
            OrderRefusal::BadAddress(problems) => Self::bad_address("shippingAddress", &problems),
            OrderRefusal::KeyReused => Self::Unprocessable { code: "idempotency.key_reused", message, errors: vec![] },
            OrderRefusal::Taken(_) => Self::conflict("duplicate", message),
        }
    }
}

impl From<PaymentRefusal> for ApiError {
    fn from(error: PaymentRefusal) -> Self {
        let message = error.to_string();
        match error {
            PaymentRefusal::NotFound => Self::NotFound("payment"),
            PaymentRefusal::NoSuchOrder => Self::NotFound("order"),
            PaymentRefusal::NotYours => Self::forbidden(),
            PaymentRefusal::NotPayable => Self::conflict("payment.not_payable", message),
            PaymentRefusal::BadSignature => Self::bad_request("payment.bad_signature", "Invalid signature"),
            PaymentRefusal::Unreadable => Self::Malformed(message),
            PaymentRefusal::Rule(error) => error.into(),
            PaymentRefusal::Gateway(error) => error.into(),
        }
    }
}

impl From<ChatRefusal> for ApiError {
    fn from(error: ChatRefusal) -> Self {
        match error {
            ChatRefusal::NotFound => Self::NotFound("conversation"),
            ChatRefusal::NotYours => Self::forbidden(),
        }
    }
}

impl From<GatewayError> for ApiError {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Unavailable(_) => Self::unavailable("payment gateway"),
            GatewayError::Refused(reason) => Self::conflict("payment.refused", reason),
            GatewayError::Unknown => Self::NotFound("payment"),
        }
    }
}

impl From<ProductRefusal> for ApiError {
    fn from(refusal: ProductRefusal) -> Self {
        match refusal {
            ProductRefusal::NotFound => Self::NotFound("product"),
            ProductRefusal::NotYours => Self::forbidden(),
            ProductRefusal::Changed => Self::PreconditionFailed,
            ProductRefusal::Rule(error) => error.into(),
            ProductRefusal::Picture(error) => error.into(),
            ProductRefusal::Stock(error) => error.into(),
        }
    }
}

impl From<ImageError> for ApiError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Unsupported | ImageError::TooManyPixels => Self::UnsupportedMedia(error.to_string().into()),
            ImageError::TooLarge => Self::TooLarge(error.to_string().into()),
            ImageError::Busy => Self::TooManyRequests { retry_after: 5 },
            ImageError::Unavailable(_) => Self::unavailable("picture"),
        }
    }
}

impl From<WebhookRefusal> for ApiError {
    fn from(error: WebhookRefusal) -> Self {
        let message = error.to_string();
        match error {
            WebhookRefusal::NotFound => Self::NotFound("webhook"),
            WebhookRefusal::NoSuchDelivery => Self::NotFound("delivery"),
            WebhookRefusal::NotYours => Self::forbidden(),
            WebhookRefusal::Invalid { field, problem } => Self::field(field, problem),
            WebhookRefusal::TooMany => Self::conflict("webhook.too_many", message),
            WebhookRefusal::SwitchedOff => Self::conflict("webhook.switched_off", message),
            WebhookRefusal::Overflow => Self::conflict("webhook.too_many_waiting", message),
        }
    }
}
