//! The Razorpay client's requests, and how it parses responses.

use microbazaar::{
    domain::{
        ids::{OrderId, RefundId},
        money::{Currency, Money},
    },
    integrations::payment::{GatewayError, GatewayRefundStatus, GatewayStatus, PaymentGateway},
};
use test_support::razorpay::{Fault, KEY_SECRET, Outcome, Truth, WEBHOOK_SECRET};

use super::gateways::{Razorpay, hasty, inr};

#[tokio::test]
async fn an_order_is_opened_under_its_own_id() {
    let Razorpay { standin, gateway } = Razorpay::open();
    let receipt = OrderId::generate();
    let order = gateway.create_order(receipt, inr(100)).await.unwrap();
    assert_eq!(standin.orders_for(&receipt.to_string()), std::slice::from_ref(&order));
    let truth = Truth { receipt: Some(receipt.to_string()), amount: 100, ..Truth::default() };
    assert_eq!(standin.truth()[&order], truth);
    let dollars = gateway.create_order(OrderId::generate(), Money::new(2_000, Currency::Usd)).await.unwrap();
    standin.pay(&dollars, Outcome::Captured).unwrap();
    let paid = gateway.payments_of(&dollars).await.unwrap();
    assert_eq!(paid[0].amount, Money::new(2_000, Currency::Usd));
}

#[tokio::test]
async fn less_than_the_least_amount_is_refused_here() {
    let Razorpay { standin, gateway } = Razorpay::open();
    for (amount, least) in [(inr(99), "1.00 INR"), (inr(0), "1.00 INR"), (Money::new(99, Currency::Usd), "1.00 USD")] {
        let refused = gateway.create_order(OrderId::generate(), amount).await;
        assert_eq!(refused, Err(GatewayError::Refused(format!("a payment must be {least} or more"))));
    }
    assert_eq!(standin.asked("POST"), 0);
}

#[tokio::test]
async fn an_authorised_payment_counts_only_after_its_capture() {
    let Razorpay { standin, gateway } = Razorpay::open();
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let payment = standin.pay(&order, Outcome::Authorized).unwrap().payment_id;
    assert_eq!(gateway.signed_payment(&order, &payment).await.unwrap().status, GatewayStatus::Authorized);
    let wrong = gateway.capture(&payment, inr(400)).await;
    assert_eq!(wrong, Err(GatewayError::Refused("Capture amount must be equal to the amount authorized".to_owned())));
    assert_eq!(standin.truth()[&order].captured, 0);
    assert_eq!(gateway.capture(&payment, inr(500)).await.unwrap().status, GatewayStatus::Captured);
    assert_eq!(gateway.capture(&payment, inr(500)).await.unwrap().status, GatewayStatus::Captured, "it is already");
    assert_eq!((standin.truth()[&order].captured, standin.truth()[&order].captures), (500, 1));
}

#[tokio::test]
async fn an_uncaptured_payment_that_was_returned_never_counted() {
    let Razorpay { standin, gateway } = Razorpay::open();
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let payment = standin.pay(&order, Outcome::Authorized).unwrap().payment_id;
    standin.give_up(&payment).unwrap();
    let known = gateway.signed_payment(&order, &payment).await.unwrap();
    assert_eq!((known.status, known.refunded), (GatewayStatus::Failed, 0));
    assert!(matches!(gateway.capture(&payment, inr(500)).await, Err(GatewayError::Refused(_))));
}

#[tokio::test]
async fn an_order_paid_twice_has_two_captures() {
    let Razorpay { standin, gateway } = Razorpay::open();
    assert!(gateway.may_be_paid_twice());
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    for _ in 0..2 {
        standin.pay(&order, Outcome::Captured).unwrap();
    }
    let payments = gateway.payments_of(&order).await.unwrap();
    assert_eq!(payments.iter().filter(|payment| payment.status == GatewayStatus::Captured).count(), 2);
}

#[tokio::test]
async fn a_refund_is_pending_until_it_is_processed_or_fails() {
    let Razorpay { standin, gateway } = Razorpay::open();
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let payment = standin.pay(&order, Outcome::Captured).unwrap().payment_id;
    standin.hold_refunds(true);
    let (one, other) = (RefundId::generate(), RefundId::generate());
    let first = gateway.refund(&payment, inr(200), one).await.unwrap();
    let second = gateway.refund(&payment, inr(300), other).await.unwrap();
    assert_eq!((first.status, second.status), (GatewayRefundStatus::Pending, GatewayRefundStatus::Pending));
    standin.settle_refund(&first.id, true).unwrap();
    standin.settle_refund(&second.id, false).unwrap();
    let refunds = gateway.refunds_of(&payment).await.unwrap();
    let status = |key| refunds.iter().find(|refund| refund.key == Some(key)).unwrap().status;
    assert_eq!((status(one), status(other)), (GatewayRefundStatus::Processed, GatewayRefundStatus::Failed));
    assert_eq!(gateway.payments_of(&order).await.unwrap()[0].refunded, 200);
    let again = gateway.refund(&payment, inr(300), other).await.unwrap();
    assert_eq!(again.status, GatewayRefundStatus::Failed, "the same key is the same refund");
    let truth = &standin.truth()[&order];
    assert_eq!((truth.refunded, truth.refunds), (200, 1));
}

#[tokio::test]
async fn refunds_made_elsewhere_are_seen_beyond_the_first_page() {
    let Razorpay { standin, gateway } = Razorpay::open();
    let order = gateway.create_order(OrderId::generate(), inr(50_000)).await.unwrap();
    let payment = standin.pay(&order, Outcome::Captured).unwrap().payment_id;
    let key = RefundId::generate();
    let ours = gateway.refund(&payment, inr(100), key).await.unwrap();
    for _ in 0..230 {
        standin.operator_refund(&payment, 100).unwrap();
    }
    let refunds = gateway.refunds_of(&payment).await.unwrap();
    assert_eq!(refunds.len(), 231);
    let keyed: Vec<_> = refunds.iter().filter(|refund| refund.key.is_some()).collect();
    assert_eq!(keyed, [&ours]);
    assert_eq!(gateway.refund(&payment, inr(100), key).await, Ok(ours), "found on the last page");
    assert_eq!(gateway.payments_of(&order).await.unwrap()[0].refunded, 23_100);
}

#[tokio::test]
async fn an_id_of_another_format_is_not_sent() {
    let Razorpay { standin, gateway } = Razorpay::open();
    for id in ["", "pay_1/../../orders", "pay_1?x=1", "pay 1", "päy"] {
        assert_eq!(gateway.signed_payment("order_1", id).await, Err(GatewayError::Unknown));
        assert_eq!(gateway.payments_of(id).await, Err(GatewayError::Unknown));
        assert_eq!(gateway.capture(id, inr(100)).await, Err(GatewayError::Unknown));
        assert_eq!(gateway.refund(id, inr(100), RefundId::generate()).await, Err(GatewayError::Unknown));
        assert_eq!(gateway.refunds_of(id).await, Err(GatewayError::Unknown));
    }
    assert_eq!(standin.asked(""), 0);
}

#[tokio::test]
async fn a_secret_is_never_shown() {
    let Razorpay { standin, gateway } = Razorpay::open();
    let mut output = format!("{gateway:?} {:?}", gateway.keys());
    let nobody = hasty("http://127.0.0.1:9");
    let mut errors = vec![nobody.create_order(OrderId::generate(), inr(100)).await.unwrap_err()];
    for (fault, times) in [(Fault::Locked, 1), (Fault::Garbage, 4), (Fault::Endless, 4), (Fault::CutBefore, 4)] {
        for _ in 0..times {
            standin.next("GET", fault);
        }
        errors.push(hasty(&standin.base_url()).payments_of("order_1").await.unwrap_err());
    }
    for error in errors {
        assert!(matches!(error, GatewayError::Unavailable(_)), "{error:?}");
        output.push_str(&format!(" {error} {error:?}"));
    }
    for secret in [KEY_SECRET, WEBHOOK_SECRET] {
        assert!(!output.contains(secret), "{output}");
    }
    assert!(output.contains("razorpay.key_id"), "a wrong key is named: {output}");
}
