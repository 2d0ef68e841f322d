//! What the services' failures mean to a caller.

use serde_json::json;

use super::error::ApiError;
use crate::{
    actors::{
        accounts::AccountError, catalogue::calls::ProductRefusal, order_saga::OrderRefusal, payment::PaymentFailure,
        webhook::WebhookFailure,
    },
    domain::order::OrderItem,
    integrations::{imagekit::PictureError, razorpay::GatewayError},
    views::{inventory::ShortageView, order::OrderTotalsView},
    ws::chat::ChatFailure,
};

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::UserExists => Self::bad_request("auth.user_exists", "User already exists"),
            AccountError::BadCredentials => {
                Self::Unauthorized { code: "auth.bad_credentials", message: "Invalid credentials" }
            }
            AccountError::Blocked => Self::Forbidden {
                code: "auth.blocked",
                message: "this account is blocked; write to those who run the shop",
            },
            AccountError::NoSuchUser => Self::unauthorized(),
            AccountError::Invalid { field, problem } => Self::field(field, problem),
            AccountError::Rule(error) => error.into(),
            AccountError::Store(error) => error.into(),
            AccountError::Password(_) => Self::unavailable("auth"),
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

impl From<PaymentFailure> for ApiError {
    fn from(error: PaymentFailure) -> Self {
        let message = error.to_string();
        match error {
            PaymentFailure::NotFound => Self::NotFound("payment"),
            PaymentFailure::NoSuchOrder => Self::NotFound("order"),
            PaymentFailure::NotYours => Self::forbidden(),
            PaymentFailure::NotPayable => Self::conflict("payment.not_payable", message),
            PaymentFailure::BadSignature => Self::bad_request("payment.bad_signature", "Invalid signature"),
            PaymentFailure::Unreadable => Self::Malformed(message),
            PaymentFailure::Rule(error) => error.into(),
            PaymentFailure::Gateway(error) => error.into(),
            PaymentFailure::Store(error) => error.into(),
            PaymentFailure::Peer(error) => error.into(),
        }
    }
}

impl From<ChatFailure> for ApiError {
    fn from(error: ChatFailure) -> Self {
        match error {
            ChatFailure::NotFound => Self::NotFound("conversation"),
            ChatFailure::NotYours => Self::forbidden(),
            ChatFailure::Store(error) => error.into(),
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
            ProductRefusal::Rule(error) => error.into(),
            ProductRefusal::Picture(error) => error.into(),
            ProductRefusal::Stock(error) => error.into(),
        }
    }
}

impl From<PictureError> for ApiError {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::Unsupported | PictureError::TooManyPixels => Self::UnsupportedMedia(error.to_string().into()),
            PictureError::TooLarge => Self::TooLarge(error.to_string().into()),
            PictureError::Busy | PictureError::Unavailable(_) => Self::unavailable("picture"),
        }
    }
}

impl From<WebhookFailure> for ApiError {
    fn from(error: WebhookFailure) -> Self {
        let message = error.to_string();
        match error {
            WebhookFailure::NotFound => Self::NotFound("webhook"),
            WebhookFailure::NoSuchDelivery => Self::NotFound("delivery"),
            WebhookFailure::NotYours => Self::forbidden(),
            WebhookFailure::Invalid { field, problem } => Self::field(field, problem),
            WebhookFailure::TooMany => Self::conflict("webhook.too_many", message),
            WebhookFailure::SwitchedOff => Self::conflict("webhook.switched_off", message),
            WebhookFailure::Overflow => Self::conflict("webhook.too_many_waiting", message),
            WebhookFailure::Store(error) => error.into(),
        }
    }
}
