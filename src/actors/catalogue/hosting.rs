//! Uploads pictures to their host, and deletes them there.
//!
//! It processes the due records of the picture log. If the product still shows the picture, the picture is uploaded,
//! the host's file is recorded, the product's URL is changed, and the local copy is deleted, in this order, so that
//! the product always shows an existing picture. Otherwise it is deleted at the host and locally. Every step is
//! idempotent, and is repeated when this actor or its process dies: then the claim expires and the next worker starts
//! again.
//!
//! While the host is unavailable, refuses the key or limits calls, nothing is claimed, and a periodic check finds out
//! when that is over. Meanwhile pictures are served locally.
//!
//! **Invariant:** the local copy is deleted only when the product's document has the host's URL, or no product shows
//! the picture.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use growing_backoff::Backoff;
use jiff::{SignedDuration, Timestamp};
use metrics::{counter, gauge};

use super::actor::{Failure, ProductService};
use crate::{
    actors::send_loop::{DueTimer, SendLoop},
    integrations::{
        image::{Availability, HostError, HostedImages, ImageError, ImageSize},
        redis::{ChangeNotifier, topic},
    },
    store::{
        StoreError,
        images::{ClaimedImage, HostingOutcome, ImageRecord},
    },
};

/// How many pictures are processed at once.
const AT_ONCE: u32 = 3;
/// The deadline of processing one picture, whatever the host does.
const WITHIN: Duration = Duration::from_secs(30);
/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(35);
/// How long new pictures may exist before their product is written.
const UNWRITTEN: SignedDuration = SignedDuration::from_mins(5);
/// The pauses after failures.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(600));
/// The pauses for a picture that the host refuses.
const REFUSED_PAUSES: Backoff = Backoff::new(Duration::from_secs(3_600), Duration::from_secs(24 * 3_600));
/// The pause when the host was not called.
const NOT_ASKED: Duration = Duration::from_millis(500);
/// How often to count.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// The state that outlives the actor.
pub(super) struct Hosting {
    service: Arc<ProductService>,
    pictures: HostedImages,
    working: SendLoop,
}

/// A unit of work.
enum Work {
    /// Checking whether the host is available.
    Look,
    Picture(Box<ClaimedImage>),
}

/// Why processing a picture failed.
#[derive(Debug, thiserror::Error)]
enum HostingError {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Kept(#[from] ImageError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Product(#[from] Failure),
    #[error("the picture is no longer stored here")]
    Lost,
    #[error("the work on it took too long, or panicked")]
    Cut,
    #[error("somebody else works on it")]
    Overtaken,
}

impl Hosting {
    pub(super) fn new(service: Arc<ProductService>, pictures: HostedImages, notifier: &ChangeNotifier) -> Self {
        Self { service, pictures, working: SendLoop::new("pictures", AT_ONCE, notifier, topic::PICTURES) }
    }

    /// Why the host cannot be used.
    pub(super) fn problem(&self) -> Option<String> {
        self.pictures.host.problem()
    }

    /// Starts no more work, and waits for work in progress.
    pub(super) async fn finish(&self, within: Duration) {
        self.working.finish(within).await;
    }

    pub(super) async fn run(&self) {
        let mut counted = DueTimer::default();
        let housekeeping = async || self.count(&mut counted).await;
        let claim = async |free| self.claim(free).await;
        let begin = async |work| match work {
            Work::Look => self.look().await,
            Work::Picture(claimed) => self.attempt(&claimed).await,
        };
        let on_change = async {
            loop {
                self.pictures.changed.notified().await;
                self.working.notify();
            }
        };
        tokio::join!(self.working.run(housekeeping, claim, begin), on_change);
    }

    async fn claim(&self, limit: u32) -> Result<Vec<Work>, StoreError> {
        match self.pictures.host.availability() {
            Availability::Unavailable => Ok(vec![]),
            Availability::Unchecked => Ok(vec![Work::Look]),
            Availability::Available => {
                let now = Timestamp::now();
                let lease = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
                let claimed = self.pictures.log.claim(now, lease, limit).await?;
                Ok(claimed.into_iter().map(|claimed| Work::Picture(Box::new(claimed))).collect())
            }
        }
    }

    async fn look(&self) {
        if self.pictures.host.look().await.is_ok() {
            self.working.notify();
        }
    }

    /// Processes a picture and writes the outcome.
    async fn attempt(&self, claimed: &ClaimedImage) {
        let record = &claimed.record;
        let work = tokio::time::timeout(WITHIN, AssertUnwindSafe(self.bring(claimed)).catch_unwind()).await;
        let outcome = match work {
            Ok(Ok(done)) => done,
            Ok(Err(_)) | Err(_) => Err(HostingError::Cut),
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(HostingError::Overtaken) => return,
            Err(error) => put_off(record, &error),
        };
        let word = match &outcome {
            HostingOutcome::Done => "hosted",
            HostingOutcome::Gone => "deleted",
            HostingOutcome::Again { reason: Some(_), .. } => "failed",
            HostingOutcome::Again { reason: None, .. } => "waits",
        };
        counter!("picture_attempts_total", "outcome" => word).increment(1);
        match self.pictures.log.settle(record.image, claimed.lease, &outcome, Timestamp::now()).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(image.id = %record.image, "processing a picture outlasted its claim"),
            Err(error) => tracing::warn!(image.id = %record.image, %error, "could not record the outcome of a picture"),
        }
    }

    /// Does what the picture needs.
    async fn bring(&self, ClaimedImage { record, lease }: &ClaimedImage) -> Result<HostingOutcome, HostingError> {
        let HostedImages { here, host, log, .. } = &self.pictures;
        let id = record.image;
        let product = if record.dropped { None } else { self.service.store.get(record.product).await? };
        let Some(shown) = product.and_then(|product| product.images.into_iter().find(|image| image.id == id)) else {
            let age = Timestamp::now().duration_since(record.created_at);
            if !record.dropped && age < UNWRITTEN {
                // Most likely its product is about to be written.
                let pause = age.clamp(SignedDuration::from_millis(250), SignedDuration::from_secs(30));
                let at = Timestamp::now().saturating_add(pause).unwrap_or(Timestamp::MAX);
                return Ok(HostingOutcome::Again { reason: None, at });
            }
            host.delete(id, record.file.as_ref()).await?;
            here.delete(id).await?;
            return Ok(HostingOutcome::Gone);
        };
        let file = match &record.file {
            Some(file) => file.clone(),
            None => {
                let picture = here.read(id, ImageSize::Full).await?.ok_or(HostingError::Lost)?;
                let file = host.upload(id, picture).await?;
                if !log.hosted(id, *lease, &file).await? {
                    return Err(HostingError::Overtaken);
                }
                file
            }
        };
        let hosted = host.image(id, &file);
        if shown != hosted && !self.service.show_elsewhere(record.product, &hosted).await? {
            // It was removed meanwhile: check again at once.
            return Ok(HostingOutcome::Again { reason: None, at: Timestamp::now() });
        }
        here.delete(id).await?;
        Ok(HostingOutcome::Done)
    }

    async fn count(&self, counted: &mut DueTimer) {
        if !counted.is_due(COUNT_EVERY) {
            return;
        }
        match self.pictures.log.unsettled().await {
            Ok(count) => gauge!("pictures_waiting").set(f64::from(u32::try_from(count).unwrap_or(u32::MAX))),
            Err(error) => tracing::debug!(%error, "could not count pictures"),
        }
    }
}

/// When to try again after `error`.
fn put_off(record: &ImageRecord, error: &HostingError) -> HostingOutcome {
    let failures = record.attempts.saturating_add(1);
    let (reason, pause) = match error {
        HostingError::Host(HostError::KnownAway) => (None, NOT_ASKED),
        // Not the picture's fault, and no calls are made until it is over.
        HostingError::Host(HostError::Limited(_) | HostError::Key(_)) => (None, NOT_ASKED),
        HostingError::Host(HostError::Refused(_)) | HostingError::Lost => {
            (Some(error.to_string()), REFUSED_PAUSES.after(failures))
        }
        _ => (Some(error.to_string()), PAUSES.after(failures)),
    };
    if let Some(reason) = &reason {
        tracing::warn!(image.id = %record.image, product.id = %record.product, %reason, ?pause, "processing a picture is postponed");
    }
    HostingOutcome::Again { reason, at: Timestamp::now().saturating_add(pause).unwrap_or(Timestamp::MAX) }
}
