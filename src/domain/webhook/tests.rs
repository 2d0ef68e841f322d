use serde_json::json;

use super::*;
use crate::views::order::keep_what_is_of;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + second).unwrap()
}

fn attempt(status: Option<u16>) -> Attempt {
    let error = status.is_none().then(|| "no answer".to_owned());
    Attempt { at: at(0), status, error, response: None, millis: 1 }
}

fn delivery() -> WebhookDelivery {
    let (id, webhook) = (WebhookDeliveryId::generate(), WebhookId::generate());
    WebhookDelivery::new(id, webhook, EventId::generate(), "order.created".into(), "{}".into(), at(0))
}

#[test]
fn patterns_are_the_known_events_and_groups_of_them() {
    for (pattern, admin, seller) in [
        ("*", Some(true), Some(true)),
        ("order.*", Some(true), Some(true)),
        ("product.deleted", Some(true), Some(true)),
        ("payment.*", Some(true), Some(false)),
        ("user.created", Some(true), Some(false)),
        ("stock.changed", None, None),
        ("stock.*", None, None),
        (".*", None, None),
        ("o*", None, None),
        ("", None, None),
        ("order.nothing", None, None),
        ("**", None, None),
        ("order.created.*", None, None),
    ] {
        assert_eq!(may_ask(Role::Admin, pattern), admin, "{pattern}");
        assert_eq!(may_ask(Role::Seller, pattern), seller, "{pattern}");
    }
    assert_eq!(may_ask(Role::User, "order.created"), Some(false));
    assert!(!matches("*", "stock.changed"));
}

#[test]
fn pauses_grow_and_end() {
    let pauses = [Duration::from_secs(10), Duration::from_secs(60)];
    let mut delivery = delivery();
    delivery.tried(attempt(Some(500)), at(1), &pauses, 1.0);
    assert_eq!((delivery.state, delivery.next_try_at), (DeliveryState::Waiting, Some(at(11))));
    delivery.tried(attempt(Some(302)), at(20), &pauses, 0.5);
    assert_eq!((delivery.state, delivery.next_try_at), (DeliveryState::Waiting, Some(at(50))));
    delivery.tried(attempt(None), at(60), &pauses, 1.0);
    assert_eq!((delivery.state, delivery.next_try_at), (DeliveryState::Failed, None));
    delivery.again(at(70));
    assert_eq!((delivery.state, delivery.next_try_at, delivery.tries), (DeliveryState::Waiting, Some(at(70)), 0));
    delivery.tried(attempt(Some(204)), at(71), &pauses, 1.0);
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Delivered, 4));
}

#[test]
fn a_receiver_that_is_gone_is_not_tried_again_and_the_log_is_bounded() {
    let pauses = [Duration::from_secs(10); 100];
    let mut delivery = delivery();
    for _ in 0..ATTEMPTS_KEPT + 5 {
        delivery.tried(attempt(Some(503)), at(1), &pauses, 1.0);
    }
    assert_eq!(delivery.attempts.len(), ATTEMPTS_KEPT);
    delivery.tried(attempt(Some(410)), at(1), &pauses, 1.0);
    assert_eq!(delivery.state, DeliveryState::Failed);
}

#[test]
fn a_seller_sees_only_own_data() {
    let (mira, ravi) = (UserId::generate(), UserId::generate());
    let order = json!({"_id": "1", "user": "b", "items": [
        {"title": "Lamp", "seller": mira}, {"title": "Cup", "seller": ravi}, {"title": "Bulb", "seller": mira},
    ]});
    let mut sellers = concerned_sellers("order.created", &order);
    sellers.sort_unstable();
    let mut both = vec![mira, ravi];
    both.sort_unstable();
    assert_eq!(sellers, both);
    let seen = payload_for(Role::Seller, mira, "order.created", &order, keep_what_is_of).unwrap();
    let titles: Vec<_> = seen["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Lamp", "Bulb"]);
    assert_eq!(payload_for(Role::Seller, UserId::generate(), "order.created", &order, keep_what_is_of), None);
    assert_eq!(payload_for(Role::Admin, ravi, "order.created", &order, keep_what_is_of), Some(order.clone()));
    assert_eq!(payload_for(Role::User, mira, "order.created", &order, keep_what_is_of), None);
    let deleted = json!({"_id": "2", "sellerId": ravi});
    assert_eq!(payload_for(Role::Seller, ravi, "product.deleted", &deleted, keep_what_is_of), Some(deleted.clone()));
    assert_eq!(payload_for(Role::Seller, mira, "product.deleted", &deleted, keep_what_is_of), None);
    for name in ["user.created", "payment.completed", "stock.changed"] {
        let payload = json!({"seller": mira, "items": [{"seller": mira}]});
        assert_eq!(payload_for(Role::Seller, mira, name, &payload, keep_what_is_of), None, "{name}");
    }
    for odd in [json!(null), json!([1]), json!({"items": 3}), json!({"items": [null, {"seller": 7}]})] {
        assert!(concerned_sellers("order.created", &odd).is_empty());
    }
}

#[test]
fn an_owner_without_the_role_receives_nothing() {
    assert_eq!(effective_role(Role::Seller, Some(Role::Seller)), Some(Role::Seller));
    assert_eq!(effective_role(Role::Seller, Some(Role::Admin)), Some(Role::Seller));
    assert_eq!(effective_role(Role::Admin, Some(Role::Admin)), Some(Role::Admin));
    for (registered, now) in [(Role::Admin, Some(Role::Seller)), (Role::Seller, Some(Role::User)), (Role::Admin, None)]
    {
        assert_eq!(effective_role(registered, now), None);
    }
}

#[test]
fn an_old_secret_signs_for_a_day_and_no_secret_is_shown() {
    let mut webhook = Webhook {
        id: WebhookId::generate(),
        owner: UserId::generate(),
        role: Role::Seller,
        url: "https://shop.example".into(),
        events: vec!["order.*".into()],
        description: None,
        secret: WebhookSecret("first and secret".into()),
        old_secret: None,
        off: None,
        consecutive_failures: 0,
        created_at: at(0),
        updated_at: at(0),
        version: 1,
    };
    assert!(webhook.wants("order.shipped") && webhook.wants(PING) && !webhook.wants("product.created"));
    webhook.rotate(WebhookSecret("second and secret".into()), at(0));
    let at_hour = |hour: i64| webhook.secrets(at(hour * 3_600)).map(|secret| secret.0.clone()).collect::<Vec<_>>();
    assert_eq!(at_hour(23), ["second and secret", "first and secret"]);
    assert_eq!(at_hour(24), ["second and secret"]);
    assert!(!format!("{webhook:?}").contains("and secret"));
}
