//! Domain events, as other services and other programs receive them.
//!
//! Events are written in the same atomic write as the state that they describe (`store`), and are published from the
//! outbox (`actors::outbox`) in the format of `views::event`.
//!
//! **Invariant:** no event contains a password hash or a token.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Timestamp,
    ids::{EventId, ImportId, ProductId, UserId},
    inventory::StockLevel,
    money::Money,
    order::{Order, Part},
    payment::{Dispute, Payment},
    product::Product,
    queues,
    user::{Contact, FullName, Role},
};

/// A user as events describe them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserSnapshot {
    pub id: UserId,
    /// E-mail address.
    pub email: String,
    /// User name.
    pub username: String,
    pub full_name: FullName,
    pub role: Role,
    /// When registered.
    pub created_at: Timestamp,
}

/// What a mail about an account's security is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NoticeKind {
    /// A link to set a new password.
    PasswordReset,
    /// The password was changed.
    PasswordChanged,
    /// A link to confirm the e-mail address.
    EmailConfirmation,
    /// The address is to be changed; to the former one.
    EmailChange,
}

/// Asks for a mail about an account's security. A link's token is derived from the request and never stands in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountNotice {
    pub kind: NoticeKind,
    pub user: UserId,
    /// Where the mail goes.
    pub email: String,
    /// The request whose token the link has, if there is a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<EventId>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "camelCase")]
pub enum Event {
    /// A user registered.
    UserCreated(UserSnapshot),
    /// A user is to get a mail about the account's security.
    AccountNotice(AccountNotice),
    /// A user deleted their account. Each service removes what it has of them.
    UserDeleted { user: UserId },
    /// A seller offers something new.
    ProductCreated {
        product: Product,
        /// Units available.
        stock: i64,
        seller: Contact,
        /// Whether an import made it; the import has its own event.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        imported: bool,
    },
    /// The import of a seller's file of products has finished.
    ProductImportFinished {
        /// Which import.
        import: ImportId,
        /// How often this file was imported.
        run: u32,
        seller: Contact,
        /// Rows that made a product.
        made: u64,
        /// Rows that changed one.
        changed: u64,
        /// Rows that changed nothing.
        same: u64,
        /// Rows that were skipped.
        left_out: u64,
    },
    /// A product was changed.
    ProductUpdated(Product),
    /// A product was deleted.
    ProductDeleted {
        product: ProductId,
        /// Whose it was.
        seller: UserId,
    },
    /// A product's stock changed.
    StockChanged(StockLevel),
    /// A user added products to their wishlist, or removed them.
    WishlistChanged { user: UserId, products: Vec<ProductId>, saved: bool },
    /// An order was placed.
    OrderCreated(Order),
    /// An order was paid and its stock committed.
    OrderConfirmed(Order),
    /// Lines or the address changed, but not the status.
    OrderUpdated(Order),
    /// The lines of one seller were shipped or delivered, while lines of others were not.
    OrderPartMoved {
        order: Order,
        /// Which lines.
        part: Part,
    },
    /// Every line is on its way.
    OrderShipped(Order),
    /// Every line has arrived.
    OrderDelivered(Order),
    /// An order was cancelled.
    OrderCancelled(Order),
    /// A payment was opened (for the dashboard).
    PaymentCreated(Payment),
    /// A payment was opened (for the buyer).
    PaymentInitiated(Payment),
    /// The payment is kept for the order.
    PaymentCompleted(Payment),
    /// An attempt to pay failed.
    PaymentFailed {
        payment: Payment,
        /// Why.
        reason: String,
    },
    /// A payment changed.
    PaymentUpdated(Payment),
    /// Money was refunded.
    PaymentRefunded {
        payment: Payment,
        /// The amount of this refund.
        amount: Money,
        /// Why.
        reason: Option<String>,
    },
    /// A buyer's bank disputes a captured payment.
    PaymentDisputed {
        payment: Payment,
        /// What it is about.
        dispute: Dispute,
        /// The admins, who have to respond at the gateway.
        admins: Vec<Contact>,
    },
}

impl Event {
    /// The name in capitals: the message's `type`, and the end of its queue's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::UserCreated(_) => "USER_CREATED",
            Self::AccountNotice(notice) => match notice.kind {
                NoticeKind::PasswordReset => "PASSWORD_RESET_REQUESTED",
                NoticeKind::PasswordChanged => "PASSWORD_CHANGED",
                NoticeKind::EmailConfirmation => "EMAIL_CONFIRMATION_REQUESTED",
                NoticeKind::EmailChange => "EMAIL_CHANGE_REQUESTED",
            },
            Self::UserDeleted { .. } => "USER_DELETED",
            Self::ProductCreated { .. } => "PRODUCT_CREATED",
            Self::ProductImportFinished { .. } => "PRODUCT_IMPORT_FINISHED",
            Self::ProductUpdated(_) => "PRODUCT_UPDATED",
            Self::ProductDeleted { .. } => "PRODUCT_DELETED",
            Self::StockChanged(_) => "STOCK_CHANGED",
            Self::WishlistChanged { .. } => "WISHLIST_CHANGED",
            Self::OrderCreated(_) => "ORDER_CREATED",
            Self::OrderConfirmed(_) => "ORDER_CONFIRMED",
            // For other programs this is an ordinary update: the status is unchanged.
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

    /// Whether it only contains the current state of its aggregate, so that a later one with the same name supersedes
    /// it.
    #[must_use]
    pub const fn is_update(&self) -> bool {
        matches!(self, Self::ProductUpdated(_) | Self::OrderUpdated(_) | Self::PaymentUpdated(_))
    }

    /// The topic exchange's routing key: `USER_CREATED` is `user.created`.
    #[must_use]
    pub fn routing_key(&self) -> String {
        queues::routing_key(self.name())
    }

    /// What it is about, as that was then.
    #[must_use]
    pub fn about(&self) -> About<'_> {
        match self {
            Self::UserCreated(user) => About::User(user),
            Self::AccountNotice(AccountNotice { user, email, request, .. }) => {
                let payload = json!({"id": user, "email": email, "requestId": request});
                About::Other { collection: "users", id: user.to_hex(), payload }
            }
            Self::UserDeleted { user } => {
                About::Other { collection: "users", id: user.to_hex(), payload: json!({"id": user}) }
            }
            Self::ProductCreated { product, .. } | Self::ProductUpdated(product) => About::Product(product),
            Self::ProductDeleted { product, seller } => {
                let payload = json!({"_id": product, "productId": product, "sellerId": seller});
                About::Other { collection: "products", id: product.to_hex(), payload }
            }
            Self::ProductImportFinished { import, seller, made, changed, same, left_out, .. } => {
                let payload = json!({
                    "importId": import, "sellerId": seller.user, "made": made, "changed": changed, "same": same,
                    "leftOut": left_out,
                });
                About::Other { collection: "imports", id: import.to_hex(), payload }
            }
            Self::StockChanged(level) => About::Stock(level),
            Self::WishlistChanged { user, products, saved } => {
                let payload = json!({"user": user, "products": products, "saved": saved});
                About::Other { collection: "wishlists", id: user.to_hex(), payload }
            }
            Self::OrderCreated(order)
            | Self::OrderConfirmed(order)
            | Self::OrderUpdated(order)
            | Self::OrderPartMoved { order, .. }
            | Self::OrderShipped(order)
            | Self::OrderDelivered(order)
            | Self::OrderCancelled(order) => About::Order(order),
            Self::PaymentCreated(payment)
            | Self::PaymentInitiated(payment)
            | Self::PaymentCompleted(payment)
            | Self::PaymentFailed { payment, .. }
            | Self::PaymentUpdated(payment)
            | Self::PaymentRefunded { payment, .. }
            | Self::PaymentDisputed { payment, .. } => About::Payment(payment),
        }
    }

    /// The id of what it is about. Events of one aggregate are delivered in the order in which they happened.
    #[must_use]
    pub fn aggregate_id(&self) -> String {
        match self.about() {
            About::User(user) => user.id.to_hex(),
            About::Product(product) => product.id.to_hex(),
            About::Stock(level) => level.product.to_hex(),
            About::Order(order) => order.id.to_hex(),
            About::Payment(payment) => payment.id.to_hex(),
            About::Other { id, .. } => id,
        }
    }
}

/// What an event is about: where it is stored, and what the topic exchange carries.
#[derive(Debug, Clone)]
pub enum About<'a> {
    /// A user.
    User(&'a UserSnapshot),
    /// A product.
    Product(&'a Product),
    /// A product's stock.
    Stock(&'a StockLevel),
    /// An order.
    Order(&'a Order),
    /// A payment.
    Payment(&'a Payment),
    /// A document that the exchange does not carry as a whole.
    Other {
        /// Its collection.
        collection: &'static str,
        /// Its id.
        id: String,
        /// What the topic exchange carries: an object with names in camelCase.
        payload: Value,
    },
}

/// An event with what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// Its id, by which a consumer applies the event once.
    pub id: EventId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What happened.
    pub event: Event,
    /// The trace of the request that caused it, in `traceparent` format.
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
