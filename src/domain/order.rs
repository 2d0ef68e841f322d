//! Orders and their saga, from the cart to delivery or refund.
//!
//! **Invariant:** an order is `CONFIRMED` only after its stock was committed, and `CANCELLED` always has
//! [`SagaStep::ReleaseStock`] done or pending. The pending steps are stored in the order itself, so that any process
//! can finish them.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use super::{
    Timestamp,
    ids::{OrderId, PaymentId, ProductId, RefundId, UserId},
    inventory::StockLine,
    money::{Money, MoneyError},
    user::PostalAddress,
};

mod share;
mod transitions;
pub use share::Share;
pub use transitions::{Expiry, LateMoney, Noted};

/// The status of an order: `PENDING` → `CONFIRMED` → `SHIPPED` → `DELIVERED`, and `PENDING`/`CONFIRMED` →
/// `CANCELLED`. A late payment can change an order that was cancelled as expired to `CONFIRMED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderStatus {
    /// Stock is held, payment is awaited.
    Pending,
    /// Paid, stock committed.
    Confirmed,
    /// Every line is on its way.
    Shipped,
    /// Every line has arrived.
    Delivered,
    /// Cancelled; stock and money are returned.
    Cancelled,
}

impl OrderStatus {
    /// Every status, in the order of the arrows.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Confirmed, Self::Shipped, Self::Delivered, Self::Cancelled];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Confirmed => "CONFIRMED",
            Self::Shipped => "SHIPPED",
            Self::Delivered => "DELIVERED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The status of a word on the wire.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether its units count as sold.
    #[must_use]
    pub const fn is_sale(self) -> bool {
        matches!(self, Self::Confirmed | Self::Shipped | Self::Delivered)
    }
}

/// The shipment of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Shipment {
    /// With the seller.
    #[default]
    Waiting,
    /// With the carrier.
    Shipped,
    /// With the buyer.
    Delivered,
}

/// One line of an order. Title and price are those at the moment of ordering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    /// What was bought.
    pub product: ProductId,
    /// Its title then.
    pub title: String,
    /// The seller.
    pub seller: UserId,
    pub quantity: u32,
    /// The price of one unit.
    pub price: Money,
    /// How far it is.
    #[serde(default)]
    pub shipment: Shipment,
    /// The carrier's number, once shipped with one.
    #[serde(default)]
    pub tracking_number: Option<String>,
}

impl OrderItem {
    /// The stock line that it takes.
    #[must_use]
    pub const fn stock_line(&self) -> StockLine {
        StockLine { product: self.product, quantity: self.quantity }
    }
}

/// An entry in an order's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// The status it came to.
    pub status: OrderStatus,
    pub at: Timestamp,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// The refund that it is about; the status is then unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
    /// The lines of one seller that it is about; the status is then unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// The lines of one seller in an order with lines of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Whose they are.
    pub seller: UserId,
    /// Their shipment.
    pub shipment: Shipment,
}

/// A refund of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundNote {
    pub refund: RefundId,
    pub amount: Money,
    /// Why.
    pub reason: Option<String>,
    /// The refunds of the order's price so far, including this one and decided ones.
    #[serde(default)]
    pub refunded: Option<Money>,
    /// Whether it is decided but not yet accepted by the gateway.
    #[serde(default)]
    pub pending: bool,
}

/// Why an order was cancelled; decides what happens to late money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CancelCause {
    /// Cancelled by the buyer: late money is always refunded.
    Buyer,
    /// Cancelled by an admin, with the same effect.
    Staff,
    /// Refunded in full before anything was shipped.
    Refunded,
    /// The payment window ended: late money takes the stock again if it is available.
    Expired,
    /// The window ended, and when late money arrived there was no stock: money is always refunded from then on, even
    /// if there is stock again.
    SoldOut,
    /// The payment gateway refused the order permanently. Any money would be a mistake and is always refunded.
    PaymentRefused,
    /// A seller in it was blocked before it was paid: late money is always refunded.
    #[serde(rename = "sellerSuspended")]
    SellerSuspended,
}

impl CancelCause {
    /// Whether its available items go back into the cart, because the buyer did not cancel it.
    #[must_use]
    pub const fn puts_back(self) -> bool {
        matches!(self, Self::PaymentRefused | Self::SellerSuspended)
    }
}

/// A pending step of the saga. Each is idempotent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SagaStep {
    /// Remove the ordered quantities from the cart.
    EmptyCart,
    /// Wait for the payment, or for the end of the window.
    AwaitPayment,
    /// Release the stock.
    ReleaseStock,
    /// Refund the money.
    Refund,
    /// Put the available items back into the cart.
    RestoreCart,
}

/// The pending steps of an order, and when they are due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Saga {
    /// Steps in the order in which they are to be done.
    pub todo: Vec<SagaStep>,
    /// Failed attempts of the first step; the pause before the next attempt grows with it.
    pub attempts: u32,
    /// When it is due next, `None` when nothing is left to do.
    pub due_at: Option<Timestamp>,
}

/// The payment that paid an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPayment {
    /// The payment.
    pub id: PaymentId,
    /// The gateway's id of the captured payment.
    pub payment_id: String,
    /// When it was applied to the order.
    pub at: Timestamp,
}

/// An order, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Id; the reservation has the same id.
    pub id: OrderId,
    /// The buyer.
    pub user: UserId,
    /// At least one.
    pub items: Vec<OrderItem>,
    /// Its status.
    pub status: OrderStatus,
    /// Price × quantity of all lines.
    pub subtotal: Money,
    /// On the subtotal.
    pub tax: Money,
    /// Flat.
    pub shipping: Money,
    /// The sum of the three, which is the amount of the payment.
    pub total: Money,
    /// The destination; may be set later, but before shipping.
    pub shipping_address: Option<PostalAddress>,
    /// The payment that confirmed it.
    pub payment: Option<OrderPayment>,
    /// The refunded part of its price, including decided refunds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded: Option<Money>,
    /// Oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// Why it was cancelled, once it is.
    pub cancel_cause: Option<CancelCause>,
    /// The version of the cart it was made from: one cart version makes one order.
    pub cart_version: u64,
    /// The end of the payment window.
    pub expires_at: Timestamp,
    /// What is left to do.
    pub saga: Saga,
    /// When made.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
    /// Counts writes.
    pub version: u64,
    /// Read from the stored document only.
    #[serde(default, skip_serializing)]
    pub keys: OrderKeys,
}

/// The unique keys of an order besides its cart. Only the store sets them, and they are ignored when orders are
/// compared.
#[derive(Debug, Clone, Default, Eq, Serialize, Deserialize)]
pub struct OrderKeys {
    /// The number of the user's orders up to this one; none if an earlier version wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// The idempotency key that it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<UsedKey>,
}

impl PartialEq for OrderKeys {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The idempotency key of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsedKey {
    /// As the client sent it.
    pub key: String,
    /// A hash of the request it came with.
    pub request_hash: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How often the user had used it before.
    pub generation: u64,
}

/// Why an operation on an order is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum OrderError {
    /// The cart is empty.
    #[error("the cart is empty")]
    EmptyCart,
    /// An order is in one currency.
    #[error("an order has one currency; order the others apart")]
    MixedCurrencies,
    /// It exceeds the largest amount of the marketplace.
    #[error("the total is too large for one order")]
    TooLarge,
    /// The status does not allow it.
    #[error("an order that is {} cannot be {action}", .status.as_str())]
    WrongState {
        /// The order's status.
        status: OrderStatus,
        /// The operation as a participle: "cancelled", "shipped".
        action: Cow<'static, str>,
    },
    /// The order has no destination.
    #[error("the order has no shipping address")]
    NoAddress,
    /// It was refunded in full: nothing more is shipped.
    #[error("the order was refunded in full")]
    Refunded,
    /// The caller sells nothing in this order.
    #[error("the order has no line of this seller")]
    NotASeller,
}

/// Tax and shipping, from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pricing {
    /// Tax in hundredths of a percent.
    pub tax_basis_points: u32,
    /// Flat shipping in minor units of the order's currency.
    pub shipping_minor: i64,
}

/// Subtotal, tax, shipping and total of some lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Price × quantity.
    pub subtotal: Money,
    /// Rounded half up on the subtotal.
    pub tax: Money,
    /// Flat.
    pub shipping: Money,
    /// The sum.
    pub total: Money,
}

/// The largest total in minor units; JSON numbers carry it exactly.
const TOTAL_MAX_MINOR: i64 = 100_000_000_000_000;

impl Pricing {
    /// The totals of an order over `items`.
    ///
    /// # Errors
    /// [`OrderError::EmptyCart`] for none, `MixedCurrencies`, `TooLarge`.
    pub fn totals(&self, items: &[OrderItem]) -> Result<Totals, OrderError> {
        let lines: Result<Vec<Money>, MoneyError> = items.iter().map(|item| item.price.times(item.quantity)).collect();
        let subtotal = Money::sum(lines?)?.ok_or(OrderError::EmptyCart)?;
        let tax = subtotal.percent_half_up(self.tax_basis_points)?;
        let shipping = Money::new(self.shipping_minor, subtotal.currency());
        let total = subtotal.checked_add(tax)?.checked_add(shipping)?;
        if total.minor() > TOTAL_MAX_MINOR {
            return Err(OrderError::TooLarge);
        }
        Ok(Totals { subtotal, tax, shipping, total })
    }
}

impl From<MoneyError> for OrderError {
    fn from(error: MoneyError) -> Self {
        match error {
            MoneyError::CurrencyMismatch => Self::MixedCurrencies,
            MoneyError::TooLarge | MoneyError::NotANumber | MoneyError::TooManyDecimals => Self::TooLarge,
        }
    }
}

/// The data of a new order.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// Its id, under which the stock is already held.
    pub id: OrderId,
    /// The buyer.
    pub user: UserId,
    /// The lines.
    pub items: Vec<OrderItem>,
    /// The destination.
    pub shipping_address: Option<PostalAddress>,
    /// The version of the cart it is made from.
    pub cart_version: u64,
    /// How long the buyer has to pay.
    pub window: SignedDuration,
}

/// When the cart is checked again after placing the order, in case the process died in between.
const CART_CHECK_AFTER: SignedDuration = SignedDuration::from_secs(30);

impl Order {
    /// A `PENDING` order whose stock is held.
    ///
    /// # Errors
    /// Those of [`Pricing::totals`].
    pub fn place(new: NewOrder, pricing: &Pricing, now: Timestamp) -> Result<Self, OrderError> {
        let totals = pricing.totals(&new.items)?;
        let expires_at = now.saturating_add(new.window).unwrap_or(Timestamp::MAX);
        let cart_check = now.saturating_add(CART_CHECK_AFTER).unwrap_or(Timestamp::MAX);
        let todo = vec![SagaStep::EmptyCart, SagaStep::AwaitPayment];
        Ok(Self {
            id: new.id,
            user: new.user,
            items: new.items,
            status: OrderStatus::Pending,
            subtotal: totals.subtotal,
            tax: totals.tax,
            shipping: totals.shipping,
            total: totals.total,
            shipping_address: new.shipping_address,
            payment: None,
            refunded: None,
            timeline: vec![TimelineEntry {
                status: OrderStatus::Pending,
                at: now,
                reason: None,
                refund: None,
                part: None,
            }],
            cancel_cause: None,
            cart_version: new.cart_version,
            expires_at,
            saga: Saga { todo, attempts: 0, due_at: Some(expires_at.min(cart_check)) },
            created_at: now,
            updated_at: now,
            version: 0,
            keys: OrderKeys::default(),
        })
    }

    /// The stock lines of the order, one for each product.
    #[must_use]
    pub fn stock_lines(&self) -> Vec<StockLine> {
        self.items.iter().map(OrderItem::stock_line).collect()
    }

    /// Whether lines of more than one seller are in it.
    #[must_use]
    pub fn has_several_sellers(&self) -> bool {
        self.items.iter().any(|item| self.items.first().is_some_and(|first| first.seller != item.seller))
    }

    /// Whether all of its price is refunded, including decided refunds.
    #[must_use]
    pub fn is_refunded_in_full(&self) -> bool {
        self.total.minor() > 0 && self.refunded.is_some_and(|refunded| refunded.minor() >= self.total.minor())
    }

    /// Whether it is open and no line was shipped, so that it can still be cancelled.
    #[must_use]
    pub fn is_unshipped(&self) -> bool {
        matches!(self.status, OrderStatus::Pending | OrderStatus::Confirmed)
            && self.items.iter().all(|item| item.shipment == Shipment::Waiting)
    }

    /// Whether it has lines of `seller`.
    #[must_use]
    pub fn has_seller(&self, seller: UserId) -> bool {
        self.items.iter().any(|item| item.seller == seller)
    }
}
