//! Entity tags, conditional requests and content encodings (RFC 9110 §8.8.3, §12.5.3 and §13).
//!
//! A handler gives its answer a strong tag. [`encode`] compresses what leaves, and makes the tag one of the
//! encoding: `"7"` becomes `"7-gzip"`. A request may name a tag of any encoding.

use std::{
    convert::Infallible,
    io::Write,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    dev::ServiceResponse,
    http::{
        StatusCode,
        header::{
            ACCEPT_ENCODING, AcceptEncoding, CONTENT_ENCODING, CONTENT_TYPE, ContentEncoding, ETAG, Encoding, Header,
            HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, VARY,
        },
    },
    web::{self, Bytes},
};
use flate2::{Compression, write::GzEncoder};

use super::error::ApiError;

/// The smallest body that is compressed, in bytes.
const COMPRESS_MIN: usize = 1024;
/// Larger bodies are compressed on a thread of their own, so that no worker stands still.
const IN_PLACE_MAX: usize = 64 * 1024;
/// What all answers that are being compressed on such threads may hold, in bytes.
const COMPRESSING_MAX: usize = 16 * 1024 * 1024;
/// What is handed to a connection at once, in bytes.
const SLICE: usize = 8 * 1024;
/// Quality and window of Brotli: what it gains beyond costs more than it saves on answers made on the spot.
const BROTLI: (u32, u32) = (4, 20);

/// Whether `If-None-Match` names `etag`, so that the client has the answer already.
#[must_use]
pub fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    listed(headers, &IF_NONE_MATCH).any(|tag| tag.is_of(etag))
}

/// Checks `If-Match` against the present tag. A weak tag never matches there.
///
/// # Errors
/// 412, when the client has seen another version.
pub fn check_if_match(headers: &HeaderMap, etag: &str) -> Result<(), ApiError> {
    let holds = !headers.contains_key(IF_MATCH) || listed(headers, &IF_MATCH).any(|tag| !tag.weak && tag.is_of(etag));
    if holds { Ok(()) } else { Err(ApiError::PreconditionFailed) }
}

/// An entry of `If-Match` or `If-None-Match`.
struct Listed<'a> {
    /// The whole entry, as it was sent.
    sent: &'a str,
    weak: bool,
}

impl Listed<'_> {
    /// Whether it names `etag` in any encoding, or everything.
    fn is_of(&self, etag: &str) -> bool {
        let opaque = self.sent.strip_prefix("W/").unwrap_or(self.sent).trim_matches('"');
        let etag = etag.trim_matches('"');
        self.sent == "*" || opaque == etag || without_encoding(opaque) == etag
    }
}

fn without_encoding(opaque: &str) -> &str {
    opaque.strip_suffix("-gzip").or_else(|| opaque.strip_suffix("-br")).unwrap_or(opaque)
}

/// The entries of all headers of this name; what cannot be read ends its header.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Listed<'a>> {
    let lines = headers.get_all(name.clone()).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| {
        let mut rest = line;
        std::iter::from_fn(move || {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let weak = rest.starts_with("W/");
            let begin = if weak { 2 } else { 0 };
            let end = match rest.get(begin..)?.strip_prefix('"') {
                Some(opaque) => begin + opaque.find('"')? + 2,
                None if rest.starts_with('*') => 1,
                None => return None,
            };
            let (sent, after) = rest.split_at_checked(end)?;
            rest = after;
            Some(Listed { sent, weak })
        })
    })
}

/// A body that is handed over in pieces, so that of a large one little is copied for a client that reads slowly.
struct Sliced(Bytes);

impl MessageBody for Sliced {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(u64::try_from(self.0.len()).unwrap_or(u64::MAX))
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let length = self.0.len().min(SLICE);
        Poll::Ready((length > 0).then(|| Ok(self.0.split_to(length))))
    }
}

fn body_of(bytes: Bytes) -> BoxBody {
    if bytes.len() > SLICE { BoxBody::new(Sliced(bytes)) } else { BoxBody::new(bytes) }
}

/// Compresses an answer where the client takes that and it is worth it, and names the encoding in its tag. An answer
/// that could have been compressed says so in `Vary`, whether it was or not.
pub async fn encode(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let headers = response.headers();
    if response.status() == StatusCode::NOT_MODIFIED {
        return with_known_tag(response);
    }
    if headers.contains_key(CONTENT_ENCODING) || !is_text(headers) {
        return sliced(response);
    }
    add_vary(&mut response);
    let BodySize::Sized(size) = response.response().body().size() else { return response };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let Some(coding) = (size >= COMPRESS_MIN).then(|| chosen(&response)).flatten() else { return sliced(response) };
    // Whoever asks for more than can be compressed gets it as it is.
    let Some(_place) = Compressing::begin(size) else { return sliced(response) };
    let (request, answer) = response.into_parts();
    let (mut head, body) = answer.into_parts();
    let bytes = match body.try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return ServiceResponse::new(request, head.set_body(body)),
    };
    let compressed = match size > IN_PLACE_MAX {
        true => {
            let whole = bytes.clone();
            web::block(move || compress(coding, &whole)).await.ok().flatten()
        }
        false => compress(coding, &bytes),
    };
    let body = match compressed {
        Some(compressed) => {
            head.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
            if let Some(etag) = head.headers().get(ETAG).and_then(|etag| etag.to_str().ok())
                && let Some(opaque) = etag.strip_suffix('"')
                && let Ok(etag) = HeaderValue::try_from(format!("{opaque}-{}\"", coding.as_str()))
            {
                head.headers_mut().insert(ETAG, etag);
            }
            compressed
        }
        None => bytes,
    };
    ServiceResponse::new(request, head.set_body(body_of(body)))
}

fn sliced(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    match response.response().body().size() {
        BodySize::Sized(size) if usize::try_from(size).is_ok_and(|size| size > SLICE) => {
            response.map_body(|_, body| match body.try_into_bytes() {
                Ok(bytes) => body_of(bytes),
                Err(body) => body,
            })
        }
        _ => response,
    }
}

/// 304 with the tag by which the client knows the answer.
fn with_known_tag(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
    let known = etag.and_then(|etag| {
        let named =
            listed(response.request().headers(), &IF_NONE_MATCH).find(|tag| tag.sent != "*" && tag.is_of(etag))?;
        HeaderValue::from_str(named.sent.strip_prefix("W/").unwrap_or(named.sent)).ok()
    });
    if let Some(known) = known {
        response.headers_mut().insert(ETAG, known);
    }
    add_vary(&mut response);
    response
}

fn add_vary(response: &mut ServiceResponse<BoxBody>) {
    let names = |line: &HeaderValue| {
        line.to_str().is_ok_and(|line| line.split(',').any(|name| name.trim().eq_ignore_ascii_case("accept-encoding")))
    };
    if !response.headers().get_all(VARY).any(names) {
        response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// Whether compressing it is worth trying. A stream of events must leave as it comes.
fn is_text(headers: &HeaderMap) -> bool {
    let Some(media) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let media = media.split(';').next().unwrap_or_default().trim();
    let text = media.starts_with("text/") && media != "text/event-stream";
    let named = matches!(media, "application/json" | "application/javascript" | "application/xml");
    text || named || media.ends_with("+json") || media.ends_with("+xml") || media == "application/openmetrics-text"
}

/// The encoding that the client likes best of those that are had here.
fn chosen(response: &ServiceResponse<BoxBody>) -> Option<ContentEncoding> {
    let request = response.request();
    if !request.headers().contains_key(ACCEPT_ENCODING) {
        return None;
    }
    let accepted = AcceptEncoding::parse(request).ok()?;
    match accepted.negotiate([Encoding::brotli(), Encoding::gzip(), Encoding::identity()].iter())? {
        Encoding::Known(coding @ (ContentEncoding::Brotli | ContentEncoding::Gzip)) => Some(coding),
        _ => None,
    }
}

/// A large answer that is being compressed, or waits for that.
struct Compressing(usize);

static COMPRESSING: AtomicUsize = AtomicUsize::new(0);

impl Compressing {
    fn begin(size: usize) -> Option<Self> {
        let size = if size > IN_PLACE_MAX { size } else { 0 };
        let all = COMPRESSING.fetch_add(size, Ordering::Relaxed) + size;
        let begun = Self(size);
        (size == 0 || all <= COMPRESSING_MAX).then_some(begun)
    }
}

impl Drop for Compressing {
    fn drop(&mut self) {
        COMPRESSING.fetch_sub(self.0, Ordering::Relaxed);
    }
}

fn compress(coding: ContentEncoding, bytes: &Bytes) -> Option<Bytes> {
    let room = Vec::with_capacity(bytes.len() / 3);
    let compressed = if coding == ContentEncoding::Brotli {
        let mut writer = brotli::CompressorWriter::new(room, 4096, BROTLI.0, BROTLI.1);
        writer.write_all(bytes).ok()?;
        writer.into_inner()
    } else {
        let mut writer = GzEncoder::new(room, Compression::new(4));
        writer.write_all(bytes).ok()?;
        writer.finish().ok()?
    };
    Some(compressed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn if_none_match_compares_weakly_and_in_any_encoding() {
        let known = |lines: &[&str]| is_known(&headers(IF_NONE_MATCH, lines), "\"7-1\"");
        for lines in [
            &["\"7-1\""][..],
            &["W/\"7-1\""],
            &["\"7-1-gzip\""],
            &["W/\"7-1-br\""],
            &["*"],
            &["\"a\", \"7-1\""],
            &["\"a,b\" ,\"7-1\""],
            &["\"a\"", "\"7-1\""],
            &[",, \"7-1\""],
        ] {
            assert!(known(lines), "{lines:?}");
        }
        for lines in [&[][..], &["\"7\""], &["\"7-1-zip\""], &["7-1"], &["\"7-1"], &["W/*"], &["\"x\" broken \"7-1\""]]
        {
            assert!(!known(lines), "{lines:?}");
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        let check = |lines: &[&str]| check_if_match(&headers(IF_MATCH, lines), "\"7-1\"");
        for lines in [&[][..], &["\"7-1\""], &["\"7-1-gzip\""], &["*"], &["\"8\", \"7-1\""]] {
            assert_eq!(check(lines), Ok(()), "{lines:?}");
        }
        for lines in [&["W/\"7-1\""][..], &["\"8\""], &["nonsense"], &[""]] {
            assert_eq!(check(lines), Err(ApiError::PreconditionFailed), "{lines:?}");
        }
    }
}
