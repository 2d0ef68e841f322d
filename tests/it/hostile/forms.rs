//! Malformed multipart forms.

use std::io::Cursor;

use bytes::Bytes;
use serde_json::Value;

use super::{
    callers::{Badges, Caller},
    fleet::{self, Case},
    shop::Shop,
    targets::run,
    wire::{Body, Request},
};

const BOUNDARY: &str = "----shop";

/// A small picture.
pub fn png() -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    image::RgbImage::new(2, 2).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A text field as a part.
pub fn field(name: &str, text: impl AsRef<[u8]>) -> Vec<u8> {
    part(&format!("content-disposition: form-data; name=\"{name}\""), text.as_ref())
}

/// A file as a part.
pub fn file(name: &str, filename: &str, bytes: &[u8]) -> Vec<u8> {
    let disposition = format!("content-disposition: form-data; name=\"{name}\"; filename=\"{filename}\"");
    part(&format!("{disposition}\r\ncontent-type: image/png"), bytes)
}

fn part(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes(), body, b"\r\n"].concat()
}

/// A request with a well-formed form of these parts.
pub fn form(parts: &[Vec<u8>]) -> impl Fn(&str, &str) -> Request + use<> {
    let body = [parts.concat(), format!("--{BOUNDARY}--\r\n").into_bytes()].concat();
    move |method, target| sent(method, target, body.clone())
}

fn sent(method: &str, target: &str, body: Vec<u8>) -> Request {
    let media = format!("multipart/form-data; boundary={BOUNDARY}");
    Request::new(method, target).body(&media, Body::Sized(Bytes::from(body)))
}

/// Files with a wrong type or hardly any content.
fn odd_files() -> Vec<Vec<u8>> {
    let png = png();
    let zip = b"PK\x03\x04\x14\x00\x00\x00";
    let mut huge_size = png.clone();
    // The width and the height in the header are 2^31 - 1.
    huge_size[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    vec![
        vec![],
        vec![0],
        b"GIF89a".to_vec(),
        b"GIF89a/*<svg/onload=alert(1)>*/=1;".to_vec(),
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec(),
        b"<?php system($_GET['c']); ?>".to_vec(),
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00".to_vec(),
        b"RIFF\xff\xff\xff\xffWEBPVP8 ".to_vec(),
        b"\x89PNG\r\n\x1a\n".to_vec(),
        png[..png.len() / 2].to_vec(),
        [png.as_slice(), b"<script>alert(1)</script>"].concat(),
        [png.as_slice(), zip].concat(),
        [zip.as_slice(), &png].concat(),
        huge_size,
        vec![0xff; 100_000],
        b"text".to_vec(),
    ]
}

/// Complete bodies with the boundary.
fn odd_forms() -> Vec<Vec<u8>> {
    let valid = || [field("title", "Lamp"), field("priceAmount", "1")].concat();
    let end = format!("--{BOUNDARY}--\r\n").into_bytes();
    let closed = |parts: Vec<u8>| [parts, end.clone()].concat();
    let one = |head: &str, body: &[u8]| closed([valid(), part(head, body)].concat());
    let disposition = "content-disposition: form-data; name=";
    let mut forms = vec![
        vec![],
        end.clone(),
        b"\r\n\r\n".to_vec(),
        b"no boundary at all".to_vec(),
        format!("--{BOUNDARY}").into_bytes(),
        format!("--{BOUNDARY}\r\n").into_bytes(),
        format!("--{BOUNDARY}\r\n\r\n\r\n--{BOUNDARY}--\r\n").into_bytes(),
        valid(),
        valid()[..valid().len() - 10].to_vec(),
        valid().iter().map(|byte| if *byte == b'\r' { b' ' } else { *byte }).collect(),
        [b"preamble\r\n".to_vec(), closed(valid()), b"epilogue".to_vec()].concat(),
        closed(vec![]),
        one("content-disposition: form-data", b"x"),
        one("content-disposition: attachment; name=\"stock\"", b"1"),
        one("x: y", b"x"),
        one("content-disposition", b"x"),
        one("\u{0}: \u{0}", b"x"),
        one(&format!("{disposition}\"stock\"\r\ncontent-type: multipart/mixed; boundary=y"), b"--y--"),
        one(&format!("{disposition}\"stock\"\r\ncontent-length: 99999999"), b"1"),
        one(&format!("{disposition}\"stock\"\r\ncontent-length: -1"), b"1"),
        one(&format!("{disposition}\"stock\"\r\ncontent-type: \u{1}"), b"1"),
        one(&format!("{disposition}\"\u{202e}__proto__\""), b"x"),
        one(&format!("{disposition}\"{}\"", "n".repeat(8_000)), b"x"),
        one(&format!("{disposition}\"{}\"", "n".repeat(200_000)), b"x"),
        one(&format!("{disposition}\"images\"; filename*=UTF-8''%ff%fe"), &png()),
        one(&format!("{disposition}\"images\"; filename=\"../../../etc/passwd\0.png\""), &png()),
        one("content-type: text/plain\r\n".repeat(200).trim_end(), b"x"),
        closed([valid(), field("title", "again")].concat()),
        closed([valid(), field("description", b"\xff\xfe")].concat()),
        closed([valid(), field("description", vec![b'x'; 70_000])].concat()),
        closed([valid(), field("unknown", "x")].concat()),
        closed([valid(), field("images", "text as a picture")].concat()),
        closed([valid(), file("title", "title.txt", b"a file as text")].concat()),
        closed((0..1_000).flat_map(|at| field(&format!("f{at}"), "x")).collect()),
        closed((0..1_000).flat_map(|_| file("images", "a.png", b"")).collect()),
        closed((0..6).flat_map(|_| file("images", "a.png", &png())).collect()),
        closed([valid(), file("images", "a.png", &vec![0; 5 * 1024 * 1024 + 1])].concat()),
    ];
    forms.extend(odd_files().iter().map(|bytes| closed([valid(), file("images", "a.png", bytes)].concat())));
    for (name, values) in [
        ("priceAmount", &["", " ", "x", "-1", "0", "1.001", "1e400", "NaN", "Infinity", "1e-3", "٣", "1,0", "{}"][..]),
        ("stock", &["-1", "1.5", "x", "4294967296", "99999999999999999999", "\0", "٣", "1e2", "true"][..]),
        ("priceCurrency", &["inr", "EUR", "\0", "{\"$gt\":\"\"}", "INR "][..]),
        ("title", &["", " ", "\0", "\u{202e}x"][..]),
    ] {
        for value in values {
            let others = [("title", "Lamp"), ("priceAmount", "1")].into_iter().filter(|(other, _)| *other != name);
            let others = others.flat_map(|(other, text)| field(other, text)).collect::<Vec<u8>>();
            forms.push(closed([others, field(name, value)].concat()));
        }
    }
    forms
}

#[test]
fn no_form_causes_an_error() {
    run(async {
        let shop = Shop::open().await;
        let badges = Badges::of(&shop).await;
        let targets = ["/api/products".to_owned(), format!("/api/products/{}/images", shop.own.product)];
        let cases = odd_forms().into_iter().enumerate().flat_map(move |(index, body)| {
            let mut cases = vec![];
            for target in &targets {
                for caller in [Caller::Seller, Caller::Admin, Caller::User, Caller::Nobody] {
                    let token = badges.token(caller);
                    let mut request = sent("POST", target, body.clone()).bearer(token.as_deref());
                    cases.push(Case::new(format!("form {index}, {caller:?}"), request.clone()));
                    request.body = Body::Chunked(Bytes::from(body.clone()));
                    cases.push(Case::new(format!("form {index} in chunks, {caller:?}"), request));
                }
            }
            cases.into_iter()
        });
        let tally = fleet::send(&shop, cases).await;
        assert!(tally.sent() > 800 && tally.statuses[&415] > 10 && tally.statuses[&413] > 1, "{tally:?}");
        shop.close().await;
    });
}

#[test]
fn a_refused_form_names_its_errors() {
    run(async {
        let shop = Shop::open().await;
        let seller = Badges::of(&shop).await.token(Caller::Seller);
        let valid = [field("title", "Lamp"), field("priceAmount", "1")];
        let pictures = |count| (0..count).map(|_| file("images", "a.png", &png())).collect::<Vec<_>>();
        let too_large = file("images", "a.png", &[png(), vec![0; 5 * 1024 * 1024]].concat());
        for (more, status, path) in [
            (vec![field("stock", "-1")], 400, "stock"),
            (vec![field("title", "twice")], 400, "title"),
            (pictures(6), 400, "images"),
            (vec![too_large], 413, ""),
            (vec![file("images", "a.png", b"GIF89a<script>")], 415, ""),
            (vec![file("images", "a.png", b"plain text")], 415, ""),
            (vec![file("title", "a.png", &png())], 400, "title"),
        ] {
            let parts = [valid.to_vec(), more].concat();
            let answer = shop.ask(&form(&parts)("POST", "/api/products").bearer(seller.as_deref())).await;
            assert_eq!(answer.status, status, "{path}: {}", String::from_utf8_lossy(&answer.body));
            if !path.is_empty() {
                assert_eq!(answer.json()["errors"][0]["path"], Value::from(path));
            }
        }
        shop.close().await;
    });
}
