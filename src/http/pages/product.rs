//! A product's page.

use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde_json::json;

use super::{
    cards::{self, Card},
    context::PageContext,
    format, home,
    page::{Page, escape},
};
use crate::{
    actors::catalogue::{
        calls::{GetOffer, SearchProducts},
        index::{ListQuery, Sort},
    },
    domain::{cart::QUANTITY_MAX, ids::ProductId, product::Offer},
    http::{error::ApiError, features::Button},
};

/// How many products of the same category are shown.
const RELATED: usize = 4;

struct Picture {
    url: String,
    thumbnail: String,
}

#[derive(Template)]
#[template(path = "shop/product.html")]
struct ProductPage {
    page: Page,
    id: String,
    title: String,
    letter: String,
    description: String,
    price: String,
    category: String,
    category_url: String,
    stock: &'static str,
    stock_class: &'static str,
    most: i64,
    max_per_order: Option<u32>,
    /// The most that one cart may have.
    at_once: i64,
    /// Whether the product can be bought; otherwise only its seller and admins see it.
    for_sale: bool,
    buttons: Vec<Button>,
    pictures: Vec<Picture>,
    /// JSON-LD, escaped so that it cannot end its element.
    data: String,
    related: Vec<Card>,
    seen: Vec<Card>,
}

/// Parses the id of a path; an invalid id is a 404.
pub(super) fn id_of<Id: std::str::FromStr>(text: &str, what: &'static str) -> Result<Id, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound(what))
}

/// The product as JSON-LD, escaped for a `script` element.
fn data(offer: &Offer, origin: &str) -> String {
    let product = &offer.product;
    let absolute = |url: &str| if url.starts_with('/') { format!("{origin}{url}") } else { url.to_owned() };
    let stock = if offer.available > 0 { "https://schema.org/InStock" } else { "https://schema.org/OutOfStock" };
    let value = json!({
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.title,
        "description": product.description,
        "sku": product.id.to_hex(),
        "category": product.category,
        "image": product.images.iter().map(|image| absolute(&image.url)).collect::<Vec<_>>(),
        "offers": {
            "@type": "Offer",
            "url": format!("{origin}/products/{}", product.id),
            "price": format!("{}.{:02}", product.price.minor() / 100, product.price.minor() % 100),
            "priceCurrency": product.price.currency().code(),
            "availability": stock,
        },
    });
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

async fn related(context: &PageContext, offer: &Offer) -> Vec<Card> {
    let category = offer.product.category.clone();
    let query = ListQuery {
        text: None,
        min_price: None,
        max_price: None,
        category: (!category.is_empty()).then_some(category),
        sort: Sort::Newest,
        skip: 0,
        limit: RELATED + 1,
        every_word: false,
        hidden: false,
    };
    let Ok(found) = context.calls.ask(SearchProducts { query }).await else { return vec![] };
    let others = found.rows.iter().filter(|other| other.product.id != offer.product.id);
    others.take(RELATED).map(|offer| context.card(offer)).collect()
}

///
/// # Errors
/// 404, 503.
pub async fn show(mut context: PageContext, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let id: ProductId = id_of(&path, "product")?;
    let offer = context.calls.ask(GetOffer { product: id }).await?.ok_or(ApiError::NotFound("product"))?;
    let (product, for_sale) = (&offer.product, offer.for_sale);
    // Its seller and admins can still see it.
    let knows = context.user.as_ref().is_some_and(|user| user.must_be_or_admin(product.seller).is_ok());
    if !for_sale && !knows {
        return Err(ApiError::NotFound("product"));
    }
    if for_sale {
        context.load_buttons().await;
    }
    let (stock, stock_class) = if for_sale { cards::stock(offer.available) } else { ("Not for sale", "out") };
    let mut page = context.page(product.title.as_str());
    let about =
        if product.description.trim().is_empty() { product.title.as_str() } else { product.description.as_str() };
    page = page.describe(&format!("{} · {about}", format::money(product.price)));
    page.canonical = format!("{}/products/{id}", context.origin);
    page.picture = product.images.first().map_or_else(String::new, |image| match image.url.starts_with('/') {
        true => format!("{}{}", context.origin, image.url),
        false => image.url.clone(),
    });
    let view = ProductPage {
        id: id.to_hex(),
        title: product.title.clone(),
        letter: product.title.chars().next().map_or_else(String::new, |first| first.to_uppercase().to_string()),
        description: product.description.clone(),
        price: format::money(product.price),
        category: product.category.clone(),
        category_url: format!("/?category={}", escape(&product.category)),
        stock,
        stock_class,
        most: if for_sale { offer.available.clamp(0, i64::from(QUANTITY_MAX)) } else { 0 },
        for_sale,
        max_per_order: product.max_per_order,
        at_once: offer.available.clamp(0, i64::from(product.max_per_order.unwrap_or(QUANTITY_MAX).min(QUANTITY_MAX))),
        buttons: if for_sale { context.buttons(id) } else { vec![] },
        pictures: product
            .images
            .iter()
            .map(|image| Picture { url: image.url.clone(), thumbnail: image.thumbnail.clone() })
            .collect(),
        data: data(&offer, &context.origin),
        related: related(&context, &offer).await,
        seen: home::seen(&context, Some(id)).await,
        page,
    };
    context.remember_product(id);
    context.ok(&view)
}
