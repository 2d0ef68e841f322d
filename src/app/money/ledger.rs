//! `ledger check`: every payment's ledger against its refunds, its status and its order.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use anyhow::{Result, bail};

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

/// How often something that looks wrong is read anew: a running server writes a payment and
/// its order one after the other.
const LOOKS: u32 = 5;
/// The pause before the next look.
const PAUSE: Duration = Duration::from_millis(200);

/// The sums of one currency, in minor units.
#[derive(Debug, Default)]
struct Sums {
    captured: i64,
    refunded: i64,
    on_its_way: i64,
}

#[derive(Default)]
struct Found {
    payments: u64,
    orders: u64,
    sums: BTreeMap<&'static str, (Option<Currency>, Sums)>,
    wrong: Vec<String>,
}

/// Checks all books and prints the sums.
///
/// # Errors
/// When something contradicts, which is printed first; or the database cannot be read.
pub fn ledger_check(config: &Config) -> Result<()> {
    let found = beside(config, |stores| async move { Ok(check(&stores).await?) })?;
    let mut text = String::new();
    for wrong in &found.wrong {
        // Writing to a String does not fail.
        let _ = writeln!(text, "wrong: {wrong}");
    }
    let _ = writeln!(text, "{} payments and {} orders", found.payments, found.orders);
    for (currency, sums) in found.sums.values() {
        let Some(currency) = currency else { continue };
        let money = |minor| Money::new(minor, *currency);
        let kept = money(sums.captured - sums.refunded - sums.on_its_way);
        let Sums { captured, refunded, on_its_way } = sums;
        let (captured, refunded, on_its_way) = (money(*captured), money(*refunded), money(*on_its_way));
        let _ = writeln!(text, "captured {captured}, refunded {refunded}, kept {kept}, on its way {on_its_way}");
    }
    print(text.trim_end());
    match found.wrong.len() {
        0 => Ok(()),
        count => bail!("the books contradict one another in {count} places"),
    }
}

async fn check(stores: &Stores) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let mut after = None;
    loop {
        let page = stores.payments.all(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for payment in page {
            let audit = audit(stores, &payment).await?;
            found.count(&payment, audit);
        }
    }
    let mut after = None;
    loop {
        let page = stores.orders.all(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for order in page {
            found.orders += 1;
            if order.status.is_sale() && !is_paid(stores, &order).await? {
                found.wrong.push(format!("order {} is {} and not paid", order.id, order.status.as_str()));
            }
        }
    }
    Ok(found)
}

impl Found {
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

/// What is wrong with a payment, looked at until it holds still.
async fn audit(stores: &Stores, payment: &Payment) -> Result<Audit, StoreError> {
    let mut audit = payment.audit(side(stores, payment.order).await?);
    for _ in 1..LOOKS {
        if audit.wrong.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let Some(payment) = stores.payments.get(payment.id).await? else { break };
        audit = payment.audit(side(stores, payment.order).await?);
    }
    Ok(audit)
}

async fn side(stores: &Stores, order: OrderId) -> Result<Option<OrderSide>, StoreError> {
    Ok(stores.orders.get(order).await?.as_ref().map(OrderSide::from))
}

/// Whether money was captured for the order, by the payment that it names.
async fn is_paid(stores: &Stores, order: &Order) -> Result<bool, StoreError> {
    let Some(paid) = &order.payment else { return Ok(false) };
    let payment: PaymentId = paid.id;
    let payment = stores.payments.get(payment).await?;
    Ok(payment.is_some_and(|payment| payment.order == order.id && payment.knows_capture(&paid.payment_id)))
}
