//! `microbazaar health`: asks the server of this configuration how it is, for health checks
//! where no other client is.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::commands::print;
use crate::{
    config::{Config, listening_url},
    runtime::http_client,
};

/// How long the answer may take.
const WITHIN: Duration = Duration::from_secs(2);

/// Asks whether the server lives, or with `ready` whether it can serve.
///
/// # Errors
/// When it does not answer in time, or says no.
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
