//! Pictures of products.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};
use reqwest::multipart::{Form, Part};

use super::{Answer, Person, Shop, id, text};

fn picture(format: ImageFormat) -> Vec<u8> {
    let drawn = RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, 90]));
    let mut out = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(drawn).write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// A JPEG with an EXIF segment that contains a location.
fn with_exif() -> Vec<u8> {
    let jpeg = picture(ImageFormat::Jpeg);
    let exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0secret place";
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, exif, &jpeg[2..]].concat()
}

fn file(bytes: Vec<u8>, name: &str, kind: &str) -> Part {
    Part::bytes(bytes).file_name(name.to_owned()).mime_str(kind).unwrap()
}

fn lamp() -> Form {
    Form::new().text("title", "Lamp").text("priceAmount", "499.5").text("stock", "7")
}

async fn create(app: &Shop, seller: &Person, form: Form) -> Answer {
    app.post("/api/products").token(&seller.token).form(form).send().await
}

#[actix_web::test]
async fn a_product_comes_with_pictures_of_every_format() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let mut form = lamp().text("description", "Warm").text("category", "Home").text("priceCurrency", "INR");
    let formats = [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Jpeg];
    for format in formats {
        // The file's name does not matter.
        form = form.part("images", file(picture(format), "a.txt", "text/plain"));
    }
    let created = create(&app, &seller, form).await.expect(201);
    let product = &created["product"];
    assert_eq!((&product["title"], &product["stock"]), (&"Lamp".into(), &7.into()));
    assert_eq!(product["price"], super::money(499.5));
    let images = product["images"].as_array().unwrap();
    assert_eq!(images.len(), 4);
    let cart = app.add_to_cart(&app.stranger(), &id(product), 1).await.expect(200);
    assert_eq!(cart["cart"]["items"][0]["image"], images[0]["thumbnail"]);
    for image in images {
        for url in [&image["url"], &image["thumbnail"]] {
            let answer = app.get(url.as_str().unwrap()).send().await;
            assert_eq!(answer.status, 200);
            assert!(answer.header("content-type").unwrap().starts_with("image/"));
            assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
            assert!(image::load_from_memory(&answer.body).is_ok());
            let etag = answer.header("etag").unwrap();
            let again = app.get(url.as_str().unwrap()).header("if-none-match", etag).send().await;
            assert_eq!((again.status, again.body.len()), (304, 0));
        }
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn metadata_of_a_picture_is_removed() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let form = lamp().part("images", file(with_exif(), "a.jpg", "image/jpeg"));
    let created = create(&app, &seller, form).await.expect(201);
    let served = app.get(created["product"]["images"][0]["url"].as_str().unwrap()).send().await;
    assert!(!served.body.windows(6).any(|part| part == b"secret"));
    assert!(!served.body.windows(4).any(|part| part == b"Exif"));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_sixth_a_large_and_an_invalid_picture_are_refused() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let png = || file(picture(ImageFormat::Png), "a.png", "image/png");
    let six = (0..6).fold(lamp(), |form, _| form.part("images", png()));
    create(&app, &seller, six).await.invalid("images");
    let large = [picture(ImageFormat::Png), vec![0; 5 * 1024 * 1024]].concat();
    create(&app, &seller, lamp().part("images", file(large, "a.png", "image/png"))).await.expect(413);
    for body in [
        &b"<html><script>alert(1)</script></html>"[..],
        b"GIF89a",
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ] {
        let form = lamp().part("images", file(body.to_vec(), "a.jpg", "image/jpeg"));
        create(&app, &seller, form).await.expect(415);
    }
    let form = Form::new().text("title", "Lamp").part("images", png());
    create(&app, &seller, form).await.invalid("priceAmount");
    create(&app, &seller, lamp().text("title", "Twice")).await.invalid("title");
    create(&app, &seller, Form::new().text("title", "L").text("priceAmount", "1.234")).await.invalid("priceAmount");
    let list = app.get("/api/products/seller").token(&seller.token).send().await.expect(200);
    assert_eq!(list.as_array().unwrap().len(), 0, "nothing was made");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_picture_that_is_cut_off_is_refused() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let whole = picture(format);
        for length in [whole.len() / 2, whole.len() * 9 / 10, whole.len() - 1] {
            let form = lamp().part("images", file(whole[..length].to_vec(), "a.jpg", "image/jpeg"));
            let refused = create(&app, &seller, form).await.expect(415);
            assert!(text(&refused["message"]).contains("damaged"), "{format:?}: {refused}");
        }
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn pictures_are_added_and_removed() {
    let app = Shop::open().await;
    let (seller, other) = (app.seller("mira").await, app.seller("ravi").await);
    let lamp = app.product(&seller, "Lamp", 1.0, 1).await;
    let path = format!("/api/products/{lamp}/images");
    let png = |n: usize| {
        (0..n).fold(Form::new(), |form, _| form.part("images", file(picture(ImageFormat::Png), "a.png", "image/png")))
    };
    app.post(&path).token(&other.token).form(png(1)).send().await.expect(403);
    app.post(&path).form(png(1)).send().await.expect(401);
    let two = app.post(&path).token(&seller.token).form(png(2)).send().await.expect(200);
    assert_eq!(two["images"].as_array().unwrap().len(), 2);
    app.post(&path).token(&seller.token).form(png(4)).send().await.invalid("images");
    let five = app.post(&path).token(&seller.token).form(png(3)).send().await.expect(200);
    assert_eq!(five["images"].as_array().unwrap().len(), 5);
    app.post(&path).token(&seller.token).form(png(1)).send().await.expect(400);
    app.post(&path).token(&seller.token).json(&serde_json::json!({})).send().await.expect(415);
    let (image, url) = (text(&five["images"][0]["id"]), text(&five["images"][0]["url"]));
    app.delete(&format!("{path}/{image}")).token(&other.token).send().await.expect(403);
    let four = app.delete(&format!("{path}/{image}")).token(&seller.token).send().await.expect(200);
    assert_eq!((id(&four), four["images"].as_array().unwrap().len()), (lamp, 4));
    app.delete(&format!("{path}/{image}")).token(&seller.token).send().await.expect(404);
    app.get(&url).send().await.expect(404);
    app.get("/media/nothing.jpg").send().await.expect(404);
    app.get("/media/..%2f..%2fjwt_secret").send().await.expect(404);
    app.shutdown().await;
}
