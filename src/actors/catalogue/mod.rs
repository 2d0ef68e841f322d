//! The product service.
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
pub mod wishlists;

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
        redis::{ChangeNotifier, topic},
    },
    runtime::calls::{CallError, Calls, Never, Registry, Workers},
    runtime::{KeyLocks, Limits, Runtime},
    store::Stores,
};

/// How many locks there are for concurrent changes of products.
const LOCKS: usize = 1_024;

/// A page of products and how many there are in all.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The products of this page.
    pub products: Vec<Arc<Snapshot>>,
    /// How many match.
    pub total: u64,
    /// Words of the search that no product has, which were ignored.
    pub unknown: Arc<[String]>,
}

/// The product service.
#[derive(Clone)]
pub struct Catalogue {
    stores: Stores,
    service: Arc<ProductService>,
    index: Arc<SearchIndex>,
    caught_up: Arc<AtomicBool>,
    /// Bounds the number of concurrent uncached searches.
    searching: Arc<Semaphore>,
    hosting: Option<Arc<Hosting>>,
    importing: Option<Arc<Importing>>,
}

/// The deadline of a write, including preparing pictures.
const WRITE_WITHIN: Duration = Duration::from_secs(20);
/// How many uncached searches run at once.
const SEARCHES_AT_ONCE: usize = 4;

impl Catalogue {
    /// Starts the index's follower. With a `cluster` notifier other nodes change products too; their changes are
    /// shown within a second and notify the follower.
    pub fn start(
        runtime: &Runtime,
        stores: Stores,
        snapshots: Arc<Snapshots>,
        index: Arc<SearchIndex>,
        pictures: Arc<dyn ImageStore>,
        calls: Calls,
        cluster: Option<&ChangeNotifier>,
    ) -> Self {
        let notifier = cluster.cloned().unwrap_or_default();
        let changed = notifier.listen(topic::PRODUCTS);
        let service = Arc::new(ProductService {
            store: stores.products.clone(),
            snapshots,
            pictures,
            preparer: Preparer::default(),
            calls,
            notifier: notifier.clone(),
            locks: KeyLocks::new(LOCKS),
            blocked: OnceLock::new(),
        });
        let caught_up = Arc::new(AtomicBool::new(false));
        let followed_snapshots = cluster.map(|_| Arc::clone(&service.snapshots));
        let changed = Changed { notifier, heard: changed };
        IndexFollower::new(
            service.store.clone(),
            Arc::clone(&index),
            changed,
            followed_snapshots,
            Arc::clone(&caught_up),
        )
        .start(runtime);
        let searching = Arc::new(Semaphore::new(SEARCHES_AT_ONCE));
        Self { stores, service, index, caught_up, searching, hosting: None, importing: None }
    }

    /// Uploads pictures to a host. `pictures` must be the store that this service was started with.
    #[must_use]
    pub fn with_hosting(mut self, runtime: &Runtime, pictures: HostedImages, notifier: &ChangeNotifier) -> Self {
        let hosting = Arc::new(Hosting::new(Arc::clone(&self.service), pictures, notifier));
        self.hosting = Some(Arc::clone(&hosting));
        runtime.background("picture_hosting", hosting, async |hosting| hosting.run().await);
        self
    }

    /// Accepts imports, and continues unfinished ones.
    #[must_use]
    pub fn with_imports(mut self, runtime: &Runtime, notifier: &ChangeNotifier) -> Self {
        let (store, clustered) = (self.stores.imports.clone(), self.stores.cluster.is_some());
        let importing = Arc::new(Importing::new(Arc::clone(&self.service), store, notifier, clustered));
        self.importing = Some(Arc::clone(&importing));
        runtime.background("product_import", importing, async |importing| importing.run().await);
        self
    }

    fn importing(&self) -> Result<&Importing, CallError<Never>> {
        self.importing.as_deref().ok_or(CallError::unavailable(Service::Product))
    }

    /// Starts the writing actors, and registers the calls.
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
        wishlists::start(runtime, registry, &self.stores, Arc::clone(&self.service));
    }

    /// Hides products of `blocked` users from now on, and shows them again once they are unblocked.
    pub fn set_blocked_users(&self, blocked: &Arc<BlockedUsers>) {
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

    /// The host's current problem, if pictures are hosted.
    #[must_use]
    pub fn hosting_problem(&self) -> Option<Result<(), String>> {
        let hosting = self.hosting.as_ref()?;
        Some(hosting.problem().map_or(Ok(()), Err))
    }

    /// Starts no more uploads and imports, and waits for those in progress.
    pub async fn finish(&self, within: Duration) {
        if let Some(importing) = &self.importing {
            importing.finish(within).await;
        }
        if let Some(hosting) = &self.hosting {
            // Unfinished work is done again after its claim expires.
            hosting.finish(within).await;
        }
    }

    /// Closes the index's files after the actors have ended, so that remaining references in this process do not keep
    /// them locked.
    pub async fn close(&self) {
        let index = Arc::clone(&self.index);
        match tokio::task::spawn_blocking(move || index.release_writer()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the search index was not closed properly"),
            Err(error) => tracing::warn!(%error, "the search index was not closed properly"),
        }
    }

    /// Whether the search index is being rebuilt because its files were damaged; searches use memory meanwhile.
    #[must_use]
    pub fn is_rebuilding_search(&self) -> bool {
        self.index.is_rebuilding()
    }

    /// Whether the search index has caught up with the store since the start.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// The store of pictures.
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
