//! Fills an outbox through the store, as the shop's own writes do.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use microbazaar::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
        ids::{OrderId, ProductId, UserId},
        money::{Currency, Money},
        order::{NewOrder, Order, OrderItem, OrderPayment, Pricing, Saga, Shipment},
        payment::Payment,
        user::{Contact, FullName, PostalAddress},
    },
    store::{
        Stores,
        sqlite::{SqliteOptions, SqliteStore},
    },
};

/// Orders that are written at once.
const AT_ONCE: usize = 256;
/// Events of one order.
const EACH: usize = 4;
const SELLERS: usize = 100;

/// Creates a data directory whose outbox holds `count` events of orders and their payments, and returns the events,
/// ordered within each order.
///
/// # Errors
///
/// When the store refuses a write.
pub async fn fill(data: &Path, count: usize) -> Result<Vec<Envelope>> {
    std::fs::create_dir_all(data)?;
    let options = SqliteOptions { keep_event: std::sync::Arc::new(|_| true), ..SqliteOptions::default() };
    let sqlite = SqliteStore::open(data, options)?;
    let (stores, sellers) = (sqlite.stores(), (0..SELLERS).map(|_| UserId::generate()).collect::<Vec<_>>());
    let orders = stream::iter(0..count.div_ceil(EACH)).map(|number| sell(&stores, &sellers, number));
    let events: Vec<Vec<Envelope>> = orders.buffer_unordered(AT_ONCE).try_collect().await?;
    tokio::task::spawn_blocking(move || sqlite.close()).await??;
    Ok(events.into_iter().flatten().collect())
}

/// Copies a data directory that is not in use.
///
/// # Errors
/// When the disk is full.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Compares the projection with what was sold.
///
/// # Errors
/// When it does not show every order as confirmed.
pub fn check(data: &Path, events: &[Envelope]) -> Result<()> {
    let confirmed = events.iter().filter(|envelope| matches!(envelope.event, Event::OrderConfirmed(_))).count();
    let database = super::shop::database(data)?;
    let sql = "SELECT count(*) FROM dashboard_orders WHERE status = 'CONFIRMED'";
    let shown: usize = database.query_row(sql, [], |row| row.get(0))?;
    ensure!(shown == confirmed, "the projection shows {shown} of {confirmed} orders");
    Ok(())
}

async fn sell(stores: &Stores, sellers: &[UserId], number: usize) -> Result<Vec<Envelope>> {
    let now = Timestamp::now();
    let mut order = order(sellers, number, now)?;
    // No pending steps: otherwise the shop would continue the order and publish more events.
    order.saga = Saga::default();
    let mut payment = payment(&order, number, now);
    let mut output = Vec::with_capacity(EACH);
    let mut tell = |event| {
        let envelope = Envelope::new(event, now);
        output.push(envelope.clone());
        [envelope]
    };
    order.version = stores.orders.insert(&order, None, &tell(Event::OrderCreated(order.clone()))).await?;
    payment.version = stores.payments.save(&payment, &tell(Event::PaymentCreated(payment.clone()))).await?;
    payment.capture(&format!("pay_{number:014}"), payment.price, now);
    payment.settle(now);
    stores.payments.save(&payment, &tell(Event::PaymentUpdated(payment.clone()))).await?;
    let paid = OrderPayment { id: payment.id, payment_id: format!("pay_{number:014}"), at: now };
    order.confirm(paid, now)?;
    order.saga = Saga::default();
    // As `OrderSaga` does: the event carries the version that the write makes.
    let mut confirmed = order.clone();
    confirmed.version += 1;
    stores.orders.save(&order, &tell(Event::OrderConfirmed(confirmed))).await?;
    Ok(output)
}

fn order(sellers: &[UserId], number: usize, now: Timestamp) -> Result<Order> {
    let item = |at: usize| OrderItem {
        product: ProductId::generate(),
        title: "Desk lamp, brass, with a shade of linen".to_owned(),
        seller: sellers.get((number + at) % sellers.len()).copied().unwrap_or_else(UserId::generate),
        quantity: 2,
        price: Money::new(49_950, Currency::Inr),
        shipment: Shipment::Waiting,
        tracking_number: None,
    };
    let text = |text: &str| text.to_owned();
    let address = PostalAddress {
        street: text("14 Lake Road"),
        city: text("Pune"),
        state: text("MH"),
        country: text("IN"),
        zip: text("411001"),
        ..PostalAddress::default()
    };
    let new = NewOrder {
        id: OrderId::generate(),
        user: UserId::generate(),
        items: (0..2).map(item).collect(),
        shipping_address: Some(address),
        cart_version: 1,
        window: SignedDuration::from_hours(1),
    };
    Order::place(new, &Pricing { tax_basis_points: 1_000, shipping_minor: 5_000 }, now).context("an order")
}

fn payment(order: &Order, number: usize, now: Timestamp) -> Payment {
    let contact = Contact {
        user: order.user,
        email: format!("buyer{number}@example.com"),
        username: format!("buyer{number}"),
        full_name: FullName { first_name: "Asha".to_owned(), last_name: "Rao".to_owned() },
    };
    Payment::open(order.id, contact, format!("order_{number:014}"), order.total, now)
}
