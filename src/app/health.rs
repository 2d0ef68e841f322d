//! `microbazaar health`: asks the server of this configuration how it is, for health checks
//! where no other client is.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::commands::print;
use crate::{config::Config, integrations::http_client};

/// How long the answer may take.
const WITHIN: Duration = Duration::from_secs(2);

/// Asks whether the server lives, or with `ready` whether it can serve.
///
/// # Errors
/// When it does not answer in time, or says no.
pub fn health(config: &Config, ready: bool) -> Result<()> {
    let host = match config.http.host.as_str() {
        // It listens everywhere, so here too.
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "[::1]",
        host => host,
    };
    let path = if ready { "readyz" } else { "healthz" };
    let url = format!("http://{host}:{}/{path}", config.http.port);
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
