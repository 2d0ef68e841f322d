//! A seller's products: the list, with a search.

use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{
    super::listing::{Pager, asked, page_of},
    dashboard::LOW,
};
use crate::{
    actors::catalogue::calls::GetProductsOfSeller,
    domain::{ids::UserId, product::Offer, text::fold},
    http::{
        error::ApiError,
        pages::{context::PageContext, format, page::Page},
    },
};

/// Products on a page.
const PER_PAGE: u32 = 20;
/// How many products are read at once, and how many of the newest are searched.
const BATCH: u32 = 200;
pub(super) const LOOKED_THROUGH: usize = 5_000;

struct Row {
    url: String,
    shop_url: String,
    title: String,
    picture: String,
    letter: String,
    category: String,
    price: String,
    stock: i64,
    stock_class: &'static str,
    /// Why it was taken down; empty when it is offered.
    taken_down: String,
}

#[derive(Template)]
#[template(path = "seller/products.html")]
struct ProductsPage {
    page: Page,
    q: String,
    rows: Vec<Row>,
    total: String,
    pager: Pager,
}

/// The newest products of a seller, as many as are searched.
pub(super) async fn all(context: &PageContext, seller: UserId) -> Result<Vec<Offer>, ApiError> {
    let (mut found, mut skip) = (Vec::new(), 0);
    while found.len() < LOOKED_THROUGH {
        let listed = context.calls.ask(GetProductsOfSeller { seller, skip, limit: BATCH }).await?;
        if listed.rows.is_empty() {
            break;
        }
        found.extend(listed.rows);
        skip += u64::from(BATCH);
        if skip >= listed.total {
            break;
        }
    }
    Ok(found)
}

///
/// # Errors
/// 401, 403, 503.
pub async fn list(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let (q, number) = (asked(&req, "q"), page_of(&req));
    let skip = u64::from(number - 1) * u64::from(PER_PAGE);
    let (rows, total) = if q.is_empty() {
        let listed = context.calls.ask(GetProductsOfSeller { seller, skip, limit: PER_PAGE }).await?;
        (listed.rows, listed.total)
    } else {
        let words = fold(&q);
        let takes = |offer: &Offer| {
            let text = fold(&format!("{} {}", offer.product.title, offer.product.category));
            words.split_whitespace().all(|word| text.contains(word))
        };
        let mut found = all(&context, seller).await?;
        found.retain(takes);
        let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let page = found.into_iter().skip(usize::try_from(skip).unwrap_or(usize::MAX));
        (page.take(usize::try_from(PER_PAGE).unwrap_or(0)).collect(), total)
    };
    let row = |offer: &Offer| {
        let product = &offer.product;
        Row {
            url: format!("/seller/products/{}", product.id),
            shop_url: format!("/products/{}", product.id),
            title: product.title.clone(),
            picture: product.images.first().map_or_else(String::new, |image| image.thumbnail.clone()),
            letter: product.title.chars().next().map_or_else(String::new, |first| first.to_uppercase().to_string()),
            category: product.category.clone(),
            price: format::money(product.price),
            stock: offer.available.max(0),
            stock_class: match offer.available {
                ..=0 => "out",
                1..=LOW => "low",
                _ => "in",
            },
            taken_down: match (product.status.is_live(), &product.status_reason) {
                (true, _) => String::new(),
                (false, Some(reason)) => format!("Taken down by the shop: {reason}"),
                (false, None) => "Taken down by the shop".to_owned(),
            },
        }
    };
    let view = ProductsPage {
        page: context.page("Your products"),
        rows: rows.iter().map(row).collect(),
        total: format::count(total),
        pager: Pager::new("/seller/products", &[("q", &q)], number, PER_PAGE, total),
        q,
    };
    context.ok(&view)
}
