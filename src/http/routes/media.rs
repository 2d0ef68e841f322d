//! Pictures of products.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION},
    web::Data,
};

use super::Services;
use crate::{
    domain::ids::ImageId,
    http::{
        entity,
        error::{ApiError, ErrorBody},
    },
    integrations::image::ImageSize,
};

/// The caching of a picture, which never changes under its URL.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// `<id>.<ext>` or `<id>.thumb.<ext>`.
fn parse(file: &str) -> Option<(ImageId, ImageSize)> {
    let (id, rest) = file.split_once('.')?;
    let variant = if rest.starts_with("thumb.") { ImageSize::Thumbnail } else { ImageSize::Full };
    Some((id.parse().ok()?, variant))
}

/// A picture or its thumbnail.
#[utoipa::path(
    tag = "products",
    operation_id = "getPicture",
    params(("file" = String, Path, description = "As a product's `images` name it")),
    responses(
        (status = 200, description = "The picture", content_type = "image/*"),
        (status = 302, description = "The picture is hosted elsewhere, at `Location`"),
        (status = 304, description = "Not modified"),
        (status = 404, description = "No such picture", body = ErrorBody),
    ),
    security(())
)]
#[get("/media/{file}")]
pub async fn get(req: HttpRequest, services: Data<Services>) -> Result<HttpResponse, ApiError> {
    let file = req.match_info().get("file").unwrap_or_default();
    let (id, variant) = parse(file).ok_or(ApiError::NotFound("picture"))?;
    let pictures = services.catalogue()?.pictures();
    let Some(picture) = pictures.read(id, variant).await? else {
        // The old URL of a picture that has moved to another host still works.
        let there = pictures.elsewhere(id, variant).await?.ok_or(ApiError::NotFound("picture"))?;
        return Ok(HttpResponse::Found().insert_header((LOCATION, there)).finish());
    };
    let same = entity::is_known(req.headers(), &picture.etag);
    let mut answer = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((CACHE_CONTROL, FOR_GOOD)).insert_header((ETAG, picture.etag.as_str()));
    if same {
        return Ok(answer.finish());
    }
    Ok(answer.insert_header((CONTENT_TYPE, picture.content_type)).body(picture.bytes))
}
