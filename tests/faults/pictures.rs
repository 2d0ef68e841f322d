//! The process is killed while it uploads or deletes a hosted picture.

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{
    imagekit::{ImageKit, Manner, PRIVATE_KEY},
    process::{Process, data_of},
    shop::TempDir,
};

/// Longer than a claim of a killed process.
const WITHIN: Duration = Duration::from_secs(80);

fn png() -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(60, 40).write_to(&mut out, image::ImageFormat::Png).unwrap();
    out.into_inner()
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < WITHIN, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn product(client: &reqwest::Client, process: &Process, id: &str) -> Value {
    let answer = client.get(format!("{}/api/products/{id}", process.base)).send().await.unwrap();
    answer.json().await.unwrap()
}

#[actix_web::test]
async fn a_killed_process_uploads_and_deletes_each_picture_once() {
    let imagekit = ImageKit::start();
    let (base, endpoint) = (imagekit.base(), imagekit.endpoint());
    let settings = [
        ("IMAGEKIT_PRIVATE_KEY", PRIVATE_KEY),
        ("IMAGEKIT_URL_ENDPOINT", &endpoint),
        ("MICROBAZAAR_IMAGEKIT__BASE_URL", &base),
        ("MICROBAZAAR_IMAGEKIT__RETRY_EVERY", "200ms"),
    ];
    let dir = TempDir::new();
    let data = data_of(&dir.0);
    let client = microbazaar::runtime::http_client::builder().build().unwrap();
    let process = Process::start_with(&data, &settings);
    let body = json!({"email": "mira@example.com", "password": "correct horse", "role": "seller",
        "fullName": {"firstName": "Mira", "lastName": "Rao"}});
    let session = client.post(format!("{}/api/auth/register", process.base)).json(&body).send().await.unwrap();
    let session: Value = session.json().await.unwrap();
    let token = session["token"].as_str().unwrap();

    // It has the file, but the answer is lost.
    until("a first look", async || !imagekit.calls().is_empty()).await;
    imagekit.be(Manner::DoAndWait(Duration::from_secs(600)));
    let form = Form::new().text("title", "Lamp").text("priceAmount", "1").text("stock", "1");
    let form = form.part("images", Part::bytes(png()).file_name("a.png"));
    let create = client.post(format!("{}/api/products", process.base)).bearer_auth(token).multipart(form);
    let created: Value = create.send().await.unwrap().json().await.unwrap();
    let (id, image) = (created["product"]["_id"].as_str().unwrap(), &created["product"]["images"][0]);
    until("the upload", async || imagekit.files().len() == 1).await;
    process.kill();

    imagekit.be(Manner::Work);
    let process = Process::start_with(&data, &settings);
    let shown = client.get(format!("{}{}", process.base, image["url"].as_str().unwrap())).send().await.unwrap();
    assert_eq!(shown.status(), 200, "it is shown from here");
    let there = format!("{endpoint}/microbazaar/{}.png", image["id"].as_str().unwrap());
    until("the picture's address", async || product(&client, &process, id).await["images"][0]["url"] == there).await;
    let files = imagekit.files();
    assert_eq!((files.len(), files[0].uploads), (1, 2), "the second upload took the place of the first");
    assert_eq!(product(&client, &process, id).await["images"].as_array().unwrap().len(), 1);

    // The product is deleted, and the process is killed before it deletes the file.
    imagekit.be(Manner::Answer(500));
    let deleted = client.delete(format!("{}/api/products/{id}", process.base)).bearer_auth(token).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    process.kill();
    assert_eq!(imagekit.files().len(), 1);
    imagekit.be(Manner::Work);
    let process = Process::start_with(&data, &settings);
    until("the file's end", async || imagekit.files().is_empty()).await;
    assert_eq!(process.terminate().code(), Some(0));
    imagekit.check();
}
