//! Products.

use std::sync::Arc;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, delete, get,
    http::header::{CONTENT_TYPE, ETAG, IF_MATCH, LOCATION},
    patch, post,
    web::{Data, Payload},
};
use bytes::BytesMut;
use garde::Validate;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema, openapi::Object};

use super::{
    Services,
    product_form::{ImagesForm, ProductBody, ProductForm, read_images, read_product},
};
use crate::{
    actors::catalogue::{
        Listed,
        calls::{
            ChangeProduct, CreateProduct, DeleteProduct, Editor, RemoveImage, SeenProduct, SetProductStatus,
            StockChange,
        },
        index::{ListQuery, Sort},
        snapshots::{Snapshot, write_array},
    },
    domain::{
        cart::QUANTITY_MAX,
        ids::{ImageId, ProductId},
        money::Currency,
        product::{CATEGORY_MAX, DESCRIPTION_MAX, ProductPatch, ProductStatus, STOCK_MAX, TITLE_MAX},
        text::visible,
        user::Role,
    },
    http::{
        auth::{AdminUser, AuthUser, MaybeUser, SellerOrAdmin, SellerUser, state},
        entity,
        error::{ApiError, ErrorBody},
        extract::{Json, JsonOrEmpty, PathId, path_id},
        paging::{Paging, PagingParams},
        query::Query,
        rate::work::{Limited, Search},
        sessions, visible_text,
    },
    views::{
        money::{Amount, MoneyInput},
        product::{ProductCreatedView, ProductView},
        words::one_of,
    },
};

/// Search, filter and order of a list.
#[derive(Debug, Clone, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Words in any order; a word that no product has is ignored when products match the others.
    #[garde(skip)]
    #[param(example = "lamp")]
    q: Option<String>,
    /// The lowest price, in major units.
    #[garde(skip)]
    #[param(value_type = Option<f64>, example = 100)]
    minprice: Option<Amount>,
    /// The highest price, in major units.
    #[garde(skip)]
    #[param(value_type = Option<f64>, example = 999.5)]
    maxprice: Option<Amount>,
    /// Only products of this category.
    #[garde(skip)]
    #[param(example = "Home")]
    category: Option<String>,
    /// When absent: `relevance` with a search text, else `newest`.
    #[garde(skip)]
    #[param(schema_with = sorts, example = "-price")]
    sort: Option<Sort>,
}

fn sorts() -> Object {
    one_of(Sort::ALL)
}

/// A change; absent fields keep their value.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PatchBody {
    /// New title.
    #[serde(default, deserialize_with = "visible_text::trimmed_option")]
    #[garde(inner(custom(super::product_form::not_blank), length(chars, max = TITLE_MAX)))]
    #[schema(example = "Desk lamp", max_length = 200)]
    title: Option<String>,
    /// New description.
    #[serde(default)]
    #[garde(inner(length(chars, max = DESCRIPTION_MAX)))]
    #[schema(max_length = 10_000)]
    description: Option<String>,
    /// New price.
    #[serde(default)]
    #[garde(skip)]
    price: Option<MoneyInput>,
    /// The new available stock.
    #[serde(default)]
    #[garde(inner(range(max = STOCK_MAX)))]
    #[schema(example = 25)]
    stock: Option<u32>,
    /// The stock that the editor saw; if it differs by now, nothing is changed (409).
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = 22)]
    stock_seen: Option<u32>,
    /// New category; empty removes it.
    #[serde(default, deserialize_with = "visible_text::visible_option")]
    #[garde(inner(length(chars, max = CATEGORY_MAX)))]
    #[schema(example = "Home", max_length = 100)]
    category: Option<String>,
    /// The most units of one order, 1 to 999; `null` removes the limit.
    #[serde(default, deserialize_with = "crate::domain::product::present")]
    #[garde(inner(inner(range(min = 1, max = QUANTITY_MAX))))]
    #[schema(value_type = Option<u32>, example = 5, minimum = 1, maximum = 999)]
    max_per_order: Option<Option<u32>>,
}

/// Why a product is taken down or approved.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct StatusBody {
    /// The reason, which the seller sees.
    #[serde(default)]
    #[garde(inner(length(chars, max = REASON_MAX)))]
    #[schema(example = "a copy of a brand", max_length = 1000)]
    reason: Option<String>,
}

const REASON_MAX: usize = 1_000;

const JSON: (actix_web::http::header::HeaderName, &str) = (CONTENT_TYPE, "application/json");

/// Who changes a product by this request, and what they have seen of it if they say so in `If-Match`.
async fn editor(
    req: &HttpRequest,
    user: &AuthUser,
    services: &Services,
    product: ProductId,
) -> Result<Editor, ApiError> {
    let editor = if user.role == Role::Admin { Editor::ADMIN } else { Editor::seller(user.id) };
    if !req.headers().contains_key(IF_MATCH) {
        return Ok(editor);
    }
    let snapshot = read(services, product).await?;
    // The stock before the tag: if it changes in between, the tag or the stock is found to be another.
    let seen = SeenProduct { version: snapshot.product.version, available: snapshot.stock() };
    let etag = snapshot.etag();
    if editor.seller.is_some_and(|seller| seller != snapshot.product.seller) {
        return Err(ApiError::forbidden());
    }
    entity::check_if_match(req.headers(), &etag)?;
    Ok(Editor { seen: Some(seen), ..editor })
}

/// The snapshot of a product, which contains every change that was answered.
async fn read(services: &Services, id: ProductId) -> Result<Arc<Snapshot>, ApiError> {
    services.catalogue()?.get(id).await?.ok_or(ApiError::NotFound("product"))
}

async fn show_changed(req: &HttpRequest, services: &Services, id: ProductId) -> Result<HttpResponse, ApiError> {
    let snapshot = read(services, id).await?;
    Ok(show(req, &snapshot))
}

fn show(req: &HttpRequest, snapshot: &Snapshot) -> HttpResponse {
    let etag = snapshot.etag();
    if entity::is_known(req.headers(), &etag) {
        return HttpResponse::NotModified().insert_header((ETAG, etag)).finish();
    }
    HttpResponse::Ok().insert_header(JSON).insert_header((ETAG, etag)).body(snapshot.json())
}

fn show_list(req: &HttpRequest, paging: &Paging, listed: &Listed) -> HttpResponse {
    let mut body = BytesMut::with_capacity(512 * listed.products.len() + 2);
    write_array(&listed.products, &mut body);
    paging.answer(req, listed.total).insert_header(JSON).body(body.freeze())
}

/// Creates a product, from JSON or a form with pictures.
///
/// Role `seller` or `admin`.
#[utoipa::path(
    tag = "products",
    operation_id = "createProduct",
    // Every operation takes this header. openapi-python-client 0.29 imports all that it needs for a choice of bodies
    // only where a parameter may be absent.
    params(("X-Request-Id" = Option<String>, Header, description = "The id under which the log has the request")),
    request_body(content(
        (ProductBody = "application/json"),
        (ProductForm = "multipart/form-data"),
    )),
    responses(
        (status = 201, description = "The product", body = ProductCreatedView),
        (status = 413, description = "A picture over 5 MiB, or the whole too large", body = ErrorBody),
        (status = 415, description = "Neither JSON nor a form, or no picture", body = ErrorBody),
    ),
    security(("bearer" = ["seller", "admin"]), ("cookie" = ["seller", "admin"]))
)]
#[post("/api/products")]
pub async fn create(
    req: HttpRequest,
    user: SellerOrAdmin,
    services: Data<Services>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    sessions::must_be_verified(state(&req)?, &services.calls, user.id).await?;
    let (form, files) = read_product(&req, payload).await?;
    let currency = form.price_currency.unwrap_or(Currency::Inr);
    let new = CreateProduct {
        seller: user.id,
        price: form.price_amount.of(currency),
        title: form.title,
        description: form.description.unwrap_or_default(),
        stock: form.stock.unwrap_or(0),
        category: form.category.unwrap_or_default(),
        max_per_order: form.max_per_order,
        files,
    };
    let made = services.calls.ask(new).await?;
    let snapshot = read(&services, made.product.id).await?;
    let mut body = BytesMut::from(&br#"{"message":"Product created","product":"#[..]);
    snapshot.write_json(&mut body);
    body.extend_from_slice(b"}");
    let location = (LOCATION, format!("/api/products/{}", made.product.id));
    Ok(HttpResponse::Created().insert_header(JSON).insert_header(location).body(body.freeze()))
}

/// Searches, filters and lists products.
#[utoipa::path(
    tag = "products",
    operation_id = "listProducts",
    params(ListParams, PagingParams),
    responses(
        (status = 200, description = "Products", body = [ProductView]),
        (status = 429, description = "Too many searches; see Retry-After", body = ErrorBody),
    ),
    security(())
)]
#[get("/api/products")]
pub async fn list(
    req: HttpRequest,
    _limit: Limited<Search>,
    services: Data<Services>,
    paging: Paging,
    Query(params): Query<ListParams>,
) -> Result<HttpResponse, ApiError> {
    let given = |text: Option<String>| text.filter(|text| visible(text).is_some());
    let text = given(params.q);
    let sort = params.sort.unwrap_or(if text.is_some() { Sort::Relevance } else { Sort::Newest });
    let query = ListQuery {
        text,
        min_price: params.minprice.map(Amount::minor),
        max_price: params.maxprice.map(Amount::minor),
        category: given(params.category),
        sort,
        skip: usize::try_from(paging.skip).unwrap_or(usize::MAX),
        limit: usize::try_from(paging.limit).unwrap_or(usize::MAX),
        every_word: false,
        hidden: false,
    };
    let listed = services.catalogue()?.list(query).await?;
    Ok(show_list(&req, &paging, &listed))
}

/// The seller's own products, newest first.
///
/// Role `seller`.
#[utoipa::path(
    tag = "products",
    operation_id = "listMyProducts",
    params(PagingParams),
    responses((status = 200, description = "Products", body = [ProductView])),
    security(("bearer" = ["seller"]), ("cookie" = ["seller"]))
)]
#[get("/api/products/seller")]
pub async fn of_seller(
    req: HttpRequest,
    seller: SellerUser,
    services: Data<Services>,
    paging: Paging,
) -> Result<HttpResponse, ApiError> {
    let listed = services.catalogue()?.of_seller(seller.id, paging.skip, paging.limit).await?;
    Ok(show_list(&req, &paging, &listed))
}

/// A product.
#[utoipa::path(
    tag = "products",
    operation_id = "getProduct",
    params(("id" = String, Path, description = "The product")),
    responses(
        (status = 200, description = "The product, with an ETag", body = ProductView),
        (status = 304, description = "Not modified"),
        (status = 404, description = "No such product", body = ErrorBody),
    ),
    security(())
)]
#[get("/api/products/{id}")]
pub async fn get(
    req: HttpRequest,
    services: Data<Services>,
    PathId(id): PathId<ProductId>,
) -> Result<HttpResponse, ApiError> {
    let snapshot = read(&services, id).await?;
    if services.catalogue()?.is_for_sale(&snapshot.product) {
        return Ok(show(&req, &snapshot));
    }
    // Its seller and admins can still see it.
    let MaybeUser(user) = MaybeUser::extract(&req).await?;
    let known = user.is_some_and(|user| user.must_be_or_admin(snapshot.product.seller).is_ok());
    if known { Ok(show(&req, &snapshot)) } else { Err(ApiError::NotFound("product")) }
}

/// Takes a product down: it cannot be found, put into a cart or ordered. Paid orders continue.
///
/// Role `admin`.
#[utoipa::path(
    tag = "products",
    operation_id = "takeDownProduct",
    params(("id" = String, Path, description = "The product")),
    request_body(content = Option<StatusBody>),
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 404, description = "No such product", body = ErrorBody),
    ),
    security(("bearer" = ["admin"]), ("cookie" = ["admin"]))
)]
#[post("/api/admin/products/{id}/take-down")]
pub async fn take_down(
    req: HttpRequest,
    _admin: AdminUser,
    services: Data<Services>,
    PathId(id): PathId<ProductId>,
    JsonOrEmpty(body): JsonOrEmpty<StatusBody>,
) -> Result<HttpResponse, ApiError> {
    let reason = body.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    services.calls.ask(SetProductStatus { product: id, status: ProductStatus::TakenDown, reason }).await?;
    show_changed(&req, &services, id).await
}

/// Approves a product that was taken down.
///
/// Role `admin`.
#[utoipa::path(
    tag = "products",
    operation_id = "approveProduct",
    params(("id" = String, Path, description = "The product")),
    request_body(content = Option<StatusBody>),
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 404, description = "No such product", body = ErrorBody),
    ),
    security(("bearer" = ["admin"]), ("cookie" = ["admin"]))
)]
#[post("/api/admin/products/{id}/approve")]
pub async fn approve(
    req: HttpRequest,
    _admin: AdminUser,
    services: Data<Services>,
    PathId(id): PathId<ProductId>,
    _body: JsonOrEmpty<StatusBody>,
) -> Result<HttpResponse, ApiError> {
    services.calls.ask(SetProductStatus { product: id, status: ProductStatus::Live, reason: None }).await?;
    show_changed(&req, &services, id).await
}

/// Changes a product.
///
/// Role `seller` or `admin`.
#[utoipa::path(
    tag = "products",
    operation_id = "updateProduct",
    params(
        ("id" = String, Path, description = "The product"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was seen, of any encoding"),
    ),
    request_body = PatchBody,
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 404, description = "No such product", body = ErrorBody),
        (status = 412, description = "`If-Match` names another version; nothing is changed", body = ErrorBody),
        (status = 409, description = "The stock is no longer `stockSeen`, with `available`; nothing is changed",
            body = ErrorBody, example = json!({
            "message": "the stock has changed meanwhile: 7 can be bought now", "code": "product.stock_moved",
            "requestId": "9f86d081884c7d65", "available": 7
        })),
    )
)]
#[patch("/api/products/{id}")]
pub async fn patch(
    req: HttpRequest,
    user: SellerOrAdmin,
    services: Data<Services>,
    PathId(id): PathId<ProductId>,
    Json(body): Json<PatchBody>,
) -> Result<HttpResponse, ApiError> {
    let price = match body.price {
        None => None,
        Some(input) => {
            let kept = match input.currency {
                Some(currency) => currency,
                None => read(&services, id).await?.product.price.currency(),
            };
            Some(input.or(kept))
                .filter(|price| price.minor() > 0)
                .map_or_else(|| Err(ApiError::field("price.amount", "must be above zero")), |price| Ok(Some(price)))?
        }
    };
    let (title, description, category) = (body.title, body.description, body.category);
    let patch = ProductPatch { title, description, price, category, max_per_order: body.max_per_order };
    let stock = StockChange { available: body.stock, seen: body.stock_seen.map(i64::from) };
    let editor = editor(&req, &user, &services, id).await?;
    services.calls.ask(ChangeProduct { product: id, editor, patch, stock, files: vec![] }).await?;
    show_changed(&req, &services, id).await
}

/// Adds pictures to a product.
///
/// Role `seller` or `admin`.
#[utoipa::path(
    tag = "products",
    operation_id = "addProductImages",
    params(("id" = String, Path, description = "The product")),
    request_body(content(( ImagesForm = "multipart/form-data"))),
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 404, description = "No such product", body = ErrorBody),
        (status = 413, description = "A picture over 5 MiB", body = ErrorBody),
        (status = 415, description = "No form, or no picture", body = ErrorBody),
    )
)]
#[post("/api/products/{id}/images")]
pub async fn add_images(
    req: HttpRequest,
    user: SellerOrAdmin,
    services: Data<Services>,
    PathId(id): PathId<ProductId>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let files = read_images(&req, payload).await?;
    let add = ChangeProduct {
        product: id,
        editor: editor(&req, &user, &services, id).await?,
        patch: ProductPatch::default(),
        stock: StockChange::default(),
        files,
    };
    services.calls.ask(add).await?;
    show_changed(&req, &services, id).await
}

/// Removes a picture of a product.
///
/// Role `seller` or `admin`.
#[utoipa::path(
    tag = "products",
    operation_id = "removeProductImage",
    params(
        ("id" = String, Path, description = "The product"),
        ("imageId" = String, Path, description = "The picture"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was seen, of any encoding"),
    ),
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 404, description = "No such product or picture", body = ErrorBody),
        (status = 412, description = "`If-Match` names another version; nothing is changed", body = ErrorBody),
    )
)]
#[delete("/api/products/{id}/images/{imageId}")]
pub async fn remove_image(
    req: HttpRequest,
    user: SellerOrAdmin,
    services: Data<Services>,
) -> Result<HttpResponse, ApiError> {
    let id: ProductId = path_id(&req, "id")?;
    let image: ImageId = path_id(&req, "imageId")?;
    let editor = editor(&req, &user, &services, id).await?;
    services.calls.ask(RemoveImage { product: id, editor, image }).await?;
    show_changed(&req, &services, id).await
}

/// Deletes a product.
///
/// Role `seller` or `admin`.
#[utoipa::path(
    tag = "products",
    operation_id = "deleteProduct",
    params(
        ("id" = String, Path, description = "The product"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was seen, of any encoding"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such product", body = ErrorBody),
        (status = 412, description = "`If-Match` names another version; nothing is changed", body = ErrorBody),
    )
)]
#[delete("/api/products/{id}")]
pub async fn delete(
    req: HttpRequest,
    user: SellerOrAdmin,
    services: Data<Services>,
    PathId(id): PathId<ProductId>,
) -> Result<HttpResponse, ApiError> {
    let editor = editor(&req, &user, &services, id).await?;
    services.calls.ask(DeleteProduct { product: id, editor }).await?;
    Ok(HttpResponse::NoContent().finish())
}
