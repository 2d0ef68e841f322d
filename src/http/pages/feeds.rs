//! Files that search engines and browsers request on their own.

use std::fmt::Write;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION},
};

use super::{assets, context::PageContext, page::escape};
use crate::{
    actors::catalogue::{
        calls::{GetCategories, SearchProducts},
        index::{ListQuery, Sort},
    },
    http::{error::ApiError, features::FEATURES},
};

/// The most products of a sitemap, which is also the most of one listing.
const LISTED: usize = 1_000;

/// `/sitemap.xml`: the home page, categories and the newest products.
///
/// # Errors
///
/// 503 while the catalogue is unavailable.
pub async fn sitemap(req: HttpRequest) -> Result<HttpResponse, ApiError> {
    let context = PageContext::anonymous(&req)?;
    let query = ListQuery {
        text: None,
        min_price: None,
        max_price: None,
        category: None,
        sort: Sort::Newest,
        skip: 0,
        limit: LISTED,
        every_word: false,
        hidden: false,
    };
    let listed = context.calls.ask(SearchProducts { query }).await?;
    let categories = context.calls.ask(GetCategories {}).await?;
    let origin = context.origin;
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
    );
    // Writing to a string cannot fail.
    let _infallible = writeln!(out, "<url><loc>{origin}/</loc></url>");
    for (name, _) in categories.iter().filter(|(name, _)| !name.is_empty()) {
        let _infallible = writeln!(out, "<url><loc>{origin}/?category={}</loc></url>", escape(name));
    }
    for offer in &listed.rows {
        let (id, changed) = (offer.product.id, offer.product.updated_at);
        let _infallible = writeln!(out, "<url><loc>{origin}/products/{id}</loc><lastmod>{changed}</lastmod></url>");
    }
    out.push_str("</urlset>\n");
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/xml; charset=utf-8")).body(out))
}

/// `/robots.txt`.
///
/// # Errors
///
/// [`ApiError::Internal`] in an app without state.
pub async fn robots(req: HttpRequest) -> Result<HttpResponse, ApiError> {
    let origin = PageContext::anonymous(&req)?.origin;
    let closed = [
        "/account",
        "/admin",
        "/api/",
        "/checkout",
        "/forgot",
        "/login",
        "/orders",
        "/register",
        "/reset",
        "/seller",
        "/verify",
    ];
    let closed = closed.into_iter().chain(FEATURES.iter().map(|feature| feature.path()));
    let closed: String = closed.map(|path| format!("Disallow: {path}\n")).collect();
    let text = format!("User-agent: *\n{closed}Sitemap: {origin}/sitemap.xml\n");
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")).body(text))
}

/// `/favicon.ico`, for browsers that look for it there.
pub async fn favicon() -> HttpResponse {
    let to = (LOCATION, assets::url("favicon.svg"));
    HttpResponse::MovedPermanently().insert_header(to).insert_header((CACHE_CONTROL, "public, max-age=86400")).finish()
}
