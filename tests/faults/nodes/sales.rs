//! Buyers who keep buying whatever happens to the processes and servers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::task::JoinHandle;

use test_support::eventually;

use super::{fleet::Fleet, shopper::Shopper};

/// The answers that one buyer got.
#[derive(Default)]
pub struct Bought {
    /// Orders that were answered with 201.
    pub placed: Vec<String>,
    /// Orders whose payment was verified.
    pub paid: Vec<String>,
}

/// Sales that continue until they are ended.
pub struct Sales {
    ended: Arc<AtomicBool>,
    paid: Arc<AtomicUsize>,
    buying: Vec<JoinHandle<(Shopper, Bought)>>,
}

impl Sales {
    /// Starts that many buyers, who take the products in turn.
    pub async fn start(fleet: &Fleet, products: &[String], buyers: usize) -> Self {
        let (ended, paid) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut buying = vec![];
        for number in 0..buyers {
            let buyer = Shopper::join(fleet, &format!("buyer{number}"), "user").await;
            let (ended, paid, products) = (Arc::clone(&ended), Arc::clone(&paid), products.to_vec());
            buying.push(actix_rt::spawn(async move {
                let mut bought = Bought::default();
                for product in products.iter().cycle() {
                    if ended.load(Ordering::SeqCst) {
                        break;
                    }
                    let Some(order) = buyer.order(product).await else { continue };
                    bought.placed.push(order.clone());
                    if buyer.pay(&order).await {
                        bought.paid.push(order);
                        paid.fetch_add(1, Ordering::SeqCst);
                    }
                }
                (buyer, bought)
            }));
        }
        Self { ended, paid, buying }
    }

    /// Waits until this many more were paid.
    pub async fn go_on(&self, more: usize) {
        let goal = self.paid.load(Ordering::SeqCst) + more;
        eventually("sales go on", async || self.paid.load(Ordering::SeqCst) >= goal).await;
    }

    /// Ends them; returns each buyer's orders. Each has paid for something.
    pub async fn end(self) -> Vec<(Shopper, Bought)> {
        self.ended.store(true, Ordering::SeqCst);
        let mut people = vec![];
        for buyer in self.buying {
            people.push(buyer.await.unwrap());
            assert!(!people.last().unwrap().1.paid.is_empty(), "some were paid");
        }
        people
    }
}
