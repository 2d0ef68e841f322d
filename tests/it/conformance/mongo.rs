//! The MongoDB adapter in the suite, with the server that `TEST_MONGO_URI` names.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bson::{Binary, Document, doc, oid::ObjectId, spec::BinarySubtype};
use jiff::SignedDuration;
use microbazaar::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
        identity::email_key,
        ids::{EventId, ImageId, ImportId, RefundId, UserId, WebhookDeliveryId, WebhookId},
        order::Order,
        webhook::Webhook,
    },
    store::{
        StoreError, StoredReport, Stores,
        accounts::block_key,
        mongo::{MongoOptions, MongoStore},
        orders::InsertError,
        outbox::Parked,
        webhooks::{ClaimLimits, WebhookStats},
    },
};
use mongodb::Client;
use secrecy::SecretString;
use test_support::servers;

use super::make;

/// Databases that are dropped after the test.
struct Databases(MongoStore);

impl Drop for Databases {
    fn drop(&mut self) {
        let store = self.0.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(store.drop_databases())
        });
        let _gone = dropping.join();
    }
}

async fn open() -> Option<(Stores, Databases)> {
    let uri = servers::mongo()?;
    let mut options = MongoOptions::new(SecretString::from(uri), format!("test_{}_", EventId::generate()));
    options.deadline = std::time::Duration::from_secs(20);
    options.documents.extend(super::documents::DOCUMENTS);
    options.keep_event = std::sync::Arc::new(|name| name != "STOCK_CHANGED");
    let store = MongoStore::open(options).await.unwrap();
    Some((store.stores(), Databases(store)))
}

super::conformance_suite!(self::open);

/// Accounts of an earlier version, whose addresses were compared in lower case only, and several nodes that start at
/// once.
#[actix_rt::test]
async fn the_oldest_of_accounts_with_one_address_keeps_it() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let options = || {
        let mut options = MongoOptions::new(SecretString::from(uri.clone()), prefix.clone());
        options.deadline = std::time::Duration::from_secs(20);
        options
    };
    // As the previous version left them.
    let auth = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}auth"));
    let users = auth.collection::<Document>("users");
    let unique = mongodb::options::IndexOptions::builder().name("unique_email".to_owned()).unique(true).build();
    users.create_index(mongodb::IndexModel::builder().keys(doc! { "email": 1 }).options(unique).build()).await.unwrap();
    let made = [
        ("a@B\u{fc}cher.example", "older"),
        ("A@xn--bcher-kva.example", "younger"),
        ("b@xn--bcher-kva.example", "first"),
        ("b@b\u{fc}cher.example", "second"),
        ("mi\u{212A}e@example.com", "kelvin"),
        ("plain@example.com", "plain"),
    ];
    let mut ids = vec![];
    for (n, (email, username)) in (0_i64..).zip(made) {
        let mut user = make::user(email, username);
        user.created_at = make::at(n);
        let body = bson::serialize_to_document(&serde_json::to_value(&user).unwrap()).unwrap();
        let id = ObjectId::from_bytes(user.id.bytes());
        let row =
            doc! { "_id": id, "version": 1_i64, "email": email.to_lowercase(), "username": username, "doc": body };
        users.insert_one(row).await.unwrap();
        ids.push(user.id);
    }

    let nodes = futures_util::future::join_all((0..3).map(|_| MongoStore::open(options()))).await;
    let databases = Databases(nodes.into_iter().map(Result::unwrap).next().unwrap());
    let stores = databases.0.stores();
    let found =
        async |email: &str| stores.accounts.by_email(&email_key(email)).await.unwrap().map(|user| user.username);
    for (email, username) in [
        ("a@xn--bcher-kva.example", Some("older")),
        ("b@b\u{fc}cher.example", Some("first")),
        ("mike@example.com", None),
        ("mi\u{212A}e@example.com", Some("kelvin")),
        ("PLAIN@example.com", Some("plain")),
    ] {
        assert_eq!(found(email).await.as_deref(), username, "{email}");
    }
    let mut without = stores.accounts.without_address(10).await.unwrap();
    without.sort_by_key(|user| user.created_at);
    let published: Vec<_> = without.iter().map(|user| (user.username.as_str(), user.email_taken_by)).collect();
    assert_eq!(published, [("younger", Some(ids[0])), ("second", Some(ids[2]))]);
    assert_eq!(users.count_documents(doc! { "email": { "$exists": true } }).await.unwrap(), 0, "no field of before");
}

/// Earlier versions stored pictures with other fields.
#[tokio::test]
async fn hosted_pictures_of_an_earlier_version_are_known() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let product = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}product"));
    let (image, other) = (ImageId::generate(), ImageId::generate());
    let row = |image: ImageId| {
        let id = ObjectId::from_bytes(image.bytes());
        doc! {
            "_id": id, "product": id, "createdAt": 1_000_000_i64, "fileId": "f1", "path": "/a.jpg", "dropped": false,
            "lookBy": 4_000_000_i64, "attempts": 2_i64, "reason": null, "dueAt": null, "lease": 0_i64,
        }
    };
    let mut claimed = row(other);
    claimed
        .extend(doc! { "fileId": null, "path": null, "dueAt": 3_000_000_i64, "lease": 9_000_000_i64, "lookBy": 0_i64 });
    product.collection::<Document>("pictures").insert_many([row(image), claimed]).await.unwrap();

    let databases = Databases(MongoStore::open(MongoOptions::new(SecretString::from(uri), prefix)).await.unwrap());
    let (log, at) = (databases.0.stores().pictures, |second| Timestamp::from_second(second).unwrap());
    let record = log.picture(image).await.unwrap().unwrap();
    assert_eq!((record.created_at, record.attempts, record.announced), (at(1), 2, Some(at(4))));
    assert_eq!((record.file.map(|file| file.path), record.lease), (Some("/a.jpg".to_owned()), None));
    assert_eq!((log.unsettled().await, log.claim(at(8), at(99), 9).await), (Ok(1), Ok(vec![])));
    assert_eq!(log.claim(at(9), at(99), 9).await.unwrap()[0].record.image, other);
}

/// Earlier versions stored dead tokens with other fields.
#[tokio::test]
async fn dead_tokens_of_an_earlier_version_stay_dead() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let auth = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}auth"));
    let (now, end) = (Timestamp::now(), Timestamp::now() + jiff::SignedDuration::from_hours(1));
    let date = bson::DateTime::from_millis(end.as_millisecond());
    let row = |jti: &str| {
        let (expires, killed) = (end.as_microsecond(), now.as_microsecond());
        doc! { "_id": jti, "expiresAt": expires, "forgetAt": date, "killedAt": killed }
    };
    let blocked = microbazaar::domain::ids::UserId::generate();
    let rows = [row("one"), row(&block_key(&blocked.to_hex()))];
    auth.collection::<Document>("dead_tokens").insert_many(rows).await.unwrap();

    let databases = Databases(MongoStore::open(MongoOptions::new(SecretString::from(uri), prefix)).await.unwrap());
    let accounts = databases.0.stores().accounts;
    assert_eq!((accounts.is_dead("one").await, accounts.is_dead("two").await), (Ok(true), Ok(false)));
    assert_eq!(accounts.blocked_users().await, Ok(vec![blocked]));
    assert_eq!(accounts.killed_since(now - jiff::SignedDuration::from_secs(1)).await.unwrap().len(), 2);
    accounts.kill_token("one", end).await.unwrap();
    assert_eq!(accounts.dead_tokens(end).await, Ok(vec![]), "and are forgotten in their time");
}

/// Refunds of an earlier version, which notified orders differently, and several nodes that start at once.
#[actix_rt::test]
async fn payments_with_refunds_become_due_once() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let options = || {
        let mut options = MongoOptions::new(SecretString::from(uri.clone()), prefix.clone());
        options.deadline = std::time::Duration::from_secs(20);
        options
    };
    let databases = Databases(MongoStore::open(options()).await.unwrap());
    let (payments, now) = (databases.0.stores().payments, make::at(1));
    let mut ids = vec![];
    for n in 0..3 {
        let mut payment = make::payment(&format!("order_{n}"));
        payment.capture("pay_1", payment.price, now);
        payment.settle(now);
        if n > 0 {
            let refund = RefundId::generate();
            payment.start_refund(refund, None, None, None, now).unwrap();
            payment.refund_taken(refund, "rfnd_1", now);
            payment.refund_noted(refund);
        }
        payment.due_at = None;
        payments.save(&payment, &[]).await.unwrap();
        ids.push(payment.id);
    }
    let auth = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}auth"));
    auth.collection::<Document>("upgrades").delete_many(doc! {}).await.unwrap();
    for node in futures_util::future::join_all((0..3).map(|_| MongoStore::open(options()))).await {
        node.unwrap();
    }
    let mut due = payments.due(Timestamp::now(), 10).await.unwrap();
    due.sort_unstable();
    assert_eq!(due, ids[1..]);
    for id in &ids {
        let mut payment = payments.get(*id).await.unwrap().unwrap();
        let unnoted = payment.unnoted_refund().map(|refund| refund.id);
        assert_eq!(unnoted.is_some(), *id != ids[0]);
        unnoted.into_iter().for_each(|refund| payment.refund_noted(refund));
        payment.due_at = None;
        payments.save(&payment, &[]).await.unwrap();
    }
    MongoStore::open(options()).await.unwrap();
    assert_eq!(payments.due(Timestamp::now(), 10).await.unwrap(), [], "once");
}

/// Reports and sandbox pages that were stored before, without a body.
#[actix_rt::test]
async fn documents_of_an_earlier_version_get_a_body() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let database = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}payment"));
    let seen_at = make::at(1).as_microsecond() + 7;
    let body = Binary { subtype: BinarySubtype::Generic, bytes: b"{}\xff".to_vec() };
    let due_at = make::at(2).as_microsecond();
    let reports = [
        doc! { "_id": "evt_1", "seenAt": seen_at, "body": &body, "attempts": 2_i64, "dueAt": due_at },
        doc! { "_id": "evt_2", "seenAt": seen_at, "body": &body, "attempts": 0_i64, "outcome": "applied" },
    ];
    database.collection::<Document>("webhooks_seen").insert_many(reports).await.unwrap();
    let page = doc! { "_id": "order_1", "json": "{\"$set\":[1,null]}" };
    database.collection::<Document>("sandbox").insert_one(page).await.unwrap();
    let product = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}product"));
    let import = ImportId::generate();
    let rows = doc! { "_id": ObjectId::from_bytes(import.bytes()), "rows": "[]", "run": 1_i64 };
    product.collection::<Document>("import_rows").insert_one(rows).await.unwrap();
    let mails = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}notification"));
    let event = EventId::generate();
    let old_mail = |n: i64, to: &str| {
        let content = doc! { "to": to, "subject": "s", "text": "t", "html": "h", "at": "2026-01-02T03:04:05Z" };
        doc! {
            "n": n, "event": ObjectId::from_bytes(event.bytes()), "recipient": to, "announcement": false,
            "state": "waiting", "attempts": 3_i64, "reason": "451", "changedAt": due_at, "dueAt": due_at,
            "lease": 0_i64, "doc": content,
        }
    };
    // One that was transferred from a folder is stored under its number.
    let mut moved = old_mail(7, "b@x.com");
    moved.insert("_id", 7_i64);
    mails.collection::<Document>("mails").insert_many([moved, old_mail(9, "a@x.com")]).await.unwrap();
    let databases = Databases(MongoStore::open(MongoOptions::new(SecretString::from(uri), prefix)).await.unwrap());
    let mailbox = databases.0.stores().mailbox;
    let records = mailbox.records(None, 10).await.unwrap();
    assert_eq!(records.iter().map(|record| record.id).collect::<Vec<_>>(), [9, 7]);
    assert_eq!((records[0].attempts, records[0].changed_at), (3, make::at(2)));
    assert_eq!(mailbox.open(event, &records[0].mail).await, Ok(false), "it is known");
    let claimed = mailbox.claim(make::at(2), make::at(3), 10, 10).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.record.id).collect::<Vec<_>>(), [7, 9]);
    assert_eq!(mailbox.open(EventId::generate(), &records[0].mail).await, Ok(true));
    assert!(mailbox.records(None, 1).await.unwrap()[0].id > 9);
    assert_eq!(databases.0.stores().imports.rows(import).await, Ok(vec![]));
    let payments = databases.0.stores().payments;
    let received_at = make::at(1) + SignedDuration::from_micros(7);
    let report = StoredReport { id: "evt_1".into(), body: b"{}\xff".to_vec(), received_at, attempts: 2 };
    assert_eq!(payments.due_reports(make::at(2), 10).await.unwrap(), [report]);
    payments.report_done("evt_1", "applied").await.unwrap();
    assert_eq!(payments.forget_reports(make::at(2) + SignedDuration::from_hours(24 * 91), 10).await, Ok(2));
    let page = serde_json::json!({ "$set": [1, null] });
    assert_eq!(payments.get_sandbox("order_1").await, Ok(Some(page)));
}

/// Webhooks and deliveries as they were stored before, with fields beside the body or without it, and several nodes
/// that start at once.
#[actix_rt::test]
async fn webhooks_of_an_earlier_version_continue_and_disabled_ones_stay_disabled() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let options = || {
        let mut options = MongoOptions::new(SecretString::from(uri.clone()), prefix.clone());
        options.deadline = std::time::Duration::from_secs(20);
        options
    };
    let database = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}notification"));
    let (owner, at) = (UserId::generate(), make::at(1).as_microsecond() + 7);
    let oid = |id: [u8; 12]| ObjectId::from_bytes(id);
    let endpoints = database.collection::<Document>("webhook_endpoints");
    let unique = mongodb::options::IndexOptions::builder().name("unique_place".to_owned()).unique(true).build();
    let keys = doc! { "owner": 1, "slot": 1 };
    endpoints.create_index(mongodb::IndexModel::builder().keys(keys).options(unique).build()).await.unwrap();
    let mut webhooks = vec![];
    for (slot, off) in [(0_i64, None), (2, Some(doc! { "reason": "by me", "at": at }))] {
        let id = WebhookId::generate();
        let body = doc! {
            "id": id.to_hex(), "owner": owner.to_hex(), "role": "seller", "url": "https://a.example",
            "events": ["order.*"], "description": null, "secret": "s", "oldSecret": null,
            "createdAt": "2025-06-01T00:00:00Z", "updatedAt": "2025-06-01T00:00:00Z",
        };
        let row = doc! {
            "_id": oid(id.bytes()), "owner": oid(owner.bytes()), "role": "seller", "slot": slot, "failures": 3_i64,
            "off": off, "version": 7_i64, "doc": body,
        };
        endpoints.insert_one(row).await.unwrap();
        webhooks.push(id);
    }
    let mut ids = vec![];
    for (n, webhook, state, due, lease) in [
        (1_i64, webhooks[0], "waiting", Some(at), 0_i64),
        (2, webhooks[0], "waiting", Some(at), at + 9),
        (3, webhooks[0], "delivered", None, 0),
        (4, webhooks[1], "waiting", None, 0),
    ] {
        let id = WebhookDeliveryId::generate();
        let attempt =
            doc! { "at": "2025-06-01T00:00:00Z", "status": 500, "error": null, "response": "no", "millis": 3 };
        let row = doc! {
            "_id": oid(id.bytes()), "n": n, "webhook": oid(webhook.bytes()), "owner": oid(owner.bytes()),
            "event": oid(id.bytes()), "name": "order.created", "body": "{\"a\":[1]}", "createdAt": at - 5,
            "state": state, "dueAt": due, "lease": lease, "tries": 2_i64, "attempts": [attempt],
        };
        database.collection::<Document>("webhook_deliveries").insert_one(row).await.unwrap();
        ids.push(id);
    }
    let nodes = futures_util::future::join_all((0..3).map(|_| MongoStore::open(options()))).await;
    let databases: Vec<Databases> = nodes.into_iter().map(|node| Databases(node.unwrap())).collect();
    let stored = databases[0].0.stores().webhooks;
    let at = Timestamp::from_microsecond(at).unwrap();
    let found = stored.get(webhooks[1]).await.unwrap().unwrap();
    assert_eq!((found.version, found.consecutive_failures, found.off.clone().map(|off| off.at)), (7, 3, Some(at)));
    assert_eq!(stored.stats().await, Ok(WebhookStats { active: 1, off: 1, waiting: 3 }));
    let limits = ClaimLimits { all: 9, per_webhook: 9, per_owner: 9 };
    let claim = async || {
        let claimed = stored.claim(at, at + SignedDuration::from_secs(1), limits).await.unwrap();
        claimed.into_iter().map(|claimed| claimed.delivery).collect::<Vec<_>>()
    };
    let claimed = claim().await;
    assert_eq!(claimed.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [ids[0]], "another is being sent");
    assert_eq!((claimed[0].tries, claimed[0].attempts.len(), claimed[0].body.as_str()), (2, 1, "{\"a\":[1]}"));
    let log = stored.deliveries(webhooks[1], 0, 9).await.unwrap();
    assert_eq!((log.total, log.rows[0].next_try_at), (1, None));
    assert_eq!(stored.save(&Webhook { off: None, ..found.clone() }).await, Ok(8));
    assert_eq!(claim().await.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [ids[3]], "it is on again");
    for (at_most, is_made) in [(3, true), (3, false)] {
        let another = Webhook { id: WebhookId::generate(), ..found.clone() };
        assert_eq!(stored.insert(&another, at_most).await, Ok(is_made), "one place was free");
    }
    assert_eq!(endpoints.count_documents(doc! { "slot": { "$exists": true } }).await.unwrap(), 0, "no field of before");
}

/// Parked messages whose body was only the event, and several nodes that start at once.
#[actix_rt::test]
async fn parked_messages_of_an_earlier_version_keep_their_numbers() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let options = || {
        let mut options = MongoOptions::new(SecretString::from(uri.clone()), prefix.clone());
        options.deadline = std::time::Duration::from_secs(20);
        options
    };
    let database = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}notification"));
    let rows = database.collection::<Document>("parked");
    let (envelope, at) = (make::event(1), make::at(9).as_microsecond() + 7);
    let body = bson::serialize_to_bson(&serde_json::to_value(&envelope).unwrap()).unwrap();
    for (n, state, retry_at) in [(7_i64, "retry", Some(at)), (8, "dead", None)] {
        let name = format!("{}:Q:{state}", envelope.id);
        let row = doc! {
            "_id": name, "n": n, "queue": "Q", "attempts": 5_i64, "retryAt": retry_at, "reason": "no", "doc": &body,
        };
        rows.insert_one(row).await.unwrap();
    }
    let nodes = futures_util::future::join_all((0..3).map(|_| MongoStore::open(options()))).await;
    let databases: Vec<Databases> = nodes.into_iter().map(|node| Databases(node.unwrap())).collect();
    let outbox = databases[0].0.stores().outbox;
    let (queue, reason, at) = ("Q".to_owned(), "no".to_owned(), Timestamp::from_microsecond(at).unwrap());
    let dead = Parked { id: 8, queue, envelope, attempts: 5, retry_at: None, reason };
    assert_eq!(outbox.dead(0, 9).await, Ok(vec![dead.clone()]));
    let waiting = Parked { id: 7, retry_at: Some(at), ..dead.clone() };
    assert_eq!(outbox.retry_due(at, 9).await, Ok(vec![waiting.clone()]));
    outbox.settle(&[], &[waiting, dead]).await.unwrap();
    assert_eq!((outbox.revive(&[7, 8], at).await, outbox.dead(0, 9).await), (Ok(1), Ok(vec![])), "they are known");
    assert_eq!(rows.count_documents(doc! { "n": { "$exists": true } }).await.unwrap(), 0, "no field of before");
}

/// Orders and idempotency keys as earlier versions stored them, and several nodes that start at once.
#[actix_rt::test]
async fn orders_of_an_earlier_version_keep_their_idempotency_keys() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let options = || {
        let mut options = MongoOptions::new(SecretString::from(uri.clone()), prefix.clone());
        options.deadline = std::time::Duration::from_secs(20);
        options
    };
    let database = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}order"));
    let (user, now) = (UserId::generate(), Timestamp::now());
    let mut orders: Vec<Order> = vec![];
    for (cart_version, key) in [(1_u32, Some(3_600)), (2, Some(-1)), (3, None)] {
        let order = make::order(user, cart_version.into());
        let (id, of_user) = (ObjectId::from_bytes(order.id.bytes()), ObjectId::from_bytes(user.bytes()));
        let doc = bson::serialize_to_bson(&serde_json::to_value(&order).unwrap()).unwrap();
        let stored = doc! {
            "_id": id, "version": 4_i64, "user": of_user, "cartVersion": i64::from(cart_version),
            "status": "PENDING", "dueAt": 1_i64, "doc": doc, "outbox": [],
        };
        database.collection("orders").insert_one(stored).await.unwrap();
        if let Some(seconds) = key {
            let key = format!("key {cart_version}");
            let stored = doc! {
                "_id": format!("{user}:{key}"), "order": id, "key": key, "requestHash": "hash",
                "expiresAt": (now + SignedDuration::from_secs(seconds)).as_microsecond(), "madeAt": 1_i64,
            };
            database.collection("idempotency_keys").insert_one(stored).await.unwrap();
        }
        orders.push(Order { version: 4, ..order });
    }
    let nodes = futures_util::future::join_all((0..3).map(|_| MongoStore::open(options()))).await;
    let databases: Vec<Databases> = nodes.into_iter().map(|node| Databases(node.unwrap())).collect();
    let stores = databases[0].0.stores();
    assert_eq!(stores.orders.all(None, 10).await.unwrap(), orders);
    let known = stores.orders.by_key(user, "key 1", now).await.unwrap().unwrap();
    assert_eq!((known.order, known.request_hash.as_str()), (orders[0].id, "hash"));
    assert_eq!(known.expires_at.as_microsecond(), (now + SignedDuration::from_secs(3_600)).as_microsecond());
    assert_eq!(stores.orders.by_key(user, "key 2", make::at(0)).await, Ok(None), "it had expired");
    let next = make::order(user, 4);
    assert_eq!(stores.orders.insert_within(&next, None, Some(3), &[]).await, Err(InsertError::Full));
    assert_eq!(stores.orders.insert_within(&next, None, Some(4), &[]).await, Ok(1));
    assert_eq!(stores.orders.save(&orders[0], &[]).await, Ok(5));
    assert_eq!(stores.orders.by_key(user, "key 1", now).await, Ok(Some(known)));
    let left = database.list_collection_names().await.unwrap();
    assert!(!left.iter().any(|name| name == "idempotency_keys"), "{left:?}");
}

#[tokio::test]
async fn a_node_of_an_older_layout_does_not_start_and_one_that_runs_stops() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let options = || MongoOptions::new(SecretString::from(uri.clone()), prefix.clone());
    let store = MongoStore::open(options()).await.unwrap();
    let (carts, user) = (store.stores().carts, microbazaar::domain::ids::UserId::generate());
    assert_eq!(carts.of_user(user).await, Ok(None));
    let client = Client::with_uri_str(&uri).await.unwrap();
    let notes = client.database(&format!("{prefix}auth")).collection::<Document>("upgrades");
    let newer = doc! { "$set": { "number": 1_000_000_i64 } };
    assert_eq!(notes.update_one(doc! { "_id": "layout" }, newer).await.unwrap().matched_count, 1);

    let refused = MongoStore::open(options()).await.err().unwrap().to_string();
    assert!(refused.contains("use a newer program"), "{refused}");
    let started = std::time::Instant::now();
    while carts.of_user(user).await.is_ok() {
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "it continues");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let refused = carts.of_user(user).await.unwrap_err().to_string();
    assert!(refused.contains("use a newer program"), "{refused}");
    for name in client.list_database_names().await.unwrap().into_iter().filter(|name| name.starts_with(&prefix)) {
        client.database(&name).drop().await.unwrap();
    }
}

/// An order, and its document on the server.
struct Waiting {
    databases: Databases,
    orders: mongodb::Collection<Document>,
    order: Order,
}

impl Waiting {
    async fn new() -> Option<Self> {
        let uri = servers::mongo()?;
        let prefix = format!("test_{}_", EventId::generate());
        let orders = Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}order")).collection("orders");
        let databases = Databases(MongoStore::open(MongoOptions::new(SecretString::from(uri), prefix)).await.unwrap());
        let mut order = make::order(UserId::generate(), 1);
        order.version = databases.0.stores().orders.insert(&order, None, &[]).await.unwrap();
        Some(Self { databases, orders, order })
    }

    async fn save(&mut self, event: Event) -> EventId {
        let event = Envelope::new(event, make::at(0));
        let id = event.id;
        self.order.version = self.databases.0.stores().orders.save(&self.order, &[event]).await.unwrap();
        id
    }

    async fn carried(&self) -> Vec<bson::Bson> {
        let this = doc! { "_id": ObjectId::from_bytes(self.order.id.bytes()) };
        self.orders.find_one(this).await.unwrap().unwrap().get_array("outbox").unwrap().clone()
    }

    async fn moved(&self) -> Vec<Document> {
        use futures_util::TryStreamExt;
        let moved = doc! { "_id": { "$gt": "events", "$lt": "f" } };
        self.orders.find(moved).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap()
    }

    async fn published(&self) -> Vec<EventId> {
        let waiting = self.databases.0.stores().outbox.waiting(0, 1_000).await.unwrap();
        waiting.into_iter().map(|(_, envelope)| envelope.id).collect()
    }
}

#[tokio::test]
async fn a_document_has_a_bounded_number_of_waiting_events() {
    let Some(mut waiting) = Waiting::new().await else { return };
    let mut written = vec![];
    for _ in 0..200 {
        let event = Event::OrderShipped(waiting.order.clone());
        written.push(waiting.save(event).await);
        assert!(waiting.carried().await.len() <= 64);
    }
    let moved = waiting.moved().await;
    assert_eq!((moved.len(), waiting.published().await), (3, written.clone()));
    assert_eq!(waiting.databases.0.stores().orders.all(None, 10).await.unwrap(), [waiting.order.clone()]);

    // After a failure between a move and its trim: the event that was moved last is in both.
    let mut both = moved[2].get_array("outbox").unwrap().clone();
    both.extend(waiting.carried().await);
    let this = doc! { "_id": ObjectId::from_bytes(waiting.order.id.bytes()) };
    waiting.orders.update_one(this, doc! { "$set": { "outbox": both } }).await.unwrap();
    assert_eq!(waiting.published().await, written, "once each");
    for _ in 0..70 {
        let event = Event::OrderShipped(waiting.order.clone());
        written.push(waiting.save(event).await);
        assert!(waiting.carried().await.len() <= 64);
    }
    assert_eq!(waiting.published().await, written);

    let outbox = waiting.databases.0.stores().outbox;
    for portion in outbox.waiting(0, 1_000).await.unwrap().chunks(100) {
        assert_eq!(outbox.waiting(0, 1_000).await.unwrap()[..portion.len()], *portion);
        let numbers: Vec<u64> = portion.iter().map(|(number, _)| *number).collect();
        outbox.settle(&numbers, &[]).await.unwrap();
    }
    assert_eq!((outbox.depth().await, waiting.moved().await, waiting.carried().await), (Ok(0), vec![], vec![]));
}

#[tokio::test]
async fn a_waiting_update_is_replaced_by_a_later_one() {
    let Some(mut waiting) = Waiting::new().await else { return };
    let (mut shipped, mut updated) = (vec![], vec![]);
    for at in 0..200 {
        let order = waiting.order.clone();
        if at % 20 == 0 {
            shipped.push(waiting.save(Event::OrderShipped(order)).await);
        } else {
            updated.push(waiting.save(Event::OrderUpdated(order)).await);
        }
        assert!(waiting.carried().await.len() <= 64);
    }
    assert_eq!(waiting.moved().await, [], "there is room without");
    let published = waiting.published().await;
    assert_eq!(published.iter().filter(|id| shipped.contains(id)).copied().collect::<Vec<_>>(), shipped);
    let left: Vec<_> = published.iter().filter(|id| updated.contains(id)).copied().collect();
    assert!(!left.is_empty() && updated.ends_with(&left), "the last ones: {left:?} of {updated:?}");
}

/// Also for a collection whose changes are numbered by a separate task.
#[tokio::test]
async fn a_batch_that_panics_is_answered_and_so_is_the_next_one() {
    let Some(uri) = servers::mongo() else { return };
    let panics = Arc::new(AtomicUsize::new(0));
    let mut options = MongoOptions::new(SecretString::from(uri), format!("test_{}_", EventId::generate()));
    options.deadline = std::time::Duration::from_secs(20);
    let left = Arc::clone(&panics);
    options.fault = Some(Arc::new(move || {
        let one_less = |left: usize| left.checked_sub(1);
        assert!(left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err(), "a fault, on purpose");
    }));
    let databases = Databases(MongoStore::open(options).await.unwrap());
    let stores = databases.0.stores();
    for many in 1..4 {
        panics.store(many, Ordering::SeqCst);
        for _ in 0..many {
            assert_eq!(stores.carts.save(&make::cart(UserId::generate())).await, Err(StoreError::Deadline));
        }
        assert_eq!(stores.carts.save(&make::cart(UserId::generate())).await, Ok(1));
        panics.store(many, Ordering::SeqCst);
        let product = make::product(UserId::generate(), "Lamp");
        for _ in 0..many {
            assert_eq!(stores.products.save(&product, &[]).await, Err(StoreError::Deadline));
        }
        assert_eq!(stores.products.save(&product, &[]).await, Ok(1));
    }
}

#[tokio::test]
async fn a_server_that_accepts_no_writes_is_reported() {
    let Some(uri) = servers::mongo() else { return };
    let prefix = format!("test_{}_", EventId::generate());
    let store = MongoStore::open(MongoOptions::new(SecretString::from(uri.clone()), prefix.clone())).await.unwrap();
    let databases = Databases(store.clone());
    let database = mongodb::Client::with_uri_str(&uri).await.unwrap().database(&format!("{prefix}auth"));
    let checks = database.collection::<bson::Document>("write_checks");
    assert_eq!(store.check().await, Ok(()));
    assert_eq!(checks.count_documents(bson::doc! {}).await.unwrap(), 1, "a check is a write");
    // A document that no update can change simulates a server that accepts no writes.
    let refused = bson::doc! { "$set": { "at": 1 } };
    checks.drop().await.unwrap();
    let never = bson::doc! { "never": { "$exists": true } };
    database.create_collection("write_checks").validator(never).await.unwrap();
    assert!(checks.update_one(bson::doc! { "_id": "all" }, refused).upsert(true).await.is_err(), "it is refused");
    let started = std::time::Instant::now();
    while store.check().await.is_ok() {
        assert!(started.elapsed() < std::time::Duration::from_secs(4), "it is reported in time");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    checks.drop().await.unwrap();
    assert_eq!(store.check().await, Ok(()), "and so is its end");
    drop(databases);
}
