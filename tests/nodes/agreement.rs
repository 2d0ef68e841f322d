//! What must hold once everything is there again: goods, money and figures agree.

use std::time::Duration;

use lapin::{Channel, options::QueueDeclareOptions, types::FieldTable};
use microbazaar::bus::{
    rabbit::topology::{RETRIES, dead_queue, retry_queue},
    table::QUEUES,
};

use super::{
    fleet::{DEADLINE, Fleet},
    shopper::{Person, text},
};

/// How it is now.
#[derive(Default)]
struct Seen {
    /// Units of confirmed orders. An order may have more than one: putting a unit in the cart is
    /// repeated when its answer was lost.
    units: u64,
    /// Orders that wait, or whose money is neither kept nor back.
    open: Vec<String>,
    /// On hand and reserved.
    stock: (u64, u64),
    /// Units sold, as the dashboard counts.
    sales: u64,
}

impl Seen {
    async fn now(seller: &Person, product: &str, people: &[(Person, Vec<String>)]) -> Self {
        let mut seen = Self::default();
        for (buyer, paid) in people {
            for order in buyer.orders().await {
                let (id, status) = (text(&order["_id"]), text(&order["status"]));
                if status == "CONFIRMED" {
                    let items = order["items"].as_array().unwrap();
                    seen.units += items.iter().map(|item| item["quantity"].as_u64().unwrap()).sum::<u64>();
                } else if status == "PENDING" || paid.contains(&id) {
                    let payment = buyer.get(&format!("/api/payments/order/{id}")).await.body["payment"].clone();
                    if status == "PENDING" || payment["status"] != "REFUNDED" {
                        seen.open.push(format!("{id} is {status}, its payment {payment}"));
                    }
                }
            }
        }
        seen.stock = seller.stock(product).await;
        seen.sales = seller.sales().await;
        seen
    }

    fn agrees(&self, stock: u32) -> bool {
        self.open.is_empty() && self.stock == (u64::from(stock) - self.units, 0) && self.sales == self.units
    }
}

/// Waits until it does. Late money may still turn an order over, so all is looked at anew each time.
/// `people` are the buyers, each with what she paid; the product had `stock` units.
pub async fn until_all_agrees(
    fleet: &Fleet,
    seller: &Person,
    product: &str,
    stock: u32,
    people: &[(Person, Vec<String>)],
) {
    let mut seen = Seen::default();
    let agreed = async {
        loop {
            seen = Seen::now(seller, product, people).await;
            if seen.agrees(stock) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if tokio::time::timeout(DEADLINE, agreed).await.is_ok() {
        return;
    }
    let Seen { units, open, stock: (on_hand, reserved), sales } = seen;
    panic!(
        "goods, money and figures agree in the end: {units} units confirmed, {on_hand} of {stock} on hand, \
         {reserved} reserved, {sales} counted as sold; open: {open:#?}; queues with messages: {:?}",
        depths(&fleet.channel).await
    );
}

/// The queues in which messages wait or rest.
async fn depths(channel: &Channel) -> Vec<(String, u32)> {
    let mut depths = vec![];
    for queue in QUEUES {
        let waits = (1..=RETRIES).map(|attempt| retry_queue(queue.name, attempt));
        for name in waits.chain([queue.name.to_owned(), dead_queue(queue.name)]) {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            // One that nobody has declared ends the channel, and with it the list.
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
