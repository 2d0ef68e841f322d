//! The requirements on every gateway. One line of [`gateway_suite!`] runs the suite over a gateway.

use futures_util::future::join_all;
use microbazaar::{
    domain::ids::{OrderId, RefundId},
    integrations::payment::{GatewayError, GatewayRefundStatus, GatewayStatus},
};

use super::gateways::{Bench, Razorpay, Sandbox, inr};

macro_rules! gateway_suite {
    ($gateway:ident: $open:expr => $($check:ident),* $(,)?) => {
        mod $gateway {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    super::$check(&$open).await;
                }
            )*
        }
    };
    ($gateway:ident: $open:expr) => {
        gateway_suite! { $gateway: $open =>
            an_order_is_opened_without_payments, a_paid_order_has_captured_money, what_the_checkout_gives_is_signed,
            after_a_failed_try_the_order_is_paid, capturing_captured_money_changes_nothing,
            a_refund_asked_again_is_given_once, many_at_once_get_one_refund, no_more_is_given_back_than_was_taken,
            a_payment_is_one_orders, what_nobody_made_is_unknown,
        }
    };
}

gateway_suite!(sandbox: Sandbox::open());
gateway_suite!(razorpay: Razorpay::open());

async fn an_order_is_opened_without_payments(bench: &dyn Bench) {
    let gateway = bench.gateway();
    let order = gateway.create_order(OrderId::generate(), inr(27_000)).await.unwrap();
    assert!(order.starts_with("order_"), "{order}");
    assert_eq!(gateway.payments_of(&order).await, Ok(vec![]));
    let other = gateway.create_order(OrderId::generate(), inr(27_000)).await.unwrap();
    assert_ne!(order, other);
}

async fn a_paid_order_has_captured_money(bench: &dyn Bench) {
    let gateway = bench.gateway();
    let order = gateway.create_order(OrderId::generate(), inr(27_000)).await.unwrap();
    let checkout = bench.pay(&order, true).await;
    let payment = gateway.signed_payment(&order, &checkout.payment_id).await.unwrap();
    assert_eq!((payment.status, payment.amount, payment.refunded), (GatewayStatus::Captured, inr(27_000), 0));
    assert_eq!(payment.id, checkout.payment_id);
    assert_eq!(gateway.payments_of(&order).await, Ok(vec![payment]));
}

async fn what_the_checkout_gives_is_signed(bench: &dyn Bench) {
    let gateway = bench.gateway();
    let order = gateway.create_order(OrderId::generate(), inr(100)).await.unwrap();
    let checkout = bench.pay(&order, true).await;
    let signed = |payment: &str| gateway.keys().payment_is_signed(&checkout.order_id, payment, &checkout.signature);
    assert!(signed(&checkout.payment_id) && !signed("pay_other"));
    assert!(!gateway.key_id().is_empty());
}

async fn after_a_failed_try_the_order_is_paid(bench: &dyn Bench) {
    let gateway = bench.gateway();
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    bench.pay(&order, false).await;
    let failed = gateway.payments_of(&order).await.unwrap();
    assert_eq!(failed.iter().map(|payment| payment.status).collect::<Vec<_>>(), [GatewayStatus::Failed]);
    let checkout = bench.pay(&order, true).await;
    let payments = gateway.payments_of(&order).await.unwrap();
    let captured: Vec<_> = payments.iter().filter(|payment| payment.status == GatewayStatus::Captured).collect();
    assert_eq!((payments.len(), captured.len()), (2, 1));
    assert_eq!(captured[0].id, checkout.payment_id);
}

async fn capturing_captured_money_changes_nothing(bench: &dyn Bench) {
    let gateway = bench.gateway();
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let checkout = bench.pay(&order, true).await;
    let before = gateway.payments_of(&order).await.unwrap();
    for _ in 0..2 {
        assert_eq!(gateway.capture(&checkout.payment_id, inr(500)).await.unwrap(), before[0]);
    }
    assert_eq!(gateway.payments_of(&order).await.unwrap(), before);
}

async fn a_refund_asked_again_is_given_once(bench: &dyn Bench) {
    let gateway = bench.gateway();
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let payment = bench.pay(&order, true).await.payment_id;
    let key = RefundId::generate();
    let first = gateway.refund(&payment, inr(200), key).await.unwrap();
    assert_eq!((first.key, first.amount, first.status), (Some(key), inr(200), GatewayRefundStatus::Processed));
    assert_eq!(gateway.refund(&payment, inr(200), key).await.as_ref(), Ok(&first));
    assert_eq!(gateway.refunds_of(&payment).await, Ok(vec![first]));
    assert_eq!(gateway.payments_of(&order).await.unwrap()[0].refunded, 200);
}

async fn many_at_once_get_one_refund(bench: &dyn Bench) {
    let gateway = bench.gateway();
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let payment = bench.pay(&order, true).await.payment_id;
    let key = RefundId::generate();
    let given = join_all((0..8).map(|_| gateway.refund(&payment, inr(200), key))).await;
    let given: Vec<_> = given.into_iter().map(|refund| refund.unwrap().id).collect();
    assert!(given.iter().all(|id| *id == given[0]), "{given:?}");
    assert_eq!(gateway.refunds_of(&payment).await.unwrap().len(), 1);
}

async fn no_more_is_given_back_than_was_taken(bench: &dyn Bench) {
    let gateway = bench.gateway();
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let payment = bench.pay(&order, true).await.payment_id;
    gateway.refund(&payment, inr(300), RefundId::generate()).await.unwrap();
    let refused = gateway.refund(&payment, inr(201), RefundId::generate()).await;
    assert!(matches!(refused, Err(GatewayError::Refused(_))), "{refused:?}");
    gateway.refund(&payment, inr(200), RefundId::generate()).await.unwrap();
    let refused = gateway.refund(&payment, inr(100), RefundId::generate()).await;
    assert!(matches!(refused, Err(GatewayError::Refused(_))), "{refused:?}");
    let payments = gateway.payments_of(&order).await.unwrap();
    assert_eq!((payments[0].status, payments[0].refunded), (GatewayStatus::Captured, 500), "it was captured once");
    let refunds = gateway.refunds_of(&payment).await.unwrap();
    assert_eq!(refunds.iter().map(|refund| refund.amount.minor()).sum::<i64>(), 500);
}

async fn a_payment_is_one_orders(bench: &dyn Bench) {
    let gateway = bench.gateway();
    let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let other = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let payment = bench.pay(&order, true).await.payment_id;
    assert_eq!(gateway.signed_payment(&other, &payment).await, Err(GatewayError::Unknown));
    assert_eq!(gateway.payments_of(&other).await, Ok(vec![]));
}

async fn what_nobody_made_is_unknown(bench: &dyn Bench) {
    let gateway = bench.gateway();
    for order in ["order_unknown", "order_29QQoUBi66xm2f"] {
        assert_eq!(gateway.payments_of(order).await, Err(GatewayError::Unknown));
        assert_eq!(gateway.signed_payment(order, "pay_unknown").await, Err(GatewayError::Unknown));
    }
}
