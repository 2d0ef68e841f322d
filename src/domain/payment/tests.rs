use proptest::prelude::*;

use super::*;
use crate::domain::{
    ids::{RefundId, UserId},
    money::Currency,
    order::OrderStatus,
    user::FullName,
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn inr(minor: i64) -> Money {
    Money::new(minor, Currency::Inr)
}

fn payment(minor: i64) -> Payment {
    let contact = Contact {
        user: UserId::generate(),
        email: String::new(),
        username: String::new(),
        full_name: FullName::default(),
    };
    Payment::open(OrderId::generate(), contact, "order_x".into(), inr(minor), NOW)
}

fn side(payment: &Payment, status: OrderStatus) -> OrderSide {
    let paid_by = (status == OrderStatus::Confirmed).then_some(payment.id);
    let refunded = payment.own_refunds().map(|refund| refund.amount.minor()).sum();
    OrderSide {
        status,
        paid_by,
        total: payment.price,
        to_be_refunded: false,
        is_unshipped: false,
        refunded: Some(inr(refunded)),
    }
}

#[derive(Debug, Clone)]
enum Act {
    Capture(u8, bool),
    Fail,
    Refund(Option<i64>),
    Take,
    Process,
    ComeBack,
    Foreign(u8, i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..3_u8, prop::bool::weighted(0.8)).prop_map(|(id, whole)| Act::Capture(id, whole)),
        Just(Act::Fail),
        proptest::option::of(-5..600_i64).prop_map(Act::Refund),
        Just(Act::Take),
        Just(Act::Take),
        Just(Act::Process),
        Just(Act::ComeBack),
        (0..3_u8, 1..600_i64).prop_map(|(id, amount)| Act::Foreign(id, amount)),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_ledger_the_refunds_and_the_status_agree(acts in proptest::collection::vec(act(), 1..60)) {
        let mut payment = payment(1_000);
        let later = Timestamp::MAX;
        for (number, act) in acts.into_iter().enumerate() {
            let (before, had_money) = (payment.ledger.entries().to_vec(), payment.has_money());
            match act {
                Act::Capture(id, whole) => {
                    let id = format!("pay_{id}");
                    let known = payment.knows_capture(&id);
                    let captured = payment.capture(&id, inr(if whole { 1_000 } else { 700 }), NOW);
                    prop_assert_eq!(captured == Captured::Known, known);
                    prop_assert_eq!(captured == Captured::ForOrder, !known && !had_money && whole);
                }
                Act::Fail => { payment.fail(NOW); }
                Act::Refund(amount) => {
                    let left = payment.left().minor();
                    let allowed = had_money && left > 0 && amount.is_none_or(|minor| minor > 0 && minor <= left);
                    let result = payment.start_refund(RefundId::generate(), amount.map(inr), None, None, NOW);
                    prop_assert_eq!(result.is_ok(), allowed);
                }
                Act::Take => {
                    if let Some(id) = payment.unsent_refund(later).map(|refund| refund.id) {
                        let gateway_id = format!("rfnd_{number}");
                        prop_assert_eq!(payment.refund_taken(id, &gateway_id, NOW), Changed::Yes);
                        prop_assert_eq!(payment.refund_taken(id, &gateway_id, NOW), Changed::No);
                    }
                }
                Act::Process | Act::ComeBack => {
                    let sent = payment.refunds.iter().find(|refund| refund.is_on_its_way()).map(|refund| refund.id);
                    if let Some(id) = sent {
                        let end = if matches!(act, Act::Process) { Payment::refund_processed } else { Payment::refund_failed };
                        prop_assert_eq!(end(&mut payment, id, NOW), Changed::Yes);
                        prop_assert_eq!(end(&mut payment, id, NOW), Changed::No);
                    }
                }
                Act::Foreign(id, amount) => {
                    let id = format!("pay_{id}");
                    // An operator cannot refund more there than there is.
                    let amount = amount.min(payment.ledger.owed(&id));
                    if amount > 0 {
                        let gateway_id = format!("rfnd_f{number}");
                        prop_assert!(payment.foreign_refund(&id, &gateway_id, inr(amount), NOW).is_some());
                        prop_assert_eq!(payment.foreign_refund(&id, &gateway_id, inr(amount), NOW), None);
                    }
                }
            }
            prop_assert!(payment.left().minor() >= 0);
            prop_assert!(!had_money || payment.has_money(), "captured money does not vanish");
            prop_assert_eq!(&payment.ledger.entries()[..before.len()], &before[..], "entries stay as they are");
            payment.settled = true;
            let audit = payment.audit(Some(side(&payment, OrderStatus::Confirmed)));
            prop_assert_eq!(audit.wrong, Vec::<String>::new());
        }
    }
}

#[test]
fn a_refund_asked_again_with_its_key_is_the_same_refund() {
    let mut payment = payment(1_000);
    payment.capture("pay_1", inr(1_000), NOW);
    let id = RefundId::generate();
    payment.start_refund(id, None, None, Some(("k".into(), "h".into())), NOW).unwrap();
    assert_eq!(payment.refund_by_key("k", "h").unwrap().map(|refund| refund.id), Some(id));
    assert_eq!(payment.refund_by_key("k", "other"), Err(PaymentError::KeyReused));
    assert_eq!(payment.refund_by_key("new", "h"), Ok(None));
}

#[test]
fn an_audit_reports_money_kept_without_a_reason() {
    let mut payment = payment(1_000);
    payment.capture("pay_1", inr(1_000), NOW);
    let audit = payment.audit(Some(side(&payment, OrderStatus::Pending)));
    assert_eq!((audit.wrong.len(), audit.on_its_way), (0, 1_000), "the order has yet to hear of it");
    payment.settle(NOW);
    assert_eq!(payment.audit(Some(side(&payment, OrderStatus::Confirmed))).wrong, Vec::<String>::new());
    for status in [OrderStatus::Cancelled, OrderStatus::Pending] {
        assert_eq!(payment.audit(Some(side(&payment, status))).wrong.len(), 1, "{status:?}");
    }
    assert_eq!(payment.audit(None).wrong.len(), 1);
    payment.refunds.push(Refund { gateway_id: Some("rfnd_1".into()), ..refund(&payment) });
    assert_eq!(
        payment.audit(Some(side(&payment, OrderStatus::Confirmed))).wrong.len(),
        1,
        "a refund that is not booked"
    );
}

fn refund(payment: &Payment) -> Refund {
    let mut other = payment.clone();
    other.start_refund(RefundId::generate(), None, None, None, NOW).unwrap();
    other.refunds.remove(0)
}

#[test]
fn money_paid_twice_or_not_in_full_goes_back() {
    let mut payment = payment(1_000);
    assert_eq!(payment.capture("pay_0", inr(900), NOW), Captured::NotForOrder);
    assert_eq!(payment.capture("pay_1", inr(1_000), NOW), Captured::ForOrder);
    assert_eq!(payment.capture("pay_2", inr(1_000), NOW), Captured::NotForOrder);
    let back: Vec<_> =
        payment.refunds.iter().map(|refund| (refund.payment_id.as_str(), refund.amount.minor())).collect();
    assert_eq!(back, [("pay_0", 900), ("pay_2", 1_000)]);
    assert_eq!((payment.left().minor(), payment.status), (1_000, PaymentStatus::Successful));
}

#[test]
fn what_is_left_to_do_is_due_some_time() {
    let questions = Questions { every: jiff::SignedDuration::from_secs(60), paid_twice: true };
    let after = |hours: i64| NOW + jiff::SignedDuration::from_hours(hours);
    let mut payment = payment(1_000);
    let mut asked = 0;
    payment.plan(questions, NOW);
    while let Some(due) = payment.due_at {
        asked += 1;
        payment.plan(questions, due);
    }
    assert!((10..40).contains(&asked), "an open payment is asked about {asked} times");
    payment.capture("pay_1", inr(1_000), NOW);
    payment.plan(questions, after(1_000));
    assert!(payment.due_at.is_some(), "its order has to be told");
    payment.settle(NOW);
    payment.plan(questions, after(1_000));
    assert_eq!(payment.due_at, None);
    payment.start_refund(RefundId::generate(), None, None, None, NOW).unwrap();
    for tries in 1..40 {
        payment.retry_later();
        payment.plan(questions, after(1_000));
        assert!(payment.due_at.is_some(), "after {tries} tries");
    }
    let id = payment.refunds[0].id;
    payment.refund_taken(id, "rfnd_1", NOW);
    payment.refund_noted(id);
    payment.plan(questions, after(100));
    assert!(payment.due_at.is_some_and(|due| due <= after(124)), "the gateway is asked whether the buyer has it");
    payment.refund_failed(id, after(100));
    payment.plan(questions, after(100));
    assert!(payment.due_at.is_some_and(|due| due <= after(101)), "it is asked for anew: {:?}", payment.due_at);
}

#[test]
fn an_order_is_notified_again_by_one_refund_that_it_shows() {
    let mut payment = payment(1_000);
    payment.capture("pay_1", inr(1_000), NOW);
    payment.settle(NOW);
    assert_eq!(payment.notify_refunds_again(NOW), Changed::No, "nothing went back");
    let part = Refund { amount: inr(500), noted: true, ..refund(&payment) };
    let (again, shown) = (RefundId::generate(), RefundId::generate());
    payment.refunds.push(Refund { id: again, gateway_id: Some("rfnd_1".into()), tries: 1, ..part.clone() });
    payment.refunds.push(Refund { id: shown, gateway_id: Some("rfnd_2".into()), ..part });
    for due in [None, Some(Timestamp::MAX)] {
        payment.due_at = due;
        assert_eq!(payment.notify_refunds_again(NOW), Changed::Yes);
        assert_eq!(payment.unnoted_refund().map(|refund| refund.id), Some(shown));
        assert_eq!(payment.due_at, Some(NOW));
    }
}

#[test]
fn an_audit_reports_an_order_that_does_not_know_its_refunds() {
    let mut payment = payment(1_000);
    payment.capture("pay_1", inr(1_000), NOW);
    let id = RefundId::generate();
    payment.start_refund(id, None, None, None, NOW).unwrap();
    payment.refund_taken(id, "rfnd_1", NOW);
    let open = OrderSide { is_unshipped: true, refunded: None, ..side(&payment, OrderStatus::Confirmed) };
    let shipped = OrderSide { is_unshipped: false, ..open };
    let notified = OrderSide { refunded: Some(inr(1_000)), ..shipped };
    for order in [open, shipped] {
        assert_eq!(payment.audit(Some(order)).wrong, Vec::<String>::new(), "it is about to be told");
    }
    payment.refund_noted(id);
    assert_eq!(
        payment.audit(Some(open)).wrong,
        ["it is REFUNDED and the order is still CONFIRMED, with nothing shipped"]
    );
    assert_eq!(payment.audit(Some(shipped)).wrong.len(), 1);
    assert_eq!(payment.audit(Some(notified)).wrong, Vec::<String>::new());
}
