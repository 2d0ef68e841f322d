//! Products: what sellers offer and shoppers look at.
//!
//! Writes go through `CatalogueActor`; reads go to [`snapshots`], which every write
//! replaces before it is answered, and never wait in a mailbox. The search [`index`] follows
//! the store by the products' change sequence (`follower`), a moment later.
//!
//! **Invariant:** a product read by its id after an answered write is that write's or newer,
//! its stock included.

mod actor;
mod follower;
mod hosting;
mod importing;
pub mod index;
mod peer;
pub mod snapshots;

use crate::actors::inventory::calls::SetStock;
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use tokio::sync::Semaphore;

pub use importing::NewImport;

pub use actor::{Change, Editor, NewProduct, StockChange};

use self::{
    actor::{CatalogueActor, Edit, Shelf, Write},
    follower::{Changed, IndexFollower},
    hosting::{Hosting, PictureHosting},
    importing::{Importing, ProductImport},
    index::{IndexError, ListQuery, SearchIndex},
    snapshots::{Snapshot, Snapshots},
};
use super::{
    blocked_users::BlockedUsers,
    inventory::StockListener,
    runtime::{AskError, Handle, Limits, Runtime, StripedLocks, Traced},
};
use crate::{
    domain::{
        ids::{ImageId, ProductId, UserId},
        import::Import,
        inventory::{StockError, StockLevel},
        product::{Product, ProductError, ProductStatus},
    },
    integrations::{
        imagekit::{HostedPictures, PictureError, PictureStore, Preparer},
        redis::{Wake, topic},
    },
    peers::{PeerError, Peers},
    store::{ImportStore, ProductStore, StoreError},
};

/// How many products can be changed at once without waiting needlessly.
const TURNS: usize = 1_024;

/// Why a product was not made or did not change.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueFailure {
    /// There is no such product.
    #[error("there is no such product")]
    NotFound,
    /// It is somebody else's.
    #[error("this product is not yours")]
    NotYours,
    /// The rules say no.
    #[error(transparent)]
    Rule(#[from] ProductError),
    /// A picture cannot be taken.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The search index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The stock is another than what was seen.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another service did not answer.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

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
    actor: Handle<CatalogueActor>,
    shelf: Arc<Shelf>,
    index: Arc<SearchIndex>,
    caught_up: Arc<AtomicBool>,
    /// Searches that are not remembered are real work: as many at once as help.
    searching: Arc<Semaphore>,
    hosting: Option<Arc<Hosting>>,
    importing: Option<Arc<Importing>>,
}

type Answer<T> = Result<T, AskError<CatalogueFailure>>;

/// How many uncached searches run at once.
const SEARCHES_AT_ONCE: usize = 4;

impl Catalogue {
    /// Starts the actor and the index's follower. With a `shared` store other nodes change
    /// products too, which is shown within a second; they wake the follower.
    pub fn start(
        runtime: &Runtime,
        store: ProductStore,
        snapshots: Arc<Snapshots>,
        index: Arc<SearchIndex>,
        pictures: Arc<dyn PictureStore>,
        peers: Peers,
        shared: Option<&Wake>,
    ) -> Self {
        let wake = shared.cloned().unwrap_or_default();
        let changed = wake.listen(topic::PRODUCTS);
        let shelf = Arc::new(Shelf {
            store,
            snapshots,
            pictures,
            preparer: Preparer::default(),
            peers,
            wake: wake.clone(),
            turns: StripedLocks::new(TURNS),
            blocked: OnceLock::new(),
        });
        let of_actor = Arc::clone(&shelf);
        let limits = Limits { deadline: std::time::Duration::from_secs(20), ..Limits::default() };
        let actor = runtime.supervise("catalogue", limits, move || CatalogueActor::new(Arc::clone(&of_actor)));
        let caught_up = Arc::new(AtomicBool::new(false));
        let of_follower = Arc::clone(&caught_up);
        let shown = shared.map(|_| Arc::clone(&shelf.snapshots));
        let (followed, following) = (shelf.store.clone(), Arc::clone(&index));
        runtime.supervise("search_index", Limits::default(), move || {
            let (changed, caught_up) =
                (Changed { wake: wake.clone(), heard: Arc::clone(&changed) }, Arc::clone(&of_follower));
            IndexFollower::new(followed.clone(), Arc::clone(&following), changed, shown.clone(), caught_up)
        });
        let searching = Arc::new(Semaphore::new(SEARCHES_AT_ONCE));
        Self { actor, shelf, index, caught_up, searching, hosting: None, importing: None }
    }

    /// Has pictures hosted elsewhere. They are those that this was started with.
    #[must_use]
    pub fn with_hosting(mut self, runtime: &Runtime, pictures: HostedPictures, wake: &Wake) -> Self {
        let hosting = Arc::new(Hosting::new(Arc::clone(&self.shelf), pictures, wake));
        self.hosting = Some(Arc::clone(&hosting));
        runtime.supervise("picture_hosting", Limits::default(), move || PictureHosting::new(Arc::clone(&hosting)));
        self
    }

    /// Takes files of products, and goes on with those that were not finished.
    #[must_use]
    pub fn with_imports(mut self, runtime: &Runtime, store: ImportStore, wake: &Wake, shared: bool) -> Self {
        let importing = Arc::new(Importing::new(Arc::clone(&self.shelf), store, wake, shared));
        self.importing = Some(Arc::clone(&importing));
        runtime.supervise("product_import", Limits::default(), move || ProductImport::new(Arc::clone(&importing)));
        self
    }

    /// Takes a file of products, and answers with the import once it is finished, or as it is when
    /// `within` is over. The same file is not taken twice at once.
    ///
    /// # Errors
    /// [`CatalogueFailure::Store`].
    pub async fn import_file(&self, new: &NewImport, within: std::time::Duration) -> Result<Import, CatalogueFailure> {
        let importing = self.importing()?;
        let taken = importing.take(new).await?;
        Ok(importing.wait(taken.id, within).await?.unwrap_or(taken))
    }

    /// A seller's imports, the last taken first.
    ///
    /// # Errors
    /// [`CatalogueFailure::Store`].
    pub async fn imports_of(&self, seller: UserId, limit: u32) -> Result<Vec<Import>, CatalogueFailure> {
        Ok(self.importing()?.of_seller(seller, limit).await?)
    }

    fn importing(&self) -> Result<&Importing, CatalogueFailure> {
        Ok(self.importing.as_deref().ok_or(PeerError::Unavailable("product"))?)
    }

    /// Offers nothing of users who are `blocked`, from now on and again once they are not.
    pub fn heed(&self, blocked: &Arc<BlockedUsers>) {
        let _first_stays = self.shelf.blocked.set(Arc::clone(blocked));
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
    pub async fn finish(&self, within: std::time::Duration) {
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

    /// A product as it is now.
    ///
    /// # Errors
    /// [`CatalogueFailure`], as for every call here.
    pub async fn get(&self, id: ProductId) -> Result<Option<Arc<Snapshot>>, CatalogueFailure> {
        match self.remembered(id) {
            Some(known) => Ok(Some(known)),
            None => self.shelf.load(id).await,
        }
    }

    /// A product that is for sale: neither taken down nor of a blocked seller.
    ///
    /// # Errors
    /// [`CatalogueFailure`].
    pub async fn for_sale(&self, id: ProductId) -> Result<Option<Arc<Snapshot>>, CatalogueFailure> {
        Ok(self.get(id).await?.filter(|snapshot| self.is_for_sale(&snapshot.product)))
    }

    /// Whether a product can be found and bought: neither taken down nor of a blocked seller.
    #[must_use]
    pub fn is_for_sale(&self, product: &Product) -> bool {
        self.shelf.is_for_sale(product)
    }

    /// A product, if it is remembered: no store is asked.
    #[must_use]
    pub fn remembered(&self, id: ProductId) -> Option<Arc<Snapshot>> {
        self.shelf.snapshots.get(id)
    }

    /// A page of a search or list of what is for sale; with [`ListQuery::hidden`] of everything.
    ///
    /// # Errors
    /// [`CatalogueFailure::Index`].
    pub async fn list(&self, query: ListQuery) -> Result<Listed, CatalogueFailure> {
        let hidden = query.hidden;
        let hits = match self.index.cached(&query) {
            Some(hits) => hits,
            None => {
                let _turn = self.searching.acquire().await.map_err(|_| PeerError::Unavailable("product"))?;
                let index = Arc::clone(&self.index);
                let found = tokio::task::spawn_blocking(move || index.search(&query)).await;
                found.map_err(|_| PeerError::Unavailable("product"))??
            }
        };
        let mut products = self.shelf.load_many(&hits.ids).await?;
        let found = products.len();
        if !hidden {
            // The index follows a moment later.
            products.retain(|snapshot| self.is_for_sale(&snapshot.product));
        }
        let gone = u64::try_from(found - products.len()).unwrap_or_default();
        Ok(Listed { products, total: hits.total.saturating_sub(gone), unknown: hits.unknown })
    }

    /// A seller's products, newest first.
    ///
    /// # Errors
    /// [`CatalogueFailure::Store`].
    pub async fn of_seller(&self, seller: UserId, skip: u64, limit: u32) -> Result<Listed, CatalogueFailure> {
        let page = self.shelf.store.of_seller(seller, skip, limit).await?;
        let ids: Vec<ProductId> = page.rows.iter().map(|product| product.id).collect();
        Ok(Listed { products: self.shelf.load_many(&ids).await?, total: page.total, unknown: Arc::default() })
    }

    /// Offers a new product.
    ///
    /// # Errors
    /// [`CatalogueFailure::Picture`].
    pub async fn create(&self, new: NewProduct) -> Answer<Arc<Snapshot>> {
        self.write(Write::Create(Box::new(new))).await
    }

    /// Changes a product: its fields, what is available of it, and more pictures.
    ///
    /// # Errors
    /// `NotFound`, `NotYours`, `Picture` or too many of them, `Stock` when it is not what was seen.
    pub async fn change(&self, id: ProductId, who: Editor, change: Change) -> Answer<Arc<Snapshot>> {
        self.edit(id, who, Edit::Change(Box::new(change))).await
    }

    /// Adds pictures, given as the files that were sent.
    ///
    /// # Errors
    /// `NotFound`, `NotYours`, `Picture`, or too many.
    pub async fn add_images(&self, id: ProductId, who: Editor, files: Vec<Bytes>) -> Answer<Arc<Snapshot>> {
        self.change(id, who, Change { files, ..Change::default() }).await
    }

    /// Removes a picture.
    ///
    /// # Errors
    /// `NotFound`, `NotYours`, or no such picture.
    pub async fn remove_image(&self, id: ProductId, who: Editor, image: ImageId) -> Answer<Arc<Snapshot>> {
        self.edit(id, who, Edit::RemoveImage { image }).await
    }

    /// Takes a product off sale, or offers it again.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn set_status(
        &self,
        id: ProductId,
        status: ProductStatus,
        reason: Option<String>,
    ) -> Answer<Arc<Snapshot>> {
        self.edit(id, Editor::Admin, Edit::Status { status, reason }).await
    }

    /// Offers a product no more.
    ///
    /// # Errors
    /// `NotFound`, `NotYours`.
    pub async fn delete(&self, id: ProductId, who: Editor) -> Answer<()> {
        self.actor.ask(Traced::new(actor::Delete { id, who })).await
    }

    /// Writes many new products with their stock, past the one-by-one way: for demo data,
    /// imports and benchmarks. No event tells of them.
    ///
    /// # Errors
    /// [`CatalogueFailure`].
    pub async fn import(&self, products: &[(Product, u32)]) -> Result<(), CatalogueFailure> {
        let levels = products.iter().map(|(product, stock)| (product.id, *stock)).collect();
        self.shelf.peers.calls().ask(SetStock { levels }).await.map_err(PeerError::from)?;
        let documents: Vec<Product> = products.iter().map(|(product, _)| product.clone()).collect();
        self.shelf.store.insert_many(&documents).await?;
        self.shelf.wake.wake(topic::PRODUCTS);
        Ok(())
    }

    /// How many products there are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.shelf.store.count().await
    }

    /// Where pictures are kept.
    #[must_use]
    pub fn pictures(&self) -> &dyn PictureStore {
        &*self.shelf.pictures
    }

    /// The categories with the most products.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn categories(&self) -> Result<index::Categories, IndexError> {
        self.index.categories()
    }

    async fn edit(&self, id: ProductId, who: Editor, edit: Edit) -> Answer<Arc<Snapshot>> {
        self.write(Write::Edit { id, who, edit }).await
    }

    async fn write(&self, write: Write) -> Answer<Arc<Snapshot>> {
        self.actor.ask(Traced::new(write)).await
    }
}

impl StockListener for Snapshots {
    fn stock_changed(&self, level: &StockLevel) {
        self.set_stock(level);
    }
}
