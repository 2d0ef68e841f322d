//! The calls of the payments.

use super::{ORDER, assert_round_trip};
use crate::{
    actors::payment::calls::{
        FailPayment, GetCapturedPayment, GetPayment, GetPaymentOfGatewayOrder, GetPaymentOfOrder, OpenPayment,
        OpenedPayment, PaymentRefusal, RefundAllOfPayment, RefundPayment, RefundedPayment, TakeGatewayReport,
        VerifyPayment,
    },
    domain::{
        Timestamp,
        ids::{PaymentId, RefundId, UserId},
        money::{Currency, Money},
        payment::{Payment, PaymentError},
        user::{Contact, FullName},
    },
    integrations::payment::GatewayError,
    runtime::calls::CallError,
};

const USER: UserId = UserId::from_bytes([7; 12]);
const PAYMENT: PaymentId = PaymentId::from_bytes([4; 12]);
const REFUND: RefundId = RefundId::from_bytes([0xff; 12]);

fn payment() -> Payment {
    let (email, username) = ("a@b.cd".to_owned(), "日本".to_owned());
    let contact = Contact { user: USER, email, username, full_name: FullName::default() };
    let (price, now) = (Money::new(i64::MAX >> 1, Currency::Usd), Timestamp::new(1, 999).unwrap());
    let mut payment = Payment::open(ORDER, contact, "order_\"1\"".into(), price, now);
    payment.capture("pay_1", price, now);
    let part = Some(Money::new(1, Currency::Usd));
    payment.start_refund(REFUND, part, Some("\u{0}\n".into()), Some(("key".into(), "hash".into())), now).unwrap();
    Payment { id: PAYMENT, version: u64::MAX >> 1, ..payment }
}

#[actix_rt::test]
async fn calls_of_the_payments_are_the_same_on_either_side() {
    let (paid, text) = (payment(), || "é \u{1F600}".to_owned());
    let opened = OpenedPayment { payment: paid.clone(), is_new: true, key_id: text() };
    let open = OpenPayment { order: ORDER, user: USER };
    assert_round_trip(open.clone(), Ok(opened)).await;
    let verify = VerifyPayment { user: USER, order_id: text(), payment_id: String::new(), signature: text() };
    assert_round_trip(verify.clone(), Ok(paid.clone())).await;
    let body: Vec<u8> = (0..=u8::MAX).collect();
    assert_round_trip(TakeGatewayReport { body, signature: text(), event_id: None }, Ok(())).await;
    assert_round_trip(TakeGatewayReport { body: vec![], signature: text(), event_id: Some(text()) }, Ok(())).await;
    assert_round_trip(FailPayment { order_id: text(), reason: text() }, Ok(paid.clone())).await;
    let amount = Some(Money::new(-1, Currency::Inr));
    let refund = RefundPayment { payment: PAYMENT, amount, reason: None, key: Some((text(), text())) };
    assert_round_trip(refund.clone(), Ok(RefundedPayment { payment: paid.clone(), refund: REFUND })).await;
    let refund_all = RefundAllOfPayment { payment: PAYMENT, reason: text() };
    assert_round_trip(refund_all, Ok(paid.clone())).await;
    assert_round_trip(GetPayment { payment: PAYMENT }, Ok(paid.clone())).await;
    assert_round_trip(GetPaymentOfOrder { order: ORDER }, Ok(Some(paid.clone()))).await;
    assert_round_trip(GetPaymentOfOrder { order: ORDER }, Ok(None)).await;
    assert_round_trip(GetPaymentOfGatewayOrder { order_id: text() }, Ok(Some(paid.clone()))).await;
    assert_round_trip(GetCapturedPayment { order: ORDER }, Ok(Some(paid))).await;
    assert_round_trip(GetCapturedPayment { order: ORDER }, Ok(None)).await;
    let money = Money::new(i64::MIN, Currency::Inr);
    for refusal in [
        PaymentRefusal::NotFound,
        PaymentRefusal::NoSuchOrder,
        PaymentRefusal::NotYours,
        PaymentRefusal::NotPayable,
        PaymentRefusal::BadSignature,
        PaymentRefusal::Unreadable,
        PaymentRefusal::Rule(PaymentError::NotCaptured),
        PaymentRefusal::Rule(PaymentError::MoreThanLeft { left: money }),
        PaymentRefusal::Rule(PaymentError::TooLittle { least: money }),
        PaymentRefusal::Rule(PaymentError::NotPositive),
        PaymentRefusal::Rule(PaymentError::CurrencyMismatch),
        PaymentRefusal::Rule(PaymentError::KeyReused),
        PaymentRefusal::Gateway(GatewayError::Unavailable(text())),
        PaymentRefusal::Gateway(GatewayError::Refused(text())),
        PaymentRefusal::Gateway(GatewayError::Unknown),
    ] {
        assert_round_trip(open.clone(), Err(CallError::Refused(refusal.clone()))).await;
        assert_round_trip(verify.clone(), Err(CallError::Refused(refusal.clone()))).await;
        assert_round_trip(refund.clone(), Err(CallError::Refused(refusal))).await;
    }
}
