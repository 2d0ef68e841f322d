//! Tests of what only this adapter has: grouped commits, threads that survive panics, bounded waits, and a file that
//! is backed up, reopened and checked.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::join_all;
use jiff::SignedDuration;
use parking_lot::{Condvar, Mutex};

use super::{SqliteOptions, SqliteStore, StoreError, codec};
use crate::{
    domain::{
        Timestamp,
        cart::Cart,
        event::{Envelope, Event},
        identity::email_key,
        ids::{CartId, EventId, ImageId, OrderId, ProductId, RefundId, UserId, WebhookDeliveryId, WebhookId},
        import::{ChangedRow, Import, ImportRow, RowChange, Tally},
        inventory::StockLine,
        money::{Currency, Money},
        order::{NewOrder, Order, OrderItem, Pricing, Shipment},
        payment::Payment,
        product::ProductPatch,
        user::{Contact, FullName, Role, User},
        webhook::Webhook,
    },
    store::{
        StoredReport, Stores,
        accounts::block_key,
        dashboard::Range,
        images::{HostedFile, ImageRecord},
        mailbox::MailState,
        orders::InsertError,
        outbox::Parked,
        webhooks::{ClaimLimits, Claimed, WebhookStats},
    },
};

/// A directory that is deleted after the test.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("microbazaar-store-{}", EventId::generate()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn open(&self, options: SqliteOptions) -> SqliteStore {
        SqliteStore::open(&self.0, options).unwrap()
    }

    /// An empty data file of an older program.
    fn of_schema(&self, version: usize) -> rusqlite::Connection {
        let file = rusqlite::Connection::open(self.0.join(super::connection::FILE)).unwrap();
        for step in &super::schema::STEPS[..version] {
            file.execute_batch(step).unwrap();
        }
        file.execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
        file
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Blocks the writer before its next group until it is opened.
#[derive(Default)]
struct Gate {
    state: Mutex<(bool, u32)>,
    changed: Condvar,
}

impl Gate {
    fn options(self: &Arc<Self>) -> SqliteOptions {
        let gate = Arc::clone(self);
        SqliteOptions { stall: Some(Arc::new(move || gate.pass())), ..SqliteOptions::default() }
    }

    fn pass(&self) {
        let mut state = self.state.lock();
        state.1 += 1;
        self.changed.notify_all();
        while !state.0 {
            assert!(!self.changed.wait_for(&mut state, Duration::from_secs(30)).timed_out(), "nobody opened the gate");
        }
    }

    /// Waits until the writer is blocked at the gate.
    fn await_writer(&self) {
        let mut state = self.state.lock();
        while state.1 == 0 {
            assert!(!self.changed.wait_for(&mut state, Duration::from_secs(5)).timed_out(), "the writer never came");
        }
    }

    fn open(&self) {
        self.state.lock().0 = true;
        self.changed.notify_all();
    }
}

fn cart() -> Cart {
    Cart::empty(CartId::generate(), UserId::generate(), Timestamp::UNIX_EPOCH)
}

async fn is_kept(stores: &Stores, cart: &Cart) -> bool {
    stores.carts.of_user(cart.user).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_and_a_panicking_write_do_not_undo_others() {
    let (dir, gate) = (TempDir::new(), Arc::new(Gate::default()));
    let store = dir.open(gate.options());
    let stores = store.stores();
    let carts: Vec<_> = (0..6).map(|_| cart()).collect();
    let put = |user: UserId, then: fn() -> Result<(), StoreError>| {
        store.engine.write(move |writing| {
            let sql = "INSERT INTO doc_carts (id, version, doc, k_user) VALUES (?1, 1, x'', ?1)";
            codec::execute(writing, sql, [user.as_slice()])?;
            writing.publish(&[b"{}".to_vec()])?;
            then()
        })
    };
    let (refused, panicking) = (UserId::generate(), UserId::generate());
    let (first, refusal, panic, second, ()) = tokio::join!(
        join_all(carts[..3].iter().map(|cart| stores.carts.save(cart))),
        put(refused, || Err(StoreError::Conflict)),
        put(panicking, || panic!("a fault, on purpose")),
        join_all(carts[3..].iter().map(|cart| stores.carts.save(cart))),
        async { gate.open() },
    );
    assert_eq!((first, second), (vec![Ok(1); 3], vec![Ok(1); 3]));
    assert_eq!(refusal, Err(StoreError::Conflict));
    assert!(matches!(panic, Err(StoreError::Unavailable(_))), "{panic:?}");
    for cart in &carts {
        assert!(is_kept(&stores, cart).await);
    }
    for user in [refused, panicking] {
        assert_eq!(stores.carts.of_user(user).await, Ok(None));
    }
    assert_eq!(stores.outbox.depth().await, Ok(0));
    assert_eq!(stores.carts.save(&cart()).await, Ok(1), "the writer lives on");
}

#[tokio::test]
async fn a_lost_transaction_is_reported_to_all_its_writers() {
    let (dir, gate) = (TempDir::new(), Arc::new(Gate::default()));
    let store = dir.open(gate.options());
    let stores = store.stores();
    let (good, later) = (cart(), cart());
    let lose = store.engine.write(|writing| Ok::<_, StoreError>(writing.execute_batch("ROLLBACK")?));
    let (first, lost, second, ()) =
        tokio::join!(stores.carts.save(&good), lose, stores.carts.save(&later), async { gate.open() });
    for outcome in [first.map(|_| ()), lost, second.map(|_| ())] {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    }
    assert!(!is_kept(&stores, &good).await && !is_kept(&stores, &later).await);
    assert_eq!(stores.carts.save(&good).await, Ok(1), "the next group is a new transaction");
}

#[tokio::test]
async fn a_read_that_panics_harms_no_other() {
    let dir = TempDir::new();
    let store = dir.open(SqliteOptions { readers: 1, ..SqliteOptions::default() });
    let panicked: Result<(), _> = store.engine.read_snapshot(|_| panic!("a fault, on purpose")).await;
    assert!(matches!(panicked, Err(StoreError::Unavailable(_))), "{panicked:?}");
    assert_eq!(store.check().await, Ok(()));
    let cart = cart();
    store.stores().carts.save(&cart).await.unwrap();
    assert!(is_kept(&store.stores(), &cart).await, "no old snapshot is left open");
}

#[tokio::test]
async fn a_stalled_writer_answers_deadline_and_reads_go_on() {
    let (dir, gate) = (TempDir::new(), Arc::new(Gate::default()));
    let store = dir.open(SqliteOptions { deadline: Duration::from_millis(50), ..gate.options() });
    let stores = store.stores();
    let cart = cart();
    assert_eq!(stores.carts.save(&cart).await, Err(StoreError::Deadline));
    assert!(!is_kept(&stores, &cart).await);
    gate.open();
    let again = || async { stores.carts.save(&cart).await };
    let saved = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            match again().await {
                Err(StoreError::Deadline) => {}
                other => break other,
            }
        }
    });
    let saved = saved.await.expect("the writer came back");
    assert!(matches!(saved, Ok(1) | Err(StoreError::Conflict)), "whether the first was written is unknown: {saved:?}");
}

#[tokio::test]
async fn a_full_queue_answers_busy() {
    let (dir, gate) = (TempDir::new(), Arc::new(Gate::default()));
    let store = dir.open(SqliteOptions { queue: 4, ..gate.options() });
    let stores = store.stores();
    let held = cart();
    let held = stores.carts.save(&held);
    let others: Vec<_> = (0..10).map(|_| cart()).collect();
    let others = async {
        gate.await_writer();
        let flood = join_all(others.iter().map(|cart| stores.carts.save(cart)));
        tokio::join!(flood, async { gate.open() }).0
    };
    let (held, flood) = tokio::join!(held, others);
    assert_eq!(held, Ok(1));
    assert_eq!(flood.iter().filter(|outcome| **outcome == Ok(1)).count(), 4);
    assert_eq!(flood.iter().filter(|outcome| **outcome == Err(StoreError::Busy)).count(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_answers_what_waits_and_reopening_finds_it() {
    let (dir, gate) = (TempDir::new(), Arc::new(Gate::default()));
    let store = dir.open(gate.options());
    let stores = store.stores();
    let carts: Vec<_> = (0..700).map(|_| cart()).collect();
    let close = async {
        gate.await_writer();
        let closing = store.clone();
        let closing = tokio::task::spawn_blocking(move || closing.close());
        gate.open();
        closing.await.unwrap()
    };
    let (saved, closed) = tokio::join!(join_all(carts.iter().map(|cart| stores.carts.save(cart))), close);
    assert_eq!(closed, Ok(()));
    assert!(saved.iter().all(|saved| *saved == Ok(1)), "what was taken on is answered");
    assert!(matches!(stores.carts.save(&cart()).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(stores.carts.of_user(carts[0].user).await, Err(StoreError::Unavailable(_))));
    assert!(!dir.0.join("microbazaar.db-wal").exists(), "the log is folded into the file");

    let reopened = dir.open(SqliteOptions::default());
    for cart in &carts {
        assert!(is_kept(&reopened.stores(), cart).await);
    }
    drop(reopened);
    assert!(is_kept(&dir.open(SqliteOptions::default()).stores(), &carts[0]).await, "dropping closes too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_writing_is_whole() {
    let (dir, other) = (TempDir::new(), TempDir::new());
    let store = dir.open(SqliteOptions::default());
    let stores = store.stores();
    let before = cart();
    stores.carts.save(&before).await.unwrap();
    let product = ProductId::generate();
    stores.stock.set_available(&[(product, 1_000_000)]).await.unwrap();
    let (from, file) = (dir.0.clone(), other.0.join("microbazaar.db"));
    let to = file.clone();
    let copying = tokio::task::spawn_blocking(move || SqliteStore::backup(&from, &to));
    while !copying.is_finished() {
        let lines = [StockLine { product, quantity: 1 }];
        stores.stock.reserve(OrderId::generate(), &lines, Timestamp::MAX).await.unwrap();
    }
    assert_eq!(copying.await.unwrap(), Ok(()));
    let copy = other.open(SqliteOptions::default());
    assert_eq!(copy.integrity_check().await, Ok(()));
    assert!(is_kept(&copy.stores(), &before).await);
    let reserved = copy.stores().stock.get(product).await.unwrap().unwrap().reserved;
    let sql = "SELECT count(*) FROM reservations";
    let held = copy.engine.read(move |connection| codec::count(connection, sql, [])).await.unwrap();
    assert_eq!(u64::try_from(reserved).unwrap(), held, "stock and reservations are of one moment");
    let again = SqliteStore::backup(&dir.0, &file).unwrap_err();
    assert!(again.to_string().contains("exists and is not overwritten"), "{again}");
    assert!(is_kept(&copy.stores(), &before).await, "the file that was there is untouched");
}

#[test]
fn a_damaged_or_foreign_file_is_refused_in_one_sentence() {
    let dir = TempDir::new();
    let file = dir.0.join("microbazaar.db");
    std::fs::write(&file, "this is no database, it is a letter to the reader\n".repeat(200)).unwrap();
    let Err(StoreError::Corrupt(sentence)) = SqliteStore::open(&dir.0, SqliteOptions::default()) else {
        panic!("opened")
    };
    assert!(sentence.contains("microbazaar.db is damaged") && sentence.contains("restore it"), "{sentence}");
    assert!(!sentence.contains('\n'), "{sentence}");
}

#[tokio::test]
async fn a_file_with_a_torn_page_is_refused() {
    let dir = TempDir::new();
    let store = dir.open(SqliteOptions::default());
    let carts: Vec<_> = (0..300).map(|_| cart()).collect();
    let stores = store.stores();
    join_all(carts.iter().map(|cart| stores.carts.save(cart))).await;
    store.close().unwrap();
    let file = dir.0.join("microbazaar.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let tail = bytes.len() - 12 * 4_096;
    bytes[tail..].fill(0xA5);
    std::fs::write(&file, bytes).unwrap();
    let opened = SqliteStore::open(&dir.0, SqliteOptions::default());
    assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{:?}", opened.err());
}

#[test]
fn a_file_of_a_newer_program_is_refused() {
    let dir = TempDir::new();
    dir.open(SqliteOptions::default()).close().unwrap();
    let connection = rusqlite::Connection::open(dir.0.join("microbazaar.db")).unwrap();
    connection.execute_batch("PRAGMA user_version = 999").unwrap();
    drop(connection);
    let Err(error) = SqliteStore::open(&dir.0, SqliteOptions::default()) else { panic!("opened") };
    assert!(error.to_string().contains("use a newer program"), "{error}");
}

#[tokio::test]
async fn stock_events_are_kept_when_they_are_wanted() {
    for (wanted, events) in [(true, 3), (false, 0)] {
        let dir = TempDir::new();
        let keep_event = Arc::new(move |name: &'static str| wanted && name == "STOCK_CHANGED");
        let store = dir.open(SqliteOptions { keep_event, ..SqliteOptions::default() });
        let (stores, product, order) = (store.stores(), ProductId::generate(), OrderId::generate());
        stores.stock.set_available(&[(product, 5)]).await.unwrap();
        stores.stock.reserve(order, &[StockLine { product, quantity: 1 }], Timestamp::MAX).await.unwrap();
        stores.stock.release(order, None).await.unwrap();
        stores.stock.release(order, None).await.unwrap();
        assert_eq!(stores.outbox.depth().await, Ok(events));
    }
}

#[tokio::test]
async fn a_file_of_the_first_schema_keeps_its_mails() {
    let dir = TempDir::new();
    let file = dir.0.join("microbazaar.db");
    let old = rusqlite::Connection::open(&file).unwrap();
    old.execute_batch(include_str!("schema.sql")).unwrap();
    let doc = r#"{"to":"a@x.com","subject":"Old","text":"t","html":"h","at":"2026-01-02T03:04:05Z"}"#;
    let row = (EventId::generate().as_slice().to_vec(), "a@x.com", doc.as_bytes());
    old.execute("INSERT INTO mails (event, recipient, doc) VALUES (?1, ?2, ?3)", row).unwrap();
    old.execute_batch("PRAGMA user_version = 1").unwrap();
    drop(old);
    let beside = SqliteStore::open_beside(&dir.0).map(|_| ()).unwrap_err();
    assert!(beside.to_string().contains("use the program that serves it"), "{beside}");

    let before = Timestamp::now();
    let store = dir.open(SqliteOptions::default());
    let records = store.stores().mailbox.records(None, 10).await.unwrap();
    assert_eq!((records[0].state, records[0].mail.subject.as_str()), (MailState::Kept, "Old"));
    assert!(records[0].changed_at.as_second() >= before.as_second(), "its age is counted from now");
    assert_eq!(store.stores().mailbox.forget(before, before, 10).await, Ok(0));
}

#[tokio::test]
async fn a_file_of_an_older_schema_knows_what_is_to_be_shipped() {
    let dir = TempDir::new();
    let old = dir.of_schema(6);
    let (mira, ravi) = (UserId::generate(), UserId::generate());
    let mut orders = vec![];
    for (at, status) in [(1_i64, "CONFIRMED"), (2, "PENDING"), (3, "CONFIRMED")] {
        let id = OrderId::generate();
        orders.push(id);
        let doc = r#"{"items":[{"shipment":"waiting"},{"shipment":"shipped"}]}"#.as_bytes();
        let row = (id.as_slice(), status, at, doc);
        old.execute("INSERT INTO dashboard_orders VALUES (?1, 1, ?2, ?3, ?4)", row).unwrap();
        for (line, seller) in [(0_i64, mira), (1, ravi)] {
            let sql = "INSERT INTO dashboard_lines VALUES (?1, ?2, ?3, ?4, ?5, 1, ?3, 'A book', 1, 100, 'INR')";
            old.execute(sql, (id.as_slice(), line, seller.as_slice(), at, status)).unwrap();
        }
    }
    drop(old);
    let stores = dir.open(SqliteOptions::default()).stores();
    let page = stores.dashboard.to_ship(mira, 0, 10).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [orders[0], orders[2]]);
    assert_eq!(stores.dashboard.to_ship(ravi, 0, 10).await.unwrap().total, 0, "his lines are on their way");
    assert_eq!(stores.dashboard.metrics(mira, Range::default()).await.unwrap().sales, 3);
}

#[tokio::test]
async fn a_file_of_an_older_schema_keeps_its_payments_reports_and_books() {
    let dir = TempDir::new();
    let (now, price) = (Timestamp::from_second(1_750_000_000).unwrap(), Money::new(1_000, Currency::Inr));
    let user = UserId::generate();
    let contact = || Contact { user, email: "a@x.com".into(), username: "a".into(), full_name: FullName::default() };
    let mut payments = ["order_1", "order_2"].map(|id| {
        let mut payment = Payment::open(OrderId::generate(), contact(), id.into(), price, now);
        payment.capture("pay_1", price, now);
        payment.settle(now);
        payment
    });
    let refund = RefundId::generate();
    payments[1].start_refund(refund, None, None, None, now).unwrap();
    payments[1].refund_taken(refund, "rfnd_1", now);
    payments[1].refund_noted(refund);
    payments[1].due_at = None;
    let old = dir.of_schema(10);
    for payment in &payments {
        let (id, doc) = (payment.id.as_slice(), serde_json::to_vec(payment).unwrap());
        let sql = "INSERT INTO payments (id, order_id, razorpay_order_id, version, doc, payment_id)
                   VALUES (?1, ?2, ?3, 3, ?4, 'pay_1')";
        old.execute(sql, (id, payment.order.as_slice(), &payment.razorpay_order_id, doc)).unwrap();
    }
    old.execute_batch(
        r#"INSERT INTO webhooks (event_id, seen_at, body, attempts, due_at) VALUES ('evt_1', 1750000000000007, x'7B7DFF', 2, 1750000001000000);
           INSERT INTO webhooks (event_id, seen_at, body, outcome) VALUES ('evt_2', 1750000000000000, x'7B7D', 'applied');
           INSERT INTO webhooks (event_id, seen_at) VALUES ('evt_3', 1750000000000000);
           INSERT INTO sandbox VALUES ('order_1', CAST('{"$set":[1,null,"ä"]}' AS BLOB));"#,
    )
    .unwrap();
    drop(old);
    let stores = dir.open(SqliteOptions::default()).stores();
    let found = stores.payments.of_order(payments[0].order).await.unwrap();
    assert_eq!(found, Some(Payment { version: 3, ..payments[0].clone() }));
    assert_eq!(stores.payments.by_razorpay_order("order_1").await.unwrap(), found);
    assert!(stores.payments.by_gateway_payment("pay_1").await.unwrap().is_some());
    assert_eq!(stores.payments.due(Timestamp::now(), 10).await.unwrap(), [payments[1].id], "its order hears of it");
    let due = stores.payments.due_reports(now + SignedDuration::from_secs(1), 10).await.unwrap();
    let received_at = now + SignedDuration::from_micros(7);
    assert_eq!(due, [StoredReport { id: "evt_1".into(), body: b"{}\xff".to_vec(), received_at, attempts: 2 }]);
    let later = now + SignedDuration::from_hours(24 * 91);
    assert_eq!(stores.payments.forget_reports(later, 10).await, Ok(2));
    let page = serde_json::json!({ "$set": [1, null, "\u{e4}"] });
    assert_eq!(stores.payments.get_sandbox("order_1").await, Ok(Some(page)));
}

#[tokio::test]
async fn a_file_of_an_older_schema_keeps_its_imports_and_their_rows() {
    let dir = TempDir::new();
    let (seller, at) = (UserId::generate(), Timestamp::from_second(1_750_000_000).unwrap());
    let imports = [(b"a", None), (b"b", Some(at))].map(|(digest, finished_at)| Import {
        id: Import::id_of(seller, digest),
        seller,
        digest: hex::encode(digest),
        name: "a.csv".into(),
        created_at: at,
        started_at: at,
        run: 3,
        rows: 1,
        done: 0,
        note: None,
        stock_set: vec![],
        attempts: 0,
        tally: Tally::default(),
        finished_at,
        due_at: at,
        version: 7,
    });
    let patch = ProductPatch { title: Some("\"x\" \u{1F4A1}".into()), ..ProductPatch::default() };
    let change = ChangedRow { product: ProductId::generate(), patch, stock: None, stock_seen: None };
    let row = ImportRow { line: 2, title: "x".into(), change: RowChange::Change(Box::new(change)) };
    let old = dir.of_schema(12);
    for one in &imports {
        let sql = "INSERT INTO imports (id, seller, started_at, version, doc) VALUES (?1, ?2, 1, 7, ?3)";
        old.execute(sql, (one.id.as_slice(), seller.as_slice(), serde_json::to_vec(one).unwrap())).unwrap();
    }
    let rows = serde_json::to_vec(&[&row]).unwrap();
    old.execute("INSERT INTO import_rows VALUES (?1, ?2)", (imports[0].id.as_slice(), rows)).unwrap();
    drop(old);
    let stores = dir.open(SqliteOptions::default()).stores();
    assert_eq!(stores.imports.due(at, 10).await.unwrap(), imports[..1]);
    assert_eq!(stores.imports.of_seller(seller, 10).await.unwrap().len(), 2);
    assert_eq!(stores.imports.rows(imports[0].id).await.unwrap(), [row]);
    let finished = Import { finished_at: Some(at), ..imports[0].clone() };
    assert_eq!(stores.imports.save(&finished, None, &[]).await, Ok(8));
    assert!(stores.imports.rows(imports[0].id).await.is_err(), "of this run");
}

#[tokio::test]
async fn a_file_of_an_older_schema_keeps_its_mails_and_their_numbers() {
    let dir = TempDir::new();
    let old = dir.of_schema(12);
    let (event, at) = (EventId::generate(), 1_750_000_000_000_007_i64);
    for (id, state, due_at, lease) in [(7, 1, Some(at), Some(at + 9)), (9, 3, None, None), (11, 1, Some(at), None)] {
        let to = format!("{id}@x.com");
        let doc = serde_json::json!({
            "to": to, "subject": "\u{e4} \"q\"", "text": "t", "html": "h", "at": "2026-01-02T03:04:05Z"
        });
        let sql = "INSERT INTO mails (id, event, recipient, doc, state, attempts, reason, changed_at, due_at, lease)
                   VALUES (?1, ?2, ?3, ?4, ?5, 2, '451', ?6, ?7, ?8)";
        let doc = serde_json::to_vec(&doc).unwrap();
        old.execute(sql, (id, event.as_slice(), to, doc, state, at, due_at, lease)).unwrap();
    }
    drop(old);
    let mailbox = dir.open(SqliteOptions::default()).stores().mailbox;
    let records = mailbox.records(None, 10).await.unwrap();
    assert_eq!(records.iter().map(|record| record.id).collect::<Vec<_>>(), [11, 9, 7]);
    let at = Timestamp::from_microsecond(at).unwrap();
    assert_eq!((records[1].state, records[1].attempts, records[1].changed_at), (MailState::Failed, 2, at));
    assert_eq!(records[1].mail.subject, "\u{e4} \"q\"");
    let claimed = mailbox.claim(at, at + SignedDuration::from_secs(1), 10, 10).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.record.id).collect::<Vec<_>>(), [11], "another is being sent");
    assert_eq!(mailbox.open(event, &records[0].mail).await, Ok(false), "it is known");
    assert_eq!(mailbox.open(EventId::generate(), &records[0].mail).await, Ok(true));
    assert!(mailbox.records(None, 1).await.unwrap()[0].id > 11);
}

#[tokio::test]
async fn a_file_of_an_older_schema_keeps_its_webhooks_and_what_is_on_its_way() {
    let dir = TempDir::new();
    let old = dir.of_schema(19);
    let (owner, at) = (UserId::generate(), 1_750_000_000_000_007_i64);
    let [on, off] = [("a", WebhookId::generate()), ("b", WebhookId::generate())].map(|(name, id)| {
        // As it was stored before, without the fields that were columns.
        let doc = serde_json::json!({
            "id": id, "owner": owner, "role": "seller", "url": format!("https://{name}.example"), "events": ["order.*"],
            "description": "\u{e4} \"q\"", "secret": "s", "oldSecret": null,
            "createdAt": "2025-06-01T00:00:00Z", "updatedAt": "2025-06-01T00:00:00Z",
        });
        let (reason, off_at) = (name == "b").then_some(("by me", at)).unzip();
        let sql = "INSERT INTO webhook_endpoints VALUES (?1, ?2, 'seller', 3, ?3, ?4, 7, ?5)";
        let doc = serde_json::to_vec(&doc).unwrap();
        old.execute(sql, (id.as_slice(), owner.as_slice(), reason, off_at, doc)).unwrap();
        id
    });
    let mut ids = vec![];
    for (webhook, state, due_at, lease) in
        [(on, 0, Some(at), None), (on, 0, Some(at), Some(at + 9)), (on, 1, None, None), (off, 0, None, None)]
    {
        ids.push(WebhookDeliveryId::generate());
        let sql = "INSERT INTO webhook_deliveries
                       (id, webhook, owner, event, name, created_at, state, due_at, lease, tries, attempts, body)
                   VALUES (?1, ?2, ?3, ?1, 'order.created', ?4, ?5, ?6, ?7, 2, ?8, '{\"a\":[1]}')";
        let attempts = br#"[{"at":"2025-06-01T00:00:00Z","status":500,"error":null,"response":"no","millis":3}]"#;
        let id = ids[ids.len() - 1];
        let row = (id.as_slice(), webhook.as_slice(), owner.as_slice(), at - 5, state, due_at, lease, attempts);
        old.execute(sql, row).unwrap();
    }
    drop(old);
    let webhooks = dir.open(SqliteOptions::default()).stores().webhooks;
    let at = Timestamp::from_microsecond(at).unwrap();
    let found = webhooks.get(off).await.unwrap().unwrap();
    assert_eq!((found.version, found.consecutive_failures, found.off.clone().map(|off| off.at)), (7, 3, Some(at)));
    assert_eq!(found.description.as_deref(), Some("\u{e4} \"q\""));
    assert_eq!(webhooks.stats().await, Ok(WebhookStats { active: 1, off: 1, waiting: 3 }));
    let limits = ClaimLimits { all: 9, per_webhook: 9, per_owner: 9 };
    let claimed = webhooks.claim(at, at + SignedDuration::from_secs(1), limits).await.unwrap();
    assert_eq!(
        claimed.iter().map(|claimed| claimed.delivery.id).collect::<Vec<_>>(),
        [ids[0]],
        "another is being sent"
    );
    let Claimed { delivery, .. } = &claimed[0];
    assert_eq!((delivery.tries, delivery.attempts.len(), delivery.body.as_str()), (2, 1, "{\"a\":[1]}"));
    assert_eq!(webhooks.deliveries(off, 0, 9).await.unwrap().rows[0].next_try_at, None);
    assert_eq!(webhooks.save(&Webhook { off: None, ..found }).await, Ok(8));
    let claimed = webhooks.claim(at, at + SignedDuration::from_secs(1), limits).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.delivery.id).collect::<Vec<_>>(), [ids[3]], "it is on again");
    let another = Webhook { id: WebhookId::generate(), ..claimed[0].webhook.clone() };
    assert_eq!(webhooks.insert(&another, 2).await, Ok(false), "their places are taken");
    assert_eq!(webhooks.insert(&another, 3).await, Ok(true));
}

#[tokio::test]
async fn a_file_of_an_older_schema_keeps_its_parked_messages_and_their_numbers() {
    let dir = TempDir::new();
    let old = dir.of_schema(19);
    let (at, reason) = (1_750_000_000_000_007_i64, "\u{e4} \"q\"");
    let product = Event::ProductDeleted { product: ProductId::generate(), seller: UserId::generate() };
    let envelope = Envelope::new(product, Timestamp::now());
    // One message may have been parked twice.
    for (id, retry_at) in [(3, Some(at)), (4, None), (5, None), (9, Some(at + 1))] {
        let sql = "INSERT INTO parked VALUES (?1, 'Q', 5, ?2, ?3, ?4)";
        old.execute(sql, (id, retry_at, reason, serde_json::to_vec(&envelope).unwrap())).unwrap();
    }
    drop(old);
    let outbox = dir.open(SqliteOptions::default()).stores().outbox;
    let dead = outbox.dead(0, 9).await.unwrap();
    let (queue, reason) = ("Q".to_owned(), reason.to_owned());
    let expected = Parked { id: 4, queue, envelope: envelope.clone(), attempts: 5, retry_at: None, reason };
    assert_eq!(dead, [expected.clone(), Parked { id: 5, ..expected.clone() }]);
    let at = Timestamp::from_microsecond(at).unwrap();
    assert_eq!(outbox.retry_due(at, 9).await, Ok(vec![Parked { id: 3, retry_at: Some(at), ..expected.clone() }]));
    outbox.repark(3, None).await.unwrap();
    assert_eq!(outbox.revive(&[4, 5, 9], at).await, Ok(2));
    let due: Vec<u64> = outbox.retry_due(at, 9).await.unwrap().into_iter().map(|parked| parked.id).collect();
    assert_eq!(due, [4, 5]);
    outbox.settle(&[], &[expected]).await.unwrap();
    assert!(outbox.dead(0, 9).await.unwrap()[0].id > 9);
}

#[tokio::test]
async fn a_store_is_opened_beside_another_and_makes_no_file() {
    let dir = TempDir::new();
    let missing = SqliteStore::open_beside(&dir.0).map(|_| ()).unwrap_err();
    assert!(missing.to_string().contains("there is no data file"), "{missing}");
    assert_eq!(std::fs::read_dir(&dir.0).unwrap().count(), 0);
    let store = dir.open(SqliteOptions::default());
    let beside = SqliteStore::open_beside(&dir.0).unwrap();
    for stores in [store.stores(), beside.stores()] {
        stores.carts.save(&cart()).await.unwrap();
    }
    beside.close().unwrap();
    store.stores().carts.save(&cart()).await.unwrap();
    store.close().unwrap();
}

fn user(email: &str, username: &str, created: i64) -> User {
    let at = Timestamp::from_second(created).unwrap();
    User {
        id: UserId::generate(),
        email: email.into(),
        username: username.into(),
        full_name: FullName::default(),
        role: Role::User,
        password_hash: "$argon2id$x".into(),
        email_taken_by: None,
        security: Default::default(),
        no_announcements: false,
        addresses: vec![],
        created_at: at,
        updated_at: at,
        version: 0,
    }
}

#[tokio::test]
async fn a_file_of_an_older_schema_keeps_its_users_and_dead_tokens() {
    let dir = TempDir::new();
    let old = dir.of_schema(12);
    let (ana, end) = (user("Ana@example.com", "Ana", 1), Timestamp::from_microsecond(4_000_000_000_000_123).unwrap());
    let sql = "INSERT INTO users (id, email, username, version, doc) VALUES (?1, 'ana@example.com', 'ana', 3, ?2)";
    old.execute(sql, (ana.id.as_slice(), serde_json::to_vec(&ana).unwrap())).unwrap();
    let blocked = block_key(&ana.id.to_hex());
    for jti in ["one", &blocked] {
        old.execute("INSERT INTO dead_tokens VALUES (?1, ?2)", (jti, end.as_microsecond())).unwrap();
    }
    drop(old);
    let accounts = dir.open(SqliteOptions::default()).stores().accounts;
    let found = accounts.by_email("ana@example.com").await.unwrap().unwrap();
    assert_eq!(found, User { version: 3, ..ana.clone() });
    assert_eq!(accounts.of_role(Role::User, 9).await.unwrap().len(), 1);
    assert_eq!(accounts.save(&found, &[]).await, Ok(4));
    assert_eq!(accounts.blocked_users().await, Ok(vec![ana.id]));
    assert_eq!(accounts.killed_since(Timestamp::UNIX_EPOCH).await.unwrap().len(), 2);
    assert_eq!(accounts.dead_tokens(Timestamp::now()).await, Ok(vec![("one".to_owned(), end), (blocked, end)]));
}

#[tokio::test]
async fn a_file_of_an_older_schema_keeps_what_is_hosted() {
    let dir = TempDir::new();
    let old = dir.of_schema(14);
    let (hosted, new, product) = (ImageId::generate(), ImageId::generate(), ProductId::generate());
    let sql =
        "INSERT INTO pictures VALUES (?1, ?2, 1700000000000123, 'f1', '/a.jpg', 1, 2, 'away', 4000000, 3000001, NULL)";
    old.execute(sql, (hosted.as_slice(), product.as_slice())).unwrap();
    let sql =
        "INSERT INTO pictures (image, product, created_at, lease, due_at) VALUES (?1, ?2, 5000000, 9000000, 5000000)";
    old.execute(sql, (new.as_slice(), product.as_slice())).unwrap();
    drop(old);
    let log = dir.open(SqliteOptions::default()).stores().pictures;
    let at = |micros| Timestamp::from_microsecond(micros).unwrap();
    let file = HostedFile { id: "f1".into(), path: "/a.jpg".into() };
    let record = ImageRecord {
        image: hosted,
        product,
        created_at: at(1_700_000_000_000_123),
        file: Some(file),
        dropped: true,
        attempts: 2,
        reason: Some("away".into()),
        due_at: Some(at(3_000_001)),
        lease: None,
        announced: Some(at(4_000_000)),
        version: 1,
    };
    assert_eq!(log.picture(hosted).await, Ok(Some(record)));
    let other = log.picture(new).await.unwrap().unwrap();
    assert_eq!((other.file, other.dropped, other.lease, other.announced), (None, false, Some(at(9_000_000)), None));
    assert_eq!(log.claim(at(8_000_000), at(99_000_000), 9).await.unwrap().len(), 1, "the other is claimed");
    assert_eq!(log.claim(at(9_000_000), at(99_000_000), 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_accounts_that_turn_out_to_have_one_address_the_older_keeps_it() {
    let dir = TempDir::new();
    let users = [
        user("a@B\u{fc}cher.example", "older", 1),
        user("A@xn--bcher-kva.example", "younger", 2),
        user("b@xn--bcher-kva.example", "first", 3),
        user("b@b\u{fc}cher.example", "second", 4),
        user("b@bu\u{308}cher.example", "third", 5),
        user("mi\u{212A}e@example.com", "kelvin", 6),
        user("x@\u{ff45}xample.com", "wide", 7),
        user("plain@example.com", "plain", 8),
    ];
    // As an earlier version wrote them, which compared in lower case only.
    let file = dir.of_schema(7);
    for user in &users {
        let (email, doc) = (user.email.to_lowercase(), serde_json::to_vec(user).unwrap());
        let sql = "INSERT INTO users (id, email, username, version, doc) VALUES (?1, ?2, ?3, 1, ?4)";
        file.execute(sql, (user.id.as_slice(), email, &user.username, doc)).unwrap();
    }
    drop(file);

    let store = dir.open(SqliteOptions::default());
    let stores = store.stores();
    let found =
        async |email: &str| stores.accounts.by_email(&email_key(email)).await.unwrap().map(|user| user.username);
    for (email, username) in [
        ("a@xn--bcher-kva.example", Some("older")),
        ("b@b\u{fc}cher.example", Some("first")),
        ("mike@example.com", None),
        ("mi\u{212A}e@example.com", Some("kelvin")),
        ("x@example.com", Some("wide")),
        ("PLAIN@example.com", Some("plain")),
    ] {
        assert_eq!(found(email).await.as_deref(), username, "{email}");
    }
    let mut without = stores.accounts.without_address(10).await.unwrap();
    without.sort_by_key(|user| user.created_at);
    let told: Vec<_> = without.iter().map(|user| (user.username.as_str(), user.email_taken_by)).collect();
    let [older, first] = [users[0].id, users[2].id];
    assert_eq!(told, [("younger", Some(older)), ("second", Some(first)), ("third", Some(first))]);
    // The others log in by user name, and take another address.
    let mut second = stores.accounts.by_username("second").await.unwrap().unwrap();
    assert_eq!(second.email, "b@b\u{fc}cher.example", "what was typed is kept");
    second.replace_email("second@example.com").unwrap();
    stores.accounts.save(&second, &[]).await.unwrap();
    assert_eq!(found("second@example.com").await.as_deref(), Some("second"));
    assert_eq!(stores.accounts.without_address(10).await.unwrap().len(), 2);
    store.close().unwrap();
}

#[tokio::test]
async fn orders_of_an_older_schema_keep_their_idempotency_keys() {
    let dir = TempDir::new();
    let old = dir.of_schema(12);
    let (user, soon) = (UserId::generate(), Timestamp::now() + SignedDuration::from_hours(1));
    let mut orders = vec![];
    for (cart_version, key) in [(1_u64, Some(soon)), (2, Some(Timestamp::UNIX_EPOCH)), (3, None)] {
        let item = OrderItem {
            product: ProductId::generate(),
            title: "A book".into(),
            seller: UserId::generate(),
            quantity: 1,
            price: Money::new(100, Currency::Inr),
            shipment: Shipment::Waiting,
            tracking_number: None,
        };
        let (id, window) = (OrderId::generate(), SignedDuration::from_mins(15));
        let new = NewOrder { id, user, items: vec![item], shipping_address: None, cart_version, window };
        let order = Order::place(new, &Pricing { tax_basis_points: 0, shipping_minor: 0 }, Timestamp::now()).unwrap();
        let row = (id.as_slice(), user.as_slice(), cart_version, serde_json::to_vec(&order).unwrap());
        old.execute("INSERT INTO orders VALUES (?1, ?2, ?3, 'PENDING', 1, 4, ?4)", row).unwrap();
        if let Some(expires_at) = key {
            let row = (user.as_slice(), format!("key {cart_version}"), id.as_slice(), codec::micros_up(expires_at));
            old.execute("INSERT INTO idempotency_keys VALUES (?1, ?2, 'hash', ?3, ?4)", row).unwrap();
        }
        orders.push(Order { version: 4, ..order });
    }
    drop(old);
    let stores = dir.open(SqliteOptions::default()).stores();
    assert_eq!(stores.orders.all(None, 10).await.unwrap(), orders);
    let known = stores.orders.by_key(user, "key 1", Timestamp::now()).await.unwrap().unwrap();
    assert_eq!((known.order, known.request_hash.as_str()), (orders[0].id, "hash"));
    assert_eq!(codec::micros_up(known.expires_at), codec::micros_up(soon));
    assert_eq!(stores.orders.by_key(user, "key 2", Timestamp::UNIX_EPOCH).await, Ok(None), "it had expired");
    // Orders without a number count, and a key stays with its order when that is written.
    let next = Order { id: OrderId::generate(), cart_version: 4, version: 0, ..orders[0].clone() };
    assert_eq!(stores.orders.insert_within(&next, None, Some(3), &[]).await, Err(InsertError::Full));
    assert_eq!(stores.orders.insert_within(&next, None, Some(4), &[]).await, Ok(1));
    assert_eq!(stores.orders.save(&orders[0], &[]).await, Ok(5));
    assert_eq!(stores.orders.by_key(user, "key 1", Timestamp::now()).await, Ok(Some(known)));
    assert_eq!(stores.orders.of_user(user, None, 0, 10).await.unwrap().rows[0], Order { version: 1, ..next });
}
