//! The order as a state machine, under any sequence of commands.

use proptest::prelude::*;

use super::*;
use crate::domain::{
    ids::{OrderId, ProductId},
    money::{Currency, Money},
    order::{NewOrder, Pricing},
};

fn address() -> PostalAddress {
    let line = || "x".to_owned();
    PostalAddress {
        street: line(),
        city: line(),
        state: line(),
        country: line(),
        zip: line(),
        ..PostalAddress::default()
    }
}

fn placed(sellers: &[UserId], now: Timestamp) -> Order {
    let item = |seller: &UserId| OrderItem {
        product: ProductId::generate(),
        title: "x".into(),
        seller: *seller,
        quantity: 2,
        price: Money::new(1_005, Currency::Inr),
        shipment: Shipment::Waiting,
        tracking_number: None,
    };
    let new = NewOrder {
        id: OrderId::generate(),
        user: UserId::generate(),
        items: sellers.iter().map(item).collect(),
        shipping_address: None,
        cart_version: 1,
        window: SignedDuration::from_mins(15),
    };
    Order::place(new, &Pricing { tax_basis_points: 1_000, shipping_minor: 5_000 }, now).unwrap()
}

fn paid(at: Timestamp) -> OrderPayment {
    OrderPayment { id: PaymentId::generate(), payment_id: "pay_x".into(), at }
}

#[derive(Debug, Clone)]
enum Act {
    Confirm,
    Cancel(bool),
    Address,
    Ship(Option<usize>),
    Deliver(Option<usize>),
    Done(SagaStep),
}

fn act() -> impl Strategy<Value = Act> {
    let seller = || proptest::option::of(0..2_usize);
    prop_oneof![
        Just(Act::Confirm),
        any::<bool>().prop_map(Act::Cancel),
        Just(Act::Address),
        seller().prop_map(Act::Ship),
        seller().prop_map(Act::Deliver),
        prop_oneof![Just(SagaStep::EmptyCart), Just(SagaStep::ReleaseStock), Just(SagaStep::Refund)]
            .prop_map(Act::Done),
    ]
}

fn arrow(from: OrderStatus, to: OrderStatus, late: bool) -> bool {
    use OrderStatus::{Cancelled, Confirmed, Delivered, Pending, Shipped};
    from == to
        || matches!(
            (from, to),
            (Pending, Confirmed | Cancelled) | (Confirmed, Shipped | Cancelled) | (Shipped, Delivered)
        )
        || (late && (from, to) == (Cancelled, Confirmed))
}

proptest! {
    #[test]
    fn an_order_moves_only_along_the_arrows(acts in proptest::collection::vec(act(), 1..60)) {
        let sellers = [UserId::generate(), UserId::generate()];
        let now = Timestamp::UNIX_EPOCH;
        let mut order = placed(&sellers, now);
        for act in acts {
            let before = order.clone();
            let late = before.cancel_cause == Some(CancelCause::Expired);
            let done = match act {
                Act::Confirm => order.confirm(paid(now), now),
                Act::Cancel(true) => order.cancel(CancelCause::Buyer, None, now),
                Act::Cancel(false) => order.cancel(CancelCause::Expired, Some("expired".into()), now),
                Act::Address => order.set_address(address(), now),
                Act::Ship(who) => order.ship(who.map(|i| sellers[i]), Some("T1"), now),
                Act::Deliver(who) => order.deliver(who.map(|i| sellers[i]), None, now),
                Act::Done(step) => { order.step_done(step, now); Ok(()) }
            };
            prop_assert!(arrow(before.status, order.status, late), "{:?} -> {:?}", before.status, order.status);
            if done.is_err() { prop_assert_eq!(&order, &before); }
            if order.status.is_sale() {
                prop_assert!(order.payment.is_some());
                prop_assert!(!order.saga.todo.contains(&SagaStep::ReleaseStock));
            }
            if order.status == OrderStatus::Cancelled && before.status != OrderStatus::Cancelled {
                prop_assert!(order.saga.todo.contains(&SagaStep::ReleaseStock));
                prop_assert_eq!(order.saga.todo.contains(&SagaStep::Refund), before.payment.is_some());
            }
            prop_assert_eq!(order.saga.due_at.is_some(), !order.saga.todo.is_empty());
            prop_assert_eq!(order.timeline.last().map(|entry| entry.status), Some(order.status));
        }
    }
}

#[test]
fn totals_are_those_of_the_contract() {
    let order = placed(&[UserId::generate(), UserId::generate()], Timestamp::UNIX_EPOCH);
    let minor = [order.subtotal, order.tax, order.shipping, order.total].map(Money::minor);
    assert_eq!(minor, [4_020, 402, 5_000, 9_422]);
}

#[test]
fn each_seller_ships_own_lines_and_the_order_follows_the_last() {
    let (first, second, now) = (UserId::generate(), UserId::generate(), Timestamp::UNIX_EPOCH);
    let mut order = placed(&[first, second], now);
    assert!(matches!(order.ship(Some(first), None, now), Err(OrderError::WrongState { .. })));
    order.confirm(paid(now), now).unwrap();
    assert_eq!(order.ship(Some(first), None, now), Err(OrderError::NoAddress));
    order.set_address(address(), now).unwrap();
    assert_eq!(order.ship(Some(UserId::generate()), None, now), Err(OrderError::NotASeller));
    order.ship(Some(first), Some("T1"), now).unwrap();
    assert_eq!(order.status, OrderStatus::Confirmed);
    assert!(order.cancel(CancelCause::Buyer, None, now).is_err());
    assert!(order.deliver(None, None, now).is_err());
    order.deliver(Some(first), None, now).unwrap();
    order.ship(Some(second), None, now).unwrap();
    assert_eq!(order.status, OrderStatus::Shipped);
    order.deliver(Some(second), None, now).unwrap();
    assert_eq!(order.status, OrderStatus::Delivered);
}

#[test]
fn the_timeline_reports_the_lines_of_one_seller_of_several() {
    let (first, second, now) = (UserId::generate(), UserId::generate(), Timestamp::UNIX_EPOCH);
    let mut order = placed(&[first, second], now);
    order.confirm(paid(now), now).unwrap();
    order.set_address(address(), now).unwrap();
    order.ship(Some(first), Some("T1"), now).unwrap();
    order.deliver(Some(first), None, now).unwrap();
    order.ship(Some(second), None, now).unwrap();
    order.deliver(None, None, now).unwrap();
    let reported: Vec<_> =
        order.timeline.iter().map(|entry| (entry.status, entry.part, entry.reason.as_deref())).collect();
    let part = |shipment| Some(Part { seller: first, shipment });
    assert_eq!(
        reported[1..],
        [
            (OrderStatus::Confirmed, None, None),
            (OrderStatus::Confirmed, part(Shipment::Shipped), Some("x shipped")),
            (OrderStatus::Confirmed, part(Shipment::Delivered), Some("x delivered")),
            (OrderStatus::Shipped, None, None),
            (OrderStatus::Delivered, None, None),
        ]
    );
}

/// A refund of so much, so much in all.
fn refund(amount: i64, refunded: i64, pending: bool) -> RefundNote {
    let money = |minor| Money::new(minor, Currency::Inr);
    let refund = crate::domain::ids::RefundId::generate();
    RefundNote { refund, amount: money(amount), reason: None, refunded: Some(money(refunded)), pending }
}

#[test]
fn an_order_ends_when_all_its_money_is_back_before_anything_left() {
    let (seller, now) = (UserId::generate(), Timestamp::UNIX_EPOCH);
    let mut order = placed(&[seller], now);
    let total = order.total.minor();
    order.confirm(paid(now), now).unwrap();
    order.set_address(address(), now).unwrap();
    let (part, rest) = (refund(100, 100, false), refund(total - 100, total, true));
    assert_eq!(order.note_refund(&part, now), Noted::Shown);
    assert_eq!(order.note_refund(&part, now), Noted::Before);
    let shippable = order.clone();
    // Decided, and not with the gateway yet: it is not shipped meanwhile, and not shown as given back.
    assert_eq!(order.note_refund(&rest, now), Noted::Ended);
    assert_eq!((order.status, order.cancel_cause), (OrderStatus::Cancelled, Some(CancelCause::Refunded)));
    assert_eq!(order.timeline.last().and_then(|entry| entry.reason.as_deref()), Some("refunded"));
    assert_eq!(order.saga.todo, [SagaStep::EmptyCart, SagaStep::ReleaseStock], "the money is seen to");
    assert!(order.ship(Some(seller), None, now).is_err() && order.ship(None, None, now).is_err());
    let taken = RefundNote { pending: false, ..rest.clone() };
    assert_eq!((order.note_refund(&taken, now), order.note_refund(&taken, now)), (Noted::Shown, Noted::Before));
    assert_eq!(order.on_money(order.payment.clone().unwrap().id), LateMoney::Unwanted);

    // What has left stays as it is; nothing more of it is sent.
    let mut shipped = shippable.clone();
    shipped.ship(Some(seller), None, now).unwrap();
    assert_eq!((shipped.note_refund(&taken, now), shipped.status), (Noted::Shown, OrderStatus::Shipped));
    shipped.deliver(Some(seller), None, now).unwrap();
    let (first, second) = (UserId::generate(), UserId::generate());
    let mut both = placed(&[first, second], now);
    both.confirm(paid(now), now).unwrap();
    both.set_address(address(), now).unwrap();
    both.ship(Some(first), None, now).unwrap();
    both.note_refund(&refund(both.total.minor(), both.total.minor(), false), now);
    assert_eq!(both.ship(Some(second), None, now), Err(OrderError::Refunded));

    // Of an order that has not heard of the money: it is not confirmed any more.
    let mut unheard = placed(&[seller], now);
    assert_eq!(unheard.note_refund(&refund(total, total, false), now), Noted::Ended);
    assert_eq!(unheard.on_money(PaymentId::generate()), LateMoney::Unwanted);
    // An older program says of each refund alone how much it is.
    let mut reported = shippable;
    let older = RefundNote { refunded: None, ..refund(total - 100, 0, false) };
    assert_eq!((reported.note_refund(&older, now), reported.status), (Noted::Ended, OrderStatus::Cancelled));
}

#[test]
fn money_means_what_the_contract_says() {
    let now = Timestamp::UNIX_EPOCH;
    let sellers = [UserId::generate()];
    let mut order = placed(&sellers, now);
    let payment = paid(now);
    assert_eq!(order.on_money(payment.id), LateMoney::Awaited);
    let mut expired = order.clone();
    expired.cancel(CancelCause::Expired, None, now).unwrap();
    assert_eq!(expired.on_money(payment.id), LateMoney::Late);
    expired.refuse_money(CancelCause::SoldOut, now).unwrap();
    assert_eq!(expired.on_money(payment.id), LateMoney::Unwanted);
    assert!(expired.confirm(payment.clone(), now).is_err() && expired.refuse_money(CancelCause::SoldOut, now).is_err());
    let mut unwanted = order.clone();
    unwanted.cancel(CancelCause::Buyer, None, now).unwrap();
    assert_eq!(unwanted.on_money(payment.id), LateMoney::Unwanted);
    order.confirm(payment.clone(), now).unwrap();
    assert_eq!(order.on_money(payment.id), LateMoney::Applied);
    assert_eq!(order.on_money(PaymentId::generate()), LateMoney::Unwanted);
}

#[test]
fn the_pause_between_tries_grows_and_is_bounded() {
    let mut order = placed(&[UserId::generate()], Timestamp::UNIX_EPOCH);
    let (mut last, most) = (SignedDuration::ZERO, SignedDuration::from_secs(30));
    for _ in 0..20 {
        order.step_failed(Timestamp::UNIX_EPOCH);
        let pause = order.saga.due_at.unwrap().duration_since(Timestamp::UNIX_EPOCH);
        assert!(pause >= last && pause <= most);
        last = pause;
    }
    assert_eq!(last, most);
}

#[test]
fn only_an_unpaid_order_ends_with_its_seller_and_what_can_be_bought_goes_back() {
    let now = Timestamp::UNIX_EPOCH;
    let mut unpaid = placed(&[UserId::generate()], now);
    unpaid.suspend(now).unwrap();
    assert_eq!((unpaid.status, unpaid.cancel_cause), (OrderStatus::Cancelled, Some(CancelCause::SellerSuspended)));
    assert_eq!(unpaid.timeline.last().unwrap().reason.as_deref(), Some("seller suspended"));
    assert_eq!(unpaid.saga.todo, [SagaStep::EmptyCart, SagaStep::ReleaseStock, SagaStep::RestoreCart]);
    assert_eq!(unpaid.on_money(PaymentId::generate()), LateMoney::Unwanted);
    assert!(unpaid.suspend(now).is_err());
    let mut bought = placed(&[UserId::generate()], now);
    bought.confirm(paid(now), now).unwrap();
    assert!(bought.suspend(now).is_err());
    assert_eq!(serde_json::to_value(CancelCause::SellerSuspended).unwrap(), "sellerSuspended");
}
