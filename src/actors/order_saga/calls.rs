//! The calls of the order service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    config::Service,
    domain::{
        address::AddressProblem,
        ids::{AddressId, OrderId, ProductId, UserId},
        inventory::Shortage,
        money::Currency,
        order::{Order, OrderError, OrderItem, OrderPayment, OrderStatus, RefundNote, Totals},
        user::PostalAddress,
    },
    runtime::calls::{Call, CallError, Never, Refusal, WITHIN_NESTED},
    store::{Page, orders::OrderKey},
};

/// Why a call of the order service is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum OrderRefusal {
    #[error("there is no such order")]
    NotFound,
    /// The order belongs to another user.
    #[error("this order is not yours")]
    NotYours,
    /// A domain rule refused the change.
    #[error(transparent)]
    Rule(OrderError),
    /// The cart has more units of a product than its seller allows in one order.
    #[error("at most {max} of a product in the cart can be in one order")]
    MaxPerOrder { product: ProductId, max: u32 },
    /// These items are not for sale: unpublished, or of a blocked seller.
    #[error("some items are not for sale any more")]
    NotForSale(Vec<OrderItem>),
    /// There is not enough stock of these items.
    #[error("some items are short of stock")]
    Short(Vec<Shortage>),
    /// The order would not cost what the buyer was shown; the current totals are enclosed.
    #[error("the total is now {}", .0.total)]
    TotalChanged(Totals),
    /// The user has the maximum number of unpaid orders.
    #[error("{0} of your orders wait for their payment: pay or cancel one of them first")]
    TooManyUnpaid(u32),
    /// The user has no such address.
    #[error("there is no such address")]
    NoSuchAddress,
    /// The given address is not valid for delivery.
    #[error("nothing can be sent to this address")]
    BadAddress(Vec<AddressProblem>),
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// Another order was made from this cart or with this idempotency key.
    #[error("another order was made at the same moment")]
    Taken(OrderKey),
}

impl Refusal for OrderRefusal {}

impl From<OrderError> for CallError<OrderRefusal> {
    fn from(error: OrderError) -> Self {
        Self::Refused(OrderRefusal::Rule(error))
    }
}

/// Who changes or reads an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Party {
    /// The buyer.
    Buyer(UserId),
    /// A seller of some of its items.
    Seller(UserId),
    Admin,
}

/// The delivery address of a new order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// The user's default address, or none yet.
    Default,
    /// One of the user's stored addresses.
    Kept(AddressId),
    /// An address given with the order.
    Here(PostalAddress),
    /// An address id that cannot exist.
    Unknown,
}

/// What the buyer was shown before ordering. An order that differs from it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Expected {
    /// The total in minor units, and optionally its currency.
    pub total: Option<(i64, Option<Currency>)>,
    /// The version of the cart that was shown.
    pub cart_version: Option<u64>,
}

impl Expected {
    /// Whether an order with these totals and this cart is what the buyer was shown.
    #[must_use]
    pub fn is(&self, totals: &Totals, cart_version: u64) -> bool {
        let total = totals.total;
        self.total.is_none_or(|(minor, currency)| {
            minor == total.minor() && currency.is_none_or(|currency| currency == total.currency())
        }) && self.cart_version.is_none_or(|version| version == cart_version)
    }
}

/// Makes an order from the user's cart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlaceOrder {
    pub user: UserId,
    pub destination: Destination,
    pub expected: Expected,
    /// The client's idempotency key and a hash of the request.
    pub key: Option<(String, String)>,
}

/// An order, and whether it was made earlier with the same idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Placed {
    pub order: Order,
    pub replayed: bool,
}

impl Call for PlaceOrder {
    type Reply = Placed;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Returns what an order of these items would cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOrderTotals {
    pub items: Vec<OrderItem>,
}

impl Call for GetOrderTotals {
    type Reply = Totals;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
}

/// Returns an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOrder {
    pub order: OrderId,
}

impl Call for GetOrder {
    type Reply = Option<Order>;
    type Error = Never;
    const SERVICE: Service = Service::Order;
}

/// Returns an order as the given party may see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOrderFor {
    pub order: OrderId,
    pub who: Party,
}

impl Call for GetOrderFor {
    type Reply = Order;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
}

/// Returns the order that a user made with an idempotency key, if any.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOrderByKey {
    pub user: UserId,
    pub key: String,
}

impl Call for GetOrderByKey {
    type Reply = Option<Order>;
    type Error = Never;
    const SERVICE: Service = Service::Order;
}

/// Returns a page of a user's orders, newest first, optionally of one status.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOrdersOfUser {
    pub user: UserId,
    pub status: Option<OrderStatus>,
    pub skip: u64,
    pub limit: u32,
}

impl Call for GetOrdersOfUser {
    type Reply = Page<Order>;
    type Error = Never;
    const SERVICE: Service = Service::Order;
}

/// Returns the products that are most often bought together with a product.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetBoughtTogether {
    pub product: ProductId,
    pub limit: u32,
}

impl Call for GetBoughtTogether {
    type Reply = Vec<ProductId>;
    type Error = Never;
    const SERVICE: Service = Service::Order;
}

/// Cancels an order; stock is released and money refunded. Refused once a line is shipped.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CancelOrder {
    pub order: OrderId,
    pub who: Party,
    pub reason: Option<String>,
}

impl Call for CancelOrder {
    type Reply = Order;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Sets the delivery address. Refused once a line is shipped.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetOrderAddress {
    pub order: OrderId,
    pub who: Party,
    pub address: PostalAddress,
}

impl Call for SetOrderAddress {
    type Reply = Order;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
}

/// Marks lines as shipped: a seller's own lines, or all lines for an admin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShipOrder {
    pub order: OrderId,
    pub who: Party,
    pub tracking: Option<String>,
}

impl Call for ShipOrder {
    type Reply = Order;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
    const REPEATABLE: bool = false;
}

/// Marks lines as delivered: a seller's own lines, or all lines for an admin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliverOrder {
    pub order: OrderId,
    pub who: Party,
    pub tracking: Option<String>,
}

impl Call for DeliverOrder {
    type Reply = Order;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
    const REPEATABLE: bool = false;
}

/// Applies captured money to an order; idempotent for the same payment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SettleOrder {
    pub order: OrderId,
    pub payment: OrderPayment,
}

/// What happens to captured money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Settlement {
    /// The order is confirmed and keeps the money.
    Kept,
    /// The order cannot use the money: refund it.
    GiveBack,
}

impl Call for SettleOrder {
    type Reply = Settlement;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Cancels an order that the payment gateway will never accept, if it still awaits payment; its stock and its cart
/// lines are restored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefuseOrderPayment {
    pub order: OrderId,
}

impl Call for RefuseOrderPayment {
    type Reply = Order;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Adds a refund to the order's timeline, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NoteOrderRefund {
    pub order: OrderId,
    pub note: RefundNote,
}

impl Call for NoteOrderRefund {
    type Reply = ();
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
}
