//! Stock and reservations.

use futures_util::future::join_all;
use microbazaar::{
    domain::{
        ids::{OrderId, ProductId},
        inventory::{ReservationState, Shortage, StockError, StockLevel},
    },
    store::{Stores, inventory::StockStoreError},
};

use super::make::{at, line};

async fn stocked(stores: &Stores, available: u32) -> ProductId {
    let product = ProductId::generate();
    stores.stock.set_available(&[(product, available)]).await.unwrap();
    product
}

/// On hand, reserved, sold.
async fn units(stores: &Stores, product: ProductId) -> (i64, i64, i64) {
    let level = stores.stock.get(product).await.unwrap().unwrap();
    (level.on_hand, level.reserved, level.sold)
}

pub async fn available_is_set_beside_what_is_reserved(stores: &Stores) {
    let product = stocked(stores, 10).await;
    stores.stock.reserve(OrderId::generate(), &[line(product, 4)], at(60)).await.unwrap();
    let set = stores.stock.set_available(&[(product, 3)]).await.unwrap();
    assert_eq!(set, [StockLevel { product, on_hand: 7, reserved: 4, sold: 0, version: 3 }]);
    assert_eq!(stores.stock.many(&[product, ProductId::generate()]).await.unwrap(), set);
}

pub async fn available_is_set_only_if_it_is_what_was_seen(stores: &Stores) {
    let product = stocked(stores, 10).await;
    stores.stock.reserve(OrderId::generate(), &[line(product, 3)], at(60)).await.unwrap();
    let moved = stores.stock.set_available_if(product, 10, 25).await;
    assert_eq!(moved, Err(StockError::Moved { available: 7 }.into()));
    assert_eq!(units(stores, product).await, (10, 3, 0), "nothing is changed");
    let set = stores.stock.set_available_if(product, 7, 25).await.unwrap();
    assert_eq!((set.on_hand, set.reserved), (28, 3));
    let unknown = ProductId::generate();
    assert_eq!(stores.stock.set_available_if(unknown, 1, 5).await, Err(StockError::Moved { available: 0 }.into()));
    assert_eq!(stores.stock.set_available_if(unknown, 0, 5).await.unwrap().available(), 5);

    // Of many that saw the same stock, with concurrent sales, one sets it.
    let contended = stocked(stores, 10).await;
    let sets = join_all((1..=8).map(|n| stores.stock.set_available_if(contended, 10, 100 + n)));
    let order = OrderId::generate();
    let lines = [line(contended, 1)];
    let (sets, sold) = futures_util::join!(sets, stores.stock.reserve(order, &lines, at(60)));
    assert!(sold.is_ok());
    let done = sets.iter().filter(|set| set.is_ok()).count();
    assert!(done <= 1, "{sets:?}");
    let level = stores.stock.get(contended).await.unwrap().unwrap();
    assert_eq!((level.reserved, level.available() >= 9), (1, true), "the unit that was sold stays so");
    assert_eq!(level.available() == 9, done == 0);
}

pub async fn reserving_holds_all_lines_or_none(stores: &Stores) {
    let (a, b, c) = (stocked(stores, 5).await, stocked(stores, 1).await, stocked(stores, 0).await);
    let order = OrderId::generate();
    let refused = stores.stock.reserve(order, &[line(a, 2), line(b, 2), line(c, 1)], at(60)).await;
    let Err(StockStoreError::Rule(StockError::Short(mut short))) = refused else { panic!("{refused:?}") };
    short.sort_by_key(|shortage| shortage.product);
    let shortage = |product, requested, available| Shortage { product, requested, available };
    assert_eq!(short, [shortage(b, 2, 1), shortage(c, 1, 0)]);
    assert_eq!(units(stores, a).await, (5, 0, 0));
    let moved = stores.stock.reserve(order, &[line(a, 2), line(b, 1)], at(60)).await.unwrap();
    assert_eq!((moved.reservation.state, moved.changed.len()), (ReservationState::Held, 2));
    assert_eq!((units(stores, a).await, units(stores, b).await), ((5, 2, 0), (1, 1, 0)));
}

pub async fn reserving_again_changes_nothing(stores: &Stores) {
    let (product, order) = (stocked(stores, 5).await, OrderId::generate());
    let first = stores.stock.reserve(order, &[line(product, 2)], at(60)).await.unwrap();
    let again = stores.stock.reserve(order, &[line(product, 9)], at(99)).await.unwrap();
    assert_eq!((again.reservation, again.changed.len()), (first.reservation, 0));
    stores.stock.commit(order, None).await.unwrap();
    let sold = stores.stock.reserve(order, &[line(product, 2)], at(60)).await.unwrap();
    assert_eq!(sold.reservation.state, ReservationState::Committed);
    stores.stock.release(order, None).await.unwrap();
    let late = stores.stock.reserve(order, &[line(product, 2)], at(60)).await;
    assert_eq!(late, Err(StockError::Released.into()));
    assert_eq!(units(stores, product).await, (5, 0, 0));
}

pub async fn lines_of_one_product_are_added_up(stores: &Stores) {
    let product = stocked(stores, 5).await;
    let lines = [line(product, 3), line(product, 3)];
    assert!(stores.stock.reserve(OrderId::generate(), &lines, at(60)).await.is_err());
    let moved = stores.stock.reserve(OrderId::generate(), &[line(product, 3), line(product, 2)], at(60)).await.unwrap();
    assert_eq!(moved.reservation.lines, [line(product, 5)]);
}

pub async fn a_committed_reservation_is_sold_once(stores: &Stores) {
    let (product, order) = (stocked(stores, 5).await, OrderId::generate());
    stores.stock.reserve(order, &[line(product, 2)], at(60)).await.unwrap();
    let first = stores.stock.commit(order, None).await.unwrap();
    assert_eq!((first.reservation.state, first.changed.len()), (ReservationState::Committed, 1));
    assert_eq!(stores.stock.commit(order, None).await.unwrap().changed, []);
    assert_eq!(units(stores, product).await, (3, 0, 2));
}

pub async fn releasing_gives_back_held_and_sold_units(stores: &Stores) {
    let (product, held, sold) = (stocked(stores, 9).await, OrderId::generate(), OrderId::generate());
    stores.stock.reserve(held, &[line(product, 2)], at(60)).await.unwrap();
    stores.stock.reserve(sold, &[line(product, 3)], at(60)).await.unwrap();
    stores.stock.commit(sold, None).await.unwrap();
    for order in [held, sold] {
        assert_eq!(stores.stock.release(order, None).await.unwrap().changed.len(), 1);
        let again = stores.stock.release(order, None).await.unwrap();
        assert_eq!((again.reservation.state, again.changed.len()), (ReservationState::Released, 0));
        assert_eq!(stores.stock.commit(order, None).await, Err(StockError::Released.into()));
    }
    assert_eq!(units(stores, product).await, (9, 0, 0));
}

pub async fn an_unknown_order_that_is_released_cannot_reserve(stores: &Stores) {
    let (product, order) = (stocked(stores, 5).await, OrderId::generate());
    let released = stores.stock.release(order, None).await.unwrap();
    assert_eq!((released.reservation.state, released.reservation.lines.len()), (ReservationState::Released, 0));
    let late = stores.stock.reserve(order, &[line(product, 1)], at(60)).await;
    assert_eq!(late, Err(StockError::Released.into()));
    assert_eq!(units(stores, product).await, (5, 0, 0));
}

pub async fn a_late_echo_of_an_overruled_decision_changes_nothing(stores: &Stores) {
    let (product, order) = (stocked(stores, 5).await, OrderId::generate());
    stores.stock.reserve(order, &[line(product, 2)], at(60)).await.unwrap();
    stores.stock.release(order, Some(2)).await.unwrap();
    stores.stock.retake(order, &[line(product, 2)], Some(3)).await.unwrap();
    let echo = stores.stock.release(order, Some(2)).await.unwrap();
    assert_eq!((echo.reservation.state, echo.changed.len()), (ReservationState::Committed, 0));
    assert_eq!(units(stores, product).await, (3, 0, 2));
    stores.stock.release(order, Some(4)).await.unwrap();
    let late = stores.stock.retake(order, &[line(product, 2)], Some(3)).await;
    assert_eq!(late, Err(StockError::Released.into()));
    assert_eq!(stores.stock.commit(order, Some(3)).await, Err(StockError::Released.into()));
    assert_eq!(units(stores, product).await, (5, 0, 0));
}

pub async fn released_stock_can_be_retaken(stores: &Stores) {
    let (product, order) = (stocked(stores, 5).await, OrderId::generate());
    stores.stock.reserve(order, &[line(product, 4)], at(60)).await.unwrap();
    stores.stock.release(order, None).await.unwrap();
    let rival = OrderId::generate();
    stores.stock.reserve(rival, &[line(product, 3)], at(60)).await.unwrap();
    let short = stores.stock.retake(order, &[line(product, 4)], None).await;
    assert!(matches!(short, Err(StockStoreError::Rule(StockError::Short(_)))), "{short:?}");
    stores.stock.release(rival, None).await.unwrap();
    assert_eq!(stores.stock.retake(order, &[line(product, 4)], None).await.unwrap().changed.len(), 1);
    assert_eq!(stores.stock.retake(order, &[line(product, 4)], None).await.unwrap().changed, [], "repeated");
    assert_eq!(units(stores, product).await, (1, 0, 4));

    let held = OrderId::generate();
    stores.stock.reserve(held, &[line(product, 1)], at(60)).await.unwrap();
    stores.stock.retake(held, &[line(product, 1)], None).await.unwrap();
    assert_eq!(units(stores, product).await, (0, 0, 5), "what is held is sold and not taken twice");

    let never = OrderId::generate();
    let other = stocked(stores, 1).await;
    stores.stock.retake(never, &[line(other, 1)], None).await.unwrap();
    assert_eq!(units(stores, other).await, (0, 0, 1));
}

pub async fn held_reservations_expire_and_committed_do_not(stores: &Stores) {
    let product = stocked(stores, 50).await;
    let orders: Vec<_> = (0..5).map(|_| OrderId::generate()).collect();
    for (order, second) in orders.iter().zip([10, 20, 30, 15, 40]) {
        stores.stock.reserve(*order, &[line(product, 1)], at(second)).await.unwrap();
    }
    stores.stock.commit(orders[1], None).await.unwrap();
    let first = stores.stock.release_expired(at(30), 2).await.unwrap();
    let released = |moves: &[microbazaar::store::inventory::StockMove]| {
        moves.iter().map(|moved| moved.reservation.order).collect::<Vec<_>>()
    };
    assert_eq!(released(&first), [orders[0], orders[3]], "longest over first");
    assert_eq!(released(&stores.stock.release_expired(at(30), 9).await.unwrap()), [orders[2]], "over at its end");
    assert_eq!(stores.stock.release_expired(at(30), 9).await.unwrap(), []);
    assert_eq!(units(stores, product).await, (49, 1, 1));
}

pub async fn two_hundred_buyers_get_fifty_units(stores: &Stores) {
    let (flash, plenty) = (stocked(stores, 50).await, stocked(stores, 1_000).await);
    let buyers = (0..200).map(|_| async {
        stores.stock.reserve(OrderId::generate(), &[line(plenty, 1), line(flash, 1)], at(60)).await.is_ok()
    });
    let served = join_all(buyers).await.into_iter().filter(|served| *served).count();
    assert_eq!(served, 50);
    assert_eq!((units(stores, flash).await, units(stores, plenty).await), ((50, 50, 0), (1_000, 50, 0)));
}

pub async fn calls_on_nothing_are_refused(stores: &Stores) {
    let (nothing, order) = (ProductId::generate(), OrderId::generate());
    assert_eq!(stores.stock.get(nothing).await, Ok(None));
    let refused = stores.stock.reserve(order, &[line(nothing, 1)], at(60)).await;
    assert_eq!(refused, Err(StockError::NoSuchProduct.into()));
    assert_eq!(stores.stock.commit(order, None).await, Err(StockError::NoReservation.into()));
    let refused = stores.stock.retake(order, &[line(nothing, 1)], None).await;
    assert_eq!(refused, Err(StockError::NoSuchProduct.into()));
}
