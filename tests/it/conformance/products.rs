//! Products and the sequence of their changes.

use futures_util::future::join_all;
use microbazaar::{
    domain::{
        ids::{ProductId, UserId},
        product::Product,
    },
    store::{StoreError, Stores},
};

use super::make;

pub async fn a_product_is_kept_until_it_is_deleted(stores: &Stores) {
    let product = make::product(UserId::generate(), "A");
    assert_eq!(stores.products.save(&product, &[make::event(1)]).await, Ok(1));
    let stored = Product { version: 1, ..product.clone() };
    assert_eq!(stores.products.get(product.id).await, Ok(Some(stored.clone())));
    let ids = [product.id, ProductId::generate()];
    assert_eq!(stores.products.many(&ids).await, Ok(vec![stored.clone()]));
    assert_eq!(stores.products.count().await, Ok(1));
    assert_eq!(stores.products.delete(&stored, &[make::event(2)]).await, Ok(()));
    assert_eq!(stores.products.get(product.id).await, Ok(None));
    assert_eq!(stores.products.many(&ids).await, Ok(vec![]));
    assert_eq!(stores.products.count().await, Ok(0));
    assert_eq!(stores.outbox.depth().await, Ok(2));
}

pub async fn a_stale_product_is_a_conflict(stores: &Stores) {
    let product = make::product(UserId::generate(), "A");
    stores.products.save(&product, &[]).await.unwrap();
    let read = Product { version: 1, ..product.clone() };
    assert_eq!(stores.products.save(&read, &[]).await, Ok(2));
    for stale in [&product, &read] {
        assert_eq!(stores.products.save(stale, &[make::event(1)]).await, Err(StoreError::Conflict));
        assert_eq!(stores.products.delete(stale, &[make::event(1)]).await, Err(StoreError::Conflict));
    }
    let read = Product { version: 2, ..product.clone() };
    stores.products.delete(&read, &[]).await.unwrap();
    for version in 0..=3 {
        let ghost = Product { version, ..product.clone() };
        assert_eq!(stores.products.save(&ghost, &[make::event(1)]).await, Err(StoreError::Conflict), "{version}");
    }
    assert_eq!(stores.outbox.depth().await, Ok(0), "a refused write leaves no event");
}

pub async fn many_products_are_written_all_or_none(stores: &Stores) {
    let seller = UserId::generate();
    let mut many: Vec<_> = (0..30).map(|n| make::product(seller, &format!("P{n}"))).collect();
    assert_eq!(stores.products.insert_many(&many[..10]).await, Ok(()));
    many.rotate_left(5);
    assert_eq!(stores.products.insert_many(&many).await, Err(StoreError::Conflict), "some are there");
    assert_eq!(stores.products.count().await, Ok(10));
    assert_eq!(stores.products.of_seller(seller, 0, 1).await.unwrap().rows[0].version, 1);
}

pub async fn a_seller_pages_through_her_products(stores: &Stores) {
    let (seller, other) = (UserId::generate(), UserId::generate());
    let mine: Vec<_> = (0..5).map(|n| make::product(seller, &format!("P{n}"))).collect();
    stores.products.insert_many(&mine).await.unwrap();
    stores.products.save(&make::product(other, "X"), &[]).await.unwrap();
    stores.products.delete(&Product { version: 1, ..mine[4].clone() }, &[]).await.unwrap();
    let page = stores.products.of_seller(seller, 1, 2).await.unwrap();
    assert_eq!(page.total, 4);
    assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [mine[2].id, mine[1].id]);
    let past = stores.products.of_seller(seller, u64::MAX, 2).await.unwrap();
    assert_eq!((past.rows.len(), past.total), (0, 4));
}

pub async fn changes_are_followed_by_sequence(stores: &Stores) {
    let seller = UserId::generate();
    let (a, b) = (make::product(seller, "A"), make::product(seller, "B"));
    stores.products.save(&a, &[]).await.unwrap();
    stores.products.save(&b, &[]).await.unwrap();
    let first = stores.products.changes_since(0, 10).await.unwrap();
    assert_eq!(first.iter().map(|change| change.id).collect::<Vec<_>>(), [a.id, b.id]);
    assert!(first[0].sequence < first[1].sequence);
    let seen = first[1].sequence;
    assert_eq!(stores.products.changes_since(seen, 10).await, Ok(vec![]));

    stores.products.save(&Product { version: 1, ..a.clone() }, &[]).await.unwrap();
    stores.products.delete(&Product { version: 1, ..b.clone() }, &[]).await.unwrap();
    let then = stores.products.changes_since(seen, 10).await.unwrap();
    assert_eq!(then.len(), 2);
    assert_eq!((then[0].id, then[0].product.as_ref().unwrap().version), (a.id, 2));
    assert_eq!((then[1].id, then[1].product.as_ref()), (b.id, None));
    assert_eq!(stores.products.changes_since(0, 10).await.unwrap(), then, "each shows once, at its last change");
    assert_eq!(stores.products.changes_since(0, 1).await.unwrap(), then[..1]);
}

pub async fn a_sequence_is_never_given_out_twice(stores: &Stores) {
    let products: Vec<_> = (0..40).map(|n| make::product(UserId::generate(), &format!("P{n}"))).collect();
    join_all(products.iter().map(|product| stores.products.save(product, &[]))).await;
    let changes = stores.products.changes_since(0, 100).await.unwrap();
    assert_eq!(changes.len(), 40);
    assert!(changes.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
}
