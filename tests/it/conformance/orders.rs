//! Orders and their idempotency keys.

use futures_util::future::join_all;
use microbazaar::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
        ids::UserId,
        order::{Order, OrderStatus},
    },
    store::{
        StoreError, Stores,
        orders::{IdempotencyKey, InsertError, OrderKey},
    },
};

use super::make;

fn key(order: &Order, key: &str, expires_at: Timestamp) -> IdempotencyKey {
    IdempotencyKey { key: key.into(), request_hash: "hash".into(), order: order.id, expires_at }
}

pub async fn an_order_is_kept_with_its_events(stores: &Stores) {
    let order = make::order(UserId::generate(), 1);
    let event = Envelope::new(Event::OrderCreated(order.clone()), make::at(0));
    assert_eq!(stores.orders.insert(&order, None, std::slice::from_ref(&event)).await, Ok(1));
    let mut stored = Order { version: 1, ..order.clone() };
    assert_eq!(stores.orders.get(order.id).await, Ok(Some(stored.clone())));
    stored.set_address(make::user("a@x.com", "aaa").addresses[0].postal.clone(), make::at(1)).unwrap();
    assert_eq!(stores.orders.save(&stored, &[make::event(1)]).await, Ok(2));
    stored.version = 2;
    assert_eq!(stores.orders.get(order.id).await, Ok(Some(stored)));
    let waiting = stores.outbox.waiting(0, 10).await.unwrap();
    assert_eq!((waiting.len(), &waiting[0].1), (2, &event));
}

pub async fn a_stale_order_is_a_conflict_and_leaves_no_event(stores: &Stores) {
    let order = make::order(UserId::generate(), 1);
    stores.orders.insert(&order, None, &[]).await.unwrap();
    let read = Order { version: 1, ..order };
    let event = [make::event(1)];
    let results = join_all((0..20).map(|_| stores.orders.save(&read, &event))).await;
    assert_eq!(results.iter().filter(|result| **result == Ok(2)).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == Err(StoreError::Conflict)).count(), 19);
    assert_eq!(stores.outbox.depth().await, Ok(1));
}

pub async fn a_cart_version_makes_one_order(stores: &Stores) {
    let user = UserId::generate();
    let orders: Vec<_> = (0..10).map(|_| make::order(user, 7)).collect();
    let event = [make::event(0)];
    let results = join_all(orders.iter().map(|order| stores.orders.insert(order, None, &event))).await;
    assert_eq!(results.iter().filter(|result| **result == Ok(1)).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == Err(InsertError::Duplicate(OrderKey::Cart))).count(), 9);
    assert_eq!(stores.outbox.depth().await, Ok(1));
    assert_eq!(stores.orders.insert(&make::order(user, 8), None, &[]).await, Ok(1));
    assert_eq!(stores.orders.insert(&make::order(UserId::generate(), 7), None, &[]).await, Ok(1));
}

pub async fn a_key_is_used_once_until_it_expires(stores: &Stores) {
    let user = UserId::generate();
    let first = make::order(user, 1);
    let used = key(&first, "k", make::at(100));
    stores.orders.insert(&first, Some(&used), &[]).await.unwrap();
    assert_eq!(stores.orders.by_key(user, "k", make::at(99)).await, Ok(Some(used)));
    assert_eq!(stores.orders.by_key(user, "k", make::at(100)).await, Ok(None), "expired");
    assert_eq!(stores.orders.by_key(UserId::generate(), "k", make::at(0)).await, Ok(None), "another user's");

    let second = make::order(user, 2);
    let again = stores.orders.insert(&second, Some(&key(&second, "k", make::at(200))), &[make::event(1)]).await;
    assert_eq!(again, Err(InsertError::Duplicate(OrderKey::Idempotency)));
    assert_eq!((stores.orders.get(second.id).await, stores.outbox.depth().await), (Ok(None), Ok(0)));
    let replayed = Order { cart_version: 1, ..second.clone() };
    let replay = stores.orders.insert(&replayed, Some(&key(&second, "k", make::at(200))), &[]).await;
    assert_eq!(replay, Err(InsertError::Duplicate(OrderKey::Idempotency)), "the key is reported before the cart");
    let refused = stores.orders.insert(&replayed, Some(&key(&second, "k2", make::at(200))), &[]).await;
    assert_eq!(refused, Err(InsertError::Duplicate(OrderKey::Cart)));
    assert_eq!(stores.orders.by_key(user, "k2", make::at(0)).await, Ok(None), "a refusal frees the key");

    let late = Order { created_at: make::at(100), ..second };
    let renewed = key(&late, "k", make::at(200));
    assert_eq!(stores.orders.insert(&late, Some(&renewed), &[]).await, Ok(1), "an expired key is overwritten");
    assert_eq!(stores.orders.by_key(user, "k", make::at(150)).await, Ok(Some(renewed)));
}

pub async fn the_same_order_again_is_a_conflict(stores: &Stores) {
    let order = make::order(UserId::generate(), 1);
    let used = key(&order, "k", make::at(100));
    stores.orders.insert(&order, Some(&used), &[]).await.unwrap();
    assert_eq!(stores.orders.insert(&order, Some(&used), &[]).await, Err(StoreError::Conflict.into()));
    assert_eq!(stores.orders.insert(&order, None, &[]).await, Err(StoreError::Conflict.into()));
}

pub async fn a_user_pages_through_their_orders(stores: &Stores) {
    let user = UserId::generate();
    let orders: Vec<_> = (0..5).map(|version| make::order(user, version)).collect();
    for order in &orders {
        stores.orders.insert(order, None, &[]).await.unwrap();
    }
    stores.orders.insert(&make::order(UserId::generate(), 1), None, &[]).await.unwrap();
    let gone = Order { status: OrderStatus::Cancelled, version: 1, ..orders[3].clone() };
    stores.orders.save(&gone, &[]).await.unwrap();
    let page = stores.orders.of_user(user, None, 1, 2).await.unwrap();
    assert_eq!(page.total, 5);
    assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [orders[3].id, orders[2].id]);
    let pending = stores.orders.of_user(user, Some(OrderStatus::Pending), 0, 2).await.unwrap();
    assert_eq!(pending.total, 4);
    assert_eq!(pending.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [orders[4].id, orders[2].id]);
    assert_eq!(stores.orders.of_user(user, Some(OrderStatus::Shipped), 0, 2).await.unwrap().total, 0);
}

pub async fn due_orders_come_longest_due_first(stores: &Stores) {
    let mut ids = vec![];
    for (version, second) in [(1, 30), (2, 10), (3, 20), (4, 99)] {
        let mut order = make::order(UserId::generate(), version);
        order.saga.due_at = Some(make::at(second));
        stores.orders.insert(&order, None, &[]).await.unwrap();
        ids.push(order.id);
    }
    assert_eq!(stores.orders.due(make::at(9), 10).await, Ok(vec![]));
    assert_eq!(stores.orders.due(make::at(30), 10).await, Ok(vec![ids[1], ids[2], ids[0]]));
    assert_eq!(stores.orders.due(make::at(30), 2).await, Ok(vec![ids[1], ids[2]]));
    let mut done = stores.orders.get(ids[1]).await.unwrap().unwrap();
    done.saga.due_at = None;
    stores.orders.save(&done, &[]).await.unwrap();
    assert_eq!(stores.orders.due(make::at(30), 10).await, Ok(vec![ids[2], ids[0]]));
}

pub async fn all_orders_are_walked_by_id(stores: &Stores) {
    let mut ids = vec![];
    for version in 0..5 {
        let order = make::order(UserId::generate(), version);
        stores.orders.insert(&order, None, &[]).await.unwrap();
        ids.push(order.id);
    }
    let (mut walked, mut after) = (vec![], None);
    loop {
        let page = stores.orders.all(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        walked.extend(page.iter().map(|order| order.id));
    }
    assert_eq!(walked, ids);
}

pub async fn no_more_orders_are_unpaid_than_are_allowed(stores: &Stores) {
    let (user, event) = (UserId::generate(), [make::event(0)]);
    let orders: Vec<_> = (0..20).map(|version| make::order(user, version)).collect();
    let write = |order: &Order| {
        let (order, event, stores) = (order.clone(), event.clone(), stores.clone());
        async move { stores.orders.insert_within(&order, None, Some(7), &event).await }
    };
    let results = join_all(orders.iter().map(write)).await;
    assert_eq!(results.iter().filter(|result| **result == Ok(1)).count(), 7, "{results:?}");
    let full = Err(InsertError::Full);
    assert_eq!(results.iter().filter(|result| **result == full).count(), 13, "{results:?}");
    assert_eq!(stores.outbox.depth().await, Ok(7), "what was refused has no event");
    assert_eq!(write(&make::order(UserId::generate(), 1)).await, Ok(1), "another user's do not count");
    // A paid or ended order frees its place.
    for (status, version) in [(OrderStatus::Confirmed, 30), (OrderStatus::Cancelled, 40)] {
        let unpaid = stores.orders.of_user(user, Some(OrderStatus::Pending), 0, 1).await.unwrap();
        assert_eq!(unpaid.total, 7);
        stores.orders.save(&Order { status, ..unpaid.rows[0].clone() }, &[]).await.unwrap();
        assert_eq!(write(&make::order(user, version)).await, Ok(1), "{status:?}");
        assert_eq!(write(&make::order(user, version + 1)).await, full, "{status:?}");
    }
}

pub async fn an_order_that_was_refused_takes_no_place(stores: &Stores) {
    let user = UserId::generate();
    let first = make::order(user, 1);
    stores.orders.insert_within(&first, None, Some(2), &[]).await.unwrap();
    for _ in 0..3 {
        let again = stores.orders.insert_within(&make::order(user, 1), None, Some(2), &[]).await;
        assert_eq!(again, Err(InsertError::Duplicate(OrderKey::Cart)));
    }
    let second = make::order(user, 2);
    assert_eq!(stores.orders.insert_within(&second, None, Some(2), &[]).await, Ok(1));
    // A reached limit hides no other reason, and frees the key.
    let again = stores.orders.insert_within(&make::order(user, 2), None, Some(2), &[]).await;
    assert_eq!(again, Err(InsertError::Duplicate(OrderKey::Cart)));
    let third = make::order(user, 3);
    let used = key(&third, "k", make::at(100));
    let full = stores.orders.insert_within(&third, Some(&used), Some(2), &[]).await;
    assert_eq!(full, Err(InsertError::Full));
    assert_eq!(stores.orders.by_key(user, "k", make::at(0)).await, Ok(None));
    assert_eq!(stores.orders.get(third.id).await, Ok(None));
}

pub async fn unpaid_orders_are_walked_by_id(stores: &Stores) {
    let orders: Vec<_> = (0..4).map(|_| make::order(UserId::generate(), 1)).collect();
    for order in &orders {
        stores.orders.insert(order, None, &[]).await.unwrap();
    }
    let mut ended = Order { version: 1, ..orders[1].clone() };
    ended.suspend(make::at(1)).unwrap();
    stores.orders.save(&ended, &[]).await.unwrap();
    let walk = async |after, limit| {
        let found = stores.orders.unpaid(after, limit).await.unwrap();
        found.into_iter().map(|order| (order.id, order.version)).collect::<Vec<_>>()
    };
    assert_eq!(walk(None, 2).await, [(orders[0].id, 1), (orders[2].id, 1)]);
    assert_eq!(walk(Some(orders[2].id), 2).await, [(orders[3].id, 1)]);
    assert_eq!(walk(Some(orders[3].id), 2).await, []);
    let again = stores.orders.get(ended.id).await.unwrap().unwrap();
    assert_eq!(again.cancel_cause, ended.cancel_cause, "the cause is read as it was written");
    assert_eq!(again.saga, ended.saga);
}
