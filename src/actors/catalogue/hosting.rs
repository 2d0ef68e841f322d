//! Brings pictures to where they are hosted, and takes them away there.
//!
//! It works off the records of the picture log. Of each that is due it asks the product whether
//! it shows the picture. If so, the picture is uploaded, what the host has is recorded, the
//! product shows it from there, and the copy kept here goes: in this order, so that at each
//! moment the product shows a picture that is there. If not, it is deleted at the host and here.
//! Every step may be repeated, and is when this actor or its process dies in the middle: then
//! the claim ends by itself and whoever runs next begins anew.
//!
//! While the host is away, refuses the key or wants no calls, nothing is claimed: one look now
//! and then finds out when that is over. A picture waits as long as it takes, shown from here.
//!
//! **Invariant:** the copy kept here goes only when the product's document shows the picture
//! elsewhere, or no product shows it.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use metrics::{counter, gauge};

use super::actor::{Failure, ProductService};
use crate::{
    actors::send_loop::{Every, SendLoop},
    integrations::{
        image::{HostError, HostedImages, ImageError, ImageSize, Worth},
        redis::{Wake, topic},
    },
    store::{
        StoreError,
        images::{ClaimedImage, HostingOutcome, ImageRecord},
    },
};

/// Pictures in work at once.
const AT_ONCE: u32 = 3;
/// How long work on one may take, whatever the host does.
const WITHIN: Duration = Duration::from_secs(30);
/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(35);
/// How long the pictures of a product that is being written may be without it.
const UNWRITTEN: SignedDuration = SignedDuration::from_mins(5);
/// The first pause after something went wrong, which doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// The first pause for a picture that the host does not take.
const REFUSED_PAUSE: Duration = Duration::from_secs(3_600);
/// The longest one.
const LONGEST_REFUSED_PAUSE: Duration = Duration::from_secs(24 * 3_600);
/// The pause when the host was not asked.
const NOT_ASKED: Duration = Duration::from_millis(500);
/// How often to count.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// What outlives the actor.
pub(super) struct Hosting {
    service: Arc<ProductService>,
    pictures: HostedImages,
    working: SendLoop,
}

/// What is begun.
enum Work {
    /// Finding out whether the host is there.
    Look,
    Picture(Box<ClaimedImage>),
}

/// Why a picture is not as it should be yet.
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
    #[error("the picture is not kept here any more")]
    Lost,
    #[error("the work on it took too long, or panicked")]
    Cut,
    #[error("somebody else works on it")]
    Overtaken,
}

impl Hosting {
    pub(super) fn new(service: Arc<ProductService>, pictures: HostedImages, wake: &Wake) -> Self {
        Self { service, pictures, working: SendLoop::new("pictures", AT_ONCE, wake, topic::PICTURES) }
    }

    /// What keeps the host from being used.
    pub(super) fn trouble(&self) -> Option<String> {
        self.pictures.host.trouble()
    }

    /// Begins no more work, and waits for what is under way.
    pub(super) async fn finish(&self, within: Duration) {
        self.working.finish(within).await;
    }

    pub(super) async fn run(&self) {
        let mut counted = Every::default();
        let books = async || self.count(&mut counted).await;
        let claim = async |free| self.claim(free).await;
        let begin = async |work| match work {
            Work::Look => self.look().await,
            Work::Picture(claimed) => self.attempt(&claimed).await,
        };
        let waking = async {
            loop {
                self.pictures.wake.notified().await;
                self.working.wake();
            }
        };
        tokio::join!(self.working.run(books, claim, begin), waking);
    }

    async fn claim(&self, limit: u32) -> Result<Vec<Work>, StoreError> {
        match self.pictures.host.worth() {
            Worth::Nothing => Ok(vec![]),
            Worth::Look => Ok(vec![Work::Look]),
            Worth::Work => {
                let now = Timestamp::now();
                let lease = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
                let claimed = self.pictures.log.claim(now, lease, limit).await?;
                Ok(claimed.into_iter().map(|claimed| Work::Picture(Box::new(claimed))).collect())
            }
        }
    }

    async fn look(&self) {
        if self.pictures.host.look().await.is_ok() {
            self.working.wake();
        }
    }

    /// Works on a picture and writes what came of it.
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
            Ok(false) => tracing::warn!(image.id = %record.image, "work on a picture took longer than its claim"),
            Err(error) => tracing::warn!(image.id = %record.image, %error, "what came of a picture is not recorded"),
        }
    }

    /// Makes all as it should be.
    async fn bring(&self, ClaimedImage { record, lease }: &ClaimedImage) -> Result<HostingOutcome, HostingError> {
        let HostedImages { here, host, log, .. } = &self.pictures;
        let id = record.image;
        let product = if record.dropped { None } else { self.service.store.get(record.product).await? };
        let Some(shown) = product.and_then(|product| product.images.into_iter().find(|image| image.id == id)) else {
            let age = Timestamp::now().duration_since(record.created_at);
            if !record.dropped && age < UNWRITTEN {
                // Its product is about to be written, most likely.
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
            // It was taken out meanwhile: look again, at once.
            return Ok(HostingOutcome::Again { reason: None, at: Timestamp::now() });
        }
        here.delete(id).await?;
        Ok(HostingOutcome::Done)
    }

    async fn count(&self, counted: &mut Every) {
        if !counted.is_due(COUNT_EVERY) {
            return;
        }
        match self.pictures.log.unsettled().await {
            Ok(count) => gauge!("pictures_waiting").set(f64::from(u32::try_from(count).unwrap_or(u32::MAX))),
            Err(error) => tracing::debug!(%error, "pictures could not be counted"),
        }
    }
}

/// When to try again after `error`.
fn put_off(record: &ImageRecord, error: &HostingError) -> HostingOutcome {
    let doubled = |first: Duration, longest: Duration| {
        let pause = first.saturating_mul(2_u32.saturating_pow(record.attempts.min(20)));
        pause.min(longest)
    };
    let (reason, pause) = match error {
        HostingError::Host(HostError::KnownAway) => (None, NOT_ASKED),
        // Not the picture's fault, and nothing is asked until it is over.
        HostingError::Host(HostError::Limited(_) | HostError::Key(_)) => (None, NOT_ASKED),
        HostingError::Host(HostError::Refused(_)) | HostingError::Lost => {
            (Some(error.to_string()), doubled(REFUSED_PAUSE, LONGEST_REFUSED_PAUSE))
        }
        _ => (Some(error.to_string()), doubled(FIRST_PAUSE, LONGEST_PAUSE)),
    };
    if let Some(reason) = &reason {
        tracing::warn!(image.id = %record.image, product.id = %record.product, %reason, ?pause, "a picture waits");
    }
    HostingOutcome::Again { reason, at: Timestamp::now().saturating_add(pause).unwrap_or(Timestamp::MAX) }
}
