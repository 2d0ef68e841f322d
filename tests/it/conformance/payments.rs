//! Payments, the gateway's reports and the sandbox's ledger.

use futures_util::future::join_all;
use jiff::SignedDuration;
use microbazaar::{
    domain::payment::Payment,
    store::{StoreError, StoredReport, Stores, document::SaveError, payments::PaymentKey},
};
use serde_json::json;

use super::make;

pub async fn a_payment_is_found_by_id_order_and_gateway_order(stores: &Stores) {
    let payment = make::payment("order_1");
    assert_eq!(stores.payments.save(&payment, &[make::event(1)]).await, Ok(1));
    let stored = Payment { version: 1, ..payment.clone() };
    assert_eq!(stores.payments.get(payment.id).await, Ok(Some(stored.clone())));
    assert_eq!(stores.payments.of_order(payment.order).await, Ok(Some(stored.clone())));
    assert_eq!(stores.payments.by_razorpay_order("order_1").await, Ok(Some(stored)));
    assert_eq!(stores.payments.by_razorpay_order("order_2").await, Ok(None));
    assert_eq!(stores.outbox.depth().await, Ok(1));
}

pub async fn an_order_has_one_payment(stores: &Stores) {
    let first = make::payment("order_1");
    let twins: Vec<_> =
        (0..10).map(|n| Payment { order: first.order, ..make::payment(&format!("order_{n}")) }).collect();
    let results = join_all(twins.iter().map(|payment| stores.payments.save(payment, &[]))).await;
    assert_eq!(results.iter().filter(|result| **result == Ok(1)).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == Err(SaveError::Duplicate(PaymentKey::Order))).count(), 9);
    let winner = stores.payments.of_order(first.order).await.unwrap().unwrap();
    let same_gateway_order = make::payment(&winner.razorpay_order_id);
    let refused = stores.payments.save(&same_gateway_order, &[make::event(1)]).await;
    assert_eq!(refused, Err(SaveError::Duplicate(PaymentKey::RazorpayOrder)));
    assert_eq!(stores.outbox.depth().await, Ok(0));
}

pub async fn a_stale_payment_is_a_conflict(stores: &Stores) {
    let payment = make::payment("order_1");
    stores.payments.save(&payment, &[]).await.unwrap();
    let conflict = Err(SaveError::Store(StoreError::Conflict));
    assert_eq!(stores.payments.save(&payment, &[]).await, conflict, "a second first write");
    let read = Payment { version: 1, ..payment };
    assert_eq!(stores.payments.save(&read, &[]).await, Ok(2));
    assert_eq!(stores.payments.save(&read, &[make::event(1)]).await, conflict);
    assert_eq!(stores.outbox.depth().await, Ok(0));
}

pub async fn due_payments_come_longest_due_first(stores: &Stores) {
    let mut ids = vec![];
    for (n, due_at) in [Some(20), Some(10), None].into_iter().enumerate() {
        let payment = Payment { due_at: due_at.map(make::at), ..make::payment(&format!("order_{n}")) };
        stores.payments.save(&payment, &[]).await.unwrap();
        ids.push(payment.id);
    }
    assert_eq!(stores.payments.due(make::at(15), 10).await, Ok(vec![ids[1]]));
    assert_eq!(stores.payments.due(make::at(20), 10).await, Ok(vec![ids[1], ids[0]]));
    assert_eq!(stores.payments.due(make::at(20), 1).await, Ok(vec![ids[1]]));
}

pub async fn all_payments_are_walked_by_id(stores: &Stores) {
    let mut ids = vec![];
    for n in 0..3 {
        let payment = make::payment(&format!("order_{n}"));
        stores.payments.save(&payment, &[]).await.unwrap();
        ids.push(payment.id);
    }
    let walk = |page: Vec<Payment>| page.iter().map(|payment| payment.id).collect::<Vec<_>>();
    assert_eq!(walk(stores.payments.all(None, 2).await.unwrap()), ids[..2]);
    assert_eq!(walk(stores.payments.all(Some(ids[1]), 2).await.unwrap()), ids[2..]);
}

pub async fn a_report_is_kept_once_and_worked_on_until_it_is_done(stores: &Stores) {
    let payments = &stores.payments;
    let report =
        |id: &str| StoredReport { id: id.into(), body: b"{}\xff".to_vec(), received_at: make::at(0), attempts: 0 };
    assert_eq!(payments.keep_report(&report("evt_1"), make::at(5)).await, Ok(true));
    assert_eq!(payments.keep_report(&report("evt_2"), make::at(4)).await, Ok(true));
    let again = StoredReport { body: b"other".to_vec(), ..report("evt_1") };
    assert_eq!(payments.keep_report(&again, make::at(1)).await, Ok(false));
    let due = async |at| payments.due_reports(make::at(at), 10).await.unwrap();
    assert_eq!(due(3).await, []);
    assert_eq!(due(5).await, [report("evt_2"), report("evt_1")], "longest due first");
    assert_eq!(payments.due_reports(make::at(5), 1).await, Ok(vec![report("evt_2")]));
    payments.report_later("evt_2", 1, make::at(9)).await.unwrap();
    payments.report_done("evt_1", "applied").await.unwrap();
    payments.report_later("evt_1", 1, make::at(6)).await.unwrap();
    assert_eq!(due(8).await, [], "what is done stays done");
    assert_eq!(due(9).await, [StoredReport { attempts: 1, ..report("evt_2") }]);
    assert_eq!(payments.keep_report(&report("evt_1"), make::at(1)).await, Ok(false), "it is known for long");
    let days = |days: i64| make::at(0) + SignedDuration::from_hours(24 * days);
    assert_eq!(payments.forget_reports(days(90), 10).await, Ok(0));
    assert_eq!(payments.forget_reports(days(91), 10).await, Ok(1), "and then forgotten, if it is done");
    assert_eq!(payments.keep_report(&report("evt_1"), make::at(1)).await, Ok(true));
    assert_eq!(payments.keep_report(&report("evt_2"), make::at(1)).await, Ok(false));
}

pub async fn a_payment_is_found_by_what_paid_it(stores: &Stores) {
    let mut payment = make::payment("order_1");
    stores.payments.save(&payment, &[]).await.unwrap();
    assert_eq!(stores.payments.by_gateway_payment("pay_1").await, Ok(None));
    payment.version = 1;
    payment.capture("pay_1", payment.price, make::at(1));
    stores.payments.save(&payment, &[]).await.unwrap();
    let found = stores.payments.by_gateway_payment("pay_1").await.unwrap();
    assert_eq!(found, Some(Payment { version: 2, ..payment }), "with its ledger");
    assert_eq!(stores.payments.by_gateway_payment("pay_2").await, Ok(None));
}

pub async fn the_sandbox_keeps_its_books(stores: &Stores) {
    assert_eq!(stores.payments.get_sandbox("order_1").await, Ok(None));
    for page in [json!({"amount": 1, "tries": []}), json!(null)] {
        stores.payments.put_sandbox("order_1", &page).await.unwrap();
        assert_eq!(stores.payments.get_sandbox("order_1").await, Ok(Some(page)));
    }
}
