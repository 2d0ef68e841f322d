//! The invariants after recovery: stock, money and dashboards agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lapin::{Channel, options::QueueDeclareOptions, types::FieldTable};
use microbazaar::{
    bus::rabbit::topology::{self, RETRIES, dead_queue, retry_queue},
    domain::queues::QUEUES,
};
use test_support::{DEADLINE, text};

use super::{fleet::Fleet, sales::Bought, shopper::Shopper};

/// Products by id, with their initial stock.
pub type Stocked = [(String, u32)];

/// The current state.
#[derive(Debug, Default)]
struct Seen {
    /// Units of confirmed orders, by product. An order may have more than one unit: adding to the cart is repeated
    /// when its answer was lost.
    units: BTreeMap<String, i64>,
    /// Orders that are pending, or whose money is neither kept nor refunded.
    open: Vec<String>,
    /// Orders that were answered as placed and are missing.
    lost: Vec<String>,
    /// On hand and reserved, by product.
    stock: BTreeMap<String, (i64, i64)>,
    /// Units sold, as the dashboard counts.
    sales: i64,
}

impl Seen {
    async fn now(seller: &Shopper, products: &Stocked, people: &[(Shopper, Bought)]) -> Self {
        let mut seen = Self::default();
        for (buyer, bought) in people {
            let mut known = BTreeSet::new();
            for order in buyer.orders().await {
                let (id, status) = (text(&order["_id"]), text(&order["status"]));
                if status == "CONFIRMED" {
                    for item in order["items"].as_array().unwrap() {
                        *seen.units.entry(text(&item["product"])).or_default() += item["quantity"].as_i64().unwrap();
                    }
                } else if status == "PENDING" || bought.paid.contains(&id) {
                    let payment = buyer.get(&format!("/api/payments/order/{id}")).await.json()["payment"].clone();
                    if status == "PENDING" || payment["status"] != "REFUNDED" {
                        seen.open.push(format!("{id} is {status}, its payment {payment}"));
                    }
                }
                known.insert(id);
            }
            seen.lost.extend(bought.placed.iter().filter(|id| !known.contains(*id)).cloned());
        }
        for (product, _) in products {
            seen.stock.insert(product.clone(), seller.stock(product).await);
        }
        seen.sales = i64::try_from(seller.sales().await).unwrap();
        seen
    }

    fn agrees(&self, products: &Stocked) -> bool {
        let goods = |(product, had): &(String, u32)| {
            let (on_hand, reserved) = self.stock[product];
            reserved == 0 && on_hand + self.units.get(product).copied().unwrap_or(0) == i64::from(*had)
        };
        let sold: i64 = self.units.values().sum();
        self.open.is_empty() && self.lost.is_empty() && products.iter().all(goods) && self.sales == sold
    }
}

/// Waits until everything agrees. Late money may still change an order, so that everything is read again each time.
pub async fn until_all_agrees(fleet: &Fleet, seller: &Shopper, products: &Stocked, people: &[(Shopper, Bought)]) {
    let mut seen = Seen::default();
    let agreed = async {
        loop {
            seen = Seen::now(seller, products, people).await;
            if seen.agrees(products) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, agreed).await.is_ok();
    if !in_time {
        let depths = depths(&fleet.broker.channel).await;
        panic!("goods, money and figures agree in the end: of {products:?} {seen:#?}; queues: {depths:?}");
    }
}

/// How many messages are in dead-letter queues, including those of earlier shops.
pub async fn dead(fleet: &Fleet) -> u32 {
    let mut dead = 0;
    for queue in QUEUES {
        topology::declare_read(&fleet.broker.channel, queue.name).await.unwrap();
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let name = dead_queue(queue.name);
        dead += fleet
            .broker
            .channel
            .queue_declare(name.into(), options, FieldTable::default())
            .await
            .unwrap()
            .message_count();
    }
    dead
}

/// The queues that contain messages.
async fn depths(channel: &Channel) -> Vec<(String, u32)> {
    let mut depths = vec![];
    for queue in QUEUES {
        let waits = (1..=RETRIES).map(|attempt| retry_queue(queue.name, attempt));
        for name in waits.chain([queue.name.to_owned(), dead_queue(queue.name)]) {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            // A queue that is not declared closes the channel, and ends the list.
            let Ok(there) = channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await else {
                return depths;
            };
            if there.message_count() > 0 {
                depths.push((name, there.message_count()));
            }
        }
    }
    depths
}
