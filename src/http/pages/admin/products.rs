//! Products of all sellers: searched by words, id or seller; taken down and approved again.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;

use crate::{
    actors::{
        admin::calls::FindUser,
        catalogue::{
            calls::{GetOffer, GetProductsOfSeller, SearchProducts, SetProductStatus},
            index::{ListQuery, Sort},
        },
    },
    domain::{
        ids::ProductId,
        product::{Offer, ProductStatus},
    },
    http::{
        error::ApiError,
        pages::{
            context::PageContext,
            form::FormRequest,
            format,
            listing::{Pager, asked, page_of},
            page::Page,
        },
    },
};

/// Rows on a page.
const PER_PAGE: u32 = 25;
const REASON_MAX: usize = 1_000;

struct Row {
    id: String,
    title: String,
    seller: String,
    price: String,
    stock: i64,
    word: &'static str,
    class: &'static str,
    reason: String,
    taken_down: bool,
}

#[derive(Template)]
#[template(path = "admin/products.html")]
struct ProductsPage {
    page: Page,
    q: String,
    rows: Vec<Row>,
    total: String,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "admin/take_down.html")]
struct TakeDownPage {
    page: Page,
    row: Row,
}

fn row(offer: &Offer) -> Row {
    let product = &offer.product;
    let taken_down = product.status == ProductStatus::TakenDown;
    let (word, class) = match (taken_down, offer.for_sale) {
        (true, _) => ("Taken down", "bad"),
        (false, false) => ("Seller blocked", "bad"),
        (false, true) => ("For sale", "good"),
    };
    Row {
        id: product.id.to_hex(),
        title: product.title.clone(),
        seller: product.seller.to_hex(),
        price: format::money(product.price),
        stock: offer.available.max(0),
        word,
        class,
        reason: product.status_reason.clone().unwrap_or_default(),
        taken_down,
    }
}

/// Finds products by id, by the seller's e-mail address, user name or id, or by words.
async fn find(context: &PageContext, q: &str, skip: u64) -> Result<(Vec<Offer>, u64), ApiError> {
    let calls = &context.calls;
    if let Ok(product) = q.parse::<ProductId>()
        && let Some(offer) = calls.ask(GetOffer { product }).await?
    {
        return Ok((vec![offer], 1));
    }
    match context.calls.ask(FindUser { name: q.to_owned() }).await? {
        Some(seller) if !q.is_empty() => {
            let page = calls.ask(GetProductsOfSeller { seller: seller.id, skip, limit: PER_PAGE }).await?;
            Ok((page.rows, page.total))
        }
        _ => {
            let query = ListQuery {
                text: (!q.is_empty()).then(|| q.to_owned()),
                sort: if q.is_empty() { Sort::Newest } else { Sort::Relevance },
                skip: usize::try_from(skip).unwrap_or(usize::MAX),
                limit: usize::try_from(PER_PAGE).unwrap_or(usize::MAX),
                hidden: true,
                ..ListQuery::default()
            };
            let page = calls.ask(SearchProducts { query }).await?;
            Ok((page.rows, page.total))
        }
    }
}

/// The list, newest first, or the search results.
///
/// # Errors
/// 401, 403, 503.
pub async fn list(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let (q, number) = (asked(&req, "q"), page_of(&req));
    let (found, total) = find(&context, &q, u64::from(number - 1) * u64::from(PER_PAGE)).await?;
    let view = ProductsPage {
        page: context.page("All products"),
        rows: found.iter().map(row).collect(),
        total: format::count(total),
        pager: Pager::new("/admin/products", &[("q", &q)], number, PER_PAGE, total),
        q,
    };
    context.ok(&view)
}

/// The confirmation page before a product is taken down.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn confirm(path: Path<(String, String)>, mut context: PageContext) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let (id, step) = path.into_inner();
    let id: ProductId = id.parse().map_err(|_| ApiError::NotFound("product"))?;
    if step != "take-down" {
        return Err(ApiError::NotFound("page"));
    }
    let kept = context.take_saved_form(&format!("/admin/products/{id}/take-down"));
    let offer = context.calls.ask(GetOffer { product: id }).await?.ok_or(ApiError::NotFound("product"))?;
    let mut row = row(&offer);
    if let Some(kept) = kept {
        row.reason = kept.trimmed("reason").to_owned();
    }
    let view = TakeDownPage { row, page: context.page("Take a product down") };
    context.ok(&view)
}

/// Takes a product down or approves it again.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn step(
    path: Path<(String, String)>,
    FormRequest { mut context, form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let (id, step) = path.into_inner();
    let id: ProductId = id.parse().map_err(|_| ApiError::NotFound("product"))?;
    let reason: String = form.trimmed("reason").chars().take(REASON_MAX).collect();
    let (status, reason, outcome) = match step.as_str() {
        "take-down" => (ProductStatus::TakenDown, (!reason.is_empty()).then_some(reason), "is taken down"),
        "approve" => (ProductStatus::Live, None, "is offered again"),
        _ => return Err(ApiError::NotFound("page")),
    };
    let offer = context.calls.ask(SetProductStatus { product: id, status, reason }).await?;
    tracing::info!(product.id = %id, status = status.as_str(), "an admin changed a product's status");
    context.flash_message(format!("“{}” {outcome}.", offer.product.title));
    Ok(context.redirect(&format!("/admin/products?q={id}")))
}
