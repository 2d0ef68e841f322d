//! Conversions of the domain's, stores' and runtime's errors into API errors.

use serde_json::json;

use super::error::ApiError;
use crate::{
    domain::{
        cart::CartError, inventory::StockError, money::MoneyError, order::OrderError, payment::PaymentError,
        product::ProductError, user::UserError,
    },
    runtime::AskError,
    runtime::calls::{CallError, Never},
    store::{StoreError, inventory::StockStoreError},
    views::inventory::ShortageView,
};

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::NoSuchAddress => Self::NotFound("address"),
            UserError::EmailKept => Self::conflict("auth.email_kept", error.to_string()),
            UserError::TokenInvalid => {
                Self::bad_request("auth.token_invalid", "this link is not valid any more; ask for a new one")
            }
            UserError::CodeInvalid => Self::bad_request("auth.code_invalid", "the code is not right"),
            UserError::TwoFactorOn => Self::conflict("auth.two_factor_on", error.to_string()),
            UserError::PasswordChanged => Self::conflict("auth.password_changed", error.to_string()),
            UserError::TooManyAddresses => Self::conflict("auth.too_many_addresses", error.to_string()),
        }
    }
}

impl From<ProductError> for ApiError {
    fn from(error: ProductError) -> Self {
        match error {
            ProductError::TooManyImages => Self::field("images", error.to_string()),
            ProductError::NoSuchImage => Self::NotFound("picture"),
        }
    }
}

impl From<CartError> for ApiError {
    fn from(error: CartError) -> Self {
        match error {
            CartError::NoSuchProduct => Self::NotFound("product"),
            CartError::NotInCart => Self::NotFound("product in the cart"),
            CartError::InsufficientStock { available } => {
                Self::conflict("cart.insufficient_stock", error.to_string()).with("available", json!(available))
            }
            CartError::MaxPerOrder { max } => {
                Self::conflict("cart.max_per_order", error.to_string()).with("max", json!(max))
            }
            CartError::QuantityTooLarge => Self::conflict("cart.quantity_too_large", error.to_string()),
            CartError::NotForSale { product } => {
                let items = json!([{ "productId": product }]);
                Self::conflict("cart.not_for_sale", error.to_string()).with("items", items)
            }
            CartError::TooManyLines => Self::conflict("cart.too_many_lines", error.to_string()),
        }
    }
}

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        let message = error.to_string();
        match error {
            OrderError::EmptyCart => Self::bad_request("order.empty_cart", message),
            OrderError::MixedCurrencies => Self::bad_request("order.mixed_currencies", message),
            OrderError::TooLarge => Self::bad_request("order.too_large", message),
            OrderError::WrongState { .. } => Self::conflict("order.wrong_state", message),
            OrderError::NoAddress => Self::conflict("order.no_address", message),
            OrderError::Refunded => Self::conflict("order.refunded", message),
            OrderError::NotASeller => Self::forbidden(),
        }
    }
}

impl From<PaymentError> for ApiError {
    fn from(error: PaymentError) -> Self {
        let message = error.to_string();
        match error {
            PaymentError::NotCaptured => Self::conflict("payment.not_captured", message),
            PaymentError::MoreThanLeft { .. } => Self::conflict("payment.more_than_left", message),
            PaymentError::TooLittle { .. } => Self::conflict("payment.too_little", message),
            PaymentError::NotPositive => Self::field("amount", message),
            PaymentError::CurrencyMismatch => Self::field("amount.currency", message),
            PaymentError::KeyReused => Self::Unprocessable { code: "idempotency.key_reused", message, errors: vec![] },
        }
    }
}

impl From<StockError> for ApiError {
    fn from(error: StockError) -> Self {
        let message = error.to_string();
        match error {
            StockError::Short(items) => {
                let items: Vec<ShortageView> = items.iter().map(ShortageView::from).collect();
                Self::conflict("inventory.insufficient_stock", message).with("items", json!(items))
            }
            StockError::Released => Self::conflict("inventory.released", message),
            StockError::NoReservation => Self::NotFound("reservation"),
            StockError::NoSuchProduct => Self::NotFound("product"),
            StockError::Moved { available } => {
                Self::conflict("product.stock_moved", message).with("available", json!(available))
            }
        }
    }
}

impl From<MoneyError> for ApiError {
    fn from(error: MoneyError) -> Self {
        match error {
            MoneyError::NotANumber | MoneyError::TooManyDecimals | MoneyError::TooLarge => {
                Self::field("amount", error.to_string())
            }
            MoneyError::CurrencyMismatch => Self::field("currency", error.to_string()),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::conflict("version_conflict", "it was changed at the same moment; try again"),
            StoreError::Busy | StoreError::Unavailable(_) => Self::unavailable("document"),
            StoreError::Deadline => Self::OutcomeUnknown,
            StoreError::Corrupt(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<StockStoreError> for ApiError {
    fn from(error: StockStoreError) -> Self {
        match error {
            StockStoreError::Rule(error) => error.into(),
            StockStoreError::Store(error) => error.into(),
        }
    }
}

impl From<Never> for ApiError {
    fn from(never: Never) -> Self {
        match never {}
    }
}

impl<E: Into<Self>> From<CallError<E>> for ApiError {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Refused(error) => error.into(),
            CallError::Conflict => StoreError::Conflict.into(),
            CallError::Busy(part) | CallError::Unavailable(part) => Self::unavailable(part),
            CallError::OutcomeUnknown(_) => Self::OutcomeUnknown,
            CallError::Internal(text) => Self::Internal(text),
        }
    }
}

impl<E: Into<ApiError>> From<AskError<E>> for ApiError {
    fn from(error: AskError<E>) -> Self {
        match error {
            AskError::Busy | AskError::Restarting => Self::unavailable("requested"),
            AskError::Died | AskError::Deadline => Self::OutcomeUnknown,
            AskError::Refused(error) => error.into(),
        }
    }
}
