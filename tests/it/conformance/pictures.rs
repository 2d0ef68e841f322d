//! Pending work on hosted pictures.

use futures_util::future::join_all;
use jiff::SignedDuration;
use microbazaar::{
    domain::ids::{ImageId, ProductId},
    store::{
        ImageLog, Stores,
        images::{ClaimedImage, HostedFile, HostingOutcome},
    },
};

use super::make::at;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

async fn opened(log: &ImageLog, second: i64) -> ImageId {
    let image = ImageId::generate();
    log.open(image, ProductId::generate(), at(second)).await.unwrap();
    image
}

/// Claims the one picture that is due.
async fn claimed(log: &ImageLog, second: i64) -> ClaimedImage {
    let mut claimed = log.claim(at(second), at(second) + MINUTE, 10).await.unwrap();
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

fn file() -> HostedFile {
    HostedFile { id: "f1".into(), path: "/microbazaar/a.jpg".into() }
}

fn again(reason: Option<&str>, second: i64) -> HostingOutcome {
    HostingOutcome::Again { reason: reason.map(str::to_owned), at: at(second) }
}

pub async fn a_picture_is_due_once_it_is_recorded(stores: &Stores) {
    let log = &stores.pictures;
    let (image, product) = (ImageId::generate(), ProductId::generate());
    assert_eq!(log.picture(image).await, Ok(None));
    log.open(image, product, at(5)).await.unwrap();
    log.open(image, ProductId::generate(), at(6)).await.unwrap();
    let record = log.picture(image).await.unwrap().unwrap();
    assert_eq!((record.product, record.created_at, record.due_at), (product, at(5), Some(at(5))), "the first stays");
    assert_eq!((record.file, record.dropped, record.attempts, record.reason), (None, false, 0, None));
    assert_eq!(log.claim(at(4), at(64), 10).await, Ok(vec![]));
    assert_eq!(log.unsettled().await, Ok(1));
    assert_eq!(claimed(log, 5).await.record.image, image);
}

pub async fn a_picture_is_claimed_by_one(stores: &Stores) {
    let log = &stores.pictures;
    let mut images = vec![];
    for second in 1..=4 {
        images.push(opened(log, second).await);
    }
    let two = log.claim(at(10), at(70), 2).await.unwrap();
    assert_eq!(two.iter().map(|one| one.record.image).collect::<Vec<_>>(), images[..2], "longest due first");
    let rest = join_all((0..6).map(|_| log.claim(at(10), at(70), 1))).await;
    let mut got: Vec<ImageId> = rest.into_iter().flat_map(Result::unwrap).map(|one| one.record.image).collect();
    got.extend(log.claim(at(10), at(70), 10).await.unwrap().into_iter().map(|one| one.record.image));
    got.sort_by_key(|image| image.bytes());
    let mut left = images[2..].to_vec();
    left.sort_by_key(|image| image.bytes());
    assert_eq!(got, left);
    // A claim expires, and its former holder writes nothing.
    let later = log.claim(at(71), at(200), 10).await.unwrap();
    assert_eq!(later.len(), 4);
    let lost = two[0].lease;
    assert_eq!(log.hosted(images[0], lost, &file()).await, Ok(false));
    assert_eq!(log.settle(images[0], lost, &HostingOutcome::Done, at(72)).await, Ok(false));
    assert_eq!(log.settle(images[0], lost, &HostingOutcome::Gone, at(72)).await, Ok(false));
    assert_eq!(log.picture(images[0]).await.unwrap().unwrap().file, None);
}

pub async fn what_came_of_a_picture_is_recorded(stores: &Stores) {
    let log = &stores.pictures;
    let image = opened(log, 1).await;
    let first = claimed(log, 1).await;
    assert_eq!(log.settle(image, first.lease, &again(Some("away"), 30), at(2)).await, Ok(true));
    let record = log.picture(image).await.unwrap().unwrap();
    assert_eq!((record.attempts, record.reason.as_deref(), record.due_at), (1, Some("away"), Some(at(30))));
    assert_eq!(log.claim(at(29), at(90), 10).await, Ok(vec![]));
    let second = claimed(log, 30).await;
    assert_eq!(log.settle(image, second.lease, &again(None, 40), at(31)).await, Ok(true));
    assert_eq!(log.picture(image).await.unwrap().unwrap().attempts, 1, "nothing went wrong");
    let third = claimed(log, 40).await;
    assert_eq!(log.hosted(image, third.lease, &file()).await, Ok(true));
    assert_eq!(log.settle(image, third.lease, &HostingOutcome::Done, at(41)).await, Ok(true));
    let record = log.picture(image).await.unwrap().unwrap();
    assert_eq!((record.file, record.attempts, record.reason, record.due_at), (Some(file()), 0, None, None));
    assert_eq!((log.unsettled().await, log.claim(at(9_000), at(9_060), 10).await), (Ok(0), Ok(vec![])));
}

pub async fn what_was_announced_is_looked_at_whatever_came_before(stores: &Stores) {
    let log = &stores.pictures;
    let (quiet, busy, unknown) = (opened(log, 1).await, opened(log, 2).await, ImageId::generate());
    let both = log.claim(at(2), at(62), 10).await.unwrap();
    assert_eq!(log.settle(quiet, both[0].lease, &HostingOutcome::Done, at(3)).await, Ok(true));
    log.announce(&[quiet, busy, unknown], at(100)).await.unwrap();
    log.announce(&[], at(100)).await.unwrap();
    assert_eq!(log.settle(busy, both[1].lease, &HostingOutcome::Done, at(4)).await, Ok(true));
    assert_eq!(log.picture(unknown).await, Ok(None));
    for image in [quiet, busy] {
        assert_eq!(log.picture(image).await.unwrap().unwrap().due_at, Some(at(100)));
    }
    let looked = log.claim(at(100), at(160), 10).await.unwrap();
    assert_eq!(looked.len(), 2);
    for one in looked {
        assert_eq!(log.settle(one.record.image, one.lease, &HostingOutcome::Done, at(101)).await, Ok(true));
    }
    assert_eq!(log.unsettled().await, Ok(0));
}

pub async fn a_dropped_picture_stays_dropped(stores: &Stores) {
    let log = &stores.pictures;
    let image = opened(log, 1).await;
    let uploading = claimed(log, 1).await;
    log.drop_pictures(&[image, ImageId::generate()], at(2)).await.unwrap();
    assert_eq!(log.claim(at(3), at(63), 10).await, Ok(vec![]), "somebody is at it");
    assert_eq!(log.hosted(image, uploading.lease, &file()).await, Ok(true));
    assert_eq!(log.settle(image, uploading.lease, &HostingOutcome::Done, at(4)).await, Ok(true));
    let deleting = claimed(log, 4).await;
    assert_eq!((deleting.record.dropped, deleting.record.file), (true, Some(file())));
    assert_eq!(log.settle(image, deleting.lease, &again(Some("away"), 9), at(5)).await, Ok(true));
    let deleting = claimed(log, 9).await;
    assert!(deleting.record.dropped);
    assert_eq!(log.settle(image, deleting.lease, &HostingOutcome::Gone, at(10)).await, Ok(true));
    assert_eq!((log.picture(image).await, log.unsettled().await), (Ok(None), Ok(0)));
}
