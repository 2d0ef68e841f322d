//! Imports of products.

use microbazaar::{
    domain::{
        event::{Envelope, Event},
        ids::{ProductId, UserId},
        import::{ChangedRow, Import, ImportRow, NewRow, RowChange, Tally},
        money::{Currency, Money},
        product::ProductPatch,
        user::{Contact, FullName},
    },
    store::{StoreError, Stores},
};

use super::make::at;

fn import(seller: UserId, digest: &[u8]) -> Import {
    Import {
        id: Import::id_of(seller, digest),
        seller,
        digest: hex::encode(digest),
        name: "a \"b\".csv".into(),
        created_at: at(0),
        started_at: at(0),
        run: 1,
        rows: 2,
        done: 0,
        note: None,
        stock_set: vec![3, 70_000],
        attempts: 0,
        tally: Tally { applied: vec![4, 70_001], ..Tally::default() },
        finished_at: None,
        due_at: at(10),
        version: 0,
    }
}

fn rows() -> Vec<ImportRow> {
    let new = NewRow {
        title: "Lamp \u{1F4A1}".into(),
        description: "two\nlines".into(),
        price: Money::new(129_900, Currency::Inr),
        stock: 3,
        category: String::new(),
        max_per_order: Some(2),
    };
    let patch = ProductPatch { max_per_order: Some(None), title: Some("x".into()), ..ProductPatch::default() };
    let changed = ChangedRow { product: ProductId::generate(), patch, stock: Some(0), stock_seen: Some(4) };
    let row = |line, change| ImportRow { line, title: "t".into(), change };
    vec![row(2, RowChange::Make(Box::new(new))), row(3, RowChange::Change(Box::new(changed)))]
}

pub async fn an_import_keeps_its_rows_until_it_is_finished(stores: &Stores) {
    let (imports, rows) = (&stores.imports, rows());
    let mut one = import(UserId::generate(), b"one");
    assert_eq!(imports.get(one.id).await.unwrap(), None);
    one.version = imports.save(&one, Some(&rows), &[]).await.unwrap();
    assert_eq!(imports.get(one.id).await.unwrap().as_ref(), Some(&one));
    assert_eq!(imports.rows(one.id).await.unwrap(), rows);
    // Of two starts with the same file one is first.
    let second = Import { version: 0, ..one.clone() };
    assert_eq!(imports.save(&second, Some(&rows), &[]).await, Err(StoreError::Conflict));
    one.done = 1;
    let stale = one.clone();
    one.version = imports.save(&one, None, &[]).await.unwrap();
    assert_eq!(imports.save(&stale, None, &[]).await, Err(StoreError::Conflict));
    assert_eq!(imports.rows(one.id).await.unwrap(), rows);

    let full_name = FullName { first_name: "Mira".into(), last_name: String::new() };
    let seller = Contact { user: one.seller, email: "mira@example.com".into(), username: "mira".into(), full_name };
    let (import, run) = (one.id, one.run);
    let event = Event::ProductImportFinished { import, run, seller, made: 1, changed: 1, same: 0, left_out: 0 };
    one.finished_at = Some(at(5));
    one.version = imports.save(&one, None, &[Envelope::new(event, at(5))]).await.unwrap();
    assert!(imports.rows(one.id).await.is_err(), "they are gone");
    let published = stores.outbox.waiting(0, 100).await.unwrap();
    let of_it = published.iter().filter(|(_, published)| published.event.aggregate_id() == one.id.to_hex()).count();
    assert_eq!(of_it, 1);
    let again = Import { run: 2, finished_at: None, ..one.clone() };
    imports.save(&again, Some(&rows), &[]).await.unwrap();
    assert_eq!(imports.rows(one.id).await.unwrap(), rows, "the same file once more");
}

pub async fn imports_that_are_not_finished_are_found_when_they_are_due(stores: &Stores) {
    let imports = &stores.imports;
    let seller = UserId::generate();
    let mut made = vec![];
    for (number, digest) in (0_i64..).zip([b"a", b"b", b"c"]) {
        let one = Import { due_at: at(20 - number), started_at: at(number), ..import(seller, digest) };
        let version = imports.save(&one, Some(&rows()), &[]).await.unwrap();
        made.push(Import { version, ..one });
    }
    let due = async |now| -> Vec<_> {
        let due = imports.due(at(now), 1_000).await.unwrap();
        due.into_iter().filter(|one| one.seller == seller).map(|one| one.id).collect()
    };
    assert_eq!(due(17).await, []);
    assert_eq!(due(20).await, [made[2].id, made[1].id, made[0].id]);
    imports.save(&Import { due_at: at(99), ..made[2].clone() }, None, &[]).await.unwrap();
    imports.save(&Import { finished_at: Some(at(9)), ..made[1].clone() }, None, &[]).await.unwrap();
    assert_eq!(due(20).await, [made[0].id]);
    let listed = imports.of_seller(seller, 2).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [made[2].id, made[1].id]);
}
