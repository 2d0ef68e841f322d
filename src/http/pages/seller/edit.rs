//! A product's form: new, changed, its pictures, and its end.

use actix_web::{HttpResponse, http::StatusCode, web::Path};
use askama::Template;

use super::{
    fields::{self, Fields},
    pictures,
};
use crate::{
    actors::catalogue::{Editor, NewProduct, snapshots::Snapshot},
    domain::{
        ids::{ImageId, ProductId, UserId},
        product::{IMAGES_MAX, ProductPatch},
    },
    http::{
        error::ApiError,
        pages::{
            form::{Form, Posted},
            format,
            page::Page,
            visit::Visit,
        },
    },
};

struct Picture {
    url: String,
    remove: String,
    number: usize,
}

#[derive(Template)]
#[template(path = "seller/product.html")]
struct ProductPage {
    page: Page,
    form: Form,
    /// Where the form goes.
    action: String,
    /// Whether it is offered already.
    offered: bool,
    shop_url: String,
    pictures: Vec<Picture>,
    /// How many more pictures it may have.
    room: usize,
    categories: Vec<String>,
}

#[derive(Template)]
#[template(path = "seller/delete.html")]
struct DeletePage {
    page: Page,
    title: String,
    action: String,
    back: String,
}

fn product_id(text: &str) -> Result<ProductId, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound("product"))
}

/// The seller's own product.
async fn own(visit: &Visit, id: ProductId, seller: UserId) -> Result<std::sync::Arc<Snapshot>, ApiError> {
    let snapshot = visit.shop.catalogue()?.get(id).await?.ok_or(ApiError::NotFound("product"))?;
    if snapshot.product.seller == seller { Ok(snapshot) } else { Err(ApiError::forbidden()) }
}

fn categories(visit: &Visit) -> Vec<String> {
    let known = visit.shop.catalogue().ok().and_then(|catalogue| catalogue.categories().ok());
    known.map_or_else(Vec::new, |known| known.iter().map(|(name, _)| name.clone()).collect())
}

fn show_new(visit: Visit, status: StatusCode, form: Form) -> Result<HttpResponse, ApiError> {
    let view = ProductPage {
        page: visit.page("New product"),
        form,
        action: "/seller/products/new".to_owned(),
        offered: false,
        shop_url: String::new(),
        pictures: vec![],
        room: IMAGES_MAX,
        categories: categories(&visit),
    };
    visit.html(status, &view)
}

fn show_old(visit: Visit, status: StatusCode, form: Form, snapshot: &Snapshot) -> Result<HttpResponse, ApiError> {
    let id = snapshot.product.id;
    let pictures = snapshot.product.images.iter().zip(1..).map(|(image, number)| Picture {
        url: image.thumbnail.clone(),
        remove: format!("/seller/products/{id}/pictures/{}/remove", image.id),
        number,
    });
    let pictures: Vec<Picture> = pictures.collect();
    let view = ProductPage {
        page: visit.page(snapshot.product.title.as_str()),
        form,
        action: format!("/seller/products/{id}"),
        offered: true,
        shop_url: format!("/products/{id}"),
        room: IMAGES_MAX.saturating_sub(pictures.len()),
        pictures,
        categories: categories(&visit),
    };
    visit.html(status, &view)
}

/// An empty form.
///
/// # Errors
/// 401, 403.
pub async fn new(visit: Visit) -> Result<HttpResponse, ApiError> {
    visit.seller()?;
    show_new(visit, StatusCode::OK, Form::of([("stock", "1".to_owned())]))
}

/// Offers a product.
///
/// # Errors
/// 401, 403, 503; what is wrong with a field is shown beside it.
pub async fn create(Posted { mut visit, mut form }: Posted) -> Result<HttpResponse, ApiError> {
    let seller = visit.seller()?.id;
    let fields = read(&mut form);
    let files = pictures::of(&mut form, 0);
    let (Some(Fields { title, description, price, stock, category }), true) = (fields, form.is_fine()) else {
        return show_new(visit, StatusCode::BAD_REQUEST, form);
    };
    let product = NewProduct { seller, title, description, price, stock, category, files };
    match visit.shop.catalogue()?.create(product).await.map_err(ApiError::from) {
        Ok(made) => {
            visit.say(format!("{} is on offer now.", made.product.title));
            Ok(visit.go(&format!("/seller/products/{}", made.product.id)))
        }
        Err(error) => {
            pictures::refused(&mut form, error)?;
            show_new(visit, StatusCode::BAD_REQUEST, form)
        }
    }
}

/// The form of a product.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn show(visit: Visit, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let seller = visit.seller()?.id;
    let snapshot = own(&visit, product_id(&path)?, seller).await?;
    let product = &snapshot.product;
    let form = Form::of([
        ("title", product.title.clone()),
        ("description", product.description.clone()),
        ("price", format::plain(product.price.minor())),
        ("currency", product.price.currency().code().to_owned()),
        ("stock", snapshot.stock().max(0).to_string()),
        ("category", product.category.clone()),
    ]);
    show_old(visit, StatusCode::OK, form, &snapshot)
}

/// Changes a product.
///
/// # Errors
/// 401, 403, 404, 503; what is wrong with a field is shown beside it.
pub async fn change(path: Path<String>, Posted { mut visit, mut form }: Posted) -> Result<HttpResponse, ApiError> {
    let seller = visit.seller()?.id;
    let id = product_id(&path)?;
    let snapshot = own(&visit, id, seller).await?;
    let fields = read(&mut form);
    let files = pictures::of(&mut form, snapshot.product.images.len());
    let (Some(fields), true) = (fields, form.is_fine()) else {
        return show_old(visit, StatusCode::BAD_REQUEST, form, &snapshot);
    };
    let catalogue = visit.shop.catalogue()?;
    let who = Editor::Seller(seller);
    // Pictures first: they are what may be refused.
    let with_pictures = match files.is_empty() {
        true => Ok(()),
        false => catalogue.add_images(id, who, files).await.map(|_| ()).map_err(ApiError::from),
    };
    if let Err(error) = with_pictures {
        pictures::refused(&mut form, error)?;
        return show_old(visit, StatusCode::BAD_REQUEST, form, &snapshot);
    }
    let (patch, stock) = patch(fields);
    let changed = catalogue.patch(id, who, patch, Some(stock)).await?;
    visit.say(format!("{} is saved.", changed.product.title));
    Ok(visit.go(&format!("/seller/products/{id}")))
}

/// All of the fields as a change.
pub(super) fn patch(fields: Fields) -> (ProductPatch, u32) {
    let Fields { title, description, price, stock, category } = fields;
    let patch = ProductPatch {
        title: Some(title),
        description: Some(description),
        price: Some(price),
        category: Some(category),
    };
    (patch, stock)
}

fn read(form: &mut Form) -> Option<Fields> {
    match fields::read(|name| form.text(name)) {
        Ok(fields) => Some(fields),
        Err(wrong) => {
            for (field, what) in wrong {
                form.refuse(field, what);
            }
            None
        }
    }
}

/// Takes a picture away.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn remove_picture(
    path: Path<(String, String)>,
    Posted { mut visit, .. }: Posted,
) -> Result<HttpResponse, ApiError> {
    let seller = visit.seller()?.id;
    let id = product_id(&path.0)?;
    let picture: ImageId = path.1.parse().map_err(|_| ApiError::NotFound("picture"))?;
    visit.shop.catalogue()?.remove_image(id, Editor::Seller(seller), picture).await?;
    visit.say("The picture is removed.");
    Ok(visit.go(&format!("/seller/products/{id}")))
}

/// Asks whether a product is really to go.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn ask_delete(visit: Visit, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let seller = visit.seller()?.id;
    let snapshot = own(&visit, product_id(&path)?, seller).await?;
    let back = format!("/seller/products/{}", snapshot.product.id);
    let view = DeletePage {
        page: visit.page("Delete a product"),
        title: snapshot.product.title.clone(),
        action: format!("{back}/delete"),
        back,
    };
    visit.ok(&view)
}

/// Offers a product no more.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn delete(path: Path<String>, Posted { mut visit, .. }: Posted) -> Result<HttpResponse, ApiError> {
    let seller = visit.seller()?.id;
    visit.shop.catalogue()?.delete(product_id(&path)?, Editor::Seller(seller)).await?;
    visit.say("The product is deleted.");
    Ok(visit.go("/seller/products"))
}
