//! Products: what sellers offer and shoppers look at.
//!
//! Writes go through `CatalogueActor`; reads go to [`snapshots`], which every write
//! replaces before it is answered, and never wait in a mailbox. The search [`index`] follows
//! the store by the products' change sequence (`follower`), a moment later.
//!
//! **Invariant:** a product read by its id after an answered write is that write's or newer,
//! its stock included.

mod actor;
pub mod calls;
mod follower;
mod hosting;
mod importing;
pub mod index;
mod reads;
pub mod snapshots;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

pub use self::actor::CatalogueActor;
use self::{
    actor::ProductService,
    calls::{
        ChangeProduct, CountProducts, CreateProduct, DeleteProduct, GetCategories, GetImports, GetOffer, GetOffers,
        GetProductsOfSeller, ImportFile, InsertProducts, RemoveImage, SearchProducts, SetProductStatus,
    },
    follower::{Changed, IndexFollower},
    hosting::Hosting,
    importing::Importing,
    index::SearchIndex,
    snapshots::{Snapshot, Snapshots},
};
use super::{blocked_users::BlockedUsers, inventory::StockListener};
use crate::{
    config::Service,
    domain::inventory::StockLevel,
    integrations::{
        image::{HostedImages, ImageStore, Preparer},
        redis::{Wake, topic},
    },
    runtime::calls::{CallError, Calls, Never, Registry, Workers},
    runtime::{KeyLocks, Limits, Runtime},
    store::{ImportStore, ProductStore},
};

/// How many products can be changed at once without waiting needlessly.
const TURNS: usize = 1_024;

/// A page of products and how many there are in all.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The products of this page.
    pub products: Vec<Arc<Snapshot>>,
    /// How many match.
    pub total: u64,
    /// Words of the search that no product has, which were passed over.
    pub unknown: Arc<[String]>,
}

/// The product service.
#[derive(Clone)]
pub struct Catalogue {
    service: Arc<ProductService>,
    index: Arc<SearchIndex>,
    caught_up: Arc<AtomicBool>,
    /// Searches that are not remembered are real work: as many at once as help.
    searching: Arc<Semaphore>,
    hosting: Option<Arc<Hosting>>,
    importing: Option<Arc<Importing>>,
}

/// How long a write may take, pictures being prepared.
const WRITE_WITHIN: Duration = Duration::from_secs(20);
/// How many uncached searches run at once.
const SEARCHES_AT_ONCE: usize = 4;

impl Catalogue {
    /// Starts the index's follower. With a `shared` store other nodes change
    /// products too, which is shown within a second; they wake the follower.
    pub fn start(
        runtime: &Runtime,
        store: ProductStore,
        snapshots: Arc<Snapshots>,
        index: Arc<SearchIndex>,
        pictures: Arc<dyn ImageStore>,
        calls: Calls,
        shared: Option<&Wake>,
    ) -> Self {
        let wake = shared.cloned().unwrap_or_default();
        let changed = wake.listen(topic::PRODUCTS);
        let service = Arc::new(ProductService {
            store,
            snapshots,
            pictures,
            preparer: Preparer::default(),
            calls,
            wake: wake.clone(),
            turns: KeyLocks::new(TURNS),
            blocked: OnceLock::new(),
        });
        let caught_up = Arc::new(AtomicBool::new(false));
        let shown = shared.map(|_| Arc::clone(&service.snapshots));
        let changed = Changed { wake, heard: changed };
        IndexFollower::new(service.store.clone(), Arc::clone(&index), changed, shown, Arc::clone(&caught_up))
            .start(runtime);
        let searching = Arc::new(Semaphore::new(SEARCHES_AT_ONCE));
        Self { service, index, caught_up, searching, hosting: None, importing: None }
    }

    /// Has pictures hosted elsewhere. They are those that this was started with.
    #[must_use]
    pub fn with_hosting(mut self, runtime: &Runtime, pictures: HostedImages, wake: &Wake) -> Self {
        let hosting = Arc::new(Hosting::new(Arc::clone(&self.service), pictures, wake));
        self.hosting = Some(Arc::clone(&hosting));
        runtime.background("picture_hosting", hosting, async |hosting| hosting.run().await);
        self
    }

    /// Takes files of products, and goes on with those that were not finished.
    #[must_use]
    pub fn with_imports(mut self, runtime: &Runtime, store: ImportStore, wake: &Wake, shared: bool) -> Self {
        let importing = Arc::new(Importing::new(Arc::clone(&self.service), store, wake, shared));
        self.importing = Some(Arc::clone(&importing));
        runtime.background("product_import", importing, async |importing| importing.run().await);
        self
    }

    fn importing(&self) -> Result<&Importing, CallError<Never>> {
        self.importing.as_deref().ok_or(CallError::unavailable(Service::Product))
    }

    /// Starts the actor that writes, and registers the calls.
    pub fn register(&self, runtime: &Runtime, registry: &mut Registry) {
        let limits = Limits { deadline: WRITE_WITHIN, ..Limits::default() };
        Workers::start(runtime, "catalogue", 1, limits, Arc::clone(&self.service))
            .on::<CreateProduct>(registry)
            .on::<ChangeProduct>(registry)
            .on::<RemoveImage>(registry)
            .on::<SetProductStatus>(registry)
            .on::<DeleteProduct>(registry);
        let reads = Arc::new(self.clone());
        registry
            .serve::<GetOffer>(&reads)
            .serve::<GetOffers>(&reads)
            .serve::<SearchProducts>(&reads)
            .serve::<GetCategories>(&reads)
            .serve::<GetProductsOfSeller>(&reads)
            .serve::<CountProducts>(&reads)
            .serve::<InsertProducts>(&reads)
            .serve::<ImportFile>(&reads)
            .serve::<GetImports>(&reads);
    }

    /// Offers nothing of users who are `blocked`, from now on and again once they are not.
    pub fn heed(&self, blocked: &Arc<BlockedUsers>) {
        let _first_stays = self.service.blocked.set(Arc::clone(blocked));
        let (index, of) = (Arc::downgrade(&self.index), Arc::downgrade(blocked));
        let hide = move || {
            if let (Some(index), Some(blocked)) = (index.upgrade(), of.upgrade()) {
                index.leave_out(blocked.known());
            }
        };
        hide();
        blocked.on_change(move |_, _| hide());
    }

    /// Whether pictures are hosted elsewhere, and what keeps them from being.
    #[must_use]
    pub fn hosting_trouble(&self) -> Option<Result<(), String>> {
        let hosting = self.hosting.as_ref()?;
        Some(hosting.trouble().map_or(Ok(()), Err))
    }

    /// Begins to bring no more pictures elsewhere and no more imports, and waits for those under way.
    pub async fn finish(&self, within: Duration) {
        if let Some(importing) = &self.importing {
            importing.finish(within).await;
        }
        if let Some(hosting) = &self.hosting {
            // What is not finished by then is done again after its claim is over.
            hosting.finish(within).await;
        }
    }

    /// Gives the index's files back, after the actors have ended: somebody in this process who
    /// still holds the catalogue keeps nobody from opening them.
    pub async fn close(&self) {
        let index = Arc::clone(&self.index);
        match tokio::task::spawn_blocking(move || index.release_writer()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the search index was not closed well"),
            Err(error) => tracing::warn!(%error, "the search index was not closed well"),
        }
    }

    /// Whether the search index is made anew because its files were damaged: searches answer from
    /// what was in memory meanwhile.
    #[must_use]
    pub fn is_rebuilding_search(&self) -> bool {
        self.index.is_rebuilding()
    }

    /// Whether the search index has come up with the store since the start.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// Where pictures are kept.
    #[must_use]
    pub fn pictures(&self) -> &dyn ImageStore {
        &*self.service.pictures
    }
}

impl StockListener for Snapshots {
    fn stock_changed(&self, level: &StockLevel) {
        self.set_stock(level);
    }
}
