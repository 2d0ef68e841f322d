//! The demo's past: orders of the last thirty days, so that there is something to see in the
//! dashboards.
//!
//! They are made by the rules of the domain with times that are past, and stock and money move
//! by the services that move them otherwise. One event tells of each order, so that figures
//! agree and nobody gets a mail about it.
//!
//! **Invariant:** what these orders sold was in stock on top of what is to be left.

mod plan;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;

pub(super) use self::plan::Plan;
use self::plan::{End, PastOrder};
use super::{Stage, account};
use crate::{
    actors::accounts::calls::GetUser,
    actors::inventory::calls::{CommitStock, ReleaseStock, ReserveStock},
    actors::payment::calls::{GetPayment, RefundPayment},
    domain::{
        Timestamp,
        event::{Envelope, Event},
        ids::{OrderId, PaymentId, UserId, first_id_of},
        money::Money,
        order::{CancelCause, NewOrder, Order, OrderItem, OrderPayment, SagaStep, Shipment},
        payment::Payment,
        product::Product,
        user::{Contact, PostalAddress, Role},
    },
    integrations::payment::{Outcome, PaymentGateway, SandboxGateway},
};

/// Those who bought beside the buyer whose account is told.
const CUSTOMERS: [(&str, &str, &str); 3] =
    [("anita-d", "Anita", "Desai"), ("karan-s", "Karan", "Singh"), ("lakshmi-p", "Lakshmi", "Pillai")];
/// Above every version that a cart comes to: one version of a cart makes one order.
const CART_VERSIONS_FROM: u64 = 1 << 40;
/// How many orders are written at once.
const AT_ONCE: usize = 8;
/// The payment window that they had.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// From placing to paying, to shipping, to arriving.
const PAID_AFTER: SignedDuration = SignedDuration::from_mins(4);
const SHIPPED_AFTER: SignedDuration = SignedDuration::from_hours(22);
const DELIVERED_AFTER: SignedDuration = SignedDuration::from_hours(80);

/// Where goods go: the address of the buyer, or of a customer.
pub(super) fn address(of: usize) -> PostalAddress {
    let (street, city, state, zip) = match of % 4 {
        0 => ("14 Lake View Road", "Kochi", "KL", "682011"),
        1 => ("7 Carter Road", "Mumbai", "MH", "400050"),
        2 => ("22 Sector 8", "Chandigarh", "CH", "160009"),
        _ => ("3 East Car Street", "Madurai", "TN", "625001"),
    };
    PostalAddress {
        street: street.to_owned(),
        city: city.to_owned(),
        state: state.to_owned(),
        country: "IN".to_owned(),
        zip: zip.to_owned(),
        ..PostalAddress::default()
    }
}

/// Writes the past; nothing where this process does not serve what it needs, or where a real
/// gateway takes the money.
pub(super) async fn write(
    stage: &Stage<'_>,
    plan: &Plan,
    products: &[Product],
    buyer: UserId,
    tell: &dyn Fn(&str),
) -> Result<()> {
    let services = stage.services;
    let Some(sandbox) = &services.sandbox else { return Ok(()) };
    let mut contacts = vec![contact(stage, buyer).await?];
    for (username, first, last) in CUSTOMERS {
        let user = account(services, username, first, last, Role::User).await?;
        contacts.push(contact(stage, user).await?);
    }
    let past = Past { stage, sandbox, products, contacts: &contacts, now: Timestamp::now() };
    let made: Vec<Option<PaymentId>> =
        stream::iter(&plan.0).map(|order| past.write(order)).buffered(AT_ONCE).try_collect().await?;
    // One buyer got some of her money back.
    if let Some(payment) = made.into_iter().flatten().next() {
        let currency = services.calls.ask(GetPayment { payment }).await?.price.currency();
        let amount = Some(Money::new(20_000, currency));
        let reason = Some("arrived with a scratch".to_owned());
        services.calls.ask(RefundPayment { payment, amount, reason, key: None }).await?;
    }
    tell(&format!("demo: {} orders of the last 30 days", plan.0.len()));
    Ok(())
}

async fn contact(stage: &Stage<'_>, user: UserId) -> Result<Contact> {
    let user = stage.services.calls.ask(GetUser { user }).await?;
    Ok(user.context("an account of the demo is gone")?.contact())
}

struct Past<'a> {
    stage: &'a Stage<'a>,
    sandbox: &'a SandboxGateway,
    products: &'a [Product],
    contacts: &'a [Contact],
    now: Timestamp,
}

impl Past<'_> {
    /// Writes one order as it is now, and returns its payment.
    async fn write(&self, past: &PastOrder) -> Result<Option<PaymentId>> {
        let hours = |hours: u32| SignedDuration::from_hours(i64::from(hours));
        let minutes = SignedDuration::from_mins(i64::from(past.number * 17 % 60));
        let placed = self.now.saturating_sub(hours(past.hours_ago).saturating_add(minutes))?;
        let mut order = self.placed(past, placed)?;
        let calls = &self.stage.services.calls;
        if past.end == End::Cancelled {
            let ended = placed.saturating_add(WINDOW)?;
            order.cancel(CancelCause::Expired, Some("expired".to_owned()), ended)?;
            calls.ask(ReleaseStock { order: order.id, fence: None }).await?;
            order.step_done(SagaStep::ReleaseStock, ended);
            self.insert(&order).await?;
            return Ok(None);
        }
        calls.ask(ReserveStock { order: order.id, lines: order.stock_lines() }).await?;
        calls.ask(CommitStock { order: order.id, fence: None }).await?;
        let payment = self.paid(&mut order, &self.contacts[past.buyer], placed.saturating_add(PAID_AFTER)?).await?;
        let tracking = format!("IN{:09}", 300_000_017 + u64::from(past.number) * 7_919);
        if past.end != End::Confirmed {
            order.ship(None, Some(&tracking), placed.saturating_add(SHIPPED_AFTER)?)?;
        }
        if past.end == End::Delivered {
            order.deliver(None, None, placed.saturating_add(DELIVERED_AFTER)?)?;
        }
        self.insert(&order).await?;
        let told = Payment { version: 1, ..payment.clone() };
        let created = Envelope::new(Event::PaymentCreated(told), self.now);
        self.stage.stores.payments.save(&payment, &[created]).await?;
        Ok(Some(payment.id))
    }

    fn placed(&self, past: &PastOrder, placed: Timestamp) -> Result<Order> {
        let item = |&(good, quantity): &(usize, u32)| {
            let product = &self.products[good];
            OrderItem {
                product: product.id,
                title: product.title.clone(),
                seller: product.seller,
                quantity,
                price: product.price,
                shipment: Shipment::Waiting,
                tracking_number: None,
            }
        };
        let new = NewOrder {
            id: OrderId::from_bytes(id_of(placed, OrderId::generate().bytes())),
            user: self.contacts[past.buyer].user,
            items: past.lines.iter().map(item).collect(),
            shipping_address: Some(address(past.buyer)),
            cart_version: CART_VERSIONS_FROM + u64::from(past.number),
            window: WINDOW,
        };
        let mut order = Order::place(new, &self.stage.pricing, placed)?;
        // There never was a cart.
        order.step_done(SagaStep::EmptyCart, placed);
        Ok(order)
    }

    /// Takes the money by the sandbox, whose books are the other side of the ledger.
    async fn paid(&self, order: &mut Order, contact: &Contact, at: Timestamp) -> Result<Payment> {
        let gateway_order = self.sandbox.create_order(order.id, order.total).await?;
        let paid = self.sandbox.pay(&gateway_order, Outcome::Success).await?;
        let mut payment = Payment::open(order.id, contact.clone(), gateway_order, order.total, order.created_at);
        payment.id = PaymentId::from_bytes(id_of(at, payment.id.bytes()));
        payment.capture(&paid.payment_id, order.total, at);
        order.confirm(OrderPayment { id: payment.id, payment_id: paid.payment_id, at }, at)?;
        payment.settle(at);
        Ok(payment)
    }

    async fn insert(&self, order: &Order) -> Result<()> {
        let told = Order { version: 1, ..order.clone() };
        let created = Envelope::new(Event::OrderCreated(told), self.now);
        self.stage.stores.orders.insert(order, None, &[created]).await?;
        Ok(())
    }
}

/// An id as if made at `time`: lists are in the order of ids.
fn id_of(time: Timestamp, made: [u8; 12]) -> [u8; 12] {
    let mut bytes = first_id_of(time).bytes();
    bytes[4..].copy_from_slice(&made[4..]);
    bytes
}
