use std::thread;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    Timestamp,
    ids::{ImageId, UserId},
    money::{Currency, Money},
    product::{Image, ProductStatus},
};

fn product(version: u64) -> Product {
    let id = ImageId::generate();
    Product {
        id: ProductId::generate(),
        title: "A \"lamp\" <b>\u{0}🔥".into(),
        description: "Line\nline".into(),
        price: Money::new(49_950, Currency::Inr),
        category: "Home".into(),
        seller: UserId::generate(),
        images: vec![Image { id, url: format!("/media/{id}.jpg"), thumbnail: format!("/media/{id}.thumb.jpg") }],
        max_per_order: None,
        status: ProductStatus::Live,
        status_reason: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version,
    }
}

fn stock(product: &Product, available: i64, version: u64) -> StockLevel {
    StockLevel { on_hand: available, version, ..StockLevel::empty(product.id) }
}

fn of(product: &Product, available: i64) -> Snapshot {
    Snapshot::new(Arc::new(product.clone()), &stock(product, available, 1))
}

fn load(snapshots: &Snapshots, product: &Product, stock: &StockLevel) {
    snapshots.fill(snapshots.ticket(product.id), product.clone(), stock);
}

fn amount(minor: i64) -> String {
    let json = of(&Product { price: Money::new(minor, Currency::Usd), ..product(1) }, 1).json();
    let text = String::from_utf8(json.to_vec()).unwrap();
    let rest = text.split("\"amount\":").nth(1).unwrap();
    rest.split(',').next().unwrap().to_owned()
}

#[test]
fn the_answer_is_the_product_with_its_stock() {
    let product = product(3);
    let image = &product.images[0];
    let expected = json!({
        "_id": product.id, "title": product.title, "description": product.description,
        "price": {"amount": 499.5, "currency": "INR"}, "stock": -7, "category": "Home",
        "seller": product.seller,
        "images": [{"id": image.id, "url": image.url, "thumbnail": image.thumbnail}], "status": "live",
        "createdAt": "1970-01-01T00:00:00Z", "updatedAt": "1970-01-01T00:00:00Z",
    });
    let snapshot = of(&product, -7);
    assert_eq!(serde_json::from_slice::<Value>(&snapshot.json()).unwrap(), expected);
    assert_eq!(snapshot.etag(), "\"3-1\"");
}

#[test]
fn amounts_are_exact_major_units() {
    for (minor, expected) in [
        (50_000, "500"),
        (49_950, "499.5"),
        (1_999, "19.99"),
        (1, "0.01"),
        (0, "0"),
        (999_999_999_999, "9999999999.99"),
    ] {
        assert_eq!(amount(minor), expected);
    }
}

proptest! {
    #[test]
    fn every_amount_reads_back_as_itself(minor in 0..1_000_000_000_000_i64) {
        let money = Money::new(minor, Currency::Usd);
        prop_assert_eq!(Money::parse_major(&amount(minor), Currency::Usd), Ok(money));
    }
}

#[test]
fn versions_do_not_go_back() {
    let snapshots = Snapshots::new(1 << 20);
    let new = product(5);
    load(&snapshots, &new, &stock(&new, 10, 4));
    let old = Product { version: 4, title: "old".into(), ..new.clone() };
    snapshots.put_product(&old, stock(&new, 9, 5));
    snapshots.set_stock(&stock(&new, 99, 3));
    let seen = snapshots.get(new.id).unwrap();
    assert_eq!((seen.product.version, seen.stock(), seen.etag()), (5, 9, "\"5-5\"".into()));
    let newer = Product { version: 6, ..new.clone() };
    snapshots.put_product(&newer, stock(&new, 10, 4));
    let seen = snapshots.get(new.id).unwrap();
    assert_eq!((seen.product.version, seen.stock()), (6, 9), "the newer stock stays");
}

#[test]
fn a_load_that_was_overtaken_is_not_kept() {
    let snapshots = Snapshots::new(1 << 20);
    let old = product(1);
    for overtake in [
        |all: &Snapshots, product: &Product| all.set_stock(&stock(product, 1, 2)),
        |all: &Snapshots, product: &Product| all.put_product(product, stock(product, 1, 2)),
        |all: &Snapshots, product: &Product| all.remove(product.id),
    ] {
        let ticket = snapshots.ticket(old.id);
        overtake(&snapshots, &old);
        let given = snapshots.fill(ticket, old.clone(), &stock(&old, 3, 1));
        assert_eq!(given.stock(), 3);
        assert!(snapshots.get(old.id).is_none());
    }
    let other = product(1);
    load(&snapshots, &other, &stock(&other, 3, 1));
    assert!(snapshots.get(other.id).is_some());
}

#[test]
fn a_removed_product_does_not_come_back() {
    let snapshots = Snapshots::new(1 << 20);
    let gone = product(1);
    load(&snapshots, &gone, &stock(&gone, 1, 1));
    snapshots.remove(gone.id);
    snapshots.put_product(&Product { version: 9, ..gone.clone() }, stock(&gone, 1, 9));
    assert!(snapshots.get(gone.id).is_none());
}

#[test]
fn a_list_is_written_whole_or_reports_what_is_missing() {
    let snapshots = Snapshots::new(1 << 20);
    let (a, b) = (product(1), product(1));
    load(&snapshots, &a, &stock(&a, 1, 1));
    let mut out = BytesMut::new();
    assert_eq!(snapshots.write_list(&[a.id, b.id], &mut out), [b.id]);
    assert!(out.is_empty());
    load(&snapshots, &b, &stock(&b, 2, 1));
    assert!(snapshots.write_list(&[b.id, a.id], &mut out).is_empty());
    let list: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&list[0]["stock"], &list[1]["stock"]), (&json!(2), &json!(1)));
    out.clear();
    assert!(snapshots.write_list(&[], &mut out).is_empty());
    assert_eq!(&out[..], b"[]");
}

#[test]
fn its_bytes_are_bounded_and_the_last_put_is_there() {
    let snapshots = Snapshots::new(100_000);
    for _ in 0..1_000 {
        let next = product(1);
        load(&snapshots, &next, &stock(&next, 1, 1));
        assert!(snapshots.get(next.id).is_some());
    }
    snapshots.cache.run_pending_tasks();
    assert!(snapshots.cache.weighted_size() <= 100_000);
}

#[test]
fn with_many_writers_and_loaders_the_newest_wins() {
    let snapshots = Snapshots::new(1 << 20);
    let base = product(0);
    let truth = (AtomicU64::new(0), AtomicU64::new(0));
    const WRITES: u64 = 3_000;
    thread::scope(|scope| {
        scope.spawn(|| {
            for version in 1..=WRITES {
                truth.0.store(version, Ordering::SeqCst);
                let level = stock(&base, 0, truth.1.load(Ordering::SeqCst));
                snapshots.put_product(&Product { version, ..base.clone() }, level);
            }
        });
        scope.spawn(|| {
            for version in 1..=WRITES {
                truth.1.store(version, Ordering::SeqCst);
                snapshots.set_stock(&stock(&base, i64::try_from(version).unwrap(), version));
            }
        });
        scope.spawn(|| {
            for _ in 0..WRITES {
                let ticket = snapshots.ticket(base.id);
                let loaded = Product { version: truth.0.load(Ordering::SeqCst), ..base.clone() };
                let version = truth.1.load(Ordering::SeqCst);
                snapshots.fill(ticket, loaded, &stock(&base, i64::try_from(version).unwrap(), version));
                if version.is_multiple_of(7) {
                    snapshots.remove(base.id);
                }
            }
        });
        scope.spawn(|| {
            for _ in 0..WRITES {
                let before = (truth.0.load(Ordering::SeqCst), truth.1.load(Ordering::SeqCst));
                if let Some(seen) = snapshots.get(base.id) {
                    assert!(seen.product.version + 1 >= before.0, "{} {}", seen.product.version, before.0);
                }
            }
        });
    });
    if let Some(seen) = snapshots.get(base.id) {
        assert_eq!((seen.product.version, seen.etag()), (WRITES, format!("\"{WRITES}-{WRITES}\"")));
    }
}
