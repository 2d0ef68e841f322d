//! Products that are bought together, counted over part of the last month's orders.
//!
//! The counts are computed on request from the store and cached for a while; losing them is
//! harmless. A pair counts once per buyer, and is shown only if several buyers chose it, so that
//! no single purchase is revealed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    domain::{
        Timestamp,
        ids::{OrderId, ProductId, UserId, first_id_of},
        order::Order,
    },
    store::{OrderStore, StoreError},
};

/// How long the counts are cached.
const KEPT: Duration = Duration::from_secs(600);
/// The age of the oldest order that counts.
const SINCE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How many orders are read at once, and in total.
const PAGE: u32 = 500;
const PAGES: u32 = 4;
/// Orders with more lines are ignored, because they say little about pairs.
const LINES_MAX: usize = 10;
/// The minimum number of buyers for a pair to be shown.
const BUYERS_MIN: usize = 3;

/// For each product the products bought with it, those with the most buyers first.
type Pairs = HashMap<ProductId, Vec<ProductId>>;

/// The counts, and when they were computed.
#[derive(Default)]
pub(super) struct CoPurchases(Mutex<Option<(Instant, Arc<Pairs>)>>);

impl CoPurchases {
    /// The products bought with `product`, those with the most buyers first.
    pub(super) async fn with(
        &self,
        store: &OrderStore,
        product: ProductId,
        limit: usize,
    ) -> Result<Vec<ProductId>, StoreError> {
        let mut counted = self.0.lock().await;
        let pairs = match &*counted {
            Some((at, pairs)) if at.elapsed() < KEPT => Arc::clone(pairs),
            _ => {
                let pairs = Arc::new(count(&read(store).await?));
                *counted = Some((Instant::now(), Arc::clone(&pairs)));
                pairs
            }
        };
        drop(counted);
        Ok(pairs.get(&product).into_iter().flatten().take(limit).copied().collect())
    }
}

async fn read(store: &OrderStore) -> Result<Vec<Order>, StoreError> {
    let since = Timestamp::now().saturating_sub(SINCE).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut after = Some(OrderId::from_bytes(first_id_of(since).bytes()));
    let mut orders: Vec<Order> = vec![];
    for _ in 0..PAGES {
        let page = store.all(after, PAGE).await?;
        let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        orders.extend(page);
        after = orders.last().map(|order| order.id).or(after);
        if !full {
            break;
        }
    }
    Ok(orders)
}

fn count(orders: &[Order]) -> Pairs {
    let mut buyers: HashMap<(ProductId, ProductId), HashSet<UserId>> = HashMap::new();
    for order in orders.iter().filter(|order| order.status.is_sale() && order.items.len() <= LINES_MAX) {
        for one in &order.items {
            for other in order.items.iter().filter(|other| other.product != one.product) {
                buyers.entry((one.product, other.product)).or_default().insert(order.user);
            }
        }
    }
    let mut counted: Vec<_> = buyers.into_iter().filter(|(_, buyers)| buyers.len() >= BUYERS_MIN).collect();
    counted.sort_by_key(|(pair, buyers)| (std::cmp::Reverse(buyers.len()), *pair));
    let mut pairs = Pairs::new();
    for ((one, other), _) in counted {
        pairs.entry(one).or_default().push(other);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        money::{Currency, Money},
        order::{NewOrder, OrderItem, OrderStatus, Pricing, Shipment},
    };

    fn order(user: u8, products: &[u8], status: OrderStatus) -> Order {
        let item = |product: &u8| OrderItem {
            product: ProductId::from_bytes([*product; 12]),
            title: "A".into(),
            seller: UserId::from_bytes([7; 12]),
            quantity: 1,
            price: Money::new(100, Currency::Inr),
            shipment: Shipment::Waiting,
            tracking_number: None,
        };
        let new = NewOrder {
            id: OrderId::generate(),
            user: UserId::from_bytes([user; 12]),
            items: products.iter().map(item).collect(),
            shipping_address: None,
            cart_version: 1,
            window: SignedDuration::from_mins(15),
        };
        let pricing = Pricing { tax_basis_points: 0, shipping_minor: 0 };
        Order { status, ..Order::place(new, &pricing, Timestamp::UNIX_EPOCH).unwrap() }
    }

    #[test]
    fn a_pair_of_three_buyers_is_shown_and_a_frequent_pair_of_one_buyer_is_not() {
        use OrderStatus::{Cancelled, Confirmed, Delivered};
        let orders = [
            order(1, &[1, 2, 3], Confirmed),
            order(2, &[1, 2, 3], Delivered),
            order(3, &[2, 1, 3], Confirmed),
            order(4, &[1, 2], Confirmed),
            order(5, &[1, 9], Confirmed),
            order(5, &[1, 9], Confirmed),
            order(5, &[1, 9], Confirmed),
            order(6, &[1, 9], Cancelled),
            order(7, &[1, 9], Cancelled),
        ];
        let pairs = count(&orders);
        let id = |byte| ProductId::from_bytes([byte; 12]);
        assert_eq!(pairs[&id(1)], [id(2), id(3)]);
        assert_eq!(pairs.get(&id(9)), None);
    }
}
