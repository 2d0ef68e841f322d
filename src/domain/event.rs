//! What envelope, as other parts and other programs get to know it.
//!
//! Events are written in the same atomic write as the state they tell of (`store`), and
//! leave by the outbox (`actors::outbox`) in the shapes of `views::event`.
//!
//! **Invariant:** no event carries a password hash or a token.

use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    ids::{EventId, ImportId, ProductId, UserId},
    inventory::StockLevel,
    money::Money,
    order::{Order, Part},
    payment::{Dispute, Payment},
    product::Product,
    user::{Contact, FullName, Role},
};

/// A user as events tell of her.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserSnapshot {
    /// Id.
    pub id: UserId,
    /// E-mail address.
    pub email: String,
    /// User name.
    pub username: String,
    /// Name.
    pub full_name: FullName,
    /// Role.
    pub role: Role,
    /// When registered.
    pub created_at: Timestamp,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "camelCase")]
pub enum Event {
    /// A user registered.
    UserCreated(UserSnapshot),
    /// A seller offers something new.
    ProductCreated {
        /// The product.
        product: Product,
        /// Units available.
        stock: i64,
        /// The seller.
        seller: Contact,
        /// Whether an import made it, which is told of as a whole.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        imported: bool,
    },
    /// A seller's file of products was worked on to its end.
    ProductImportFinished {
        /// Which import.
        import: ImportId,
        /// How often this file was taken.
        run: u32,
        /// The seller.
        seller: Contact,
        /// Rows that made a product.
        made: u64,
        /// Rows that changed one.
        changed: u64,
        /// Rows after which all was as before.
        same: u64,
        /// Rows that were left out.
        left_out: u64,
    },
    /// A product was changed.
    ProductUpdated(Product),
    /// A product is offered no more.
    ProductDeleted {
        /// Which.
        product: ProductId,
        /// Whose it was.
        seller: UserId,
    },
    /// A product's stock changed.
    StockChanged(StockLevel),
    /// An order was placed.
    OrderCreated(Order),
    /// An order was paid and its stock committed.
    OrderConfirmed(Order),
    /// Lines moved or the address changed, the status did not.
    OrderUpdated(Order),
    /// The lines of one seller are on their way or have arrived, and lines of others are not as far.
    OrderPartMoved {
        /// The order.
        order: Order,
        /// Which lines.
        part: Part,
    },
    /// Every line is on its way.
    OrderShipped(Order),
    /// Every line has arrived.
    OrderDelivered(Order),
    /// An order ended without goods.
    OrderCancelled(Order),
    /// A payment was opened (for the dashboard).
    PaymentCreated(Payment),
    /// A payment was opened (for the buyer).
    PaymentInitiated(Payment),
    /// The order keeps the money.
    PaymentCompleted(Payment),
    /// A try to pay failed.
    PaymentFailed {
        /// The payment.
        payment: Payment,
        /// Why.
        reason: String,
    },
    /// A payment changed.
    PaymentUpdated(Payment),
    /// Money was given back.
    PaymentRefunded {
        /// The payment.
        payment: Payment,
        /// How much this time.
        amount: Money,
        /// Why.
        reason: Option<String>,
    },
    /// A buyer's bank wants captured money back.
    PaymentDisputed {
        /// The payment.
        payment: Payment,
        /// What it is about.
        dispute: Dispute,
        /// Who has to answer at the gateway.
        admins: Vec<Contact>,
    },
}

impl Event {
    /// The name in capitals: the message's `type`, and the end of its queue's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::UserCreated(_) => "USER_CREATED",
            Self::ProductCreated { .. } => "PRODUCT_CREATED",
            Self::ProductImportFinished { .. } => "PRODUCT_IMPORT_FINISHED",
            Self::ProductUpdated(_) => "PRODUCT_UPDATED",
            Self::ProductDeleted { .. } => "PRODUCT_DELETED",
            Self::StockChanged(_) => "STOCK_CHANGED",
            Self::OrderCreated(_) => "ORDER_CREATED",
            Self::OrderConfirmed(_) => "ORDER_CONFIRMED",
            // To other programs an update like any other: the status is what it was.
            Self::OrderUpdated(_) | Self::OrderPartMoved { .. } => "ORDER_UPDATED",
            Self::OrderShipped(_) => "ORDER_SHIPPED",
            Self::OrderDelivered(_) => "ORDER_DELIVERED",
            Self::OrderCancelled(_) => "ORDER_CANCELLED",
            Self::PaymentCreated(_) => "PAYMENT_CREATED",
            Self::PaymentInitiated(_) => "PAYMENT_INITIATED",
            Self::PaymentCompleted(_) => "PAYMENT_COMPLETED",
            Self::PaymentFailed { .. } => "PAYMENT_FAILED",
            Self::PaymentUpdated(_) => "PAYMENT_UPDATED",
            Self::PaymentRefunded { .. } => "PAYMENT_REFUNDED",
            Self::PaymentDisputed { .. } => "PAYMENT_DISPUTED",
        }
    }

    /// Whether it says no more than how its aggregate is now, so that a later one of its name says it as well.
    #[must_use]
    pub const fn is_update(&self) -> bool {
        matches!(self, Self::ProductUpdated(_) | Self::OrderUpdated(_) | Self::PaymentUpdated(_))
    }

    /// The topic exchange's routing key: `USER_CREATED` is `user.created`.
    #[must_use]
    pub fn routing_key(&self) -> String {
        self.name().to_lowercase().replacen('_', ".", 1)
    }

    /// The id of the user, product, order or payment that it happened to. Events of one
    /// aggregate are delivered in the order in which they happened.
    #[must_use]
    pub fn aggregate_id(&self) -> String {
        match self {
            Self::UserCreated(user) => user.id.to_hex(),
            Self::ProductCreated { product, .. } | Self::ProductUpdated(product) => product.id.to_hex(),
            Self::ProductDeleted { product, .. } => product.to_hex(),
            Self::ProductImportFinished { import, .. } => import.to_hex(),
            Self::StockChanged(level) => level.product.to_hex(),
            Self::OrderCreated(order)
            | Self::OrderConfirmed(order)
            | Self::OrderUpdated(order)
            | Self::OrderPartMoved { order, .. }
            | Self::OrderShipped(order)
            | Self::OrderDelivered(order)
            | Self::OrderCancelled(order) => order.id.to_hex(),
            Self::PaymentCreated(payment)
            | Self::PaymentInitiated(payment)
            | Self::PaymentCompleted(payment)
            | Self::PaymentFailed { payment, .. }
            | Self::PaymentUpdated(payment)
            | Self::PaymentRefunded { payment, .. }
            | Self::PaymentDisputed { payment, .. } => payment.id.to_hex(),
        }
    }
}

/// An event with what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// By it a consumer applies the event once.
    pub id: EventId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What happened.
    pub event: Event,
    /// The trace of the request that caused it, as `traceparent` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl Envelope {
    /// Puts `event`, which happened at `now`, into an envelope with a new id.
    #[must_use]
    pub fn new(event: Event, now: Timestamp) -> Self {
        Self { id: EventId::generate(), occurred_at: now, event, trace: None }
    }
}
