//! `CatalogueActor`: writes products, and replaces their snapshots before answering.
//!
//! **Invariant:** a write is answered only after its snapshot is in place.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::MutexGuard;

use super::{
    calls::{
        ChangeProduct, CreateProduct, DeleteProduct, Editor, ProductRefusal, RemoveImage, SeenProduct,
        SetProductStatus, StockChange,
    },
    snapshots::{Snapshot, Snapshots},
};
use crate::{
    actors::blocked_users::BlockedUsers,
    actors::{
        accounts::calls::GetContact,
        inventory::calls::{GetStock, GetStockOfMany, SetStock, SetStockIfSeen},
    },
    domain::{
        Timestamp,
        event::Event,
        ids::{ImageId, ProductId, UserId},
        inventory::{StockError, StockLevel},
        product::{IMAGES_MAX, Image, Offer, Product, ProductError, ProductStatus},
        user::Contact,
    },
    integrations::{
        image::{ImageStore, Preparer},
        redis::{ChangeNotifier, topic},
    },
    runtime::calls::{CallError, Calls, Handles, Never, Outcome, Worker},
    runtime::{KeyLocks, envelope},
    store::{ProductStore, StoreError},
};

/// How often a change is retried after a conflict.
const TRIES: u32 = 16;
/// Why a write failed.
pub(super) type Failure = CallError<ProductRefusal>;

/// The time by which a change that removes pictures from a product is either done or never will be.
const DELETED_BY: Duration = Duration::from_secs(120);

/// The actor that writes products. It has no state; the document's version detects concurrent writes.
pub type CatalogueActor = Worker<ProductService>;

/// The product service, shared by the actors.
pub struct ProductService {
    pub(super) store: ProductStore,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) pictures: Arc<dyn ImageStore>,
    pub(super) preparer: Preparer,
    pub(super) calls: Calls,
    pub(super) notifier: ChangeNotifier,
    /// Changes of one product are serialised here, so that none fails repeatedly with conflicts.
    pub(super) locks: KeyLocks,
    /// The users whose products are not for sale.
    pub(super) blocked: OnceLock<Arc<BlockedUsers>>,
}

impl Handles<CreateProduct> for ProductService {
    async fn handle(&self, new: CreateProduct) -> Outcome<CreateProduct> {
        let seller = self.contact(new.seller).await?;
        let id = ProductId::generate();
        let images = self.keep_pictures(id, new.files.clone()).await?;
        let set = SetStock { levels: vec![(id, new.stock)] };
        let level = self.calls.ask(set).await?.first().copied();
        match self.insert(id, new, images.clone(), seller, false).await.map_err(Failure::from) {
            Ok(product) => self.show(&product, level).await,
            Err(error) => {
                self.drop_if_unused(&images, &error).await;
                Err(error)
            }
        }
    }
}

impl Handles<ChangeProduct> for ProductService {
    async fn handle(&self, change: ChangeProduct) -> Outcome<ChangeProduct> {
        let product = self.editable(change.product, change.editor).await?;
        self.apply(product, change).await
    }
}

impl Handles<RemoveImage> for ProductService {
    async fn handle(&self, RemoveImage { product, editor, image }: RemoveImage) -> Outcome<RemoveImage> {
        let product = self.editable(product, editor).await?;
        let mut removed = None;
        self.announce_delete(&[image]).await?;
        let remove = |product: &mut Product, now| {
            removed = Some(product.remove_image(image, now)?);
            Ok(())
        };
        let changed = self.change_and_show(product, editor, remove).await?;
        self.drop_pictures(removed.as_slice()).await;
        Ok(changed)
    }
}

impl Handles<SetProductStatus> for ProductService {
    async fn handle(&self, call: SetProductStatus) -> Outcome<SetProductStatus> {
        let SetProductStatus { product: id, status, reason } = call;
        let product = self.editable(id, Editor::ADMIN).await?;
        if (product.status, &product.status_reason) == (status, &reason) {
            return self.shown(id).await;
        }
        let set = |product: &mut Product, now| {
            product.set_status(status, reason.clone(), now);
            Ok(())
        };
        self.change_and_show(product, Editor::ADMIN, set).await
    }
}

impl Handles<DeleteProduct> for ProductService {
    async fn handle(&self, DeleteProduct { product: id, editor }: DeleteProduct) -> Outcome<DeleteProduct> {
        let _lock = self.lock(id).await?;
        for _ in 0..TRIES {
            let product = self.editable(id, editor).await?;
            let gone = Event::ProductDeleted { product: id, seller: product.seller };
            let pictures: Vec<ImageId> = product.images.iter().map(|image| image.id).collect();
            self.announce_delete(&pictures).await?;
            match self.store.delete(&product, &[envelope(gone, Timestamp::now())]).await {
                Ok(()) => {
                    self.snapshots.remove(id);
                    self.notifier.notify(topic::PRODUCTS);
                    self.drop_pictures(&product.images).await;
                    return Ok(());
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }
}

impl ProductService {
    /// Inserts the product of an import's row, under the row's id; returns whether it is new, and was not deleted
    /// before either.
    pub(super) async fn create_imported(&self, id: ProductId, new: CreateProduct) -> Result<bool, Failure> {
        if self.store.get(id).await?.is_some() {
            return Ok(false);
        }
        let seller = self.contact(new.seller).await?;
        // Another attempt at the same row may have done this before, and some units may be sold since.
        let set = SetStockIfSeen { product: id, seen: 0, available: new.stock };
        let level = match self.calls.ask(set).await {
            Ok(level) => Some(level),
            Err(CallError::Refused(_)) => self.stock(id).await?,
            Err(error) => return Err(error.map(ProductRefusal::Stock)),
        };
        match self.insert(id, new, vec![], seller, true).await {
            Ok(product) => self.show(&product, level).await.map(|_| true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn contact(&self, seller: UserId) -> Result<Contact, Failure> {
        let contact = self.calls.ask(GetContact { user: seller }).await?.filter(|contact| !contact.is_deleted());
        Ok(contact.ok_or(ProductRefusal::NotFound)?)
    }

    async fn insert(
        &self,
        id: ProductId,
        new: CreateProduct,
        images: Vec<Image>,
        seller: Contact,
        imported: bool,
    ) -> Result<Product, StoreError> {
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
        let created = Product { version: 1, ..product.clone() };
        let event = Event::ProductCreated { product: created, stock: i64::from(new.stock), seller, imported };
        product.version = self.store.save(&product, &[envelope(event, now)]).await?;
        Ok(product)
    }

    /// Pictures first, because they may be refused; then the stock, which is changed only if it is what the editor
    /// has seen; then the fields, which cannot be refused.
    pub(super) async fn apply(&self, product: Product, change: ChangeProduct) -> Result<Offer, Failure> {
        let ChangeProduct { product: id, editor, patch, stock, files } = change;
        if product.images.len() + files.len() > IMAGES_MAX {
            return Err(ProductError::TooManyImages.into());
        }
        let images = self.keep_pictures(id, files).await?;
        let _lock = self.lock(id).await?;
        // The version that was seen must still be there before the stock is touched.
        let current = if editor.seen.is_some() { self.editable(id, editor).await } else { Ok(product) };
        let ready = match current {
            Ok(product) => self.set_stock(id, stock, editor.seen).await.map(|()| product),
            Err(error) => Err(error),
        };
        let product = match ready {
            Ok(product) => product,
            Err(error) => {
                self.drop_pictures(&images).await;
                return Err(error);
            }
        };
        if patch.is_empty() && images.is_empty() {
            return self.shown(id).await;
        }
        let apply = |product: &mut Product, now| {
            product.add_images(images.clone(), now)?;
            product.apply(patch.clone(), now);
            Ok(())
        };
        match self.change_locked(product, editor, apply).await {
            Ok(product) => self.show_with_stock(&product).await,
            Err(error) => {
                self.drop_if_unused(&images, &error).await;
                Err(error)
            }
        }
    }

    /// The stock of a product in the inventory.
    pub(super) async fn stock(&self, product: ProductId) -> Result<Option<StockLevel>, CallError<Never>> {
        self.calls.ask(GetStock { product }).await
    }

    async fn set_stock(&self, id: ProductId, change: StockChange, shown: Option<SeenProduct>) -> Result<(), Failure> {
        let StockChange { available, seen } = change;
        if seen.is_none()
            && let Some(shown) = shown
        {
            let change = StockChange { available, seen: Some(shown.available) };
            let set = Box::pin(self.set_stock(id, change, None)).await;
            return set.map_err(|error| match error {
                CallError::Refused(ProductRefusal::Stock(StockError::Moved { .. })) => ProductRefusal::Changed.into(),
                other => other,
            });
        }
        match (available, seen) {
            (Some(available), Some(seen)) => {
                let set = self.calls.ask(SetStockIfSeen { product: id, seen, available }).await;
                set.map_err(|error| error.map(ProductRefusal::Stock))?;
            }
            (Some(available), None) => {
                self.calls.ask(SetStock { levels: vec![(id, available)] }).await?;
            }
            (None, Some(seen)) => {
                let available = self.stock(id).await?.map_or(0, |level| level.available());
                if available != seen {
                    return Err(ProductRefusal::Stock(StockError::Moved { available }).into());
                }
            }
            (None, None) => {}
        }
        Ok(())
    }

    pub(super) fn is_for_sale(&self, product: &Product) -> bool {
        product.status.is_live() && !self.blocked.get().is_some_and(|blocked| blocked.knows(product.seller))
    }

    /// Waits for the product's lock.
    async fn lock(&self, id: ProductId) -> Result<MutexGuard<'_, ()>, StoreError> {
        self.locks.lock(&id).await.ok_or(StoreError::Busy)
    }

    /// Decides and writes, and retries after a conflict.
    async fn change(
        &self,
        product: Product,
        editor: Editor,
        decide: impl FnMut(&mut Product, Timestamp) -> Result<(), ProductError>,
    ) -> Result<Product, Failure> {
        let _lock = self.lock(product.id).await?;
        self.change_locked(product, editor, decide).await
    }

    async fn change_locked(
        &self,
        mut product: Product,
        editor: Editor,
        mut decide: impl FnMut(&mut Product, Timestamp) -> Result<(), ProductError>,
    ) -> Result<Product, Failure> {
        for _ in 0..TRIES {
            let now = Timestamp::now();
            decide(&mut product, now)?;
            let changed = Product { version: product.version + 1, ..product.clone() };
            match self.store.save(&product, &[envelope(Event::ProductUpdated(changed), now)]).await {
                Ok(version) => {
                    product.version = version;
                    return Ok(product);
                }
                Err(StoreError::Conflict) => product = self.editable(product.id, editor).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn change_and_show(
        &self,
        product: Product,
        editor: Editor,
        decide: impl FnMut(&mut Product, Timestamp) -> Result<(), ProductError>,
    ) -> Result<Offer, Failure> {
        let changed = self.change(product, editor, decide).await?;
        self.show_with_stock(&changed).await
    }

    pub(super) async fn editable(&self, id: ProductId, editor: Editor) -> Result<Product, Failure> {
        let product = self.store.get(id).await?.ok_or(ProductRefusal::NotFound)?;
        if editor.seller.is_some_and(|seller| seller != product.seller) {
            return Err(ProductRefusal::NotYours.into());
        }
        match editor.seen {
            Some(seen) if seen.version != product.version => Err(ProductRefusal::Changed.into()),
            _ => Ok(product),
        }
    }

    /// Updates a product's snapshot after a write, before the caller has the answer.
    async fn show(&self, product: &Product, level: Option<StockLevel>) -> Result<Offer, Failure> {
        let level = level.unwrap_or_else(|| StockLevel::empty(product.id));
        self.snapshots.put_product(product, level);
        self.notifier.notify(topic::PRODUCTS);
        match self.snapshots.get(product.id) {
            Some(shown) => Ok(self.offer(&shown)),
            None => self.shown(product.id).await,
        }
    }

    async fn show_with_stock(&self, product: &Product) -> Result<Offer, Failure> {
        let level = self.stock(product.id).await?;
        self.show(product, level).await
    }

    /// Reads a product from the store.
    async fn shown(&self, id: ProductId) -> Result<Offer, Failure> {
        let snapshot = self.load(id).await?.ok_or(ProductRefusal::NotFound)?;
        Ok(self.offer(&snapshot))
    }

    /// A product with its current offer.
    pub(super) fn offer(&self, snapshot: &Snapshot) -> Offer {
        let product = Arc::clone(&snapshot.product);
        Offer { available: snapshot.stock(), for_sale: self.is_for_sale(&product), product }
    }

    /// Reads a product from the store and caches its snapshot.
    pub(super) async fn load(&self, id: ProductId) -> Result<Option<Arc<Snapshot>>, CallError<Never>> {
        let ticket = self.snapshots.ticket(id);
        let Some(product) = self.store.get(id).await? else { return Ok(None) };
        let level = self.stock(id).await?.unwrap_or_else(|| StockLevel::empty(id));
        Ok(Some(self.snapshots.fill(ticket, product, &level)))
    }

    /// Many products in the order of `ids`, those that exist.
    pub(super) async fn load_many(&self, ids: &[ProductId]) -> Result<Vec<Arc<Snapshot>>, CallError<Never>> {
        let (mut found, missing) = self.snapshots.find(ids);
        if !missing.is_empty() {
            let tickets: Vec<_> = missing.iter().map(|id| self.snapshots.ticket(*id)).collect();
            let products = self.store.many(&missing).await?;
            let levels = self.calls.ask(GetStockOfMany { products: missing.clone() }).await?;
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

    async fn keep_pictures(&self, of: ProductId, files: Vec<Bytes>) -> Result<Vec<Image>, Failure> {
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

    /// Deletes pictures of a failed write, unless the write may have succeeded: an unused file does less harm than a
    /// product with a missing picture.
    async fn drop_if_unused(&self, images: &[Image], error: &Failure) {
        if !matches!(error, CallError::OutcomeUnknown(_)) {
            self.drop_pictures(images).await;
        }
    }

    /// Announces that these are about to be removed from their product.
    async fn announce_delete(&self, images: &[ImageId]) -> Result<(), Failure> {
        let by = Timestamp::now().saturating_add(DELETED_BY).unwrap_or(Timestamp::MAX);
        Ok(self.pictures.announce_delete(images, by).await?)
    }

    /// Changes a picture's URL to the host's; returns whether the product still has the picture. The seller changed
    /// nothing, so the time of the last change stays.
    pub(super) async fn show_elsewhere(&self, id: ProductId, image: &Image) -> Result<bool, Failure> {
        let _lock = self.lock(id).await?;
        for _ in 0..TRIES {
            let Some(mut product) = self.store.get(id).await? else { return Ok(false) };
            let Some(shown) = product.images.iter_mut().find(|shown| shown.id == image.id) else { return Ok(false) };
            *shown = image.clone();
            let changed = Product { version: product.version + 1, ..product.clone() };
            match self.store.save(&product, &[envelope(Event::ProductUpdated(changed), Timestamp::now())]).await {
                Ok(version) => {
                    product.version = version;
                    return self.show_with_stock(&product).await.map(|_| true);
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
                tracing::warn!(image.id = %image.id, %error, "could not delete an unused picture");
            }
        }
    }
}
