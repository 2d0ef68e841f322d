//! The final invariants about money.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use microbazaar::{
    domain::{
        Timestamp,
        ids::ProductId,
        order::{Order, OrderStatus},
        payment::{Movement, Payment},
    },
    store::Stores,
};
use serde_json::Value;
use test_support::razorpay::{Faults, Truth};

use super::{
    super::{
        buyer::Buyer,
        market::{Shown, check_dashboards, check_stock_of, events_waiting, minor, reserved},
    },
    world::{ADMIN, World},
};

const SETTLES_WITHIN: Duration = Duration::from_secs(90);
const ALL: u32 = 100_000;

/// Pending work in the store.
async fn left_to_do(stores: &Stores, world: &World) -> Vec<String> {
    let (orders, payments) = documents(stores).await;
    let now = Timestamp::now();
    let mut left = vec![];
    let open = |order: &&Order| order.status == OrderStatus::Pending || !order.saga.todo.is_empty();
    left.extend(orders.iter().filter(open).map(|order| format!("order {}: {:?}", order.id, order.saga)));
    let promised = world.standin.promised();
    for payment in &payments {
        let truth = world.standin.truth();
        let truth = &truth[&payment.razorpay_order_id];
        let unsent = payment.refunds.iter().any(|refund| refund.is_unsent() || refund.is_on_its_way());
        let promised = !payment.has_money() && promised.contains(&payment.razorpay_order_id);
        let unheard = payment.ledger.moved(Movement::Captured) != truth.captured;
        if payment.has_work(now) || unsent || promised || unheard {
            left.push(format!("payment {} of order {}: due {:?}", payment.id, payment.order, payment.due_at));
        }
    }
    let reports = stores.payments.due_reports(Timestamp::MAX, 100).await.unwrap();
    left.extend(reports.iter().map(|report| format!("report {}", report.id)));
    let mails = stores.mailbox.waiting().await.unwrap();
    left.extend((mails > 0).then(|| format!("{mails} mails")));
    left
}

async fn documents(stores: &Stores) -> (Vec<Order>, Vec<Payment>) {
    (stores.orders.all(None, ALL).await.unwrap(), stores.payments.all(None, ALL).await.unwrap())
}

impl World {
    /// Stops the injected faults, waits until everything has settled, and checks everything.
    pub async fn settle_and_check(mut self, buyers: &[Buyer]) {
        self.standin.set_faults(Faults::none());
        self.standin.hold_refunds(false);
        self.standin.settle_all_refunds(true);
        self.settle().await;
        let shown = Shown::of(buyers).await;
        self.check_known(buyers, &shown);
        for (product, received) in self.received() {
            check_stock_of(&self.client, &shown, product, received).await;
        }
        check_dashboards(&self.client, &self.sellers, &shown).await;
        let said = self.command(&["ledger", "check"]).await;
        assert!(said.contains("on its way 0.00"), "{}: {said}", self.label);
        println!("{}: {said}", self.label);
        let said = self.command(&["payments", "reconcile", "--since", "1h"]).await;
        assert!(said.contains(" 0 differ"), "{}: {said}", self.label);
        self.terminate().await;
        self.check_store(&shown, buyers.len() + self.sellers.len()).await;
        self.documents.drop_databases().await;
    }

    async fn settle(&self) {
        let opened = self.documents.open().await;
        let stores = opened.stores();
        let products: Vec<String> = self.received().map(|(product, _)| product.clone()).collect();
        let begun = Instant::now();
        // Payments without a webhook are checked now instead of later.
        self.command(&["payments", "reconcile", "--since", "1h"]).await;
        loop {
            let mut left = left_to_do(&stores, self).await;
            left.extend((!self.post.is_idle()).then(|| "webhooks".to_owned()));
            let held = reserved(&self.client, &products).await;
            left.extend((held > 0).then(|| format!("{held} units are held")));
            let events = events_waiting(&self.client).await;
            left.extend((events.as_deref() != Some("0")).then(|| format!("events: {events:?}")));
            if left.is_empty() {
                break;
            }
            assert!(begun.elapsed() < SETTLES_WITHIN, "{}: all settles in time: {left:#?}", self.label);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        println!("{}: quiet after {:?}", self.label, begun.elapsed());
        opened.close().await;
    }

    /// The state matches the answers.
    fn check_known(&self, buyers: &[Buyer], shown: &Shown) {
        for known in buyers.iter().flat_map(|buyer| &buyer.orders) {
            let label = &self.label;
            let (order, payment) =
                shown.orders.get(&known.id).unwrap_or_else(|| panic!("{label}: an answered order: {known:?}"));
            let status = order["status"].as_str().unwrap();
            assert!(!known.cancelled || status == "CANCELLED", "{label}: {known:?} {order}");
            assert!(!known.confirmed || known.cancelling || status == "CONFIRMED", "{label}: {known:?} {order}");
            let money = payment.as_ref().and_then(|payment| payment["status"].as_str());
            assert!(!known.paid || matches!(money, Some("SUCCESSFUL" | "REFUNDED")), "{label}: {known:?} {payment:?}");
        }
        let given_back = buyers.iter().flat_map(|buyer| &buyer.orders).filter(|known| known.given_back > 0);
        self.check_gateway(shown, &given_back.map(|known| (known.id.as_str(), known.given_back)).collect());
    }

    /// By the gateway's ledger: only totals of sold orders are kept, minus an admin's refunds.
    fn check_gateway(&self, shown: &Shown, given_back: &BTreeMap<&str, i64>) {
        let label = &self.label;
        let mut of_orders: BTreeMap<String, Truth> = BTreeMap::new();
        for truth in self.standin.truth().into_values() {
            let sum = of_orders.entry(truth.receipt.clone().unwrap()).or_default();
            sum.amount = truth.amount;
            sum.captured += truth.captured;
            sum.refunded += truth.refunded;
            sum.captures += truth.captures;
            sum.refunds += truth.refunds;
        }
        let mut confirmed = 0;
        for (id, (order, payment)) in &shown.orders {
            let truth = of_orders.remove(id).unwrap_or_default();
            let sold = order["status"] == "CONFIRMED";
            confirmed += usize::from(sold);
            let part = given_back.get(id.as_str()).copied();
            assert!(sold || part.is_none(), "{label}: {order} {payment:?}");
            let expected = if sold { minor(&order["totalPrice"]) - part.unwrap_or(0) } else { 0 };
            assert_eq!(truth.captured - truth.refunded, expected, "{label}: {order} {payment:?} {truth:?}");
            let refunds = truth.captures - usize::from(sold) + usize::from(part.is_some());
            assert_eq!(truth.refunds, refunds, "{label}: {order} {payment:?} {truth:?}");
            // The order's timeline does not show money beyond its price.
            let output = order["timeline"].as_array().unwrap().iter().filter_map(|entry| entry["reason"].as_str());
            let output = output.filter(|reason| reason.contains(" refunded")).count();
            assert_eq!(output, refunds - truth.captures.saturating_sub(1), "{label}: {order} {truth:?}");
            self.check_payment(order, payment.as_ref(), &truth);
        }
        assert_eq!(of_orders, BTreeMap::new(), "{label}: no order at the gateway is of none here");
        println!("{label}: {} orders, {confirmed} of them sold", shown.orders.len());
    }

    fn check_payment(&self, order: &Value, payment: Option<&Value>, truth: &Truth) {
        let status = payment.and_then(|payment| payment["status"].as_str());
        let rows = payment.and_then(|payment| payment["refunds"].as_array()).map_or(0, Vec::len);
        let expected = match (order["status"].as_str().unwrap(), truth.captures) {
            ("CONFIRMED", _) => matches!(status, Some("SUCCESSFUL")),
            ("CANCELLED", 0) => matches!(status, None | Some("PENDING" | "FAILED")),
            ("CANCELLED", _) => matches!(status, Some("REFUNDED")),
            _ => false,
        };
        assert!(expected && rows == truth.refunds, "{}: {order} {payment:?} {truth:?}", self.label);
    }

    /// Checks what only the store contains: mails, the ledger, units sold.
    async fn check_store(&self, shown: &Shown, people: usize) {
        let opened = self.documents.open().await;
        let (stores, label) = (opened.stores(), &self.label);
        let mails = stores.mailbox.list(ALL).await.unwrap();
        let count = |subject: &str| mails.iter().filter(|mail| mail.subject == subject).count();
        let welcomed = mails.iter().filter(|mail| mail.subject.starts_with("Welcome") && mail.to != ADMIN).count();
        assert_eq!(welcomed, people, "{label}: one welcome a person");
        let truths = self.standin.truth();
        let (_, payments) = documents(&stores).await;
        for (id, (order, payment)) in &shown.orders {
            let payment = payment.as_ref().map(|payment| payment["_id"].as_str().unwrap());
            let payment = payments.iter().find(|known| Some(known.id.to_string().as_str()) == payment);
            let truth = payment.map(|payment| truths[&payment.razorpay_order_id].clone()).unwrap_or_default();
            let received = count(&format!("Payment received for order {id}"));
            let sold = order["status"] == "CONFIRMED";
            assert!(received <= 1 && (received == 1 || !sold), "{label}: {received} mails of {order}");
            let refunded = count(&format!("Refund for order {id}"));
            assert_eq!(refunded, truth.refunds, "{label}: mails of refunds of {order} {payment:?}");
            if let Some(payment) = payment {
                let moved = |movement| payment.ledger.moved(movement);
                let known = (moved(Movement::Captured), moved(Movement::Refunded), moved(Movement::RefundFailed));
                assert_eq!(known, (truth.captured, truth.refunded, 0), "{label}: {payment:?}");
            }
        }
        assert_eq!(stores.outbox.dead(0, 10).await.unwrap(), [], "{label}: no message is dead");
        for (product, received) in self.received() {
            let id: ProductId = product.parse().unwrap();
            let level = stores.stock.get(id).await.unwrap().unwrap();
            assert_eq!(u64::try_from(level.sold).unwrap(), shown.sold(product), "{label}: {level:?}");
            assert_eq!(level.available() + level.reserved + level.sold, i64::try_from(received).unwrap(), "{level:?}");
        }
        opened.close().await;
    }
}
