//! `ledger check`: every payment's ledger against its refunds, its status and its order.
//!
//! A running server writes a payment and its order one after the other, so apparent contradictions are read again
//! after one common pause.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use anyhow::{Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{PAGE, beside};
use crate::{
    app::commands::print,
    config::Config,
    domain::{
        ids::{OrderId, PaymentId},
        money::{Currency, Money},
        order::Order,
        payment::{Audit, OrderSide, Payment},
    },
    store::{StoreError, Stores},
};

/// The pause before apparent contradictions are read again.
const PAUSE: Duration = Duration::from_millis(800);
/// How many further documents are read at once.
const AT_ONCE: usize = 16;

/// The sums of one currency, in minor units.
#[derive(Debug, Default)]
struct Sums {
    captured: i64,
    refunded: i64,
    on_its_way: i64,
}

#[derive(Default)]
struct LedgerReport {
    payments: u64,
    orders: u64,
    sums: BTreeMap<&'static str, (Option<Currency>, Sums)>,
    wrong: Vec<String>,
}

/// Checks all ledgers and prints the sums.
///
/// # Errors
/// When there is a contradiction, which is printed first, or the database cannot be read.
pub fn ledger_check(config: &Config) -> Result<()> {
    let report = beside(config, |stores| async move { Ok(check(&stores).await?) })?;
    let mut text = String::new();
    for wrong in &report.wrong {
        // Writing to a String does not fail.
        let _ = writeln!(text, "wrong: {wrong}");
    }
    let _ = writeln!(text, "{} payments and {} orders", report.payments, report.orders);
    for (currency, sums) in report.sums.values() {
        let Some(currency) = currency else { continue };
        let money = |minor| Money::new(minor, *currency);
        let kept = money(sums.captured - sums.refunded - sums.on_its_way);
        let Sums { captured, refunded, on_its_way } = sums;
        let (captured, refunded, on_its_way) = (money(*captured), money(*refunded), money(*on_its_way));
        let _ = writeln!(text, "captured {captured}, refunded {refunded}, kept {kept}, on its way {on_its_way}");
    }
    print(text.trim_end());
    match report.wrong.len() {
        0 => Ok(()),
        count => bail!("the ledgers contradict one another in {count} places"),
    }
}

async fn check(stores: &Stores) -> Result<LedgerReport, StoreError> {
    let mut report = LedgerReport::default();
    let (mut odd_payments, mut odd_orders): (Vec<PaymentId>, Vec<OrderId>) = (vec![], vec![]);
    let mut after = None;
    loop {
        let page = stores.payments.all(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let mut audited = stream::iter(page).map(|payment| audit(stores, payment)).buffered(AT_ONCE);
        while let Some((payment, audit)) = audited.try_next().await? {
            if audit.wrong.is_empty() {
                report.count(&payment, audit);
            } else {
                odd_payments.push(payment.id);
            }
        }
    }
    let mut after = None;
    loop {
        let page = stores.orders.all(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let sales = page.into_iter().inspect(|_| report.orders += 1).filter(|order| order.status.is_sale());
        let sales: Vec<Order> = sales.collect();
        let mut paid = stream::iter(sales).map(|order| is_paid(stores, order)).buffered(AT_ONCE);
        while let Some((order, paid)) = paid.try_next().await? {
            odd_orders.extend((!paid).then_some(order.id));
        }
    }
    if !odd_payments.is_empty() || !odd_orders.is_empty() {
        tokio::time::sleep(PAUSE).await;
        look_again(stores, &odd_payments, &odd_orders, &mut report).await?;
    }
    Ok(report)
}

/// Reads apparent contradictions again, and counts them as they are now.
async fn look_again(
    stores: &Stores,
    payments: &[PaymentId],
    orders: &[OrderId],
    report: &mut LedgerReport,
) -> Result<(), StoreError> {
    let again = |id: PaymentId| async move {
        match stores.payments.get(id).await? {
            Some(payment) => audit(stores, payment).await.map(Some),
            None => Ok::<_, StoreError>(None),
        }
    };
    let mut audited = stream::iter(payments.iter().copied()).map(again).buffered(AT_ONCE);
    while let Some(looked) = audited.try_next().await? {
        if let Some((payment, audit)) = looked {
            report.count(&payment, audit);
        }
    }
    let again = |id: OrderId| async move {
        match stores.orders.get(id).await? {
            Some(order) if order.status.is_sale() => is_paid(stores, order).await.map(Some),
            _ => Ok::<_, StoreError>(None),
        }
    };
    let mut looked = stream::iter(orders.iter().copied()).map(again).buffered(AT_ONCE);
    while let Some(sale) = looked.try_next().await? {
        if let Some((order, false)) = sale {
            report.wrong.push(format!("order {} is {} and not paid", order.id, order.status.as_str()));
        }
    }
    Ok(())
}

impl LedgerReport {
    fn count(&mut self, payment: &Payment, audit: Audit) {
        self.payments += 1;
        let currency = payment.price.currency();
        let (known, sums) = self.sums.entry(currency.code()).or_default();
        *known = Some(currency);
        sums.captured += audit.captured;
        sums.refunded += audit.refunded;
        sums.on_its_way += audit.on_its_way;
        let of = format!("payment {} of order {}", payment.id, payment.order);
        self.wrong.extend(audit.wrong.into_iter().map(|wrong| format!("{of}: {wrong}")));
    }
}

/// A payment, and its contradictions with its current order.
async fn audit(stores: &Stores, payment: Payment) -> Result<(Payment, Audit), StoreError> {
    let order = stores.orders.get(payment.order).await?;
    let audit = payment.audit(order.as_ref().map(OrderSide::from));
    Ok((payment, audit))
}

/// An order, and whether money was captured for it by the payment that it names.
async fn is_paid(stores: &Stores, order: Order) -> Result<(Order, bool), StoreError> {
    let Some(paid) = &order.payment else { return Ok((order, false)) };
    let payment = stores.payments.get(paid.id).await?;
    let paid = payment.is_some_and(|payment| payment.order == order.id && payment.knows_capture(&paid.payment_id));
    Ok((order, paid))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        domain::{
            Timestamp,
            ids::{ProductId, RefundId, UserId},
            order::{NewOrder, OrderItem, OrderPayment, Pricing, Shipment},
            user::{Contact, FullName},
        },
        store::sqlite::{SqliteOptions, SqliteStore},
    };

    #[tokio::test]
    async fn a_hundred_contradictions_take_one_pause() {
        let dir = std::env::temp_dir().join(format!("microbazaar-ledger-{}", OrderId::generate()));
        std::fs::create_dir_all(&dir).unwrap();
        let store = SqliteStore::open(&dir, SqliteOptions::default()).unwrap();
        let stores = store.stores();
        let now = Timestamp::now();
        for number in 0..100 {
            let full_name = FullName { first_name: "A".into(), last_name: "B".into() };
            let contact = Contact { user: UserId::generate(), email: "a@b.c".into(), username: "a".into(), full_name };
            let price = Money::new(500, Currency::Inr);
            let mut payment = Payment::open(OrderId::generate(), contact, format!("order_{number}"), price, now);
            payment.capture(&format!("pay_{number}"), price, now);
            stores.payments.save(&payment, &[]).await.unwrap();
        }
        let begun = tokio::time::Instant::now();
        let report = check(&stores).await.unwrap();
        assert_eq!((report.payments, report.wrong.len()), (100, 100), "there is no order of any");
        assert!(begun.elapsed() < Duration::from_secs(20), "each waited by itself: {:?}", begun.elapsed());
        assert_eq!(report.sums["INR"].1.captured, 50_000);
        drop((stores, store));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[tokio::test]
    async fn an_order_that_an_earlier_version_refunded_is_named() {
        let dir = std::env::temp_dir().join(format!("microbazaar-ledger-{}", OrderId::generate()));
        std::fs::create_dir_all(&dir).unwrap();
        let store = SqliteStore::open(&dir, SqliteOptions::default()).unwrap();
        let stores = store.stores();
        let (now, refund, price) = (Timestamp::now(), RefundId::generate(), Money::new(500, Currency::Inr));
        let item = OrderItem {
            product: ProductId::generate(),
            title: "Lamp".into(),
            seller: UserId::generate(),
            quantity: 1,
            price,
            shipment: Shipment::Waiting,
            tracking_number: None,
        };
        let (id, user, window) = (OrderId::generate(), UserId::generate(), SignedDuration::ZERO);
        let new = NewOrder { id, user, items: vec![item], shipping_address: None, cart_version: 1, window };
        let mut order = Order::place(new, &Pricing { tax_basis_points: 0, shipping_minor: 0 }, now).unwrap();
        let contact = Contact { user, email: "a@b.c".into(), username: "a".into(), full_name: FullName::default() };
        let mut payment = Payment::open(id, contact, "order_1".into(), price, now);
        payment.capture("pay_1", price, now);
        order.confirm(OrderPayment { id: payment.id, payment_id: "pay_1".into(), at: now }, now).unwrap();
        payment.start_refund(refund, None, None, None, now).unwrap();
        payment.refund_taken(refund, "rfnd_1", now);
        payment.refund_noted(refund);
        stores.orders.insert(&order, None, &[]).await.unwrap();
        stores.payments.save(&payment, &[]).await.unwrap();
        let wrong = check(&stores).await.unwrap().wrong;
        let named = format!("payment {} of order {id}: it is REFUNDED and the order is still CONFIRMED", payment.id);
        assert!(wrong.len() == 1 && wrong[0].starts_with(&named), "{wrong:?}");
        drop((stores, store));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
