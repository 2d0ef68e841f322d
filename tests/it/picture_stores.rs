//! The requirements on every picture store, and ImageKit behind one of them.

use std::{io::Cursor, sync::Arc, time::Duration};

use bytes::Bytes;
use image::{DynamicImage, ImageFormat, RgbImage};
use microbazaar::{
    domain::{
        Timestamp,
        ids::{EventId, ImageId, ProductId},
    },
    integrations::image::{
        Availability, DocumentImages, HostError, HostedImages, ImageHost, ImageKit, ImageKitSettings, ImageSize,
        ImageStore, LocalImages, StoredImage, prepare,
    },
    store::{
        mongo::{MongoOptions, MongoStore},
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use secrecy::SecretString;
use test_support::{
    Folder,
    imagekit::{ImageKit as StandIn, Manner, PRIVATE_KEY},
    servers,
};

pub fn png(red: u8) -> Vec<u8> {
    let drawn = RgbImage::from_fn(900, 600, |x, _| image::Rgb([red, u8::try_from(x % 256).unwrap(), 90]));
    let mut out = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(drawn).write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

/// The checks of all of them.
async fn keeps_pictures(store: &dyn ImageStore) {
    let (product, id, other) = (ProductId::generate(), ImageId::generate(), ImageId::generate());
    assert_eq!(store.read(id, ImageSize::Full).await.unwrap(), None);
    let ready = prepare(&png(1)).unwrap();
    let image = store.put(product, id, ready.clone()).await.unwrap();
    assert_eq!(store.put(product, id, ready.clone()).await.unwrap(), image, "putting again is harmless");
    assert_eq!((image.id, image.url), (id, format!("/media/{id}.png")), "it is shown from here at once");
    let full = store.read(id, ImageSize::Full).await.unwrap().unwrap();
    let small = store.read(id, ImageSize::Thumbnail).await.unwrap().unwrap();
    assert_eq!((full.bytes, full.content_type), (ready.full, "image/png"));
    assert_eq!(small.bytes, ready.thumbnail);
    assert_ne!(small.etag, full.etag);
    assert_eq!(store.elsewhere(id, ImageSize::Full).await.unwrap(), None);
    store.put(product, other, prepare(&png(2)).unwrap()).await.unwrap();
    store.announce_delete(&[id, ImageId::generate()], Timestamp::now()).await.unwrap();
    assert!(store.read(id, ImageSize::Full).await.unwrap().is_some(), "an announcement deletes nothing");
    for id in [id, id, ImageId::generate()] {
        store.delete(id).await.unwrap();
        assert_eq!(store.read(id, ImageSize::Full).await.unwrap(), None);
        assert_eq!(store.read(id, ImageSize::Thumbnail).await.unwrap(), None);
    }
    assert!(store.read(other, ImageSize::Full).await.unwrap().is_some(), "others stay");
}

#[tokio::test]
async fn files_store_pictures() {
    let folder = Folder::new();
    keeps_pictures(&LocalImages::new(&folder.0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_store_stores_pictures() {
    let Some(uri) = servers::mongo() else { return };
    let options = MongoOptions::new(SecretString::from(uri), format!("test_{}_", EventId::generate()));
    let store = MongoStore::open(options).await.unwrap();
    keeps_pictures(&DocumentImages::new(store.stores().cluster.unwrap())).await;
    let host = client("http://127.0.0.1:9", "http://127.0.0.1:9", PRIVATE_KEY);
    let here = Arc::new(DocumentImages::new(store.stores().cluster.unwrap()));
    keeps_pictures(&HostedImages::new(here, Arc::new(host), store.stores().pictures)).await;
    store.drop_databases().await.unwrap();
}

#[tokio::test]
async fn pictures_are_stored_with_and_without_imagekit() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.0, SqliteOptions::default()).unwrap();
    let host = client("http://127.0.0.1:9", "http://127.0.0.1:9", PRIVATE_KEY);
    let here = Arc::new(LocalImages::new(&folder.0));
    let hosted = HostedImages::new(here, Arc::new(host), store.stores().pictures);
    keeps_pictures(&hosted).await;
    assert_eq!(store.stores().pictures.unsettled().await, Ok(2), "one to be uploaded, one to be deleted");
    store.close().unwrap();
}

fn client(base_url: &str, url_endpoint: &str, key: &str) -> ImageKit {
    ImageKit::try_new(ImageKitSettings {
        base_url: base_url.to_owned(),
        url_endpoint: format!("{url_endpoint}/"),
        private_key: SecretString::from(key),
        within: Duration::from_millis(500),
        retry_every: Duration::from_millis(100),
    })
    .unwrap()
}

fn stored(red: u8) -> StoredImage {
    let ready = prepare(&png(red)).unwrap();
    StoredImage { bytes: ready.full, content_type: "image/png", etag: String::new() }
}

/// Waits until calls are allowed again.
async fn passable(host: &ImageKit) {
    let waiting = async {
        while host.availability() == Availability::Unavailable {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
}

#[actix_web::test]
async fn a_second_upload_of_a_picture_replaces_the_first() {
    let imagekit = StandIn::start();
    let host = client(&imagekit.base(), &imagekit.endpoint(), PRIVATE_KEY);
    assert_eq!(host.availability(), Availability::Unchecked, "it is unknown whether the key is valid");
    host.look().await.unwrap();
    assert_eq!((host.availability(), host.problem()), (Availability::Available, None));
    let (one, two) = (ImageId::generate(), ImageId::generate());
    let first = host.upload(one, stored(1)).await.unwrap();
    imagekit.be(Manner::DoAndCut);
    assert!(matches!(host.upload(two, stored(2)).await, Err(HostError::Away(_))));
    imagekit.be(Manner::Work);
    assert_eq!(host.upload(one, stored(1)).await.unwrap(), first);
    let files = imagekit.files();
    assert_eq!(files.iter().map(|file| file.uploads).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(files[0].bytes, stored(1).bytes);
    let image = host.image(one, &first);
    assert_eq!(image.url, format!("{}/microbazaar/{one}.png", imagekit.endpoint()));
    assert_eq!(image.thumbnail, format!("{}/tr:w-400,h-400,c-at_max/microbazaar/{one}.png", imagekit.endpoint()));
    for (url, small) in [(image.url, "false"), (image.thumbnail, "true")] {
        let shown = reqwest::get(url).await.unwrap();
        assert_eq!((shown.status().as_u16(), &shown.headers()["x-small"]), (200, &small.parse().unwrap()));
    }
    // One is known by its id, the other is found by its name.
    host.delete(one, Some(&first)).await.unwrap();
    host.delete(two, None).await.unwrap();
    assert_eq!(imagekit.files().len(), 0);
    host.delete(one, Some(&first)).await.unwrap();
    host.delete(ImageId::generate(), None).await.unwrap();
    imagekit.check();
}

#[actix_web::test]
async fn any_failure_of_imagekit_ends_in_time_with_a_clear_error() {
    let mut imagekit = StandIn::start();
    let host = client(&imagekit.base(), &imagekit.endpoint(), PRIVATE_KEY);
    let upload = async |manner| {
        imagekit.be(manner);
        host.look().await.ok();
        passable(&host).await;
        host.upload(ImageId::generate(), stored(1)).await.unwrap_err()
    };
    let output = upload(Manner::Answer(400)).await.to_string();
    assert_eq!(output, "it answered 400 Bad Request: no, (key) [31m", "the key is not shown");
    assert_eq!(host.availability(), Availability::Available, "it is there");
    assert_eq!(upload(Manner::Answer(500)).await.to_string(), "it answered 500 Internal Server Error");
    assert_eq!(upload(Manner::Slow(Duration::from_secs(60))).await.to_string(), "it did not answer in time");
    let broken = upload(Manner::Cut).await.to_string();
    assert!(broken.starts_with("the connection broke"), "{broken}");
    assert_eq!(upload(Manner::TooMany(150)).await, HostError::Limited(Duration::from_millis(150)));
    assert!(host.problem().is_some() && imagekit.files().is_empty());
    imagekit.be(Manner::Work);
    passable(&host).await;
    assert_eq!(host.availability(), Availability::Unchecked);
    host.look().await.unwrap();
    assert_eq!((host.availability(), host.problem()), (Availability::Available, None));
    imagekit.be(Manner::TooMany(60_000));
    let other = client(&imagekit.base(), &imagekit.endpoint(), PRIVATE_KEY);
    assert_eq!(other.look().await, Err(HostError::Limited(Duration::from_secs(60))));
    assert_eq!(other.upload(ImageId::generate(), stored(1)).await, Err(HostError::KnownAway), "it is left alone");
    assert_eq!((other.availability(), other.problem().is_some()), (Availability::Unavailable, true));
    imagekit.go_away().await;
    let gone = host.upload(ImageId::generate(), stored(1)).await.unwrap_err().to_string();
    assert!(gone.starts_with("no connection") || gone.starts_with("the connection broke"), "{gone}");
    imagekit.check();
}

#[actix_web::test]
async fn an_invalid_key_is_reported_and_never_shown() {
    let imagekit = StandIn::start();
    let host = client(&imagekit.base(), &imagekit.endpoint(), "private_other-hush");
    assert_eq!(host.look().await, Err(HostError::Key(403)));
    let output = host.problem().unwrap();
    assert_eq!(output, "ImageKit is not usable: it refuses the key in imagekit.private_key with status 403");
    assert!(!format!("{host:?}").contains("hush"));
    assert_eq!(host.availability(), Availability::Unavailable);
    imagekit.know("private_other-hush");
    passable(&host).await;
    host.look().await.unwrap();
    assert_eq!(host.availability(), Availability::Available);
    let picture = StoredImage { bytes: Bytes::from_static(b"none"), content_type: "image/png", etag: String::new() };
    assert!(matches!(host.upload(ImageId::generate(), picture).await, Err(HostError::Refused(_))));
}
