//! Extractors: JSON bodies and ids in paths.
//!
//! A body has at most 1 MiB (256 KiB to log in or register) and must arrive within 30 seconds. Errors name the field's path: first missing fields,
//! wrong types and unknown values, as serde reports them, then values outside the ranges that garde checks.
//!
//! **Invariant:** a handler that takes a `Json<T>` gets a valid `T`.

use std::{
    future::Ready,
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap},
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, future::LocalBoxFuture};
use garde::Validate;
use serde::de::DeserializeOwned;

use super::error::{ApiError, FieldError};

mod exact;

/// The largest JSON body.
pub const BODY_MAX: usize = 1024 * 1024;
/// How long a client may take to send a body.
pub const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// The room that a body gets before anything of it has come, in bytes.
const FIRST_ROOM: usize = 16 * 1024;

/// The largest JSON body of a login or a registration.
pub const SMALL_BODY_MAX: usize = 256 * 1024;

/// A valid JSON body of at most `MAX` bytes.
#[derive(Debug, Clone)]
pub struct Json<T, const MAX: usize = BODY_MAX>(pub T);

/// A valid JSON body; an empty body counts as `{}`.
#[derive(Debug, Clone)]
pub struct JsonOrEmpty<T>(pub T);

impl<T, const MAX: usize> FromRequest for Json<T, MAX>
where
    T: DeserializeOwned + Validate + 'static,
    T::Context: Default,
{
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = is_json(req.headers());
        let body = read_body(req, payload, MAX);
        Box::pin(async move {
            checked?;
            parse(&body.await?).map(Self)
        })
    }
}

impl<T> FromRequest for JsonOrEmpty<T>
where
    T: DeserializeOwned + Validate + 'static,
    T::Context: Default,
{
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = is_json(req.headers());
        let body = read_body(req, payload, BODY_MAX);
        Box::pin(async move {
            let body = body.await?;
            if body.is_empty() {
                return parse(b"{}").map(Self);
            }
            checked?;
            parse(&body).map(Self)
        })
    }
}

/// What all uploads together may hold that have not arrived whole, in bytes, and all other bodies. They are counted
/// apart, since an upload takes many times as much and a refused one is work lost.
const UNFINISHED_MAX: [usize; 2] = [64 * 1024 * 1024, 32 * 1024 * 1024];
/// How long a client may send nothing of a body that it has begun.
const BODY_PAUSE: Duration = Duration::from_secs(10);

static UNFINISHED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// The share of one body in what unfinished bodies hold. The beginning of a body does not count, so that ordinary
/// requests are served while others send large bodies and do not end them.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// Which of the two it counts for.
    kind: usize,
    bytes: usize,
    counted: usize,
}

impl Unfinished {
    /// Counts that many bytes more.
    ///
    /// # Errors
    /// 503 while there is too much of all of them.
    pub fn add(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.bytes += bytes;
        let more = self.bytes.saturating_sub(FIRST_ROOM) - self.counted;
        self.counted += more;
        if more > 0 && UNFINISHED[self.kind].fetch_add(more, Ordering::Relaxed) + more > UNFINISHED_MAX[self.kind] {
            return Err(ApiError::unavailable("upload"));
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        UNFINISHED[self.kind].fetch_sub(self.counted, Ordering::Relaxed);
    }
}

/// The next piece of a body.
///
/// # Errors
/// 400 when nothing comes for 10 seconds.
pub async fn next_piece<S: Stream + Unpin>(pieces: &mut S) -> Result<Option<S::Item>, ApiError> {
    let late = |_| ApiError::Malformed("the body did not arrive in time".into());
    tokio::time::timeout(BODY_PAUSE, pieces.next()).await.map_err(late)
}

/// Reads a whole body of at most `max` bytes.
///
/// # Errors
///
/// 413 when the body is larger, 400 when it ends early, pauses for 10 seconds or takes longer than
/// [`BODY_DEADLINE`]; 503 while too many bodies are unfinished.
pub fn read_body(
    req: &HttpRequest,
    payload: &mut Payload,
    max: usize,
) -> impl Future<Output = Result<Bytes, ApiError>> + use<> {
    let announced = req.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let mut payload = payload.take();
    async move {
        let too_large = || ApiError::TooLarge(format!("a body is at most {max} bytes").into());
        if announced.is_some_and(|length| length > max) {
            return Err(too_large());
        }
        let whole = async {
            // What is announced may never come.
            let mut body = BytesMut::with_capacity(announced.unwrap_or(0).min(FIRST_ROOM));
            let mut unfinished = Unfinished { kind: 1, ..Unfinished::default() };
            while let Some(chunk) = next_piece(&mut payload).await? {
                let chunk = chunk.map_err(|_| ApiError::Malformed("the body broke off".into()))?;
                if body.len() + chunk.len() > max {
                    return Err(too_large());
                }
                // Most bodies come in one chunk, which is not copied.
                if body.is_empty() && announced == Some(chunk.len()) {
                    return Ok(chunk);
                }
                unfinished.add(chunk.len())?;
                if body.capacity() - body.len() < chunk.len() {
                    // All that is announced at once: grown in steps it would take several times as much.
                    body.reserve(announced.map_or(0, |all| all.saturating_sub(body.len())).max(chunk.len()));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body.freeze())
        };
        match tokio::time::timeout(BODY_DEADLINE, whole).await {
            Ok(body) => body,
            Err(_) => Err(ApiError::Malformed("the body did not arrive in time".into())),
        }
    }
}

/// Checks that the body's media type is JSON.
///
/// # Errors
///
/// 415 unless it is.
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let refused = || ApiError::UnsupportedMedia("the body must be application/json".into());
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"));
    let plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding.as_bytes() == b"identity");
    if json && plain { Ok(()) } else { Err(refused()) }
}

/// Parses and validates a JSON object.
///
/// # Errors
///
/// [`ApiError::Malformed`] when the body is not JSON, [`ApiError::Validation`] when it is not a valid `T`.
pub fn parse<T>(body: &[u8]) -> Result<T, ApiError>
where
    T: DeserializeOwned + Validate,
    T::Context: Default,
{
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let mut json = serde_json::Deserializer::from_slice(body);
    // Serde accepts an array for a struct, which no caller intends.
    if first.is_some_and(|byte| *byte != b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
        return Err(ApiError::field("", "must be an object"));
    }
    let value: T = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        // A number that no float can hold is well-formed JSON with an invalid value.
        if inner.is_data() || inner.to_string().starts_with("number out of range") {
            ApiError::Validation(vec![field_error(&path, &inner.to_string())])
        } else {
            malformed(&inner)
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    exact::check(body)?;
    validate(&value)?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::Malformed(format!("the body is not valid JSON: {error}"))
}

/// The error that serde reports for a field; the field's path comes from the text where serde names it there.
pub(super) fn field_error(path: &str, message: &str) -> FieldError {
    let message = message.split(" at line ").next().unwrap_or(message);
    let path = if path == "." { "" } else { path };
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split('`').next());
    let path = match named {
        Some(name) if path.is_empty() || path == name => name.to_owned(),
        Some(name) if path.ends_with(&format!(".{name}")) => path.to_owned(),
        Some(name) => format!("{}.{name}", path.trim_end_matches(".?")),
        None => path.to_owned(),
    };
    let msg = match message {
        text if text.starts_with("missing field") => "is required",
        text if text.starts_with("unknown field") => "is not known here",
        text if text.starts_with("duplicate field") => "stands twice",
        text => text,
    };
    FieldError::new(path, msg)
}

/// Checks the ranges that garde declares.
///
/// # Errors
/// [`ApiError::Validation`] with every field that is out of range.
pub fn validate<T>(value: &T) -> Result<(), ApiError>
where
    T: Validate,
    T::Context: Default,
{
    value.validate().map_err(|report| {
        let errors = report.iter().map(|(path, error)| FieldError::new(camel_case(&path.to_string()), error.message()));
        ApiError::Validation(errors.collect())
    })
}

/// Garde names fields in snake case, callers in camel case.
fn camel_case(path: &str) -> String {
    let mut result = String::with_capacity(path.len());
    let mut upper = false;
    for c in path.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                result.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => result.push(c),
        }
    }
    result
}

/// The last id in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathId<Id>(pub Id);

impl<Id: FromStr + 'static> FromRequest for PathId<Id> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = req.match_info().iter().last();
        std::future::ready(match found {
            Some((name, text)) => {
                text.parse().map(Self).map_err(|_| ApiError::field(name, "an id is 24 hexadecimal digits"))
            }
            None => Err(ApiError::Internal("a route without an id asked for one".into())),
        })
    }
}

/// The id called `name` in a path that has several.
///
/// # Errors
///
/// 400 when it is not an id.
pub fn path_id<Id: FromStr>(req: &HttpRequest, name: &str) -> Result<Id, ApiError> {
    let text = req.match_info().get(name).unwrap_or_default();
    text.parse().map_err(|_| ApiError::field(name, "an id is 24 hexadecimal digits"))
}

/// Whether the request has this media type; parameters are ignored.
#[must_use]
pub fn has_media_type(req: &HttpRequest, media: &str) -> bool {
    req.content_type().eq_ignore_ascii_case(media)
}
