//! The process is killed while it uploads or deletes a hosted picture.

use std::{io::Cursor, time::Duration};

use reqwest::multipart::{Form, Part};
use test_support::{
    Process, Settings, eventually,
    imagekit::{ImageKit, Manner, PRIVATE_KEY},
    text,
};

fn png() -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(60, 40).write_to(&mut out, image::ImageFormat::Png).unwrap();
    out.into_inner()
}

#[actix_web::test]
async fn a_killed_process_uploads_and_deletes_each_picture_once() {
    let imagekit = ImageKit::start();
    let (base, endpoint) = (imagekit.base(), imagekit.endpoint());
    let settings = Settings::new()
        .set("IMAGEKIT_PRIVATE_KEY", PRIVATE_KEY)
        .set("IMAGEKIT_URL_ENDPOINT", &endpoint)
        .set("MICROBAZAAR_IMAGEKIT__BASE_URL", &base)
        .set("MICROBAZAAR_IMAGEKIT__RETRY_EVERY", "200ms");
    let process = Process::start(&settings);
    let client = process.client.clone();
    let mira = client.seller("mira").await;

    // It has the file, but the answer is lost.
    eventually("a first look", async || !imagekit.calls().is_empty()).await;
    imagekit.be(Manner::DoAndWait(Duration::from_secs(600)));
    let form = Form::new().text("title", "Lamp").text("priceAmount", "1").text("stock", "1");
    let form = form.part("images", Part::bytes(png()).file_name("a.png"));
    let created = client.post("/api/products").token(&mira.token).form(form).send().await.expect(201);
    let (id, image) = (created["product"]["_id"].as_str().unwrap(), &created["product"]["images"][0]);
    let product = async || client.read("", &format!("/api/products/{id}")).await;
    let started = || {
        let process = Process::start(&settings);
        client.redirect(&process.base());
        process
    };
    eventually("the upload", async || imagekit.files().len() == 1).await;
    process.kill();

    imagekit.be(Manner::Work);
    let process = started();
    let shown = client.get(&text(&image["url"])).send().await;
    assert_eq!(shown.status, 200, "it is shown from here");
    let there = format!("{endpoint}/microbazaar/{}.png", image["id"].as_str().unwrap());
    eventually("the picture's address", async || product().await["images"][0]["url"] == there).await;
    let files = imagekit.files();
    assert_eq!((files.len(), files[0].uploads), (1, 2), "the second upload took the place of the first");
    assert_eq!(product().await["images"].as_array().unwrap().len(), 1);

    // The product is deleted, and the process is killed before it deletes the file.
    imagekit.be(Manner::Answer(500));
    client.delete(&format!("/api/products/{id}")).token(&mira.token).send().await.expect(204);
    process.kill();
    assert_eq!(imagekit.files().len(), 1);
    imagekit.be(Manner::Work);
    let process = started();
    eventually("the file's end", async || imagekit.files().is_empty()).await;
    assert_eq!(process.terminate().code(), Some(0));
    imagekit.check();
}
