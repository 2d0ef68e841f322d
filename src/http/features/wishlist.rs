//! Wishlists: what users and guests saved for later, in the API and on pages.

use std::collections::HashSet;

use actix_web::{
    HttpRequest, HttpResponse, delete, get, put,
    web::{self, Data, Path, ServiceConfig},
};
use askama::Template;
use async_trait::async_trait;

use super::{Button, ButtonOf, Feature};
use crate::{
    actors::catalogue::{
        calls::{GetOffer, GetOffers},
        wishlists::{GetWishlist, SetSaved, WishlistRefusal},
    },
    domain::{ids::ProductId, product::Offer},
    http::{
        auth::Buyer,
        error::{ApiError, ErrorBody},
        extract::PathId,
        pages::{self, FormRequest, Page, PageContext, cards::Card, page::sentence},
        paging::{Paging, PagingParams},
        routes::Registrar,
    },
    runtime::calls::{CallError, Calls},
    views::product::ProductView,
};

/// The cookie with a guest's wishlist: ids, newest first.
const COOKIE: &str = "guest_wishlist";

impl From<WishlistRefusal> for ApiError {
    fn from(error: WishlistRefusal) -> Self {
        match error {
            WishlistRefusal::NoSuchProduct => Self::NotFound("product"),
            WishlistRefusal::Full => Self::conflict("wishlist.full", error.to_string()),
        }
    }
}

/// The wishlist of users and guests.
pub struct Wishlist;

#[async_trait(?Send)]
impl Feature for Wishlist {
    fn path(&self) -> &'static str {
        "/wishlist"
    }

    fn label(&self) -> Option<&'static str> {
        Some("Wishlist")
    }

    fn api(&self, registrar: &mut Registrar<'_, '_>) {
        registrar.add(list).add(put).add(delete);
    }

    fn pages(&self, config: &mut ServiceConfig) {
        pages::page(config, web::resource("/wishlist").get(show));
        pages::page(config, web::resource("/wishlist/{id}").post(change));
    }

    async fn merge_guest(&self, context: &mut PageContext) -> Option<String> {
        let (user, products) = (context.buyer().ok()?.id, context.stored_ids(COOKIE));
        if products.is_empty() {
            return None;
        }
        match context.calls.ask(SetSaved { user, products, saved: true }).await {
            Ok(()) | Err(CallError::Refused(WishlistRefusal::NoSuchProduct)) => {
                context.store_ids(COOKIE, &[]);
                None
            }
            Err(error) => {
                tracing::warn!(%error, "a guest's wishlist was not merged");
                Some("What you saved before could not be added to your wishlist; it stays in this browser.".to_owned())
            }
        }
    }

    async fn button(&self, context: &PageContext) -> Option<ButtonOf> {
        let saved: HashSet<ProductId> = match &context.user {
            None => context.stored_ids(COOKIE).into_iter().collect(),
            Some(_) => offers(context).await.ok()?.iter().map(|offer| offer.product.id).collect(),
        };
        Some(Box::new(move |id| {
            let is_on = saved.contains(&id);
            Button { action: format!("/wishlist/{id}"), label: if is_on { "Saved" } else { "Save" }, is_on }
        }))
    }
}

/// The products that the user saved, newest first; without those that are not for sale any more.
///
/// Role `user`.
#[utoipa::path(
    tag = "products",
    operation_id = "getWishlist",
    params(PagingParams),
    responses((status = 200, description = "A page of products", body = [ProductView])),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[get("/api/wishlist")]
async fn list(req: HttpRequest, user: Buyer, calls: Data<Calls>, paging: Paging) -> Result<HttpResponse, ApiError> {
    let offers = calls.ask(GetWishlist { user: user.id }).await?;
    Ok(paging.show(&req, &offers, |offer| ProductView::from(offer)))
}

/// Saves a product; one that is saved already stays in its place.
///
/// Role `user`.
#[utoipa::path(
    tag = "products",
    operation_id = "addToWishlist",
    params(("productId" = String, Path, description = "The product")),
    responses(
        (status = 204, description = "It is in the wishlist"),
        (status = 404, description = "No such product", body = ErrorBody),
        (status = 409, description = "The wishlist is full", body = ErrorBody, example = json!({
            "message": "your wishlist is full; remove something first", "code": "wishlist.full",
            "requestId": "9f86d081884c7d65"
        })),
    ),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[put("/api/wishlist/{productId}")]
async fn put(user: Buyer, calls: Data<Calls>, PathId(product): PathId<ProductId>) -> Result<HttpResponse, ApiError> {
    calls.ask(SetSaved { user: user.id, products: vec![product], saved: true }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes a product from the wishlist.
///
/// Role `user`.
#[utoipa::path(
    tag = "products",
    operation_id = "removeFromWishlist",
    params(("productId" = String, Path, description = "The product")),
    responses((status = 204, description = "It is not in the wishlist, also when it was not in it before")),
    security(("bearer" = ["user"]), ("cookie" = ["user"]))
)]
#[delete("/api/wishlist/{productId}")]
async fn delete(user: Buyer, calls: Data<Calls>, PathId(product): PathId<ProductId>) -> Result<HttpResponse, ApiError> {
    calls.ask(SetSaved { user: user.id, products: vec![product], saved: false }).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Template)]
#[template(path = "shop/wishlist.html")]
struct WishlistPage {
    page: Page,
    products: Vec<Card>,
}

/// The saved products of the user or guest that are for sale.
async fn offers(context: &PageContext) -> Result<Vec<Offer>, ApiError> {
    if context.user.is_some() {
        return Ok(context.calls.ask(GetWishlist { user: context.buyer()?.id }).await?);
    }
    let products = context.stored_ids(COOKIE);
    let offers = if products.is_empty() { vec![] } else { context.calls.ask(GetOffers { products }).await? };
    Ok(offers.into_iter().filter(|offer| offer.for_sale).collect())
}

async fn show(mut context: PageContext) -> Result<HttpResponse, ApiError> {
    let offers = offers(&context).await?;
    if !offers.is_empty() {
        context.load_buttons().await;
    }
    let products = offers.iter().map(|offer| context.card(offer)).collect();
    let page = context.page_with_cookie_check("Wishlist");
    context.ok(&WishlistPage { page, products })
}

/// Saves or removes a product, depending on the button.
async fn change(FormRequest { mut context, form }: FormRequest, id: Path<String>) -> Result<HttpResponse, ApiError> {
    let product: ProductId = id.parse().map_err(|_| ApiError::NotFound("product"))?;
    let saved = form.text("on") == "true";
    let changed = if context.user.is_none() {
        change_of_guest(&mut context, product, saved).await
    } else {
        let set = SetSaved { user: context.buyer()?.id, products: vec![product], saved };
        context.calls.ask(set).await.map_err(ApiError::from)
    };
    match changed {
        Ok(()) => context.flash_message(if saved { "Saved to your wishlist." } else { "Removed from your wishlist." }),
        Err(error @ ApiError::Conflict { .. }) if !context.wants_json => {
            context.flash_error(sentence(&error.to_string()));
        }
        Err(error) => return Err(error),
    }
    Ok(context.redirect_checking_cookies(form.text("back"), "/wishlist"))
}

async fn change_of_guest(context: &mut PageContext, product: ProductId, saved: bool) -> Result<(), ApiError> {
    let mut products = context.stored_ids(COOKIE);
    if !saved {
        products.retain(|kept| *kept != product);
    } else if !products.contains(&product) {
        let offer = context.calls.ask(GetOffer { product }).await?;
        offer.filter(|offer| offer.for_sale).ok_or(ApiError::NotFound("product"))?;
        products.insert(0, product);
    }
    if context.store_ids(COOKIE, &products) { Ok(()) } else { Err(WishlistRefusal::Full.into()) }
}
