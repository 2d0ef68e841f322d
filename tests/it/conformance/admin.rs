//! What admins look through.

use jiff::SignedDuration;
use microbazaar::{
    domain::{Timestamp, order::OrderStatus},
    store::Stores,
};

use super::make;

pub async fn admins_page_backwards_through_users_orders_and_payments(stores: &Stores) {
    let (ana, ben) = (make::user("ana@x.com", "ana"), make::user("ben@x.com", "ben"));
    for user in [&ana, &ben] {
        stores.accounts.save(user, &[]).await.unwrap();
    }
    let users = |before| async move {
        stores.accounts.users(before, 1).await.unwrap().into_iter().map(|user| user.id).collect::<Vec<_>>()
    };
    assert_eq!(users(None).await, [ben.id]);
    assert_eq!(users(Some(ben.id)).await, [ana.id]);
    assert_eq!(users(Some(ana.id)).await, []);

    let mut made = vec![];
    for cart in 1..=3 {
        let mut order = make::order(ana.id, cart);
        if cart == 2 {
            order.status = OrderStatus::Shipped;
        }
        stores.orders.insert(&order, None, &[]).await.unwrap();
        made.push(order.id);
    }
    let orders = |status, before, limit| async move {
        let found = stores.orders.newest(status, before, limit).await.unwrap();
        found.into_iter().map(|order| (order.id, order.version)).collect::<Vec<_>>()
    };
    assert_eq!(orders(None, None, 2).await, [(made[2], 1), (made[1], 1)]);
    assert_eq!(orders(None, Some(made[1]), 2).await, [(made[0], 1)]);
    assert_eq!(orders(Some(OrderStatus::Shipped), None, 9).await, [(made[1], 1)]);
    assert_eq!(orders(Some(OrderStatus::Shipped), Some(made[1]), 9).await, []);

    let (one, two) = (make::payment("order_1"), make::payment("order_2"));
    for payment in [&one, &two] {
        stores.payments.save(payment, &[]).await.unwrap();
    }
    let found = stores.payments.newest(None, 9).await.unwrap();
    assert_eq!(found.iter().map(|payment| payment.id).collect::<Vec<_>>(), [two.id, one.id]);
    assert_eq!(stores.payments.newest(Some(two.id), 9).await.unwrap()[0].id, one.id);
}

pub async fn a_dead_token_can_be_revived(stores: &Stores) {
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    stores.accounts.kill_token("user:a", later).await.unwrap();
    assert_eq!(stores.accounts.is_dead("user:a").await, Ok(true));
    stores.accounts.revive_token("user:a").await.unwrap();
    stores.accounts.revive_token("user:a").await.unwrap();
    assert_eq!(stores.accounts.is_dead("user:a").await, Ok(false));
    assert_eq!(stores.accounts.dead_tokens(Timestamp::now()).await, Ok(vec![]));
}
