//! `microbazaar health`: checks the server of this configuration, for environments without another HTTP client.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::commands::print;
use crate::{
    config::{Config, listening_url},
    runtime::http_client,
};

/// How long the answer may take.
const WITHIN: Duration = Duration::from_secs(2);

/// Checks whether the server is alive, or with `ready` whether it is ready.
///
/// # Errors
/// When it does not answer in time, or is not healthy.
pub fn health(config: &Config, ready: bool) -> Result<()> {
    let path = if ready { "readyz" } else { "healthz" };
    let url = format!("{}/{path}", listening_url(&config.http.host, config.http.port));
    let status = actix_rt::System::new().block_on(async {
        let client = http_client::builder().no_proxy().timeout(WITHIN).build()?;
        let answer = client.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
        Ok::<_, anyhow::Error>(answer.status())
    })?;
    if !status.is_success() {
        bail!("{url} answers {status}");
    }
    print("well");
    Ok(())
}
