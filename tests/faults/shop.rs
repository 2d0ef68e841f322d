//! The services that take an order from a cart to delivery or refund, over one store.

use std::{future::ready, sync::Arc, time::Duration};

use jiff::SignedDuration;
use microbazaar::{
    actors::{
        accounts::calls::{GetAddress, GetContact},
        cart,
        catalogue::calls::GetOffers,
        inventory::{self, StockListener},
        order_saga::{OrderSettings, Orders},
        payment,
    },
    domain::{
        Timestamp,
        ids::{ProductId, UserId},
        inventory::StockLevel,
        money::{Currency, Money},
        order::Pricing,
        product::{Offer, Product, ProductStatus},
        user::{Contact, FullName},
    },
    integrations::payment::{Keys, SandboxGateway},
    runtime::{
        Runtime,
        calls::{Calls, Outcome, Registry},
    },
    store::{CartStore, OrderStore, PaymentStore},
};

use super::crash::Life;

/// Any product at this price with plenty of stock; the inventory service decides the real stock.
fn offer(id: ProductId, price: Money) -> Offer {
    let product = Product {
        id,
        title: "A lamp".into(),
        description: String::new(),
        price,
        category: "home".into(),
        seller: UserId::from_bytes([7; 12]),
        images: vec![],
        max_per_order: None,
        status: ProductStatus::Live,
        status_reason: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: 1,
    };
    Offer { product: Arc::new(product), available: 1_000, for_sale: true }
}

/// Returns a contact for every user.
async fn contact(GetContact { user }: GetContact) -> Outcome<GetContact> {
    let (email, username) = ("ana@example.com".to_owned(), "ana".to_owned());
    Ok(Some(Contact { user, email, username, full_name: FullName::default() }))
}

struct Nobody;

impl StockListener for Nobody {
    fn stock_changed(&self, _: &StockLevel) {}
}

/// The payment window: longer than any test; tests shorten it themselves.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// One process's services.
pub struct Shop {
    pub runtime: Runtime,
    pub calls: Calls,
    pub sandbox: Arc<SandboxGateway>,
}

impl Shop {
    /// Starts them over the stores of one process.
    pub fn start(life: &Arc<Life>) -> Self {
        Self::selling_at(life, Money::new(49_950, Currency::Inr))
    }

    /// The same, with this price for any product.
    pub fn selling_at(life: &Arc<Life>, price: Money) -> Self {
        let (runtime, calls) = (Runtime::new(1), Calls::default());
        let mut registry = Registry::default();
        inventory::start(&runtime, &mut registry, life.clone(), Arc::new(Nobody), WINDOW);
        let documents = life.documents();
        let (store, calls) = (CartStore::new(documents.clone()), calls.clone());
        cart::start(&runtime, &mut registry, store, calls.clone(), None, Duration::from_secs(30), false);
        registry.on(move |asked: GetOffers| ready(Ok(asked.products.into_iter().map(|id| offer(id, price)).collect())));
        let pricing = Pricing { tax_basis_points: 1_000, shipping_minor: 5_000 };
        let settings = OrderSettings { pricing, window: WINDOW, max_unpaid: 1_000 };
        Orders::start(&runtime, &mut registry, OrderStore::new(documents.clone()), calls.clone(), settings);
        let keys = Keys { key_secret: "key".into(), webhook_secret: "webhook".into() };
        let store = PaymentStore::new(documents);
        let sandbox = Arc::new(SandboxGateway::new("rzp_test".to_owned(), keys, store.clone()));
        let every = SignedDuration::from_mins(1);
        payment::start(&runtime, &mut registry, store, sandbox.clone(), calls.clone(), every);
        registry.on(contact).on(async |_: GetAddress| Ok(None));
        calls.connect(registry, []);
        Self { runtime, calls, sandbox }
    }

    /// Ends every actor.
    pub async fn end(self) {
        assert_eq!(self.runtime.shutdown(Duration::from_secs(10)).await, 0, "every actor ends");
    }
}
