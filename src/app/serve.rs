//! `microbazaar serve`.

use std::io::Write;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use super::{App, demo};
use crate::config::Config;

/// Serves until a signal ends it; with `demo`, fills an empty shop once it is ready.
///
/// # Errors
/// When it cannot start, or cannot end cleanly.
pub fn serve(config: &Config, demo: bool) -> Result<()> {
    actix_rt::System::new().block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("signals cannot be listened to")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be listened to")?;
        let app = App::start(config).await?;
        announce(config, &app);
        let filling = demo.then(|| {
            let services = app.services.clone();
            actix_rt::spawn(async move { demo::fill_and_tell(&services, None).await })
        });
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending: no new work is taken");
        if let Some(filling) = filling {
            filling.abort();
        }
        let ended = app.shutdown().await?;
        tracing::info!(actors.alive = ended.actors_alive, events.waiting = ended.events_waiting, "ended");
        Ok(())
    })
}

/// Tells where the shop is and which parts are embedded.
fn announce(config: &Config, app: &App) {
    let mut text = format!("microBazaar is ready at http://{}\n", app.address);
    for (part, embedded) in config.embedded() {
        text.push_str(&format!("  {part:<12} {embedded}\n"));
    }
    text.push_str("  try          /docs, /openapi.json, /readyz, /dev/mailbox\n");
    // Nobody may be reading; the shop serves all the same.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
