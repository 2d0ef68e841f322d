//! `microbazaar serve`.

use super::services::pricing;
use std::io::Write;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::{App, demo, open_files};
use crate::config::{Config, Service, Services, listening_url};

/// Serves until a signal stops it; with `demo`, fills an empty shop once it is ready.
///
/// # Errors
/// When it cannot start, or cannot stop cleanly.
pub fn serve(config: &Config, demo: bool) -> Result<()> {
    let serves = |service| config.services.serve(service);
    if demo && !(serves(Service::Auth) && serves(Service::Product)) {
        bail!("--demo fills a shop where auth and product are served; run: microbazaar demo");
    }
    if demo {
        demo::allow(config)?;
    }
    // Before anything is opened, so that too low a limit is told in one sentence.
    open_files::raise_limit()?;
    actix_rt::System::new().block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("signals cannot be listened to")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be listened to")?;
        // A limit on the size of files fails the write and does not end the process.
        let _file_too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
        let app = App::start(config).await?;
        announce(config, &app);
        let filling = demo.then(|| {
            let (services, stores, pricing) = (app.services.clone(), app.storage.stores(), pricing(config));
            actix_rt::spawn(async move {
                demo::fill_and_tell(demo::Stage { services: &services, stores: &stores, pricing }, None).await;
            })
        });
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down: no new work is accepted");
        if let Some(filling) = filling {
            filling.abort();
        }
        let ended = app.shutdown().await?;
        tracing::info!(actors.alive = ended.actors_alive, events.waiting = ended.events_waiting, "shut down");
        Ok(())
    })
}

/// Prints the shop's address and which parts are embedded.
fn announce(config: &Config, app: &App) {
    let at = listening_url(&app.address.ip().to_string(), app.address.port());
    let mut text = format!("microBazaar is ready at {at}\n");
    if let Some(url) = &config.http.public_url {
        text.push_str(&format!("  {:<12} {url}\n", "public url"));
    }
    for (part, embedded) in config.embedded() {
        text.push_str(&format!("  {part:<12} {embedded}\n"));
    }
    if config.services != Services::All {
        text.push_str(&format!("  {:<12} {}\n", "services", config.services));
    }
    let shows_mails = config.mailbox.enabled && config.services.serve(Service::Notification);
    let mailbox = if shows_mails { ", /dev/mailbox" } else { "" };
    text.push_str(&format!("  try          /docs, /openapi.json, /readyz{mailbox}\n"));
    // The output may be closed; the shop serves anyway.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
