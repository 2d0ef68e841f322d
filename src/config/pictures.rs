//! Where pictures are hosted, read from the `imagekit.*` keys.
//!
//! **Invariant:** all keys are set or none; in production the private key is sent only over TLS.

use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use super::{
    Config, Environment,
    error::{ConfigError, require},
};

/// Settings of ImageKit.
#[derive(Debug, Clone)]
pub struct ImageKitSettings {
    /// The base URL of calls, without a path; the default means ImageKit's two addresses.
    pub base_url: String,
    /// The URL endpoint of pictures.
    pub url_endpoint: String,
    pub private_key: SecretString,
    /// How long a call may take.
    pub within: Duration,
    /// The pause before a refused key is tried again, and the longest pause while ImageKit is unavailable.
    pub retry_every: Duration,
}

/// How long a call to ImageKit may take.
const CALL_WITHIN: Duration = Duration::from_secs(20);

impl ImageKitSettings {
    /// The origin at which browsers find the pictures.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        Url::parse(&self.url_endpoint).ok().map(|url| url.origin().ascii_serialization())
    }
}

impl Config {
    /// The settings of ImageKit, if it is used.
    ///
    /// # Errors
    /// One sentence that names the missing or invalid key.
    pub fn picture_host(&self) -> Result<Option<ImageKitSettings>, ConfigError> {
        let imagekit = &self.imagekit;
        let (private_key, url_endpoint) = match (&imagekit.private_key, &imagekit.url_endpoint) {
            (Some(key), Some(endpoint)) => (key.clone(), endpoint.clone()),
            (None, None) if imagekit.public_key.is_none() => return Ok(None),
            (None, _) => {
                let problem = "must be given along with the other imagekit keys; pictures are sent with it";
                return Err(ConfigError::new("imagekit.private_key", problem));
            }
            (Some(_), None) => {
                let problem = "must be given along with imagekit.private_key; \
                    write for example https://ik.imagekit.io/your_id";
                return Err(ConfigError::new("imagekit.url_endpoint", problem));
            }
        };
        let base_url = imagekit.base_url.clone();
        for (key, address) in [("imagekit.url_endpoint", &url_endpoint), ("imagekit.base_url", &base_url)] {
            let protected = self.environment != Environment::Production || address.starts_with("https://");
            require(protected, key, "must begin with https:// in production")?;
        }
        let plain = !url_endpoint.contains(['?', '"', '\'', '\\']);
        require(plain, "imagekit.url_endpoint", "must be an address without a query")?;
        let retry_every = imagekit.retry_every;
        Ok(Some(ImageKitSettings { base_url, url_endpoint, private_key, within: CALL_WITHIN, retry_every }))
    }
}
