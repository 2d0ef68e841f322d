//! The pages to create, change and delete a product.

use actix_web::{HttpResponse, http::StatusCode, web::Path};
use askama::Template;

use super::{
    fields::{self, FieldErrors, Fields, NewFields},
    pictures,
};
use crate::{
    actors::catalogue::calls::{
        ChangeProduct, CreateProduct, DeleteProduct, Editor, GetCategories, GetOffer, RemoveImage, StockChange,
    },
    domain::{
        ids::{ImageId, ProductId, UserId},
        money::Currency,
        product::{IMAGES_MAX, Offer, ProductPatch},
    },
    http::{
        error::ApiError,
        pages::{
            context::PageContext,
            form::{Form, FormRequest, seen_name},
            format,
            page::Page,
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
    /// The form's action.
    action: String,
    /// Whether the product exists already.
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

/// The product, if it is the seller's own.
async fn own(context: &PageContext, id: ProductId, seller: UserId) -> Result<Offer, ApiError> {
    let offer = context.calls.ask(GetOffer { product: id }).await?.ok_or(ApiError::NotFound("product"))?;
    if offer.product.seller == seller { Ok(offer) } else { Err(ApiError::forbidden()) }
}

async fn categories(context: &PageContext) -> Vec<String> {
    let categories = context.calls.ask(GetCategories {}).await.unwrap_or_default();
    categories.iter().map(|(name, _)| name.clone()).collect()
}

async fn show_new(context: PageContext, status: StatusCode, form: Form) -> Result<HttpResponse, ApiError> {
    let view = ProductPage {
        page: context.page("New product"),
        form,
        action: "/seller/products/new".to_owned(),
        offered: false,
        shop_url: String::new(),
        pictures: vec![],
        room: IMAGES_MAX,
        categories: categories(&context).await,
    };
    context.html(status, &view)
}

async fn show_old(
    context: PageContext,
    status: StatusCode,
    form: Form,
    offer: &Offer,
) -> Result<HttpResponse, ApiError> {
    let id = offer.product.id;
    let pictures = offer.product.images.iter().zip(1..).map(|(image, number)| Picture {
        url: image.thumbnail.clone(),
        remove: format!("/seller/products/{id}/pictures/{}/remove", image.id),
        number,
    });
    let pictures: Vec<Picture> = pictures.collect();
    let view = ProductPage {
        page: context.page(offer.product.title.as_str()),
        form,
        action: format!("/seller/products/{id}"),
        offered: true,
        shop_url: format!("/products/{id}"),
        room: IMAGES_MAX.saturating_sub(pictures.len()),
        pictures,
        categories: categories(&context).await,
    };
    context.html(status, &view)
}

/// The empty form.
///
/// # Errors
/// 401, 403.
pub async fn new(mut context: PageContext) -> Result<HttpResponse, ApiError> {
    context.seller()?;
    let kept = context.take_saved_form("/seller/products/new");
    show_new(context, StatusCode::OK, kept.unwrap_or_else(|| Form::of([("stock", "1".to_owned())]))).await
}

/// Creates a product.
///
/// # Errors
///
/// 401, 403, 503; errors of a field are shown beside it.
pub async fn create(FormRequest { mut context, mut form }: FormRequest) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    context.must_be_verified().await?;
    let fields = new_fields(&form);
    let files = pictures::of(&mut form, 0);
    let fields = record_errors(&mut form, fields);
    let (Some(fields), true) = (fields, form.is_fine()) else {
        let status = form.refused_status();
        return show_new(context, status, form).await;
    };
    let NewFields { title, description, price, stock, category, max_per_order } = fields;
    let product = CreateProduct { seller, title, description, price, stock, category, max_per_order, files };
    match context.calls.ask(product).await.map_err(ApiError::from) {
        Ok(made) => {
            context.flash_message(format!("{} is on offer now.", made.product.title));
            Ok(context.redirect(&format!("/seller/products/{}", made.product.id)))
        }
        Err(error) => {
            pictures::refused(&mut form, error)?;
            show_new(context, StatusCode::BAD_REQUEST, form).await
        }
    }
}

/// The form of a product.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn show(mut context: PageContext, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let offer = own(&context, product_id(&path)?, seller).await?;
    let kept = context.take_saved_form(&format!("/seller/products/{}", offer.product.id));
    let mut form = kept.unwrap_or_default();
    refuse_unseen(&mut form, &offer);
    // Hidden fields have the rendered values, so that only changed fields are written.
    for (name, now) in as_it_is(&offer) {
        if !form.has(name) {
            form.set(name, now.clone());
            form.set(&seen_name(name), now);
        }
    }
    show_old(context, StatusCode::OK, form, &offer).await
}

/// The fields of a product's form with the current values.
fn as_it_is(offer: &Offer) -> [(&'static str, String); 7] {
    let product = &offer.product;
    [
        ("title", product.title.clone()),
        ("description", product.description.clone()),
        ("price", format::plain(product.price.minor())),
        ("currency", product.price.currency().code().to_owned()),
        ("stock", offer.available.max(0).to_string()),
        ("category", product.category.clone()),
        ("maxPerOrder", product.max_per_order.map(|max| max.to_string()).unwrap_or_default()),
    ]
}

/// Refuses each field that differs from the product and came without the value that the page was rendered with: then
/// it is unknown whether the user changed it. Returns whether there is one.
fn refuse_unseen(form: &mut Form, offer: &Offer) -> bool {
    let mut refused = false;
    for (name, now) in as_it_is(offer) {
        // A number that cannot be parsed is not the rendered one.
        if form.seen(name).is_some_and(|seen| name != "stock" || seen.parse::<i64>().is_ok()) {
            continue;
        }
        form.set(&seen_name(name), now.clone());
        if !form.has(name) || is_same(form, name, &now) {
            continue;
        }
        refused = true;
        if name == "stock" {
            let sent: String = form.text(name).chars().take(20).collect();
            let message = "came without the number that this page had when it was opened. Enter your number again";
            form.refuse(name, format!("stock is {now} now; “{sent}” {message}"));
            form.set(name, now);
        } else {
            form.refuse(name, "this came without what it was when the page was opened. Look at it and save again");
        }
    }
    refused
}

/// Writes the fields that were changed in the form.
///
/// # Errors
///
/// 401, 403, 404, 503; errors of a field are shown beside it; 409 with the current stock when the stock is changed
/// but differs from the rendered value, or the form does not contain that value.
pub async fn change(
    path: Path<String>,
    FormRequest { mut context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let id = product_id(&path)?;
    let offer = own(&context, id, seller).await?;
    let is_unseen = refuse_unseen(&mut form, &offer);
    let patch = fields::read(|name| changed(&form, name)).and_then(|fields| {
        let stock = fields.stock;
        patch(fields, offer.product.price.currency()).map(|patch| (patch, stock))
    });
    let patch = record_errors(&mut form, patch);
    let files = pictures::of(&mut form, offer.product.images.len());
    let (Some((patch, stock)), true) = (patch, form.is_fine()) else {
        let status = if is_unseen { StatusCode::CONFLICT } else { form.refused_status() };
        return show_old(context, status, form, &offer).await;
    };
    let stock = StockChange { available: stock, seen: stock.and_then(|_| form.seen("stock")?.parse().ok()) };
    let change = ChangeProduct { product: id, editor: Editor::seller(seller), patch, stock, files };
    match context.calls.ask(change).await.map_err(ApiError::from) {
        Ok(saved) => {
            context.flash_message(format!("{} is saved.", saved.product.title));
            Ok(context.redirect(&format!("/seller/products/{id}")))
        }
        Err(error) => {
            let status = match stock_of(&error) {
                Some(now) => {
                    let was = form.seen("stock").unwrap_or("another");
                    let message = format!(
                        "stock is {now} now; it was {was} when this page was opened. Look at your number and save again"
                    );
                    form.refuse("stock", message);
                    form.set(&seen_name("stock"), now.to_string());
                    StatusCode::CONFLICT
                }
                None => {
                    pictures::refused(&mut form, error)?;
                    StatusCode::BAD_REQUEST
                }
            };
            let offer = own(&context, id, seller).await?;
            show_old(context, status, form, &offer).await
        }
    }
}

/// The current stock, from the error that the stock has changed.
fn stock_of(error: &ApiError) -> Option<i64> {
    match error {
        ApiError::Conflict { code: "product.stock_moved", extra, .. } => extra.get("available")?.as_i64(),
        _ => None,
    }
}

/// Whether a field equals `other`, in any notation.
fn is_same(form: &Form, name: &str, other: &str) -> bool {
    let plain = |text| fields::plain(name, text, form.text("currency"));
    plain(form.text(name)) == plain(other)
}

/// A field, if it was changed: a field with its rendered value is not written.
fn changed<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    let differs = |name: &str| form.has(name) && form.seen(name).is_some_and(|seen| !is_same(form, name, seen));
    // An amount also depends on its currency.
    let pair = matches!(name, "price" | "currency") && (differs("price") || differs("currency"));
    (form.has(name) && (pair || differs(name))).then(|| form.text(name))
}

/// The fields as a change of a product whose price is in `currency`.
///
/// # Errors
///
/// The price's errors.
pub(super) fn patch(fields: Fields, currency: Currency) -> Result<ProductPatch, FieldErrors> {
    let price = fields.money(Some(currency))?;
    let Fields { title, description, category, max_per_order, .. } = fields;
    Ok(ProductPatch { title, description, price, category, max_per_order })
}

/// The fields of a new product; an empty stock means 0.
fn new_fields(form: &Form) -> Result<NewFields, FieldErrors> {
    let text = |name: &str| match name {
        "stock" if form.trimmed(name).is_empty() => None,
        _ => Some(form.text(name)),
    };
    fields::read(text)?.into_new()
}

/// The value, or `None` after its errors were added to the form.
fn record_errors<T>(form: &mut Form, read: Result<T, FieldErrors>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(wrong) => {
            for (field, what) in wrong {
                form.refuse(field, what);
            }
            None
        }
    }
}

/// Removes a picture.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn remove_picture(
    path: Path<(String, String)>,
    FormRequest { mut context, .. }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let id = product_id(&path.0)?;
    let image: ImageId = path.1.parse().map_err(|_| ApiError::NotFound("picture"))?;
    context.calls.ask(RemoveImage { product: id, editor: Editor::seller(seller), image }).await?;
    context.flash_message("The picture is removed.");
    Ok(context.redirect(&format!("/seller/products/{id}")))
}

/// The confirmation page before a product is deleted.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn ask_delete(context: PageContext, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let offer = own(&context, product_id(&path)?, seller).await?;
    let back = format!("/seller/products/{}", offer.product.id);
    let view = DeletePage {
        page: context.page("Delete a product"),
        title: offer.product.title.clone(),
        action: format!("{back}/delete"),
        back,
    };
    context.ok(&view)
}

/// Deletes a product.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn delete(
    path: Path<String>,
    FormRequest { mut context, .. }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let delete = DeleteProduct { product: product_id(&path)?, editor: Editor::seller(seller) };
    context.calls.ask(delete).await?;
    context.flash_message("The product is deleted.");
    Ok(context.redirect("/seller/products"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_in_another_notation_is_unchanged() {
        let changed = |price: &str, stock: &str| {
            let fields = [("priceSeen", "100"), ("stockSeen", "1299"), ("currencySeen", "INR"), ("currency", "INR")];
            let typed = fields.into_iter().chain([("price", price), ("stock", stock)]);
            let form = Form::of(typed.map(|(name, text)| (name, text.to_owned())));
            ["price", "currency", "stock"].map(|name| super::changed(&form, name).is_some())
        };
        assert_eq!(changed("100.00", "1,299"), [false, false, false]);
        assert_eq!(changed(" ₹100", "1299"), [false, false, false]);
        assert_eq!(changed("100.50", "1300"), [true, true, true]);
        assert_eq!(changed("$100", "x"), [true, true, true]);
    }
}
