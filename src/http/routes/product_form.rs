//! The body of a new product: JSON, or a multipart form with pictures.
//!
//! **Invariant:** no more is read than a product may have: five pictures of 5 MiB, and text fields that fit a title,
//! a description and the rest.

use std::time::Duration;

use actix_multipart::{Field, Multipart};
use actix_web::{HttpRequest, web::Payload};
use bytes::{Bytes, BytesMut};
use garde::Validate;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    domain::{
        cart::QUANTITY_MAX,
        money::Currency,
        product::{CATEGORY_MAX, DESCRIPTION_MAX, IMAGES_MAX, STOCK_MAX, TITLE_MAX},
        text::visible,
    },
    http::{
        error::{ApiError, FieldError},
        extract::{self, BODY_MAX, Unfinished, has_media_type, next_piece, read_body},
        visible_text,
    },
    integrations::image::MAX_IMAGE_BYTES,
    views::{
        money::{self, Amount},
        words,
    },
};

/// How long a client may take to send a form.
const FORM_DEADLINE: Duration = Duration::from_secs(120);
/// The largest text field of a form, in bytes.
const TEXT_MAX: usize = 64 * 1024;
/// The most parts of a form that are read.
const PARTS_MAX: usize = 32;

/// A new product.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductBody {
    /// The title.
    #[serde(deserialize_with = "visible_text::trimmed")]
    #[garde(custom(not_blank), length(chars, max = TITLE_MAX))]
    #[schema(example = "Desk lamp", max_length = 200)]
    pub title: String,
    /// The description.
    #[serde(default)]
    #[garde(inner(length(chars, max = DESCRIPTION_MAX)))]
    #[schema(example = "Warm light, brass foot", max_length = 10_000)]
    pub description: Option<String>,
    /// Price in major units, at most two decimals, above zero.
    #[serde(deserialize_with = "money::number")]
    #[garde(custom(above_zero))]
    #[schema(value_type = f64, example = 499.5)]
    pub price_amount: Amount,
    /// `INR` when absent.
    #[serde(default, deserialize_with = "visible_text::given")]
    #[garde(skip)]
    #[schema(schema_with = words::currency)]
    pub price_currency: Option<Currency>,
    /// Units available; 0 when absent.
    #[serde(default)]
    #[garde(inner(range(max = STOCK_MAX)))]
    #[schema(example = 25)]
    pub stock: Option<u32>,
    #[serde(default, deserialize_with = "visible_text::visible_option")]
    #[garde(inner(length(chars, max = CATEGORY_MAX)))]
    #[schema(example = "Home", max_length = 100)]
    pub category: Option<String>,
    /// The most units of one order; no limit when absent.
    #[serde(default)]
    #[garde(inner(range(min = 1, max = QUANTITY_MAX)))]
    #[schema(example = 5, minimum = 1, maximum = 999)]
    pub max_per_order: Option<u32>,
}

/// A new product as a form: its fields as text, and its pictures.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document")]
pub struct ProductForm {
    #[serde(flatten)]
    fields: ProductBody,
    /// Up to five files of at most 5 MiB, JPEG, PNG, WebP or GIF by content.
    #[serde(default)]
    #[schema(value_type = Vec<String>, format = Binary, max_items = 5)]
    images: Vec<Vec<u8>>,
}

/// Pictures: up to five files of at most 5 MiB, JPEG, PNG, WebP or GIF by content.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document")]
pub struct ImagesForm {
    /// The files.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 1, max_items = 5)]
    images: Vec<Vec<u8>>,
}

/// Requires a visible character.
pub(super) fn not_blank(text: &str, _: &()) -> garde::Result {
    if visible(text).is_none() { Err(garde::Error::new("must not be empty")) } else { Ok(()) }
}

fn above_zero(amount: &Amount, _: &()) -> garde::Result {
    if amount.minor() > 0 { Ok(()) } else { Err(garde::Error::new("must be above zero")) }
}

/// Reads a product and its pictures.
pub(super) async fn read_product(req: &HttpRequest, payload: Payload) -> Result<(ProductBody, Vec<Bytes>), ApiError> {
    if has_media_type(req, "multipart/form-data") {
        let mut form = read_form(req, payload).await?;
        form.fields.retain(|_, value| !value.is_null());
        let body = serde_json::to_vec(&form.fields).map_err(|error| ApiError::Internal(error.to_string()))?;
        return Ok((extract::parse(&body)?, form.files));
    }
    if !has_media_type(req, "application/json") {
        return Err(ApiError::UnsupportedMedia("send application/json or multipart/form-data".into()));
    }
    let body = read_body(req, &mut payload.into_inner(), BODY_MAX).await?;
    Ok((extract::parse(&body)?, vec![]))
}

/// Reads pictures; at least one is required.
pub(super) async fn read_images(req: &HttpRequest, payload: Payload) -> Result<Vec<Bytes>, ApiError> {
    if !has_media_type(req, "multipart/form-data") {
        return Err(ApiError::UnsupportedMedia("send multipart/form-data with the pictures as images".into()));
    }
    let form = read_form(req, payload).await?;
    if form.files.is_empty() {
        return Err(ApiError::field("images", "is required"));
    }
    Ok(form.files)
}

#[derive(Default)]
struct Form {
    fields: Map<String, Value>,
    files: Vec<Bytes>,
}

async fn read_form(req: &HttpRequest, payload: Payload) -> Result<Form, ApiError> {
    let mut unfinished = Unfinished::default();
    let whole = read_parts(Multipart::new(req.headers(), payload), &mut unfinished);
    match tokio::time::timeout(FORM_DEADLINE, whole).await {
        Ok(form) => form,
        Err(_) => Err(ApiError::Malformed("the form did not arrive in time".to_owned())),
    }
}

async fn read_parts(mut parts: Multipart, unfinished: &mut Unfinished) -> Result<Form, ApiError> {
    let mut form = Form::default();
    let mut seen = 0;
    while let Some(part) = next_piece(&mut parts).await? {
        let mut part = part.map_err(|error| ApiError::Malformed(format!("the form is not readable: {error}")))?;
        seen += 1;
        if seen > PARTS_MAX {
            return Err(ApiError::Malformed("the form has too many parts".to_owned()));
        }
        let name = part.name().unwrap_or_default().to_owned();
        let is_file =
            part.content_disposition().is_some_and(|d| d.get_filename().is_some() || d.get_filename_ext().is_some());
        if matches!(name.as_str(), "images" | "images[]") {
            if form.files.len() == IMAGES_MAX {
                return Err(ApiError::field("images", "a product has at most 5 pictures"));
            }
            let too_large = || ApiError::TooLarge("a picture is at most 5 MiB".into());
            let file = read_part(&mut part, MAX_IMAGE_BYTES, unfinished, too_large).await?;
            // Browsers send a file field that is left empty as an empty file.
            if !file.is_empty() {
                form.files.push(file);
            }
        } else if is_file {
            return Err(ApiError::field(name, "is not a file; send pictures as images"));
        } else {
            let too_large = || ApiError::field(name.clone(), "is too long");
            let text = read_part(&mut part, TEXT_MAX, unfinished, too_large).await?;
            let text =
                String::from_utf8(text.to_vec()).map_err(|_| ApiError::field(name.clone(), "must be UTF-8 text"))?;
            if form.fields.insert(name.clone(), value_of(&name, text)?).is_some() {
                return Err(ApiError::Validation(vec![FieldError::new(name, "stands twice")]));
            }
        }
    }
    Ok(form)
}

async fn read_part(
    part: &mut Field,
    max: usize,
    unfinished: &mut Unfinished,
    too_large: impl Fn() -> ApiError,
) -> Result<Bytes, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = next_piece(part).await? {
        let chunk = chunk.map_err(|error| ApiError::Malformed(format!("the form is not readable: {error}")))?;
        if bytes.len() + chunk.len() > max {
            return Err(too_large());
        }
        unfinished.add(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// Converts a form's text: numeric fields become numbers, and an empty field is absent.
fn value_of(name: &str, text: String) -> Result<Value, ApiError> {
    if matches!(name, "stock" | "maxPerOrder") {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(Value::Null);
        }
        let number: u32 = trimmed.parse().map_err(|_| ApiError::field(name, "must be a whole number, 0 or more"))?;
        return Ok(number.into());
    }
    if name == "priceAmount" {
        let amount = Amount::parse(text.trim()).map_err(|error| ApiError::field(name, error.to_string()))?;
        return serde_json::to_value(amount).map_err(|error| ApiError::field(name, error.to_string()));
    }
    if text.is_empty() && matches!(name, "priceCurrency" | "category" | "description") {
        return Ok(Value::Null);
    }
    Ok(Value::String(text))
}
