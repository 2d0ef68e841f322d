//! Carts.

use futures_util::future::join_all;
use microbazaar::{
    domain::{cart::Cart, ids::UserId},
    store::{StoreError, Stores},
};

use super::make;

pub async fn a_cart_is_kept_with_its_version(stores: &Stores) {
    let mut cart = make::cart(UserId::generate());
    assert_eq!(stores.carts.of_user(cart.user).await, Ok(None));
    for version in 1..=3 {
        cart.version = stores.carts.save(&cart).await.unwrap();
        assert_eq!(cart.version, version);
        assert_eq!(stores.carts.of_user(cart.user).await, Ok(Some(cart.clone())));
        cart.clear(make::at(2));
    }
}

pub async fn a_second_cart_of_a_user_is_a_conflict(stores: &Stores) {
    let cart = make::cart(UserId::generate());
    stores.carts.save(&cart).await.unwrap();
    assert_eq!(stores.carts.save(&make::cart(cart.user)).await, Err(StoreError::Conflict));
    let other = Cart { version: 1, ..make::cart(cart.user) };
    assert_eq!(stores.carts.save(&other).await, Err(StoreError::Conflict), "another cart's id");
}

pub async fn of_many_writers_of_one_version_one_wins(stores: &Stores) {
    let mut cart = make::cart(UserId::generate());
    cart.version = stores.carts.save(&cart).await.unwrap();
    let results = join_all((0..50).map(|_| stores.carts.save(&cart))).await;
    assert_eq!(results.iter().filter(|result| **result == Ok(2)).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == Err(StoreError::Conflict)).count(), 49);
}
