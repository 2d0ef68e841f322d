//! Invalid bodies for every route that takes one.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    api::{Operation, places, with_ids, with_raw},
    callers::{self, Badges, Caller},
    fleet::{self, Case},
    shop::Shop,
    targets::run,
    values,
    wire::{Body, Request},
};

const MIB: usize = 1024 * 1024;

/// Complete bodies with their media type.
fn whole(valid: &Value) -> Vec<(&'static str, Vec<u8>)> {
    const JSON: &str = "application/json";
    let text = valid.to_string();
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat().into_bytes();
    let mut bodies: Vec<(&str, Vec<u8>)> = [
        "",
        " ",
        "null",
        "true",
        "0",
        "-1",
        "1e400",
        "\"text\"",
        "[]",
        "[{}]",
        "[[]]",
        "{",
        "}",
        "{}}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "nul",
        "NaN",
        "{}{}",
        "{} x",
        "/**/{}",
        "{\"\":1}",
        "<xml/>",
        "a=b&c=d",
        "{\"__proto__\":{\"role\":\"admin\"}}",
        "{\"$where\":\"1\"}",
        "{\"a\":1,\"a\":2}",
        "\u{feff}{}",
        "--x\r\n\r\n--x--",
    ]
    .into_iter()
    .map(|body| (JSON, body.as_bytes().to_vec()))
    .collect();
    bodies.push((JSON, vec![0; 64]));
    bodies.push((JSON, (0..=255).collect()));
    bodies.push((JSON, b"{\"a\":\"\xff\xfe\"}".to_vec()));
    bodies.push((JSON, deep("[", "]")));
    bodies.push((JSON, deep("{\"a\":", "}")));
    bodies.push((JSON, [b"{\"a\":".as_slice(), &b"[".repeat(100_000)].concat()));
    bodies.push((JSON, format!("[{text}]").into_bytes()));
    bodies.push((JSON, text.replacen('{', "{\"unknown\":1,", 1).into_bytes()));
    bodies.push((JSON, text.replacen('{', &format!("{{{},", &text[1..text.len() - 1]), 1).into_bytes()));
    for media in [
        "",
        "text/plain",
        "application/xml",
        "application/json; charset=utf-7",
        "application/json; charset=",
        "APPLICATION/JSON",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "*/*",
        "json",
        "application/json, text/plain",
        ";",
        "application/json;;;",
        "image/png",
    ] {
        bodies.push((media, text.clone().into_bytes()));
    }
    bodies
}

fn call(operation: &Operation, shop: &Callees, caller: Caller) -> Request {
    Request::new(&operation.method, operation.target(&shop.own, None)).bearer(shop.badges.token(caller).as_deref())
}

#[derive(Clone)]
struct Callees {
    own: super::shop::Things,
    badges: Badges,
}

#[test]
fn no_body_causes_an_error() {
    run(async {
        let shop = Shop::open().await;
        let callees = Callees { own: shop.own.clone(), badges: Badges::of(&shop).await };
        let operations = Operation::all(&shop).await;
        let cases = operations.into_iter().filter(|operation| operation.method != "GET").flat_map(move |operation| {
            let callees = callees.clone();
            let valid = with_ids(operation.json().unwrap_or(&json!({})), &callees.own);
            whole(&valid).into_iter().enumerate().flat_map(move |(index, (media, body))| {
                let valid = operation.is_slow() && body == valid.to_string().as_bytes();
                let body = if valid { b"[]".to_vec() } else { body };
                let other = callers::ALL[index % callers::ALL.len()];
                let cases = [Caller::User, Caller::Seller, Caller::Admin, Caller::Service, other].map(|caller| {
                    let request = call(&operation, &callees, caller);
                    let body = Bytes::from(body.clone());
                    let body = if index % 3 == 0 { Body::Chunked(body) } else { Body::Sized(body) };
                    Case::new(format!("body {index}, {caller:?}"), request.body(media, body))
                });
                cases.into_iter()
            })
        });
        let tally = fleet::send(&shop, cases).await;
        assert!(tally.sent() > 5_000 && tally.statuses[&415] > 50, "{tally:?}");
        shop.close().await;
    });
}

#[test]
fn a_body_over_a_mebibyte_is_413() {
    run(async {
        let shop = Shop::open().await;
        let callees = Callees { own: shop.own.clone(), badges: Badges::of(&shop).await };
        let takers = Operation::all(&shop).await.into_iter().filter(|operation| operation.json().is_some());
        let mut large = 0;
        for operation in takers {
            let sized = |bytes: usize| Bytes::from(format!("{{\"x\":\"{}\"}}", "x".repeat(bytes - 8)));
            for caller in [Caller::User, Caller::Seller, Caller::Admin, Caller::Service] {
                let request = call(&operation, &callees, caller);
                let (shop, request) = (&shop, &request);
                let ask = async |body| shop.ask(&request.clone().body("application/json", body)).await;
                let known = ask(Body::Sized(Bytes::from_static(b"!"))).await.status;
                if matches!(known, 401 | 403) {
                    continue;
                }
                let what = format!("{} {} by {caller:?}", operation.method, operation.path);
                let over = [Body::Sized(sized(MIB + 1)), Body::Chunked(sized(MIB + 1)), Body::Chunked(sized(8 * MIB))];
                for body in over {
                    let answer = ask(body).await;
                    assert_eq!((answer.status, &answer.json()["code"]), (413, &json!("request.too_large")), "{what}");
                    large += 1;
                }
                if ["/api/auth/login", "/api/auth/login/2fa", "/api/auth/register"].contains(&operation.path.as_str()) {
                    break; // 256 KiB are enough there
                }
                let answer = ask(Body::Sized(sized(MIB - 1))).await;
                assert!(answer.status < 500 && answer.status != 413, "{what}: {}", answer.status);
                break;
            }
        }
        assert!(large > 40, "{large}");
        shop.is_well().await;
        shop.close().await;
    });
}

#[test]
fn no_field_causes_an_error() {
    run(async {
        let shop = Shop::open().await;
        let callees = Callees { own: shop.own.clone(), badges: Badges::of(&shop).await };
        let mut insiders = vec![];
        for operation in Operation::all(&shop).await {
            for caller in [Caller::User, Caller::Seller, Caller::Service, Caller::Admin] {
                let probe = call(&operation, &callees, caller).json(b"!".as_slice());
                if operation.json().is_some() && !matches!(shop.ask(&probe).await.status, 401 | 403) {
                    insiders.push((operation, caller));
                    break;
                }
            }
        }
        let cases = insiders.into_iter().flat_map(move |(operation, caller)| {
            let callees = callees.clone();
            let valid = with_ids(operation.json().unwrap(), &callees.own);
            places(&valid).into_iter().flat_map(move |place| {
                let (callees, valid, operation) = (callees.clone(), valid.clone(), operation.clone());
                let values = values::in_json().into_iter().map(Some).chain([None]);
                values.map(move |raw| {
                    let mut body = with_raw(&valid, &place, raw.as_deref());
                    if operation.path.ends_with("/register") && !place.ends_with("/email") {
                        // An existing account, so that a valid body creates nothing.
                        body =
                            String::from_utf8_lossy(&body).replace("asha@example.com", "own-user@shop.example").into();
                    }
                    let raw = raw.as_deref().map(String::from_utf8_lossy);
                    let raw = raw.unwrap_or("nothing".into()).chars().take(60).collect::<String>();
                    Case::new(format!("{place} = {raw}"), call(&operation, &callees, caller).json(body))
                })
            })
        });
        let tally = fleet::send(&shop, cases).await;
        assert!(tally.sent() > 3_000 && tally.statuses[&400] > 2_000, "{tally:?}");
        shop.close().await;
    });
}
