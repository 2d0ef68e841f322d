//! What other services, the shop's pages and the assistant ask of products.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::index::{Categories, ListQuery};
use crate::{
    config::Service,
    domain::{
        ids::{ImageId, ProductId, UserId},
        import::{Import, ImportRow, Tally},
        inventory::StockError,
        money::Money,
        product::{Offer, Product, ProductError, ProductPatch, ProductStatus},
    },
    integrations::image::ImageError,
    runtime::calls::{Call, CallError, Never, Refusal, WITHIN_NESTED},
    store::Page,
};

/// Why a product was not made or did not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum ProductRefusal {
    #[error("there is no such product")]
    NotFound,
    /// It is somebody else's.
    #[error("this product is not yours")]
    NotYours,
    #[error(transparent)]
    Rule(ProductError),
    /// A picture cannot be taken.
    #[error(transparent)]
    Picture(ImageError),
    /// The stock is another than what was seen.
    #[error(transparent)]
    Stock(StockError),
}

impl Refusal for ProductRefusal {}

impl From<ProductError> for CallError<ProductRefusal> {
    fn from(error: ProductError) -> Self {
        Self::Refused(ProductRefusal::Rule(error))
    }
}

impl From<ImageError> for CallError<ProductRefusal> {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Busy => Self::Busy("picture".into()),
            ImageError::Unavailable(_) => Self::Unavailable("picture".into()),
            refusal => Self::Refused(ProductRefusal::Picture(refusal)),
        }
    }
}

/// Who changes a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Editor {
    /// A seller, her own.
    Seller(UserId),
    /// An admin, any.
    Admin,
}

/// Reads the offer of a product.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOffer {
    pub product: ProductId,
}

impl Call for GetOffer {
    type Reply = Option<Offer>;
    type Error = Never;
    const SERVICE: Service = Service::Product;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Reads the offers of these products: of those that exist, in their order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOffers {
    pub products: Vec<ProductId>,
}

impl Call for GetOffers {
    type Reply = Vec<Offer>;
    type Error = Never;
    const SERVICE: Service = Service::Product;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Reads a page of a search or list of what is for sale; with [`ListQuery::hidden`] of everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchProducts {
    pub query: ListQuery,
}

/// A page of a search.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SearchPage {
    pub rows: Vec<Offer>,
    /// How many match in all.
    pub total: u64,
    /// Words of the search that no product has, which were passed over.
    pub unknown: Arc<[String]>,
}

impl Call for SearchProducts {
    type Reply = SearchPage;
    type Error = Never;
    const SERVICE: Service = Service::Product;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Reads the commonest categories with how many products each has, most first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetCategories {}

impl Call for GetCategories {
    type Reply = Categories;
    type Error = Never;
    const SERVICE: Service = Service::Product;
}

/// Reads a seller's products, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetProductsOfSeller {
    pub seller: UserId,
    pub skip: u64,
    pub limit: u32,
}

impl Call for GetProductsOfSeller {
    type Reply = Page<Offer>;
    type Error = Never;
    const SERVICE: Service = Service::Product;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Counts all products.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountProducts {}

impl Call for CountProducts {
    type Reply = u64;
    type Error = Never;
    const SERVICE: Service = Service::Product;
}

/// Offers a new product.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateProduct {
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
    #[serde(with = "files")]
    pub files: Vec<Bytes>,
}

impl Call for CreateProduct {
    type Reply = Offer;
    type Error = ProductRefusal;
    const SERVICE: Service = Service::Product;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Changes a product's fields, its stock and its pictures, all or nothing of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeProduct {
    pub product: ProductId,
    pub editor: Editor,
    pub patch: ProductPatch,
    pub stock: StockChange,
    /// Picture files to be added, as they were sent.
    #[serde(with = "files")]
    pub files: Vec<Bytes>,
}

/// What is to become of a product's stock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockChange {
    /// What is to be available; it stays when absent.
    pub available: Option<u32>,
    /// What the editor has seen: when it is another by now, nothing is changed.
    pub seen: Option<i64>,
}

impl Call for ChangeProduct {
    type Reply = Offer;
    type Error = ProductRefusal;
    const SERVICE: Service = Service::Product;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Removes a picture of a product.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveImage {
    pub product: ProductId,
    pub editor: Editor,
    pub image: ImageId,
}

impl Call for RemoveImage {
    type Reply = Offer;
    type Error = ProductRefusal;
    const SERVICE: Service = Service::Product;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Takes a product off sale, or offers it again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetProductStatus {
    pub product: ProductId,
    pub status: ProductStatus,
    pub reason: Option<String>,
}

impl Call for SetProductStatus {
    type Reply = Offer;
    type Error = ProductRefusal;
    const SERVICE: Service = Service::Product;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Offers a product no more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteProduct {
    pub product: ProductId,
    pub editor: Editor,
}

impl Call for DeleteProduct {
    type Reply = ();
    type Error = ProductRefusal;
    const SERVICE: Service = Service::Product;
    const REPEATABLE: bool = false;
}

/// Takes a file of products that was read. It is answered with the import once it is finished, or as it is after some
/// seconds. The same file is not taken twice at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImportFile {
    pub seller: UserId,
    pub digest: Vec<u8>,
    /// The file's name.
    pub name: String,
    /// The rows to be worked on.
    pub rows: Vec<ImportRow>,
    /// What is known of the others: nothing to do, or something wrong with them.
    pub tally: Tally,
}

impl Call for ImportFile {
    type Reply = Import;
    type Error = Never;
    const SERVICE: Service = Service::Product;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = Duration::from_secs(25);
}

/// Reads a seller's imports, the last taken first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetImports {
    pub seller: UserId,
    pub limit: u32,
}

impl Call for GetImports {
    type Reply = Vec<Import>;
    type Error = Never;
    const SERVICE: Service = Service::Product;
}

/// Writes many new products with their stock, past the one-by-one way: for demo data. No event tells of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InsertProducts {
    pub products: Vec<(Product, u32)>,
}

impl Call for InsertProducts {
    type Reply = ();
    type Error = Never;
    const SERVICE: Service = Service::Product;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Files in JSON: as base64.
mod files {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(files: &[Bytes], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(files.iter().map(|file| STANDARD.encode(file)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Bytes>, D::Error> {
        let files = Vec::<String>::deserialize(from)?;
        files.iter().map(|file| STANDARD.decode(file).map(Bytes::from).map_err(D::Error::custom)).collect()
    }
}
