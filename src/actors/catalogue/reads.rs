//! Reads of products, which bypass the mailbox, and imports.

use std::sync::Arc;

use super::{
    Catalogue, Listed,
    calls::{
        CountProducts, GetCategories, GetImports, GetOffer, GetOffers, GetProductsOfSeller, ImportFile, InsertProducts,
        SearchPage, SearchProducts,
    },
    index::{IndexError, ListQuery},
    snapshots::Snapshot,
};
use crate::{
    actors::inventory::calls::SetStock,
    config::Service,
    domain::{
        ids::{ProductId, UserId},
        product::{Offer, Product},
    },
    integrations::redis::topic,
    runtime::calls::{CallError, Handles, Never, Outcome},
    store::Page,
};

impl<E> From<IndexError> for CallError<E> {
    fn from(error: IndexError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl Catalogue {
    /// A product as it is now.
    ///
    /// # Errors
    /// Errors of the store and of the inventory, as for every read here.
    pub async fn get(&self, id: ProductId) -> Result<Option<Arc<Snapshot>>, CallError<Never>> {
        match self.service.snapshots.get(id) {
            Some(remembered) => Ok(Some(remembered)),
            None => self.service.load(id).await,
        }
    }

    /// Whether a product can be found and bought: neither taken down nor of a blocked seller.
    #[must_use]
    pub fn is_for_sale(&self, product: &Product) -> bool {
        self.service.is_for_sale(product)
    }

    /// See [`SearchProducts`].
    ///
    /// # Errors
    /// [`CallError::Internal`] when the index fails.
    pub async fn list(&self, query: ListQuery) -> Result<Listed, CallError<Never>> {
        let hidden = query.hidden;
        let hits = match self.index.cached(&query) {
            Some(hits) => hits,
            None => {
                let away = || CallError::unavailable(Service::Product);
                let _lock = self.searching.acquire().await.map_err(|_| away())?;
                let index = Arc::clone(&self.index);
                tokio::task::spawn_blocking(move || index.search(&query)).await.map_err(|_| away())??
            }
        };
        let mut products = self.service.load_many(&hits.ids).await?;
        let found = products.len();
        if !hidden {
            // The index follows a moment later.
            products.retain(|snapshot| self.is_for_sale(&snapshot.product));
        }
        let gone = u64::try_from(found - products.len()).unwrap_or_default();
        Ok(Listed { products, total: hits.total.saturating_sub(gone), unknown: hits.unknown })
    }

    /// See [`GetProductsOfSeller`].
    ///
    /// # Errors
    /// As [`Catalogue::get`].
    pub async fn of_seller(&self, seller: UserId, skip: u64, limit: u32) -> Result<Listed, CallError<Never>> {
        let page = self.service.store.of_seller(seller, skip, limit).await?;
        let ids: Vec<ProductId> = page.rows.iter().map(|product| product.id).collect();
        Ok(Listed { products: self.service.load_many(&ids).await?, total: page.total, unknown: Arc::default() })
    }

    fn offers(&self, snapshots: &[Arc<Snapshot>]) -> Vec<Offer> {
        snapshots.iter().map(|snapshot| self.service.offer(snapshot)).collect()
    }
}

impl Handles<GetOffer> for Catalogue {
    async fn handle(&self, call: GetOffer) -> Outcome<GetOffer> {
        Ok(self.get(call.product).await?.map(|snapshot| self.service.offer(&snapshot)))
    }
}

impl Handles<GetOffers> for Catalogue {
    async fn handle(&self, call: GetOffers) -> Outcome<GetOffers> {
        Ok(self.offers(&self.service.load_many(&call.products).await?))
    }
}

impl Handles<SearchProducts> for Catalogue {
    async fn handle(&self, call: SearchProducts) -> Outcome<SearchProducts> {
        let Listed { products, total, unknown } = self.list(call.query).await?;
        Ok(SearchPage { rows: self.offers(&products), total, unknown })
    }
}

impl Handles<GetCategories> for Catalogue {
    async fn handle(&self, _: GetCategories) -> Outcome<GetCategories> {
        Ok(self.index.categories()?)
    }
}

impl Handles<GetProductsOfSeller> for Catalogue {
    async fn handle(&self, call: GetProductsOfSeller) -> Outcome<GetProductsOfSeller> {
        let listed = self.of_seller(call.seller, call.skip, call.limit).await?;
        Ok(Page { rows: self.offers(&listed.products), total: listed.total })
    }
}

impl Handles<CountProducts> for Catalogue {
    async fn handle(&self, _: CountProducts) -> Outcome<CountProducts> {
        Ok(self.service.store.count().await?)
    }
}

impl Handles<InsertProducts> for Catalogue {
    async fn handle(&self, InsertProducts { products }: InsertProducts) -> Outcome<InsertProducts> {
        let levels = products.iter().map(|(product, stock)| (product.id, *stock)).collect();
        self.service.calls.ask(SetStock { levels }).await?;
        let products: Vec<Product> = products.into_iter().map(|(product, _)| product).collect();
        self.service.store.insert_many(&products).await?;
        self.service.notifier.notify(topic::PRODUCTS);
        Ok(())
    }
}

impl Handles<ImportFile> for Catalogue {
    async fn handle(&self, call: ImportFile) -> Outcome<ImportFile> {
        let importing = self.importing()?;
        let taken = importing.take(&call).await?;
        Ok(importing.wait(taken.id).await?.unwrap_or(taken))
    }
}

impl Handles<GetImports> for Catalogue {
    async fn handle(&self, call: GetImports) -> Outcome<GetImports> {
        Ok(self.importing()?.of_seller(call.seller, call.limit).await?)
    }
}
