//! The seller dashboard's read model.

use microbazaar::{
    domain::{
        Timestamp,
        ids::{EventId, OrderId, ProductId, UserId},
        money::{Currency, Money},
        order::OrderStatus,
    },
    store::{
        Stores,
        dashboard::{DailySales, DashboardChange, Metrics, OrderRow, Range, SoldLine, TopProduct},
    },
};
use serde_json::json;

use super::make::at;

const DAY: i64 = 86_400;

fn inr(minor: i64) -> Money {
    Money::new(minor, Currency::Inr)
}

fn line(seller: UserId, product: ProductId, quantity: u32, price: Money) -> SoldLine {
    let title = "A book".into();
    SoldLine { seller, product, title, quantity, price, to_ship: false, refunded_units: 0, refunded_minor: 0 }
}

fn row(status: OrderStatus, created_at: Timestamp, lines: Vec<SoldLine>) -> OrderRow {
    OrderRow { id: OrderId::generate(), status, version: 1, created_at, document: json!({"n": [1, null]}), lines }
}

async fn apply(stores: &Stores, change: DashboardChange) {
    stores.dashboard.apply(&[(EventId::generate(), change)]).await.unwrap();
}

async fn sales(stores: &Stores, seller: UserId) -> u64 {
    stores.dashboard.metrics(seller, Range::default()).await.unwrap().sales
}

fn product(id: ProductId, seller: UserId, version: u64) -> DashboardChange {
    DashboardChange::Product { id, seller, version, document: json!({"version": version}) }
}

pub async fn an_event_is_applied_once(stores: &Stores) {
    let (seller, event) = (UserId::generate(), EventId::generate());
    let order = row(OrderStatus::Confirmed, at(0), vec![line(seller, ProductId::generate(), 2, inr(100))]);
    let changed = OrderRow { version: 2, status: OrderStatus::Cancelled, ..order.clone() };
    let applied = [(event, DashboardChange::Order(order.clone())), (event, DashboardChange::Order(changed.clone()))];
    stores.dashboard.apply(&applied).await.unwrap();
    stores.dashboard.apply(&applied).await.unwrap();
    assert_eq!(stores.dashboard.orders(seller, 0, 10).await.unwrap().rows, [order], "the second is the same event");
    apply(stores, DashboardChange::Order(changed.clone())).await;
    assert_eq!(stores.dashboard.orders(seller, 0, 10).await.unwrap().rows, [changed]);
}

pub async fn an_older_order_never_overwrites_a_newer_one(stores: &Stores) {
    let seller = UserId::generate();
    let first = row(OrderStatus::Pending, at(0), vec![line(seller, ProductId::generate(), 2, inr(100))]);
    let second = OrderRow { version: 2, status: OrderStatus::Confirmed, ..first.clone() };
    apply(stores, DashboardChange::Order(second.clone())).await;
    apply(stores, DashboardChange::Order(first)).await;
    assert_eq!(stores.dashboard.orders(seller, 0, 10).await.unwrap().rows, [second]);
    assert_eq!(sales(stores, seller).await, 2, "the lines keep the order's status");
}

/// Like two nodes that read the queue of new orders and that of changed ones.
pub async fn of_two_that_make_one_row_at_once_the_newer_stays(stores: &Stores) {
    let seller = UserId::generate();
    let orders: Vec<[OrderRow; 3]> = (0..40)
        .map(|_| {
            let first = row(OrderStatus::Pending, at(0), vec![line(seller, ProductId::generate(), 1, inr(100))]);
            let second = OrderRow { version: 2, status: OrderStatus::Confirmed, ..first.clone() };
            let third = OrderRow { version: 3, status: OrderStatus::Confirmed, ..first.clone() };
            [first, second, third]
        })
        .collect();
    let written = orders.iter().flatten().map(|row| apply(stores, DashboardChange::Order(row.clone())));
    futures_util::future::join_all(written).await;
    let shown = stores.dashboard.orders(seller, 0, 100).await.unwrap().rows;
    assert_eq!(shown.iter().filter(|row| row.version == 3).count(), orders.len(), "{shown:?}");
    assert_eq!(sales(stores, seller).await, 40);
}

pub async fn metrics_count_sales_and_every_status(stores: &Stores) {
    let (seller, rival) = (UserId::generate(), UserId::generate());
    let (a, b) = (ProductId::generate(), ProductId::generate());
    let mut last = row(OrderStatus::Delivered, at(DAY), vec![line(seller, a, 1, inr(150))]);
    last.lines[0].title = "A book, 2nd edition".into();
    let orders = [
        row(
            OrderStatus::Confirmed,
            at(0),
            vec![
                line(seller, a, 2, inr(100)),
                line(rival, ProductId::generate(), 9, inr(900)),
                line(seller, b, 1, inr(50)),
            ],
        ),
        last,
        row(OrderStatus::Pending, at(0), vec![line(seller, a, 7, inr(100))]),
        row(OrderStatus::Cancelled, at(0), vec![line(seller, a, 7, inr(100))]),
    ];
    let changes: Vec<_> =
        orders.iter().map(|order| (EventId::generate(), DashboardChange::Order(order.clone()))).collect();
    stores.dashboard.apply(&changes).await.unwrap();
    let date = |second| at(second).to_zoned(jiff::tz::TimeZone::UTC).date();
    let top = |id, title: &str, sold, minor| TopProduct { id, title: title.into(), sold, revenue: inr(minor) };
    let expected = Metrics {
        sales: 4,
        revenue: vec![inr(400)],
        top_products: vec![top(a, "A book, 2nd edition", 3, 350), top(b, "A book", 1, 50)],
        orders_by_status: vec![
            (OrderStatus::Pending, 1),
            (OrderStatus::Confirmed, 1),
            (OrderStatus::Delivered, 1),
            (OrderStatus::Cancelled, 1),
        ],
        daily: vec![
            DailySales { date: date(0), sales: 3, revenue: inr(250) },
            DailySales { date: date(DAY), sales: 1, revenue: inr(150) },
        ],
    };
    assert_eq!(stores.dashboard.metrics(seller, Range::default()).await.unwrap(), expected);
    assert_eq!(sales(stores, rival).await, 9);
    let nobody = stores.dashboard.metrics(UserId::generate(), Range::default()).await.unwrap();
    assert_eq!(nobody, Metrics::default());
}

pub async fn metrics_keep_to_the_range(stores: &Stores) {
    let seller = UserId::generate();
    for second in [10, 20, 30] {
        let order = row(OrderStatus::Shipped, at(second), vec![line(seller, ProductId::generate(), 1, inr(100))]);
        apply(stores, DashboardChange::Order(order)).await;
    }
    for (from, to, expected) in [
        (Some(20), None, 2),
        (None, Some(20), 1),
        (Some(20), Some(30), 1),
        (Some(31), None, 0),
        (Some(30), Some(10), 0),
    ] {
        let range = Range { from: from.map(at), to: to.map(at) };
        let metrics = stores.dashboard.metrics(seller, range).await.unwrap();
        assert_eq!(metrics.sales, expected, "{range:?}");
        assert_eq!(metrics.orders_by_status.iter().map(|(_, n)| n).sum::<u64>(), expected, "{range:?}");
    }
}

pub async fn two_currencies_are_two_sums(stores: &Stores) {
    let (seller, product) = (UserId::generate(), ProductId::generate());
    for price in [Money::new(700, Currency::Usd), inr(100)] {
        let order = row(OrderStatus::Confirmed, at(0), vec![line(seller, product, 1, price)]);
        apply(stores, DashboardChange::Order(order)).await;
    }
    let metrics = stores.dashboard.metrics(seller, Range::default()).await.unwrap();
    assert_eq!(metrics.revenue, [inr(100), Money::new(700, Currency::Usd)]);
    assert_eq!(metrics.sales, 2);
    assert_eq!(metrics.daily.len(), 2);
}

pub async fn a_seller_pages_through_her_orders(stores: &Stores) {
    let (seller, rival) = (UserId::generate(), UserId::generate());
    let mut orders = vec![];
    for second in [30, 10, 20] {
        let lines = vec![
            line(seller, ProductId::generate(), 1, inr(100)),
            line(seller, ProductId::generate(), 2, inr(100)),
            line(rival, ProductId::generate(), 3, inr(100)),
        ];
        orders.push(row(OrderStatus::Pending, at(second), lines));
        apply(stores, DashboardChange::Order(orders[orders.len() - 1].clone())).await;
    }
    let page = stores.dashboard.orders(seller, 0, 2).await.unwrap();
    assert_eq!((page.total, page.rows), (3, vec![orders[0].clone(), orders[2].clone()]));
    assert_eq!(stores.dashboard.orders(seller, 2, 2).await.unwrap().rows, [orders[1].clone()]);
}

pub async fn what_is_to_be_shipped_is_found_behind_any_number_of_others(stores: &Stores) {
    let (seller, rival) = (UserId::generate(), UserId::generate());
    let to_ship = |whose| SoldLine { to_ship: true, ..line(whose, ProductId::generate(), 1, inr(100)) };
    let mut waiting = vec![];
    let mut changes = vec![];
    for second in [2, 0, 1] {
        let lines = vec![to_ship(seller), to_ship(seller), line(rival, ProductId::generate(), 1, inr(100))];
        waiting.push(row(OrderStatus::Confirmed, at(second), lines));
    }
    changes.extend(waiting.iter().cloned());
    changes.extend((10..140).map(|second| {
        row(OrderStatus::Pending, at(second), vec![line(seller, ProductId::generate(), 1, inr(100)), to_ship(rival)])
    }));
    let changes: Vec<_> =
        changes.into_iter().map(|order| (EventId::generate(), DashboardChange::Order(order))).collect();
    stores.dashboard.apply(&changes).await.unwrap();
    let page = stores.dashboard.to_ship(seller, 0, 2).await.unwrap();
    assert_eq!((page.total, page.rows), (3, vec![waiting[1].clone(), waiting[2].clone()]), "the oldest first");
    assert_eq!(stores.dashboard.to_ship(seller, 2, 2).await.unwrap().rows, [waiting[0].clone()]);
    assert_eq!(stores.dashboard.to_ship(rival, 0, 1).await.unwrap().total, 130);
    let mut shipped = OrderRow { version: 2, status: OrderStatus::Shipped, ..waiting[1].clone() };
    shipped.lines.iter_mut().for_each(|line| line.to_ship = false);
    apply(stores, DashboardChange::Order(shipped)).await;
    assert_eq!(stores.dashboard.to_ship(seller, 0, 9).await.unwrap().total, 2);
    assert_eq!(stores.dashboard.to_ship(UserId::generate(), 0, 9).await.unwrap().total, 0);
}

pub async fn what_was_given_back_is_no_sale(stores: &Stores) {
    let (seller, a, b) = (UserId::generate(), ProductId::generate(), ProductId::generate());
    let back = |product, quantity, units, minor| SoldLine {
        refunded_units: units,
        refunded_minor: minor,
        ..line(seller, product, quantity, inr(100))
    };
    let orders = [
        row(OrderStatus::Confirmed, at(0), vec![back(a, 3, 1, 110)]),
        row(OrderStatus::Delivered, at(DAY), vec![back(b, 2, 2, 200)]),
        row(OrderStatus::Shipped, at(2 * DAY), vec![line(seller, a, 1, inr(100))]),
    ];
    for order in &orders {
        apply(stores, DashboardChange::Order(order.clone())).await;
    }
    let metrics = stores.dashboard.metrics(seller, Range::default()).await.unwrap();
    assert_eq!((metrics.sales, &metrics.revenue), (3, &vec![inr(290)]));
    assert_eq!(
        metrics.top_products.iter().map(|top| (top.id, top.sold, top.revenue)).collect::<Vec<_>>(),
        [(a, 3, inr(290))]
    );
    assert_eq!(
        metrics.daily.iter().map(|day| (day.sales, day.revenue)).collect::<Vec<_>>(),
        [(2, inr(190)), (1, inr(100))]
    );
    let second = Range { from: Some(at(DAY)), to: Some(at(2 * DAY)) };
    let nothing = stores.dashboard.metrics(seller, second).await.unwrap();
    assert_eq!((nothing.sales, nothing.revenue.len(), nothing.daily.len()), (0, 0, 0), "as if nothing had been sold");
    assert_eq!(nothing.orders_by_status, [(OrderStatus::Delivered, 1)]);
    for (id, version) in [(a, 1), (b, 2)] {
        apply(stores, product(id, seller, version)).await;
    }
    let listed = stores.dashboard.products(seller, 0, 9).await.unwrap();
    let sold = |id| listed.rows.iter().find(|row| row.id == id).map(|row| row.sold);
    assert_eq!((sold(a), sold(b)), (Some(3), Some(0)));
    assert_eq!(stores.dashboard.orders(seller, 0, 9).await.unwrap().rows[2], orders[0], "kept with the line");
}

pub async fn products_show_what_they_sold(stores: &Stores) {
    let seller = UserId::generate();
    let ids: Vec<_> = (0..3).map(|_| ProductId::generate()).collect();
    for id in &ids {
        apply(stores, product(*id, seller, 1)).await;
    }
    apply(stores, product(ProductId::generate(), UserId::generate(), 1)).await;
    for status in [OrderStatus::Confirmed, OrderStatus::Shipped, OrderStatus::Pending] {
        apply(stores, DashboardChange::Order(row(status, at(0), vec![line(seller, ids[1], 2, inr(100))]))).await;
    }
    let page = stores.dashboard.products(seller, 1, 2).await.unwrap();
    let shown: Vec<_> = page.rows.iter().map(|row| (row.id, row.sold)).collect();
    assert_eq!((page.total, shown), (3, vec![(ids[1], 4), (ids[0], 0)]));
}

pub async fn a_gone_product_stays_gone(stores: &Stores) {
    let (seller, id, never) = (UserId::generate(), ProductId::generate(), ProductId::generate());
    apply(stores, product(id, seller, 2)).await;
    apply(stores, product(id, seller, 1)).await;
    let shown = stores.dashboard.products(seller, 0, 9).await.unwrap();
    assert_eq!(shown.rows[0].document, json!({"version": 2}), "an older one changes nothing");
    apply(stores, DashboardChange::ProductGone(id)).await;
    apply(stores, DashboardChange::ProductGone(never)).await;
    for id in [id, never] {
        apply(stores, product(id, seller, 9)).await;
    }
    assert_eq!(stores.dashboard.products(seller, 0, 9).await.unwrap().total, 0);
}

pub async fn reset_forgets_rows_and_events(stores: &Stores) {
    let seller = UserId::generate();
    let order = row(OrderStatus::Confirmed, at(0), vec![line(seller, ProductId::generate(), 1, inr(100))]);
    let note = DashboardChange::Note { kind: "user", id: seller.to_hex(), document: json!({}) };
    let changes = [(EventId::generate(), DashboardChange::Order(order)), (EventId::generate(), note)];
    stores.dashboard.apply(&changes).await.unwrap();
    stores.dashboard.reset().await.unwrap();
    assert_eq!(sales(stores, seller).await, 0);
    assert_eq!(stores.dashboard.orders(seller, 0, 9).await.unwrap().total, 0);
    stores.dashboard.apply(&changes).await.unwrap();
    assert_eq!(sales(stores, seller).await, 1, "the same events apply again");
}

pub async fn forgetting_keeps_recent_events(stores: &Stores) {
    let (seller, id, event) = (UserId::generate(), ProductId::generate(), EventId::generate());
    stores.dashboard.apply(&[(event, product(id, seller, 1))]).await.unwrap();
    let made_at = i64::from(u32::from_be_bytes(event.bytes()[..4].try_into().unwrap()));
    stores.outbox.forget_applied(Timestamp::from_second(made_at).unwrap()).await.unwrap();
    stores.dashboard.apply(&[(event, product(id, seller, 2))]).await.unwrap();
    let version = || async { stores.dashboard.products(seller, 0, 9).await.unwrap().rows[0].document.clone() };
    assert_eq!(version().await, json!({"version": 1}), "still known");
    stores.outbox.forget_applied(Timestamp::from_second(made_at + 1).unwrap()).await.unwrap();
    stores.dashboard.apply(&[(event, product(id, seller, 2))]).await.unwrap();
    assert_eq!(version().await, json!({"version": 2}), "forgotten");
}

pub async fn the_seller_of_a_product_is_known_also_when_it_is_gone(stores: &Stores) {
    let (seller, kept, gone) = (UserId::generate(), ProductId::generate(), ProductId::generate());
    let (unheard, never_told) = (ProductId::generate(), ProductId::generate());
    assert!(stores.dashboard.sellers_of(&[kept]).await.unwrap().is_empty());
    apply(stores, product(kept, seller, 1)).await;
    apply(stores, product(gone, seller, 1)).await;
    apply(stores, DashboardChange::ProductGone(gone)).await;
    apply(stores, DashboardChange::ProductGone(never_told)).await;
    let known = stores.dashboard.sellers_of(&[kept, gone, unheard, never_told]).await.unwrap();
    assert_eq!(known, [(kept, seller), (gone, seller)].into());
}
