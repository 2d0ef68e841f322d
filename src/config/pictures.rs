//! Where pictures are hosted, read from the `imagekit.*` keys.
//!
//! **Invariant:** the keys are all there or none is; in production the private key goes over TLS.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    Config, Environment,
    error::{ConfigError, require},
};

/// How ImageKit is used.
#[derive(Debug, Clone)]
pub struct ImageKitSettings {
    /// Where calls go, without a path; the default stands for ImageKit's two addresses.
    pub base_url: String,
    /// Where pictures are shown from.
    pub url_endpoint: String,
    /// The private key.
    pub private_key: SecretString,
    /// How long a call may take.
    pub within: Duration,
    /// How long to wait before a refused key is tried again, and at most while it is away.
    pub retry_every: Duration,
}

/// How long a call to ImageKit may take.
const CALL_WITHIN: Duration = Duration::from_secs(20);

impl Config {
    /// How ImageKit is used, if it is.
    ///
    /// # Errors
    /// One sentence that names the key that is missing or cannot be used.
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
