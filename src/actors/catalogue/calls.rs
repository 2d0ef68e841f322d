//! The calls of the product service.

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

/// Why a call on a product was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum ProductRefusal {
    #[error("there is no such product")]
    NotFound,
    /// It belongs to another user.
    #[error("this product is not yours")]
    NotYours,
    #[error(transparent)]
    Rule(ProductError),
    /// A picture is refused.
    #[error(transparent)]
    Picture(ImageError),
    #[error("the product has changed since it was read")]
    Changed,
    /// The stock differs from what the caller had seen.
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
            ImageError::Unavailable(_) => Self::Unavailable("picture".into()),
            refusal => Self::Refused(ProductRefusal::Picture(refusal)),
        }
    }
}

/// Who changes a product, and as what it was seen: when it is another by now, nothing is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Editor {
    /// Sellers change what they offer themselves; without one an admin changes any product.
    pub seller: Option<UserId>,
    pub seen: Option<SeenProduct>,
}

/// What somebody has seen of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenProduct {
    pub version: u64,
    pub available: i64,
}

impl Editor {
    pub const ADMIN: Self = Self { seller: None, seen: None };

    #[must_use]
    pub const fn seller(seller: UserId) -> Self {
        Self { seller: Some(seller), seen: None }
    }
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

/// Reads a page of a search or list of products on sale; with [`ListQuery::hidden`], of all products.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchProducts {
    pub query: ListQuery,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SearchPage {
    pub rows: Vec<Offer>,
    /// How many match in all.
    pub total: u64,
    /// Words of the search that no product has, which were ignored.
    pub unknown: Arc<[String]>,
}

impl Call for SearchProducts {
    type Reply = SearchPage;
    type Error = Never;
    const SERVICE: Service = Service::Product;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Reads the largest categories with their number of products, the largest first.
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

/// Creates a product.
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
    /// The most units in one order.
    pub max_per_order: Option<u32>,
    /// The uploaded picture files, at most five.
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

/// Changes a product's fields, stock and pictures, all or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeProduct {
    pub product: ProductId,
    pub editor: Editor,
    pub patch: ProductPatch,
    pub stock: StockChange,
    /// The uploaded picture files to add.
    #[serde(with = "files")]
    pub files: Vec<Bytes>,
}

/// A change of a product's stock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockChange {
    /// The units to make available; unchanged when absent.
    pub available: Option<u32>,
    /// The number that the editor has seen: if it has changed since, nothing is changed.
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

/// Takes a product off sale, or puts it back on sale.
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

/// Deletes a product.
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

/// Imports a parsed file of products. Returns the import once it is finished, or its progress after some seconds. The
/// same file is not imported twice at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImportFile {
    pub seller: UserId,
    pub digest: Vec<u8>,
    /// The file's name.
    pub name: String,
    /// The rows to process.
    pub rows: Vec<ImportRow>,
    /// The results of the other rows: unchanged, or invalid.
    pub tally: Tally,
}

impl Call for ImportFile {
    type Reply = Import;
    type Error = Never;
    const SERVICE: Service = Service::Product;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = Duration::from_secs(25);
}

/// Reads a seller's imports, the newest first.
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

/// Writes many new products with their stock in bulk, for demo data. It publishes no events.
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

/// Serializes files as base64 in JSON.
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
