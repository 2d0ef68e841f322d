//! What others ask the orders.

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

/// Why an order was not made or did not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum OrderRefusal {
    /// There is no such order.
    #[error("there is no such order")]
    NotFound,
    /// It is somebody else's.
    #[error("this order is not yours")]
    NotYours,
    /// The rules say no.
    #[error(transparent)]
    Rule(OrderError),
    /// The cart has more of a product than its seller lets one order have.
    #[error("at most {max} of a product in the cart can be in one order")]
    MaxPerOrder { product: ProductId, max: u32 },
    /// These items are not for sale: taken down, or of a blocked seller.
    #[error("some items are not for sale any more")]
    NotForSale(Vec<OrderItem>),
    /// These items fell short.
    #[error("some items are short of stock")]
    Short(Vec<Shortage>),
    /// What the order would cost is not what the buyer was told; this is its total now.
    #[error("the total is now {}", .0.total)]
    TotalChanged(Totals),
    /// The user has as many unpaid orders as are allowed.
    #[error("{0} of your orders wait for their payment: pay or cancel one of them first")]
    TooManyUnpaid(u32),
    /// There is no such address among the user's.
    #[error("there is no such address")]
    NoSuchAddress,
    /// Nothing can be sent to the address given.
    #[error("nothing can be sent to this address")]
    BadAddress(Vec<AddressProblem>),
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// Another order was made of this cart or under this idempotency key.
    #[error("another order was made at the same moment")]
    Taken(OrderKey),
}

impl Refusal for OrderRefusal {}

impl From<OrderError> for CallError<OrderRefusal> {
    fn from(error: OrderError) -> Self {
        Self::Refused(OrderRefusal::Rule(error))
    }
}

/// Who does something to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Party {
    /// Who bought it.
    Buyer(UserId),
    /// Who sells something in it.
    Seller(UserId),
    Admin,
}

/// Where the goods of a new order go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// To the user's default address, or to be said later.
    Default,
    /// To one of the user's addresses.
    Kept(AddressId),
    /// Here.
    Here(PostalAddress),
    /// To an address that the user cannot have.
    Unknown,
}

/// What the buyer was shown before ordering. An order that would be another is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Expected {
    /// The total in minor units, and its currency unless it goes without saying.
    pub total: Option<(i64, Option<Currency>)>,
    /// The version of the cart that was shown.
    pub cart_version: Option<u64>,
}

impl Expected {
    /// Whether an order of this total and cart is what the buyer was shown.
    #[must_use]
    pub fn is(&self, totals: &Totals, cart_version: u64) -> bool {
        let total = totals.total;
        self.total.is_none_or(|(minor, currency)| {
            minor == total.minor() && currency.is_none_or(|currency| currency == total.currency())
        }) && self.cart_version.is_none_or(|version| version == cart_version)
    }
}

/// Makes an order of the user's cart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlaceOrder {
    pub user: UserId,
    pub destination: Destination,
    pub expected: Expected,
    /// The client's idempotency key and a hash of the request.
    pub key: Option<(String, String)>,
}

/// An order, and whether it was made before under the same idempotency key.
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

/// What an order of these items would cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOrderTotals {
    pub items: Vec<OrderItem>,
}

impl Call for GetOrderTotals {
    type Reply = Totals;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
}

/// Reads an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOrder {
    pub order: OrderId,
}

impl Call for GetOrder {
    type Reply = Option<Order>;
    type Error = Never;
    const SERVICE: Service = Service::Order;
}

/// Reads an order for someone, as they may see it.
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

/// Reads the order that a user made under an idempotency key, if there is one.
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

/// Reads a page of a user's orders, newest first, of one status or of all.
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

/// Reads what is bought together with a product, what most buyers chose first.
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

/// Ends an order; stock and money go back. Refused once a line is shipped.
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

/// Sets where the goods go. Refused once a line is shipped.
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

/// Marks lines as shipped: a seller's own, an admin's all.
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

/// Marks lines as delivered: a seller's own, an admin's all.
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

/// Applies captured money to an order; the same payment again gives the same answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SettleOrder {
    pub order: OrderId,
    pub payment: OrderPayment,
}

/// What becomes of captured money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Settlement {
    /// The order is confirmed and keeps it.
    Kept,
    /// The order cannot have it: give it back.
    GiveBack,
}

impl Call for SettleOrder {
    type Reply = Settlement;
    type Error = OrderRefusal;
    const SERVICE: Service = Service::Order;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Ends an order that the payment gateway will never take, if it still awaits money; its stock and its lines come
/// back.
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

/// Lets the order's timeline show a refund, once.
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
