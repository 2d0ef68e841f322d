//! Style sheets, scripts and pictures of the pages, compiled in.
//!
//! `/assets/NAME.HASH.EXT` never changes and is cached permanently; `/assets/NAME.EXT` is the same file, revalidated
//! each time. A script imports another as `"./NAME.js"`; it is served with `"./NAME.HASH.js"` instead, so that each
//! module is loaded once and cached as well.
//!
//! **Invariant:** an address with a hash serves the bytes with that hash, or 404.

use std::{collections::HashMap, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG},
    web::Bytes,
};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use crate::http::{entity, error::ApiError};

static FOLDER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets");

/// The files in `assets/`. Cargo notices a new one only with another change; a test compares the lists.
fn files() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FOLDER.files().filter_map(|file| Some((file.path().to_str()?, file.contents())))
}

const FOR_GOOD: &str = "public, max-age=31536000, immutable";

struct Asset {
    hash: String,
    url: String,
    media: &'static str,
    bytes: Bytes,
}

type Assets = HashMap<&'static str, Asset>;

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut assets = Assets::new();
    for (name, _) in files() {
        add(&mut assets, name, files().count());
    }
    assets
});

/// Adds a file after those that it imports; `depth` limits scripts that import each other.
fn add(assets: &mut Assets, name: &'static str, depth: usize) {
    let Some((name, bytes)) = files().find(|(file, _)| *file == name && !assets.contains_key(file)) else { return };
    let bytes = if name.ends_with(".js") { script(assets, bytes, depth) } else { Bytes::from_static(bytes) };
    let mut hash = hex::encode(Sha256::digest(&bytes));
    hash.truncate(12);
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let url = format!("/assets/{stem}.{hash}.{extension}");
    assets.insert(name, Asset { hash, url, media: media(extension), bytes });
}

/// A script with hashed imports.
fn script(assets: &mut Assets, bytes: &'static [u8], depth: usize) -> Bytes {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    for (other, _) in files().filter(|(other, _)| other.ends_with(".js")) {
        let import = format!("\"./{other}\"");
        if depth > 0 && text.contains(&import) {
            add(assets, other, depth - 1);
            if let Some(asset) = assets.get(other) {
                text = text.replace(&import, &format!("\"{}\"", asset.url.replace("/assets/", "./")));
            }
        }
    }
    Bytes::from(text)
}

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

/// The URL of the file `name` of `assets/`; for templates.
#[must_use]
pub fn url(name: &str) -> &'static str {
    ASSETS.get(name).map_or("/assets/missing", |asset| asset.url.as_str())
}

/// Splits `NAME.HASH.EXT` into the name and the hash, which may be absent.
fn split(file: &str) -> Option<(String, Option<&str>)> {
    if ASSETS.contains_key(file) {
        return Some((file.to_owned(), None));
    }
    let (rest, extension) = file.rsplit_once('.')?;
    let (stem, hash) = rest.rsplit_once('.')?;
    Some((format!("{stem}.{extension}"), Some(hash)))
}

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
    let same = entity::is_known(req.headers(), &etag);
    let mut answer = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    let caching = if hash.is_some() { FOR_GOOD } else { "no-cache" };
    answer.insert_header((CACHE_CONTROL, caching)).insert_header((ETAG, etag));
    if same {
        return Ok(answer.finish());
    }
    Ok(answer.insert_header((CONTENT_TYPE, asset.media)).body(asset.bytes.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_import_each_other_by_hash() {
        let chat = std::str::from_utf8(&ASSETS["chat.js"].bytes).unwrap();
        assert!(!chat.contains("\"./live.js\""));
        assert!(chat.contains(&url("live.js").replace("/assets/", "./")));
    }

    #[test]
    fn every_file_of_the_folder_is_served_under_its_hash() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets")).unwrap();
        let mut files: Vec<String> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let mut known: Vec<_> = super::files().map(|(name, _)| name).collect();
        known.sort_unstable();
        assert_eq!(files, known);
        for name in known {
            let served = url(name).strip_prefix("/assets/").unwrap();
            assert_eq!(split(served).unwrap().0, name);
            assert_ne!(media(name.rsplit('.').next().unwrap()), "application/octet-stream");
        }
    }
}
