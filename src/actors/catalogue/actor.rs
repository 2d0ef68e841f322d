//! `CatalogueActor`: writes products, and replaces their snapshots before it answers.
//!
//! **Invariant:** no answer leaves before the snapshot is the one of the write.

use crate::actors::inventory::calls::{GetStock, GetStockOfMany, SetStock, SetStockIfSeen};
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use bytes::Bytes;
use tokio::sync::MutexGuard;

use super::{
    CatalogueFailure,
    snapshots::{Snapshot, Snapshots},
};
use crate::{
    actors::{
        blocked_users::BlockedUsers,
        runtime::{StripedLocks, envelope, takes_traced},
    },
    domain::{
        Timestamp,
        event::Event,
        ids::{ImageId, ProductId, UserId},
        inventory::{StockError, StockLevel},
        money::Money,
        product::{IMAGES_MAX, Image, Product, ProductError, ProductPatch, ProductStatus},
        user::Contact,
    },
    integrations::{
        imagekit::{PictureStore, Preparer},
        redis::{Wake, topic},
    },
    peers::{PeerError, Peers},
    runtime::calls::CallError,
    store::{ProductStore, StoreError},
};

/// How often a change is decided anew when another writer was first.
const TRIES: u32 = 16;
/// By when a change that takes pictures out of a product has been done, or never will be.
const DELETED_BY: Duration = Duration::from_secs(120);

/// Who changes a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Editor {
    /// A seller, her own.
    Seller(UserId),
    /// An admin, any.
    Admin,
}

/// A product to be offered.
#[derive(Debug, Clone)]
pub struct NewProduct {
    /// Who sells it.
    pub seller: UserId,
    /// 1 to 200 characters.
    pub title: String,
    /// Up to 10,000 characters.
    pub description: String,
    /// Above zero.
    pub price: Money,
    /// Units available.
    pub stock: u32,
    /// May be empty.
    pub category: String,
    /// The most units that one order may have.
    pub max_per_order: Option<u32>,
    /// Picture files as they were sent, at most five.
    pub files: Vec<Bytes>,
}

/// What is to become of a product's stock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StockChange {
    /// What is to be available; it stays when absent.
    pub available: Option<u32>,
    /// What the editor has seen: when it is another by now, nothing is changed.
    pub seen: Option<i64>,
}

/// A change of a product's fields, its stock and its pictures, all or nothing of it.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The fields.
    pub patch: ProductPatch,
    /// The stock.
    pub stock: StockChange,
    /// Picture files to be added, as they were sent.
    pub files: Vec<Bytes>,
}

/// What the product service's parts share.
pub(super) struct Shelf {
    pub(super) store: ProductStore,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) pictures: Arc<dyn PictureStore>,
    pub(super) preparer: Preparer,
    pub(super) peers: Peers,
    pub(super) wake: Wake,
    /// Changes of one product wait for one another here, so that none loses race after race.
    pub(super) turns: StripedLocks,
    /// Whose products are not for sale.
    pub(super) blocked: OnceLock<Arc<BlockedUsers>>,
}

type Outcome<T> = Result<T, CatalogueFailure>;

/// Carries out writes. It keeps nothing; the document's version keeps writers apart.
pub struct CatalogueActor {
    shelf: Arc<Shelf>,
}

impl CatalogueActor {
    pub(super) const fn new(shelf: Arc<Shelf>) -> Self {
        Self { shelf }
    }
}

impl Actor for CatalogueActor {
    type Context = Context<Self>;
}

takes_traced!(CatalogueActor: Write, Delete);

/// A write that ends in a product.
#[derive(Debug, Message)]
#[rtype(result = "Result<Arc<Snapshot>, CatalogueFailure>")]
pub enum Write {
    /// A new product.
    Create(Box<NewProduct>),
    /// A change.
    Edit { id: ProductId, who: Editor, edit: Edit },
}

/// A change to a product.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Fields, stock and more pictures.
    Change(Box<Change>),
    /// One picture less.
    RemoveImage { image: ImageId },
    /// Off sale, or on sale again.
    Status { status: ProductStatus, reason: Option<String> },
}

impl Handler<Write> for CatalogueActor {
    type Result = ResponseFuture<Outcome<Arc<Snapshot>>>;

    fn handle(&mut self, write: Write, _: &mut Self::Context) -> Self::Result {
        let shelf = Arc::clone(&self.shelf);
        Box::pin(async move {
            match write {
                Write::Create(new) => shelf.create(*new).await,
                Write::Edit { id, who, edit } => shelf.edit(id, who, edit).await,
            }
        })
    }
}

/// Takes a product out of the catalogue.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), CatalogueFailure>")]
pub struct Delete {
    /// Which.
    pub id: ProductId,
    /// Who asks.
    pub who: Editor,
}

impl Handler<Delete> for CatalogueActor {
    type Result = ResponseFuture<Outcome<()>>;

    fn handle(&mut self, Delete { id, who }: Delete, _: &mut Self::Context) -> Self::Result {
        let shelf = Arc::clone(&self.shelf);
        Box::pin(async move { shelf.delete(id, who).await })
    }
}

impl Shelf {
    async fn create(&self, new: NewProduct) -> Outcome<Arc<Snapshot>> {
        let seller = self.contact(new.seller).await?;
        let id = ProductId::generate();
        let images = self.keep_pictures(id, new.files).await?;
        let new = NewProduct { files: vec![], ..new };
        let set = SetStock { levels: vec![(id, new.stock)] };
        let level = self.peers.calls().ask(set).await.map_err(PeerError::from)?.first().copied();
        let made = self.offer(id, new, images.clone(), seller, false, level).await;
        if let Err(error) = &made {
            self.drop_if_unused(&images, error).await;
        }
        made
    }

    /// Offers what a row of an import makes, under the id that the row gives it; returns whether it
    /// was not there before, not even once and deleted since.
    pub(super) async fn create_imported(&self, id: ProductId, new: NewProduct) -> Outcome<bool> {
        if self.store.get(id).await?.is_some() {
            return Ok(false);
        }
        let seller = self.contact(new.seller).await?;
        // Whoever works on the same row may have been here before, and some may be sold since.
        let set = SetStockIfSeen { product: id, seen: 0, available: new.stock };
        let level = match self.peers.calls().ask(set).await {
            Ok(level) => Some(level),
            Err(CallError::Refused(_)) => self.stock(id).await?,
            Err(error) => return Err(PeerError::from(error).into()),
        };
        match self.offer(id, new, vec![], seller, true, level).await {
            Ok(_) => Ok(true),
            Err(CatalogueFailure::Store(StoreError::Conflict)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn contact(&self, seller: UserId) -> Outcome<Contact> {
        self.peers.accounts()?.contact(seller).await?.ok_or(CatalogueFailure::NotFound)
    }

    async fn offer(
        &self,
        id: ProductId,
        new: NewProduct,
        images: Vec<Image>,
        seller: Contact,
        imported: bool,
        level: Option<StockLevel>,
    ) -> Outcome<Arc<Snapshot>> {
        let now = Timestamp::now();
        let mut product = Product {
            id,
            title: new.title,
            description: new.description,
            price: new.price,
            category: new.category,
            seller: new.seller,
            images,
            max_per_order: new.max_per_order,
            status: ProductStatus::Live,
            status_reason: None,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        let told = Product { version: 1, ..product.clone() };
        let event = Event::ProductCreated { product: told, stock: i64::from(new.stock), seller, imported };
        product.version = self.store.save(&product, &[envelope(event, now)]).await?;
        self.show(&product, level).await
    }

    async fn edit(&self, id: ProductId, who: Editor, edit: Edit) -> Outcome<Arc<Snapshot>> {
        let product = self.editable(id, who).await?;
        match edit {
            Edit::Change(change) => self.apply(product, who, *change).await,
            Edit::Status { status, reason } => {
                if (product.status, &product.status_reason) == (status, &reason) {
                    return self.load(id).await?.ok_or(CatalogueFailure::NotFound);
                }
                let apply = |product: &mut Product, now| {
                    product.set_status(status, reason.clone(), now);
                    Ok(())
                };
                self.change(product, who, apply).await
            }
            Edit::RemoveImage { image } => {
                let mut removed = None;
                self.announce_delete(&[image]).await?;
                let changed = self
                    .change(product, who, |product, now| {
                        removed = Some(product.remove_image(image, now)?);
                        Ok(())
                    })
                    .await?;
                self.drop_pictures(removed.as_slice()).await;
                Ok(changed)
            }
        }
    }

    /// Pictures first, since they may be refused; then the stock, which is changed only if it is
    /// what the editor has seen; then what nothing can refuse.
    pub(super) async fn apply(&self, product: Product, who: Editor, change: Change) -> Outcome<Arc<Snapshot>> {
        let (id, Change { patch, stock, files }) = (product.id, change);
        if product.images.len() + files.len() > IMAGES_MAX {
            return Err(ProductError::TooManyImages.into());
        }
        let images = self.keep_pictures(id, files).await?;
        if let Err(error) = self.set_stock(id, stock).await {
            self.drop_pictures(&images).await;
            return Err(error);
        }
        if patch.is_empty() && images.is_empty() {
            return self.load(id).await?.ok_or(CatalogueFailure::NotFound);
        }
        let apply = |product: &mut Product, now| {
            product.add_images(images.clone(), now)?;
            product.apply(patch.clone(), now);
            Ok(())
        };
        let changed = self.change(product, who, apply).await;
        if let Err(error) = &changed {
            self.drop_if_unused(&images, error).await;
        }
        changed
    }

    /// The stock of a product as the inventory has it.
    pub(super) async fn stock(&self, product: ProductId) -> Outcome<Option<StockLevel>> {
        Ok(self.peers.calls().ask(GetStock { product }).await.map_err(PeerError::from)?)
    }

    async fn set_stock(&self, id: ProductId, StockChange { available, seen }: StockChange) -> Outcome<()> {
        let calls = self.peers.calls();
        let moved = |error| match error {
            CallError::Refused(rule) => CatalogueFailure::Stock(rule),
            error => PeerError::from(error).into(),
        };
        match (available, seen) {
            (Some(available), Some(seen)) => {
                calls.ask(SetStockIfSeen { product: id, seen, available }).await.map_err(moved)?;
            }
            (Some(available), None) => {
                calls.ask(SetStock { levels: vec![(id, available)] }).await.map_err(PeerError::from)?;
            }
            (None, Some(seen)) => {
                let available = self.stock(id).await?.map_or(0, |level| level.available());
                if available != seen {
                    return Err(StockError::Moved { available }.into());
                }
            }
            (None, None) => {}
        }
        Ok(())
    }

    pub(super) fn is_for_sale(&self, product: &Product) -> bool {
        product.status.is_live() && !self.blocked.get().is_some_and(|blocked| blocked.knows(product.seller))
    }

    /// Waits for the product's turn.
    async fn turn(&self, id: ProductId) -> Outcome<MutexGuard<'_, ()>> {
        Ok(self.turns.lock(&id).await.ok_or(StoreError::Busy)?)
    }

    /// Decides and writes until no other writer is first.
    async fn change(
        &self,
        product: Product,
        who: Editor,
        mut decide: impl FnMut(&mut Product, Timestamp) -> Result<(), ProductError>,
    ) -> Outcome<Arc<Snapshot>> {
        let mut product = product;
        let _turn = self.turn(product.id).await?;
        for _ in 0..TRIES {
            let now = Timestamp::now();
            decide(&mut product, now)?;
            let told = Product { version: product.version + 1, ..product.clone() };
            match self.store.save(&product, &[envelope(Event::ProductUpdated(told), now)]).await {
                Ok(version) => {
                    product.version = version;
                    let level = self.stock(product.id).await?;
                    return self.show(&product, level).await;
                }
                Err(StoreError::Conflict) => product = self.editable(product.id, who).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn delete(&self, id: ProductId, who: Editor) -> Outcome<()> {
        let _turn = self.turn(id).await?;
        for _ in 0..TRIES {
            let product = self.editable(id, who).await?;
            let gone = Event::ProductDeleted { product: id, seller: product.seller };
            let pictures: Vec<ImageId> = product.images.iter().map(|image| image.id).collect();
            self.announce_delete(&pictures).await?;
            match self.store.delete(&product, &[envelope(gone, Timestamp::now())]).await {
                Ok(()) => {
                    self.snapshots.remove(id);
                    self.wake.wake(topic::PRODUCTS);
                    self.drop_pictures(&product.images).await;
                    return Ok(());
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    pub(super) async fn editable(&self, id: ProductId, who: Editor) -> Outcome<Product> {
        let product = self.store.get(id).await?.ok_or(CatalogueFailure::NotFound)?;
        match who {
            Editor::Seller(seller) if seller != product.seller => Err(CatalogueFailure::NotYours),
            Editor::Seller(_) | Editor::Admin => Ok(product),
        }
    }

    /// Shows a product as just written, before its writer has the answer.
    async fn show(&self, product: &Product, level: Option<StockLevel>) -> Outcome<Arc<Snapshot>> {
        let level = level.unwrap_or_else(|| StockLevel::empty(product.id));
        self.snapshots.put_product(product, level);
        self.wake.wake(topic::PRODUCTS);
        match self.snapshots.get(product.id) {
            Some(shown) => Ok(shown),
            None => self.load(product.id).await?.ok_or(CatalogueFailure::NotFound),
        }
    }

    /// Reads a product past the snapshots and remembers it.
    pub(super) async fn load(&self, id: ProductId) -> Outcome<Option<Arc<Snapshot>>> {
        let ticket = self.snapshots.ticket(id);
        let Some(product) = self.store.get(id).await? else { return Ok(None) };
        let level = self.stock(id).await?.unwrap_or_else(|| StockLevel::empty(id));
        Ok(Some(self.snapshots.fill(ticket, product, &level)))
    }

    /// Many products in the order of `ids`, those that exist.
    pub(super) async fn load_many(&self, ids: &[ProductId]) -> Outcome<Vec<Arc<Snapshot>>> {
        let (mut found, missing) = self.snapshots.find(ids);
        if !missing.is_empty() {
            let tickets: Vec<_> = missing.iter().map(|id| self.snapshots.ticket(*id)).collect();
            let products = self.store.many(&missing).await?;
            let levels = self.peers.calls().ask(GetStockOfMany { products: missing.clone() }).await;
            let levels = levels.map_err(PeerError::from)?;
            let mut products: HashMap<_, _> = products.into_iter().map(|product| (product.id, product)).collect();
            let levels: HashMap<_, _> = levels.into_iter().map(|level| (level.product, level)).collect();
            let mut loaded = HashMap::new();
            for (id, ticket) in missing.iter().zip(tickets) {
                if let Some(product) = products.remove(id) {
                    let level = levels.get(id).copied().unwrap_or_else(|| StockLevel::empty(*id));
                    loaded.insert(*id, self.snapshots.fill(ticket, product, &level));
                }
            }
            for (slot, id) in found.iter_mut().zip(ids) {
                if slot.is_none() {
                    *slot = loaded.get(id).cloned();
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    async fn keep_pictures(&self, of: ProductId, files: Vec<Bytes>) -> Outcome<Vec<Image>> {
        let mut ready = Vec::with_capacity(files.len());
        for file in files {
            ready.push(self.preparer.prepare_bounded(file).await?);
        }
        let mut kept = Vec::with_capacity(ready.len());
        for picture in ready {
            match self.pictures.put(of, ImageId::generate(), picture).await {
                Ok(image) => kept.push(image),
                Err(error) => {
                    self.drop_pictures(&kept).await;
                    return Err(error.into());
                }
            }
        }
        Ok(kept)
    }

    /// Drops pictures of a write that failed, unless it may have been done all the same: a
    /// file that nobody shows does less harm than a product that shows one that is gone.
    async fn drop_if_unused(&self, images: &[Image], error: &CatalogueFailure) {
        let surely_not_written = match error {
            CatalogueFailure::Store(error) => *error != StoreError::Deadline,
            CatalogueFailure::Peer(_) => false,
            _ => true,
        };
        if surely_not_written {
            self.drop_pictures(images).await;
        }
    }

    /// Says that these are about to be taken out of their product.
    async fn announce_delete(&self, images: &[ImageId]) -> Outcome<()> {
        let by = Timestamp::now().saturating_add(DELETED_BY).unwrap_or(Timestamp::MAX);
        Ok(self.pictures.announce_delete(images, by).await?)
    }

    /// Shows a picture of a product from elsewhere; returns whether the product still has it. Its
    /// seller changed nothing, so the time of its last change stays.
    pub(super) async fn show_elsewhere(&self, id: ProductId, image: &Image) -> Outcome<bool> {
        let _turn = self.turn(id).await?;
        for _ in 0..TRIES {
            let Some(mut product) = self.store.get(id).await? else { return Ok(false) };
            let Some(shown) = product.images.iter_mut().find(|shown| shown.id == image.id) else { return Ok(false) };
            *shown = image.clone();
            let told = Product { version: product.version + 1, ..product.clone() };
            match self.store.save(&product, &[envelope(Event::ProductUpdated(told), Timestamp::now())]).await {
                Ok(version) => {
                    product.version = version;
                    let level = self.stock(id).await?;
                    self.show(&product, level).await?;
                    return Ok(true);
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn drop_pictures(&self, images: &[Image]) {
        for image in images {
            if let Err(error) = self.pictures.delete(image.id).await {
                tracing::warn!(image.id = %image.id, %error, "a picture that nobody shows was left behind");
            }
        }
    }
}
