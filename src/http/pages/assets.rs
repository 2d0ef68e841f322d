//! Style sheet, scripts and pictures of the pages, compiled in.
//!
//! `/assets/NAME.HASH.EXT` never changes and is cached for good; `/assets/NAME.EXT` is the same
//! file, asked about each time: one script may import another by it.
//!
//! **Invariant:** an address with a hash serves the bytes with that hash, or 404.

use std::{collections::HashMap, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    web::Bytes,
};
use sha2::{Digest, Sha256};

use crate::http::error::ApiError;

macro_rules! assets {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $name)))),*]
    };
}

/// Every file in `assets/`; a test compares them.
const FILES: &[(&str, &[u8])] = assets![
    "app.css",
    "cart.js",
    "chat.css",
    "chat.js",
    "checkout.js",
    "desk.css",
    "favicon.svg",
    "gallery.js",
    "order-live.js",
    "preview.js",
    "razorpay.js",
    "suggest.js",
];

const FOR_GOOD: &str = "public, max-age=31536000, immutable";

struct Asset {
    hash: String,
    url: String,
    media: &'static str,
    bytes: &'static [u8],
}

static ASSETS: LazyLock<HashMap<&'static str, Asset>> = LazyLock::new(|| {
    let asset = |(name, bytes): &(&'static str, &'static [u8])| {
        let mut hash = hex::encode(Sha256::digest(bytes));
        hash.truncate(12);
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let url = format!("/assets/{stem}.{hash}.{extension}");
        (*name, Asset { hash, url, media: media(extension), bytes })
    };
    FILES.iter().map(asset).collect()
});

fn media(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}

/// Where the file `name` of `assets/` is served; for templates.
#[must_use]
pub fn url(name: &str) -> &'static str {
    ASSETS.get(name).map_or("/assets/missing", |asset| asset.url.as_str())
}

/// `NAME.HASH.EXT` as the name and its hash; a name without one has none.
fn split(file: &str) -> Option<(String, Option<&str>)> {
    if ASSETS.contains_key(file) {
        return Some((file.to_owned(), None));
    }
    let (rest, extension) = file.rsplit_once('.')?;
    let (stem, hash) = rest.rsplit_once('.')?;
    Some((format!("{stem}.{extension}"), Some(hash)))
}

/// A file.
///
/// # Errors
/// 404.
pub async fn get(req: HttpRequest) -> Result<HttpResponse, ApiError> {
    let file = req.match_info().get("file").unwrap_or_default();
    let (name, hash) = split(file).ok_or(ApiError::NotFound("page"))?;
    let asset = ASSETS.get(name.as_str()).ok_or(ApiError::NotFound("page"))?;
    if hash.is_some_and(|hash| hash != asset.hash) {
        return Err(ApiError::NotFound("page"));
    }
    let etag = format!("\"{}\"", asset.hash);
    let known = req.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|known| known.contains(&asset.hash));
    let mut answer = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    let caching = if hash.is_some() { FOR_GOOD } else { "no-cache" };
    answer.insert_header((CACHE_CONTROL, caching)).insert_header((ETAG, etag));
    if same {
        return Ok(answer.finish());
    }
    Ok(answer.insert_header((CONTENT_TYPE, asset.media)).body(Bytes::from_static(asset.bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_served_under_its_hash() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets")).unwrap();
        let mut files: Vec<String> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        assert_eq!(files, FILES.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        for (name, _) in FILES {
            let served = url(name).strip_prefix("/assets/").unwrap();
            assert_eq!(split(served).unwrap().0, *name);
            assert_ne!(media(name.rsplit('.').next().unwrap()), "application/octet-stream");
        }
    }
}
