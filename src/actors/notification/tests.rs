//! Tests of the content of mails, of what they must not contain, and of failures.

use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::{
    actors::{
        accounts::calls::{GetContact, GetUser},
        tokens::Tokens,
    },
    domain::{
        Timestamp,
        ids::EventId,
        queues,
        user::{Contact, FullName},
    },
    integrations::mail::{Mail, MailError, Mailer},
    runtime::calls::{Calls, Outcome, Registry},
};

const ORDER: &str = "665f1f77bcf86cd799439016";
const USER: &str = "665f1f77bcf86cd799439011";
/// A user from before names were checked.
const OLD: &str = "665f1f77bcf86cd799439099";

/// A mailbox in memory, which can be made to fail.
#[derive(Default)]
struct Mailbox {
    mails: Mutex<Vec<(EventId, Mail)>>,
    fails: AtomicU32,
}

#[async_trait]
impl Mailer for Mailbox {
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError> {
        if self.fails.load(Ordering::SeqCst) > 0 {
            self.fails.fetch_sub(1, Ordering::SeqCst);
            return Err(MailError::Temporary("away".into()));
        }
        let mut mails = self.mails.lock();
        if !mails.iter().any(|(of, known)| *of == event && known.to == mail.to) {
            mails.push((event, mail.clone()));
        }
        Ok(())
    }
}

/// Knows one buyer, by two ids.
async fn contact(GetContact { user }: GetContact) -> Outcome<GetContact> {
    let (first, last) = if user.to_hex() == OLD { ("You won", "evil.com") } else { ("Asha", "Rao") };
    let full_name = FullName { first_name: first.into(), last_name: last.into() };
    let contact = Contact { user, email: "asha@example.com".into(), username: "asha".into(), full_name };
    Ok([USER, OLD].contains(&user.to_hex().as_str()).then_some(contact))
}

/// Knows nobody by the stored user.
async fn user(_: GetUser) -> Outcome<GetUser> {
    Ok(None)
}

fn tokens() -> Tokens {
    Tokens::new(b"a secret of thirty-two bytes, or so")
}

fn shop() -> ShopInfo {
    ShopInfo { name: "Tea & Co".into(), base_url: "http://localhost:8080/".into() }
}

struct Fixture {
    runtime: Runtime,
    mailbox: Arc<Mailbox>,
    notifications: Notifications,
}

fn start() -> Fixture {
    let mailbox = Arc::new(Mailbox::default());
    start_with(mailbox.clone(), mailbox)
}

fn start_with(mailbox: Arc<Mailbox>, mailer: Arc<dyn Mailer>) -> Fixture {
    let runtime = Runtime::new(1);
    let mut registry = Registry::default();
    registry.on(contact);
    registry.on(user);
    let notifications =
        Notifications::start(&runtime, Arc::new(EmailChannel::new(Calls::local(registry), mailer, shop(), tokens())));
    Fixture { runtime, mailbox, notifications }
}

fn delivery(queue: &'static str, payload: Value) -> Delivery {
    let name = queue.rsplit('.').next().unwrap().to_owned();
    let aggregate_id = payload["orderId"].as_str().unwrap_or(ORDER).to_owned();
    let occurred_at = "2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap();
    Delivery { queue, event: EventId::generate(), name, occurred_at, aggregate_id, payload, trace: None }
}

/// The mail of one delivery.
async fn mail_of(queue: &'static str, payload: Value) -> Mail {
    let fixture = start();
    let answers = fixture.notifications.handle(vec![delivery(queue, payload)]).await;
    assert_eq!(answers, [Ok(())]);
    let mails: Vec<Mail> = fixture.mailbox.mails.lock().iter().map(|(_, mail)| mail.clone()).collect();
    assert_eq!(fixture.runtime.shutdown(Duration::from_secs(5)).await, 0);
    let [mail] = mails.try_into().unwrap();
    mail
}

fn payment() -> Value {
    json!({
        "email": "asha@example.com", "username": "asha", "orderId": ORDER, "amount": 1148.9, "currency": "INR",
        "paymentId": "pay_1", "fullName": {"firstName": "Asha", "lastName": "Rao"}, "more": [1],
    })
}

fn order() -> Value {
    let price = json!({"amount": 499.5, "currency": "INR"});
    json!({
        "_id": ORDER, "user": USER, "status": "SHIPPED",
        "items": [{"title": "Tea <b>pot</b>", "quantity": 2, "price": price, "trackingNumber": "TRK 7"}],
        "totalPrice": {"amount": 1148.9, "currency": "INR"},
        "shippingAddress": {"street": "12 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"},
        "payment": {"_id": USER, "paymentId": "pay_1"},
        "timeline": [{"status": "PENDING", "at": "2026-01-02T03:04:05Z"}, {"status": "SHIPPED", "reason": "all packed"}],
    })
}

fn with(mut payload: Value, key: &str, value: Value) -> Value {
    payload[key] = value;
    payload
}

#[actix_rt::test]
async fn a_welcome_names_the_shop_and_nobody() {
    let payload =
        json!({"id": USER, "username": "asha", "email": "asha@example.com", "fullName": {"firstName": "Asha"}});
    let mail = mail_of(queues::USER_CREATED_NOTIFICATION, payload).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("asha@example.com", "Welcome to Tea & Co"));
    assert_eq!(
        mail.text,
        "Welcome to Tea & Co\n\nHello,\n\nyour account is ready. Find something you like, or ask the AI \
         Buddy to find it for you.\n\nhttp://localhost:8080/\n\n--\nTea & Co\nhttp://localhost:8080/"
    );
    assert!(mail.html.contains("Welcome to Tea &#38; Co</h1>") && !mail.html.to_lowercase().contains("asha"));
    assert_eq!(mail.at.to_string(), "2026-01-02T03:04:05Z");
}

#[actix_rt::test]
async fn a_seller_hears_of_a_new_product() {
    let payload =
        json!({"productId": ORDER, "sellerId": USER, "email": "s@example.com", "username": "sel", "title": "Pot"});
    let mail = mail_of(queues::PRODUCT_CREATED_NOTIFICATION, payload).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("s@example.com", "New product on sale"));
    assert!(mail.text.contains("Hello,\n\nyour new product is now on sale"));
    assert!(mail.html.contains(&format!("href=\"http://localhost:8080/products/{ORDER}\"")));
}

#[actix_rt::test]
async fn mails_of_a_payment_name_the_order_and_the_amount() {
    for (queue, subject) in [
        (queues::PAYMENT_INITIATED_NOTIFICATION, "Payment initiated"),
        (queues::PAYMENT_COMPLETED_NOTIFICATION, "Payment received"),
        (queues::PAYMENT_FAILED_NOTIFICATION, "Payment failed"),
        (queues::PAYMENT_REFUNDED_NOTIFICATION, "Refund"),
    ] {
        let mail = mail_of(queue, with(payment(), "reason", json!("card <declined>"))).await;
        assert_eq!(mail.subject, format!("{subject} for order {ORDER}"));
        assert!(
            mail.text.contains(&format!("Order:   {ORDER}\nAmount:  1148.90 INR\nPayment: pay_1\n")),
            "{}",
            mail.text
        );
        assert!(mail.text.contains("Reason:  card <declined>\n\nhttp://localhost:8080/orders/"), "{}", mail.text);
        assert!(mail.html.contains(ORDER) && mail.html.contains("card &#60;declined&#62;"));
    }
}

#[actix_rt::test]
async fn a_refund_names_what_is_given_back_and_not_the_whole() {
    let mail = mail_of(queues::PAYMENT_REFUNDED_NOTIFICATION, with(payment(), "refundAmount", json!(10))).await;
    assert!(mail.text.contains("Amount:  10.00 INR") && !mail.text.contains("1148.90"));
}

#[actix_rt::test]
async fn a_payment_of_another_program_may_leave_out_what_is_optional() {
    let payload = json!({"email": "a@example.com", "orderId": ORDER, "amount": "5", "currency": "EUR"});
    let mail = mail_of(queues::PAYMENT_INITIATED_NOTIFICATION, payload).await;
    assert!(mail.text.contains("Hello,") && mail.text.contains("Amount:  5.00 EUR\n\n"), "{}", mail.text);
    let failed = json!({"email": "a@example.com", "orderId": ORDER, "paymentId": "pay_1"});
    let mail = mail_of(queues::PAYMENT_FAILED_NOTIFICATION, failed).await;
    assert!(mail.text.contains(&format!("Order:   {ORDER}\nPayment: pay_1\n\n")), "{}", mail.text);
    assert!(!mail.html.contains("Amount"));
}

#[actix_rt::test]
async fn a_shipped_order_mail_has_items_and_no_address() {
    let mail = mail_of(queues::ORDER_SHIPPED_NOTIFICATION, order()).await;
    assert_eq!((mail.to.as_str(), mail.subject), ("asha@example.com", format!("Order shipped: {ORDER}")));
    let text = "Your order is on its way\n\nHello,\n\neverything in order ORDER has been handed to the carrier.\n\n\
                - 2 x Tea <b>pot</b> (tracking number TRK 7)\n\nTotal: 1148.90 INR\n\nhttp://localhost:8080/orders/ORDER\n\n--\nTea \
                & Co\nhttp://localhost:8080/";
    assert_eq!(mail.text.replace(ORDER, "ORDER"), text);
    assert!(mail.html.contains("Tea &#60;b&#62;pot") && !mail.html.contains("<b>"));
}

#[actix_rt::test]
async fn a_part_of_an_order_is_reported_as_a_part() {
    let part = with(order(), "part", json!(true));
    let mail = mail_of(queues::ORDER_SHIPPED_NOTIFICATION, part.clone()).await;
    assert_eq!(mail.subject, format!("Order shipped: {ORDER}"));
    assert!(mail.text.contains("a part of order") && !mail.text.contains("everything in"), "{}", mail.text);
    assert!(!mail.text.contains("1148.90"), "the order's total is not the part's");
    let mail = mail_of(queues::ORDER_DELIVERED_NOTIFICATION, part).await;
    assert_eq!(mail.subject, format!("Order delivered: {ORDER}"));
    assert!(mail.text.contains("a part of order") && mail.text.contains("- 2 x Tea <b>pot</b>"), "{}", mail.text);
}

#[actix_rt::test]
async fn a_seller_gets_own_lines_and_the_recipient() {
    // The fixture knows one person, who is the seller here; the other seller does not exist.
    let price = json!({"amount": 499.5, "currency": "INR"});
    let paid = json!({
        "_id": ORDER, "user": ORDER, "email": "buyer@example.com",
        "items": [
            {"product": ORDER, "title": "Tea <b>pot</b>", "seller": USER, "quantity": 2, "price": price},
            {"product": ORDER, "title": "Cup", "seller": ORDER, "quantity": 1, "price": price},
        ],
        "shippingAddress": {"fullName": "R. Iyer", "phone": "+91 20 1234", "street": "12 Lake Road", "city": "Pune",
                            "state": "MH", "zip": "411001", "country": "IN"},
    });
    let mail = mail_of(queues::ORDER_CONFIRMED_NOTIFICATION, paid.clone()).await;
    assert_eq!((mail.to.as_str(), mail.subject), ("asha@example.com", format!("New order: {ORDER}")));
    let text = "You sold something\n\nHello,\n\norder ORDER is paid and waits to be shipped.\n\n\
                - 2 x Tea <b>pot</b>\n\nTogether: 999.00 INR\n\nIt goes to:\n  R. Iyer\n  12 Lake Road\n  Pune 411001\n  \
                Maharashtra, India\n  Phone +91 20 1234\n\nhttp://localhost:8080/orders/ORDER\n\n--\nTea & Co\n\
                http://localhost:8080/";
    assert_eq!(mail.text.replace(ORDER, "ORDER"), text);
    assert!(!mail.text.contains("buyer@") && !mail.html.contains("buyer@") && !mail.html.contains("Cup"));
    assert!(mail.html.contains("Tea &#60;b&#62;pot"));
    // Without a name on the address it is the buyer's; without an address there is none yet.
    let unnamed = with(with(paid.clone(), "user", json!(USER)), "shippingAddress", json!({"street": "12 Lake Road"}));
    let mail = mail_of(queues::ORDER_CONFIRMED_NOTIFICATION, unnamed).await;
    assert!(mail.text.contains("It goes to:\n  Asha Rao\n  12 Lake Road\n"), "{}", mail.text);
    let mail = mail_of(queues::ORDER_CONFIRMED_NOTIFICATION, with(paid, "shippingAddress", Value::Null)).await;
    assert!(mail.text.contains("has yet to give an address") && !mail.text.contains("Asha Rao"), "{}", mail.text);
}

#[actix_rt::test]
async fn a_seller_gets_no_refused_name_and_the_street_unchanged() {
    let item = json!({"title": "Cup", "seller": USER, "quantity": 1, "price": {"amount": 5, "currency": "INR"}});
    let paid = json!({"_id": ORDER, "user": OLD, "email": "buyer@example.com", "items": [item]});
    let to = |name: &str, street: &str| {
        let address = json!({"fullName": name, "street": street, "city": "evil.com", "country": "IN"});
        mail_of(queues::ORDER_CONFIRMED_NOTIFICATION, with(paid.clone(), "shippingAddress", address))
    };
    // Neither the name on the address nor, in its place, the buyer's.
    for name in ["claim at evil.com", "x@evil.com", "evil。com", "Jane\r\nevil .com", ""] {
        let mail = to(name, "D.No:5-6, opp.shop 12\r\nsee https://evil.com/x").await;
        assert!(mail.text.contains("It goes to:\n  D.No:5-6, opp.shop 12 see …\n  …\n  India\n"), "{}", mail.text);
        assert!(!mail.text.contains("evil") && !mail.html.contains("evil") && !mail.html.contains("won"));
    }
    let mail = to("Dr.Li St.John", "12 Lake Road").await;
    assert!(mail.text.contains("It goes to:\n  Dr.Li St.John\n  12 Lake Road\n"), "{}", mail.text);
}

#[actix_rt::test]
async fn a_cancelled_order_says_why_and_whether_money_comes_back() {
    let paid = mail_of(queues::ORDER_CANCELLED_NOTIFICATION, order()).await;
    assert_eq!(paid.subject, format!("Order cancelled: {ORDER}"));
    assert!(paid.text.contains("was cancelled. What you paid is being refunded in full."), "a typed reason stays out");
    assert!(paid.text.contains("- 2 x Tea <b>pot</b>"));
    let expired = with(order(), "timeline", json!([{"status": "CANCELLED", "reason": "expired"}]));
    let unpaid = mail_of(queues::ORDER_CANCELLED_NOTIFICATION, with(expired, "payment", Value::Null)).await;
    assert!(unpaid.html.contains("was cancelled (expired). It had not been paid."));
    assert!(!unpaid.text.contains("Tea") || !unpaid.text.contains("pot"), "{}", unpaid.text);
    assert!(unpaid.text.contains("Total: 1148.90 INR"));
}

/// What strangers may have typed.
const TYPED: &str = "You won! Claim at http://evil.example/x";

#[actix_rt::test]
async fn no_mail_to_an_unconfirmed_address_carries_what_its_owner_typed() {
    let name = json!({"firstName": TYPED, "lastName": TYPED});
    let user = json!({"id": USER, "email": "a@example.com", "username": TYPED, "fullName": name});
    let product = json!({"productId": ORDER, "email": "a@example.com", "username": TYPED, "title": TYPED});
    let paid = with(with(payment(), "fullName", name), "username", json!(TYPED));
    let address = json!({"fullName": TYPED, "street": TYPED, "city": TYPED, "state": TYPED, "zip": TYPED});
    let timeline = json!([{"status": "CANCELLED", "reason": TYPED}]);
    let unpaid = with(with(with(order(), "shippingAddress", address), "timeline", timeline), "payment", Value::Null);
    let unpaid = with(unpaid, "items", json!([{"title": TYPED, "quantity": 1, "trackingNumber": TYPED}]));
    for (queue, payload) in [
        (queues::USER_CREATED_NOTIFICATION, user),
        (queues::PRODUCT_CREATED_NOTIFICATION, product),
        (queues::PAYMENT_INITIATED_NOTIFICATION, paid.clone()),
        (queues::PAYMENT_COMPLETED_NOTIFICATION, paid.clone()),
        (queues::PAYMENT_FAILED_NOTIFICATION, paid.clone()),
        (queues::PAYMENT_REFUNDED_NOTIFICATION, paid),
        (queues::ORDER_CANCELLED_NOTIFICATION, unpaid),
    ] {
        let mail = mail_of(queue, payload).await;
        for part in [&mail.subject, &mail.text, &mail.html] {
            assert!(!part.contains("evil") && !part.contains("won"), "{queue}: {part}");
        }
    }
}

#[actix_rt::test]
async fn goods_of_a_paid_order_are_named_as_text_and_never_as_a_link() {
    let item = json!({"title": "Pot <i>x</i>, see http://evil.example/x", "quantity": 2, "trackingNumber": "www.evil.example"});
    for queue in [queues::ORDER_SHIPPED_NOTIFICATION, queues::ORDER_CANCELLED_NOTIFICATION] {
        let mail = mail_of(queue, with(order(), "items", json!([item]))).await;
        assert!(mail.text.contains("- 2 x Pot <i>x</i>, see …"), "{}", mail.text);
        assert!(mail.html.contains("Pot &#60;i&#62;x&#60;/i&#62;, see …"), "{}", mail.html);
        assert!(!mail.text.contains("evil") && !mail.html.contains("evil"));
    }
}

#[actix_rt::test]
async fn a_reason_cannot_add_a_header_or_a_line() {
    let reason = "declined\r\nBcc: x@example.com\u{0}\u{2028}\u{202e}end at http://evil.example/x";
    let mail = mail_of(queues::PAYMENT_FAILED_NOTIFICATION, with(payment(), "reason", json!(reason))).await;
    assert!(mail.text.contains("Reason:  declined Bcc: … end at …\n"), "{}", mail.text);
    assert!(!mail.text.contains('\r') && mail.subject == format!("Payment failed for order {ORDER}"));
    let long = with(payment(), "reason", json!("x".repeat(10_000)));
    let mail = mail_of(queues::PAYMENT_FAILED_NOTIFICATION, long).await;
    assert!(mail.text.lines().all(|line| line.chars().count() <= 320));
}

#[actix_rt::test]
async fn what_is_no_such_payload_is_unreadable_and_sends_nothing() {
    let fixture = start();
    let order_of = |user: &str| with(order(), "user", json!(user));
    let bad = [
        (queues::USER_CREATED_NOTIFICATION, json!({"username": "asha"})),
        (queues::USER_CREATED_NOTIFICATION, json!({"email": "a@example.com\r\nBcc: b@example.com"})),
        (queues::USER_CREATED_NOTIFICATION, json!([1, 2])),
        (queues::USER_CREATED_NOTIFICATION, Value::Null),
        (queues::PRODUCT_CREATED_NOTIFICATION, json!({"email": "a@example.com", "title": 7})),
        (queues::PAYMENT_COMPLETED_NOTIFICATION, with(payment(), "orderId", json!("../../x"))),
        (queues::PAYMENT_COMPLETED_NOTIFICATION, with(payment(), "amount", json!({}))),
        (queues::ORDER_SHIPPED_NOTIFICATION, order_of("nobody")),
        (queues::ORDER_SHIPPED_NOTIFICATION, order_of(ORDER)),
        ("OTHER.QUEUE", payment()),
    ];
    let count = bad.len();
    let answers = fixture.notifications.handle(bad.map(|(queue, payload)| delivery(queue, payload)).into()).await;
    let unreadable = answers.iter().filter(|answer| matches!(answer, Err(HandleError::Unreadable(_)))).count();
    assert_eq!(unreadable, count, "{answers:?}");
    assert!(fixture.mailbox.mails.lock().is_empty());
    assert_eq!(fixture.runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn a_delivery_that_comes_again_gives_one_mail() {
    let fixture = start();
    let one = delivery(queues::PAYMENT_COMPLETED_NOTIFICATION, payment());
    let two = delivery(queues::PAYMENT_COMPLETED_NOTIFICATION, payment());
    let batch = vec![one.clone(), two, one.clone()];
    assert_eq!(fixture.notifications.handle(batch).await, [Ok(()), Ok(()), Ok(())]);
    assert_eq!(fixture.notifications.handle(vec![one]).await, [Ok(())]);
    assert_eq!(fixture.mailbox.mails.lock().len(), 2);
    assert_eq!(fixture.runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn a_store_or_peer_that_is_away_is_tried_again() {
    let fixture = start();
    fixture.mailbox.fails.store(1, Ordering::SeqCst);
    let one = delivery(queues::PAYMENT_COMPLETED_NOTIFICATION, payment());
    let answers = fixture.notifications.handle(vec![one.clone()]).await;
    assert!(matches!(answers[..], [Err(HandleError::Away(_))]), "{answers:?}");
    assert_eq!(fixture.notifications.handle(vec![one]).await, [Ok(())]);

    let mailer = Notifications::start(
        &fixture.runtime,
        Arc::new(EmailChannel::new(Calls::default(), Arc::new(Refuses), shop(), tokens())),
    );
    let batch = [(queues::ORDER_SHIPPED_NOTIFICATION, order()), (queues::PAYMENT_COMPLETED_NOTIFICATION, payment())];
    let answers = mailer.handle(batch.map(|(queue, payload)| delivery(queue, payload)).into()).await;
    assert!(matches!(answers[..], [Err(HandleError::Away(_)), Err(HandleError::Unreadable(_))]), "{answers:?}");
    assert_eq!(fixture.runtime.shutdown(Duration::from_secs(5)).await, 0);
}

/// Refuses all mails.
struct Refuses;

#[async_trait]
impl Mailer for Refuses {
    async fn send(&self, _: EventId, _: &Mail) -> Result<(), MailError> {
        Err(MailError::Permanent("no such mailbox".into()))
    }
}

/// Panics over its first mail.
struct Poisoned {
    panics: AtomicU32,
    then: Arc<Mailbox>,
}

#[async_trait]
impl Mailer for Poisoned {
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError> {
        if self.panics.fetch_add(1, Ordering::SeqCst) == 0 {
            panic!("over a mail, on purpose");
        }
        self.then.send(event, mail).await
    }
}

#[actix_rt::test]
async fn a_mailer_that_panics_costs_one_try_and_no_mail() {
    let mailbox = Arc::new(Mailbox::default());
    let poisoned = Poisoned { panics: AtomicU32::new(0), then: mailbox.clone() };
    let fixture = start_with(mailbox, Arc::new(poisoned));
    let one = delivery(queues::PAYMENT_COMPLETED_NOTIFICATION, payment());
    let answers = fixture.notifications.handle(vec![one.clone()]).await;
    assert!(matches!(answers[..], [Err(HandleError::Transient(_))]), "{answers:?}");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while fixture.notifications.handle(vec![one.clone()]).await != [Ok(())] {
        assert!(tokio::time::Instant::now() < deadline, "it is started anew in time");
    }
    assert_eq!(fixture.mailbox.mails.lock().len(), 1);
    assert_eq!(fixture.runtime.snapshot()[0].restarts, 1);
    assert_eq!(fixture.runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn a_flood_is_answered_whole_and_in_its_order() {
    let fixture = start();
    let some = |n: u32| {
        let payload =
            if n.is_multiple_of(3) { json!(n) } else { with(payment(), "orderId", json!(format!("{:024x}", n % 50))) };
        delivery(queues::PAYMENT_INITIATED_NOTIFICATION, payload)
    };
    let answers = fixture.notifications.handle((0..600).map(some).collect()).await;
    let expected: Vec<bool> = (0..600_u32).map(|n| !n.is_multiple_of(3)).collect();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), expected);
    assert_eq!(fixture.mailbox.mails.lock().len(), 400);
    assert_eq!(fixture.runtime.shutdown(Duration::from_secs(5)).await, 0);
}
