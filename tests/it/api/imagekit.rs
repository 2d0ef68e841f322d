//! Pictures that ImageKit hosts, and ImageKit's failures.

use std::time::Duration;

use microbazaar::{
    domain::{
        Timestamp,
        ids::{ImageId, ProductId},
    },
    store::images::ImageRecord,
};
use reqwest::multipart::{Form, Part};
use secrecy::SecretString;
use serde_json::Value;

use test_support::{
    Settings, eventually,
    imagekit::{ImageKit, Manner, PRIVATE_KEY},
};

use super::{Person, Shop, id, text};
use crate::picture_stores::png;

/// A shop with ImageKit.
async fn shop(imagekit: &ImageKit) -> Shop {
    let (base, endpoint) = (imagekit.base(), imagekit.endpoint());
    Shop::open_with(|config| {
        config.imagekit.private_key = Some(SecretString::from(PRIVATE_KEY));
        config.imagekit.url_endpoint = Some(endpoint);
        config.imagekit.base_url = base;
        config.imagekit.retry_every = Duration::from_millis(100);
    })
    .await
}

fn lamp(pictures: u8) -> Form {
    let form = Form::new().text("title", "Lamp").text("priceAmount", "499.5").text("stock", "7");
    (0..pictures).fold(form, |form, red| form.part("images", Part::bytes(png(red)).file_name("a.png")))
}

async fn create(app: &Shop, seller: &Person, pictures: u8) -> Value {
    app.post("/api/products").token(&seller.token).form(lamp(pictures)).send().await.expect(201)["product"].clone()
}

fn path(product: &Value) -> String {
    format!("/api/products/{}", id(product))
}

fn images(product: &Value) -> &Vec<Value> {
    product["images"].as_array().unwrap()
}

/// The product, once all its pictures are hosted.
async fn hosted(app: &Shop, imagekit: &ImageKit, product: &Value) -> Value {
    let endpoint = imagekit.endpoint();
    let there = |image: &Value| image["url"].as_str().unwrap().starts_with(&endpoint);
    let all = |body: &Value| images(body).iter().all(there);
    app.until("the pictures' addresses", "", &path(product), all).await
}

async fn record(app: &Shop, image: &Value) -> Option<ImageRecord> {
    let id: ImageId = text(&image["id"]).parse().unwrap();
    app.stores().pictures.picture(id).await.unwrap()
}

/// Waits until there is no pending picture work.
async fn settled(app: &Shop) {
    let log = app.stores().pictures;
    eventually("the end of all work", async || log.unsettled().await == Ok(0)).await;
}

/// Whether `/readyz` reports ImageKit as unavailable.
async fn is_away(app: &Shop) -> bool {
    // Without the usual checks: a shop that has just started may not be ready yet for other reasons.
    let answer = app.http.get(format!("{}/readyz", app.base())).send().await.unwrap();
    let ready: Value = answer.json().await.unwrap();
    let part = ready["parts"].as_array().unwrap().iter().find(|part| part["name"] == "imagekit").unwrap();
    assert_ne!(part["state"], "down", "{ready}");
    assert!(!ready.to_string().contains("hush"), "{ready}");
    let named = ready["away"].as_array().unwrap().iter().any(|name| name == "imagekit");
    assert_eq!(named, part["state"] == "degraded", "{ready}");
    named
}

/// Whether a picture is served at the product's URL.
async fn is_shown(app: &Shop, url: &Value) -> bool {
    let url = url.as_str().unwrap();
    if url.starts_with('/') {
        return app.get(url).send().await.status == 200;
    }
    reqwest::get(url).await.unwrap().status().is_success()
}

#[actix_web::test]
async fn a_products_pictures_are_hosted_until_it_is_deleted() {
    let imagekit = ImageKit::start();
    let app = shop(&imagekit).await;
    let seller = app.seller("mira").await;
    let created = create(&app, &seller, 2).await;
    assert!(is_shown(&app, &created["images"][0]["url"]).await);
    let shown = hosted(&app, &imagekit, &created).await;
    assert_eq!(shown["updatedAt"], created["updatedAt"], "its seller changed nothing");
    for (before, image) in images(&created).iter().zip(images(&shown)) {
        assert_eq!(before["id"], image["id"], "in the same order");
        let name = format!("/microbazaar/{}.png", text(&image["id"]));
        assert_eq!(image["url"], format!("{}{name}", imagekit.endpoint()));
        assert_eq!(image["thumbnail"], format!("{}/tr:w-400,h-400,c-at_max{name}", imagekit.endpoint()));
        assert!(is_shown(&app, &image["url"]).await && is_shown(&app, &image["thumbnail"]).await);
    }
    settled(&app).await;
    // The first URL redirects, and there is no second copy.
    for (size, before) in [("url", &created["images"][0]), ("thumbnail", &created["images"][0])] {
        let client = microbazaar::runtime::http_client::builder().build().unwrap();
        let answer = client.get(format!("{}{}", app.base(), text(&before[size]))).send().await.unwrap();
        assert_eq!(answer.status(), 302);
        assert_eq!(answer.headers()["location"].to_str().unwrap(), text(&shown["images"][0][size]));
    }
    assert_eq!(imagekit.files().iter().map(|file| file.uploads).collect::<Vec<_>>(), [1, 1]);
    let cart = app.add_to_cart(&app.stranger(), &id(&shown), 1).await.expect(200);
    assert_eq!(cart["cart"]["items"][0]["image"], shown["images"][0]["thumbnail"]);

    let first = text(&shown["images"][0]["id"]);
    let left = app.delete(&format!("{}/images/{first}", path(&shown))).token(&seller.token).send().await.expect(200);
    assert_eq!(images(&left), &images(&shown)[1..]);
    eventually("the first file's end", async || imagekit.files().len() == 1).await;
    assert!(imagekit.files()[0].path.contains(&text(&left["images"][0]["id"])));
    app.delete(&path(&shown)).token(&seller.token).send().await.expect(204);
    eventually("the other file's end", async || imagekit.files().is_empty()).await;
    settled(&app).await;
    assert!(record(&app, &shown["images"][0]).await.is_none());
    app.get(&text(&created["images"][0]["url"])).send().await.expect(404);
    imagekit.check();
    app.shutdown().await;
}

#[actix_web::test]
async fn pictures_are_served_locally_while_imagekit_is_unavailable() {
    let mut imagekit = ImageKit::start();
    let app = shop(&imagekit).await;
    let seller = app.seller("mira").await;
    let old = hosted(&app, &imagekit, &create(&app, &seller, 1).await).await;
    settled(&app).await;
    imagekit.go_away().await;
    let created = create(&app, &seller, 2).await;
    eventually("readyz", async || is_away(&app).await).await;
    // Meanwhile a product is deleted, and one is created and deleted before its upload.
    app.delete(&path(&old)).token(&seller.token).send().await.expect(204);
    let brief = create(&app, &seller, 1).await;
    app.delete(&path(&brief)).token(&seller.token).send().await.expect(204);
    app.get(&text(&brief["images"][0]["url"])).send().await.expect(404);
    // Pending work survives the process.
    let app = app.restart().await;
    let product = app.get(&path(&created)).send().await.expect(200);
    assert_eq!(product["images"], created["images"]);
    for image in images(&product) {
        assert!(is_shown(&app, &image["url"]).await && is_shown(&app, &image["thumbnail"]).await);
    }
    eventually("readyz", async || is_away(&app).await).await;
    assert_eq!(imagekit.files().len(), 1);
    imagekit.come_back();
    let shown = hosted(&app, &imagekit, &created).await;
    settled(&app).await;
    assert!(is_shown(&app, &shown["images"][1]["thumbnail"]).await);
    let kept: Vec<String> = imagekit.files().into_iter().map(|file| file.path).collect();
    let expected = images(&shown).iter().map(|image| format!("/microbazaar/{}.png", text(&image["id"])));
    assert_eq!(kept.len(), 2);
    assert!(expected.into_iter().all(|path| kept.contains(&path)), "{kept:?}");
    eventually("readyz", async || !is_away(&app).await).await;
    imagekit.check();
    app.shutdown().await;
}

#[actix_web::test]
async fn each_picture_is_uploaded_once_whatever_imagekit_does() {
    let imagekit = ImageKit::start();
    let app = shop(&imagekit).await;
    let seller = app.seller("mira").await;
    for manner in [
        Manner::Answer(500),
        Manner::TooMany(50),
        Manner::Cut,
        Manner::DoAndCut,
        Manner::Slow(Duration::from_millis(300)),
        Manner::Answer(429),
    ] {
        imagekit.be(manner);
        let created = create(&app, &seller, 1).await;
        let (image, calls) = (&created["images"][0], imagekit.calls().len());
        assert!(is_shown(&app, &image["url"]).await, "{manner:?}");
        eventually("a call", async || imagekit.calls().len() > calls).await;
        imagekit.be(Manner::Work);
        let shown = hosted(&app, &imagekit, &created).await;
        settled(&app).await;
        let name = format!("/microbazaar/{}.png", text(&image["id"]));
        assert_eq!(imagekit.files().iter().filter(|file| file.path == name).count(), 1, "{manner:?}");
        assert_eq!(images(&shown).len(), 1);
        imagekit.be(if manner == Manner::Answer(429) { Manner::TooMany(50) } else { manner });
        app.delete(&path(&shown)).token(&seller.token).send().await.expect(204);
        imagekit.be(Manner::Work);
        eventually("the file's end", async || imagekit.files().is_empty()).await;
        settled(&app).await;
    }
    imagekit.check();
    app.shutdown().await;
}

#[actix_web::test]
async fn a_product_deleted_during_its_upload_leaves_no_file() {
    let imagekit = ImageKit::start();
    let app = shop(&imagekit).await;
    let seller = app.seller("mira").await;
    settled(&app).await;
    imagekit.be(Manner::DoAndWait(Duration::from_millis(400)));
    let created = create(&app, &seller, 1).await;
    eventually("the upload", async || imagekit.files().len() == 1).await;
    app.delete(&path(&created)).token(&seller.token).send().await.expect(204);
    imagekit.be(Manner::Work);
    eventually("the file's end", async || imagekit.files().is_empty()).await;
    settled(&app).await;
    assert!(record(&app, &created["images"][0]).await.is_none());
    imagekit.check();
    app.shutdown().await;
}

#[actix_web::test]
async fn an_unused_picture_is_deleted() {
    let imagekit = ImageKit::start();
    let app = shop(&imagekit).await;
    let seller = app.seller("mira").await;
    let created = create(&app, &seller, 1).await;
    hosted(&app, &imagekit, &created).await;
    settled(&app).await;
    // The state after a kill in the middle: of one picture only the planned upload is stored, of the other only the
    // planned deletion.
    let stores = app.stores();
    let long_ago = Timestamp::now() - Duration::from_secs(3_600);
    stores.pictures.open(ImageId::generate(), ProductId::generate(), long_ago).await.unwrap();
    let image: ImageId = text(&created["images"][0]["id"]).parse().unwrap();
    stores.pictures.announce(&[image], Timestamp::now()).await.unwrap();
    settled(&app).await;
    assert_eq!(imagekit.files().len(), 1, "its product still shows it");
    assert_eq!(stores.pictures.picture(image).await.unwrap().unwrap().due_at, None);
    imagekit.check();
    app.shutdown().await;
}

#[actix_web::test]
async fn with_an_invalid_key_nothing_is_lost_and_readyz_reports_it() {
    let imagekit = ImageKit::start();
    imagekit.know("another");
    let app = shop(&imagekit).await;
    let seller = app.seller("mira").await;
    let created = create(&app, &seller, 1).await;
    eventually("readyz", async || is_away(&app).await).await;
    assert_eq!(app.get("/readyz").send().await.expect(200)["status"], "degraded");
    assert!(is_shown(&app, &created["images"][0]["url"]).await);
    assert!(imagekit.calls().iter().all(|call| call == "GET /v1/files"), "it is looked at, no picture is sent");
    imagekit.know(PRIVATE_KEY);
    hosted(&app, &imagekit, &created).await;
    eventually("readyz", async || !is_away(&app).await).await;
    imagekit.check();
    app.shutdown().await;
}

#[actix_web::test]
async fn one_of_two_nodes_uploads_a_picture() {
    let imagekit = ImageKit::start();
    let one = shop(&imagekit).await;
    if one.config.mongo.uri.is_none() {
        eprintln!("left out: two nodes need a database that they share");
        return one.shutdown().await;
    }
    let (settings, mut config) = (Settings::new(), one.config.clone());
    config.data_dir = settings.data();
    let two = Shop::over(config, settings).await;
    let seller = one.seller("mira").await;
    let mut created = vec![];
    for app in [&one, &two, &one, &two] {
        created.push(create(app, &seller, 2).await);
    }
    for product in &created {
        hosted(&one, &imagekit, product).await;
        hosted(&two, &imagekit, product).await;
    }
    settled(&one).await;
    assert_eq!(imagekit.files().iter().map(|file| file.uploads).collect::<Vec<_>>(), [1; 8]);
    imagekit.check();
    two.shutdown().await;
    one.shutdown().await;
}
