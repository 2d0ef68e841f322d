//! ImageKit, by its REST API.
//!
//! A picture's file is named after its id, so that a second upload replaces the first. Three failures in a row open
//! the circuit breaker, and so do a refused key and a rate limit; the worker then checks periodically and continues
//! when a check succeeds.
//!
//! **Invariant:** the private key is sent only in the header `Authorization`: no error, log line or `Debug` output
//! contains it, even if ImageKit repeats it.

pub use crate::config::ImageKitSettings;
use std::{fmt, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{HeaderMap, RETRY_AFTER},
    multipart::{Form, Part},
};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{
    StoredImage,
    host::{Availability, HostError, ImageHost},
};
use crate::{
    domain::{ids::ImageId, product::Image},
    runtime::{
        breaker::{Breaker, Pass},
        http_client,
    },
    store::images::HostedFile,
};

/// The default base URL of uploads.
pub const UPLOAD_BASE: &str = "https://upload.imagekit.io";
/// The base URL of the other calls in that case.
const API_BASE: &str = "https://api.imagekit.io";
/// The folder of all pictures at ImageKit.
const FOLDER: &str = "/microbazaar";
/// Scales the whole picture to at most 400 pixels a side, like the thumbnails made here.
const THUMBNAIL: &str = "tr:w-400,h-400,c-at_max";
/// How many failures in a row open the breaker.
const FAILURES: u32 = 3;
/// How long it stays open at first.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The range of pauses that ImageKit may ask for.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(300));
/// How much of an answer is read.
const ANSWER_MAX: usize = 256 * 1024;
/// How much of ImageKit's error message is repeated, in characters.
const WORDS_MAX: usize = 200;

/// What is known about the host's state.
#[derive(Debug, Clone, PartialEq, Eq)]
enum HostState {
    /// Not checked yet.
    Unknown,
    Well,
    /// Unusable, for this reason.
    Ill(String),
}

/// Calls ImageKit.
pub struct ImageKit {
    settings: ImageKitSettings,
    api: String,
    client: reqwest::Client,
    breaker: Breaker,
    state: Mutex<HostState>,
}

impl fmt::Debug for ImageKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageKit").field("base_url", &self.settings.base_url).finish_non_exhaustive()
    }
}

/// A file in ImageKit's answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileDetails {
    file_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    file_path: String,
}

impl ImageKit {
    /// Calls ImageKit as `settings` say.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn try_new(mut settings: ImageKitSettings) -> Result<Self, reqwest::Error> {
        let client = http_client::builder().timeout(settings.within).build()?;
        let api = if settings.base_url == UPLOAD_BASE { API_BASE } else { &settings.base_url }.to_owned();
        settings.url_endpoint.truncate(settings.url_endpoint.trim_end_matches('/').len());
        let breaker = Breaker::opening_after(FAILURES, FIRST_PAUSE.min(settings.retry_every), settings.retry_every);
        Ok(Self { settings, api, client, breaker, state: Mutex::new(HostState::Unknown) })
    }

    /// Makes a call through the breaker, and updates the breaker by its result.
    async fn call(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), HostError> {
        let pass = self.breaker.enter().ok_or(HostError::KnownAway)?;
        let request = request.basic_auth(self.settings.private_key.expose_secret(), Some(""));
        let answered = tokio::time::timeout(self.settings.within, self.exchange(request)).await;
        let answered = answered.unwrap_or_else(|_| Err(HostError::Away("it did not answer in time".to_owned())));
        self.learn(pass, answered.as_ref().err());
        answered
    }

    fn learn(&self, pass: Pass<'_>, error: Option<&HostError>) {
        match error {
            None | Some(HostError::Refused(_) | HostError::KnownAway) => pass.succeeded(true),
            Some(HostError::Away(_)) => pass.failed(),
            Some(HostError::Limited(pause)) => pass.open_for(*pause),
            Some(HostError::Key(_)) => pass.open_for(self.settings.retry_every),
        }
        let mut state = self.state.lock();
        let was = state.clone();
        *state = match (error, self.breaker.is_closed()) {
            (None | Some(HostError::Refused(_)), true) => HostState::Well,
            (Some(error), false) if *error != HostError::KnownAway => {
                HostState::Ill(format!("ImageKit is not usable: {error}"))
            }
            _ => return,
        };
        match (&was, &*state) {
            (HostState::Ill(_), HostState::Well) => tracing::info!("ImageKit is usable again"),
            (HostState::Ill(was), HostState::Ill(now)) if was == now => {}
            (_, HostState::Ill(now)) if matches!(error, Some(HostError::Key(_))) => {
                tracing::error!("{now}; pictures are kept and shown here until the key is good");
            }
            (_, HostState::Ill(now)) => tracing::warn!("{now}; pictures are kept and shown here until it is back"),
            _ => {}
        }
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), HostError> {
        let mut answer = request.send().await.map_err(|error| away(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = http_client::body(&mut answer, ANSWER_MAX).await.map_err(|error| away(&error))?;
        let body = body.ok_or_else(|| HostError::Away("its answer is too large".to_owned()))?;
        match status {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok((status, body.to_vec())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(HostError::Key(status.as_u16())),
            StatusCode::TOO_MANY_REQUESTS => Err(HostError::Limited(pause_in(&headers))),
            StatusCode::REQUEST_TIMEOUT => Err(HostError::Away(format!("it answered {status}"))),
            status if status.is_client_error() => {
                Err(HostError::Refused(format!("it answered {status}{}", self.words(&body))))
            }
            status => Err(HostError::Away(format!("it answered {status}"))),
        }
    }

    /// ImageKit's error message, without the key and without control characters.
    fn words(&self, body: &[u8]) -> String {
        #[derive(Deserialize)]
        struct ErrorAnswer {
            message: String,
        }
        let Ok(ErrorAnswer { message }) = serde_json::from_slice(body) else { return String::new() };
        let message = message.replace(self.settings.private_key.expose_secret(), "(key)");
        let plain = message.chars().map(|c| if c.is_control() { ' ' } else { c });
        format!(": {}", plain.take(WORDS_MAX).collect::<String>())
    }

    fn files(&self, method: Method, rest: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/v1/files{rest}", self.api))
    }

    /// The ids of the files that an upload of this picture may have left.
    async fn find(&self, id: ImageId) -> Result<Vec<String>, HostError> {
        // name : "<id>" matches names with this prefix.
        let query = format!("?path=%2Fmicrobazaar%2F&limit=10&searchQuery=name%20%3A%20%22{id}%22");
        let (_, body) = self.call(self.files(Method::GET, &query)).await?;
        let found: Vec<FileDetails> = serde_json::from_slice(&body).map_err(|_| unclear())?;
        let own = found.into_iter().filter(|file_details| file_details.name.starts_with(&id.to_hex()));
        Ok(own.map(|file_details| file_details.file_id).collect())
    }
}

#[async_trait]
impl ImageHost for ImageKit {
    async fn upload(&self, id: ImageId, picture: StoredImage) -> Result<HostedFile, HostError> {
        let ending = if picture.content_type == "image/png" { "png" } else { "jpg" };
        let name = format!("{id}.{ending}");
        let length = u64::try_from(picture.bytes.len()).unwrap_or(u64::MAX);
        let file = Part::stream_with_length(picture.bytes, length).file_name(name.clone());
        let file = file.mime_str(picture.content_type).map_err(|_| unclear())?;
        let form = Form::new()
            .text("fileName", name)
            .text("folder", FOLDER)
            .text("useUniqueFileName", "false")
            .text("overwriteFile", "true")
            .part("file", file);
        let url = format!("{}/api/v1/files/upload", self.settings.base_url);
        let (status, body) = self.call(self.client.post(url).multipart(form)).await?;
        if status == StatusCode::NOT_FOUND {
            return Err(HostError::Refused(format!("it answered {status}")));
        }
        let file_details: FileDetails = serde_json::from_slice(&body).map_err(|_| unclear())?;
        if !is_id(&file_details.file_id) || !is_path(&file_details.file_path) {
            return Err(unclear());
        }
        Ok(HostedFile { id: file_details.file_id, path: file_details.file_path })
    }

    async fn delete(&self, id: ImageId, file: Option<&HostedFile>) -> Result<(), HostError> {
        let files = match file {
            Some(file) => vec![file.id.clone()],
            None => self.find(id).await?,
        };
        for file in files.iter().filter(|file| is_id(file)) {
            // A missing file counts as deleted.
            self.call(self.files(Method::DELETE, &format!("/{file}"))).await?;
        }
        Ok(())
    }

    async fn look(&self) -> Result<(), HostError> {
        self.call(self.files(Method::GET, "?limit=1")).await.map(|_| ())
    }

    fn image(&self, id: ImageId, file: &HostedFile) -> Image {
        let (endpoint, path) = (&self.settings.url_endpoint, &file.path);
        Image { id, url: format!("{endpoint}{path}"), thumbnail: format!("{endpoint}/{THUMBNAIL}{path}") }
    }

    fn availability(&self) -> Availability {
        let known = *self.state.lock() != HostState::Unknown;
        match (self.breaker.would_pass(), self.breaker.is_closed() && known) {
            (false, _) => Availability::Unavailable,
            (true, true) => Availability::Available,
            (true, false) => Availability::Unchecked,
        }
    }

    fn problem(&self) -> Option<String> {
        match &*self.state.lock() {
            HostState::Ill(why) => Some(why.clone()),
            HostState::Unknown | HostState::Well => None,
        }
    }
}

fn unclear() -> HostError {
    HostError::Away("its answer is not one of ImageKit's".to_owned())
}

/// Whether it is an id that is safe in a URL.
fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Whether it is a path that is safe in a page.
fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    text.len() <= 512 && text.starts_with('/') && !text.starts_with("//") && text.bytes().all(plain)
}

/// How long to wait after too many calls: in seconds, or in ImageKit's own header in milliseconds.
fn pause_in(headers: &HeaderMap) -> Duration {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let asked = number("x-ratelimit-reset").map(Duration::from_millis);
    let asked = asked.or_else(|| number(RETRY_AFTER.as_str()).map(Duration::from_secs));
    asked.unwrap_or(FIRST_PAUSE).clamp(PAUSES.0, PAUSES.1)
}

/// The error, without the URL.
fn away(error: &reqwest::Error) -> HostError {
    if error.is_timeout() {
        return HostError::Away("it did not answer in time".to_owned());
    }
    let what = if error.is_connect() { "no connection" } else { "the connection broke" };
    HostError::Away(format!("{what}: {}", http_client::why(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_granted_within_limits() {
        let pause = |name: &'static str, value: &str| {
            pause_in(&HeaderMap::from_iter([(reqwest::header::HeaderName::from_static(name), value.parse().unwrap())]))
        };
        assert_eq!(pause("x-ratelimit-reset", "1500"), Duration::from_millis(1_500));
        assert_eq!(pause("retry-after", "2"), Duration::from_secs(2));
        assert_eq!(pause("retry-after", "99999"), PAUSES.1);
        assert_eq!(pause("retry-after", "soon"), FIRST_PAUSE);
    }

    #[test]
    fn only_plain_ids_and_paths_are_taken() {
        assert!(is_id("598821f949c0a938d57563bd") && !is_id("") && !is_id("../v1") && !is_id("a?b"));
        assert!(is_path("/microbazaar/a.jpg"));
        for text in ["", "a.jpg", "//evil.example/a.jpg", "/a\"onerror=", "/a b", "/a?tr=x"] {
            assert!(!is_path(text), "{text}");
        }
    }
}
