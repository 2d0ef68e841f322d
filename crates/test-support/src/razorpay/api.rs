//! The API, version 1.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes, Data},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::stream;
use serde_json::{Value, json};

use super::{
    AppState, KEY_ID, KEY_SECRET,
    faults::{Fault, Wire},
    json::{self as shapes, Refusal},
    ledger::{Answer, Key, Ledger},
};

/// The default and the maximum number of entries on a page.
const PAGE: (usize, usize) = (10, 100);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.default_service(web::to(serve));
}

fn answer(refusal: &Refusal) -> HttpResponse {
    let status = StatusCode::from_u16(refusal.status).unwrap();
    HttpResponse::build(status).json(refusal.json())
}

/// Every request: its fault, with the work between its two halves.
async fn serve(request: HttpRequest, body: Bytes, shared: Data<AppState>) -> HttpResponse {
    let fault = shared.weather.lock().next(format!("{} {}", request.method(), request.path()));
    let cut = || {
        if let Some(wire) = request.conn_data::<Wire>() {
            wire.cut();
        }
        HttpResponse::InternalServerError().finish()
    };
    match fault {
        Fault::CutBefore => return cut(),
        Fault::Error => return answer(&shapes::broken()),
        Fault::Locked => return answer(&shapes::unauthorised()),
        Fault::Garbage => return HttpResponse::Ok().content_type("text/html").body("<html>moved</html>"),
        Fault::Endless => {
            let page = Bytes::from(vec![b' '; 64 << 10]);
            return HttpResponse::Ok().streaming(stream::repeat_with(move || Ok::<_, actix_web::Error>(page.clone())));
        }
        Fault::TooMany(after) => {
            let mut output = answer(&shapes::too_many());
            if let Some(after) = after {
                output.headers_mut().insert(actix_web::http::header::RETRY_AFTER, after.into());
            }
            return output;
        }
        Fault::None | Fault::Slow(_) | Fault::ErrorAfter | Fault::CutAfter => {}
    }
    let done =
        if is_known(&request) { work(&request, &body, &shared, fault).await } else { Err(shapes::unauthorised()) };
    match fault {
        Fault::CutAfter => return cut(),
        Fault::ErrorAfter => return answer(&shapes::broken()),
        _ => {}
    }
    match done {
        Ok(value) => HttpResponse::Ok().json(value),
        Err(refusal) => answer(&refusal),
    }
}

fn is_known(request: &HttpRequest) -> bool {
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{KEY_ID}:{KEY_SECRET}")));
    request.headers().get("authorization").is_some_and(|given| given.as_bytes() == expected.as_bytes())
}

async fn work(request: &HttpRequest, body: &Bytes, shared: &Data<AppState>, fault: Fault) -> Answer<Value> {
    let key = request.headers().get("x-refund-idempotency").map(|key| key.to_str().unwrap_or_default().to_owned());
    let parts: Vec<&str> = request.path().trim_matches('/').split('/').collect();
    if let (Some(key), ["v1", "payments", payment, "refund"]) = (key, parts.as_slice()) {
        let asked = read(body)?;
        return idempotent(shared, &key, payment, asked, fault).await;
    }
    let done = route(request, &parts, body, &mut shared.ledger.lock());
    if let Fault::Slow(by) = fault {
        actix_web::rt::time::sleep(by).await;
    }
    done
}

fn read(body: &Bytes) -> Answer<Value> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|_| shapes::refused("The request body is not valid JSON"))
}

fn route(request: &HttpRequest, parts: &[&str], body: &Bytes, ledger: &mut Ledger) -> Answer<Value> {
    let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    let query = query.map(web::Query::into_inner).unwrap_or_default();
    match (request.method().as_str(), parts) {
        ("POST", ["v1", "orders"]) => ledger.open(&read(body)?),
        ("GET", ["v1", "orders"]) => {
            let receipt = value(&query, "receipt");
            let asked = |order: &&super::ledger::Order| receipt.is_none() || order.receipt.as_deref() == receipt;
            let found = ledger.orders.iter().rev().filter(asked).map(|order| ledger.shown_order(order));
            Ok(page(found, &query))
        }
        ("GET", ["v1", "orders", id]) => Ok(ledger.shown_order(ledger.order(id)?)),
        ("GET", ["v1", "orders", id, "payments"]) => {
            ledger.order(id)?;
            Ok(shapes::collection(ledger.payments_of(id).into_iter().map(shapes::payment).collect()))
        }
        ("GET", ["v1", "payments", id]) => Ok(shapes::payment(ledger.payment(id)?)),
        ("POST", ["v1", "payments", id, "capture"]) => {
            let asked = read(body)?;
            let amount = shapes::amount(&asked)?.ok_or_else(|| shapes::required("amount"))?;
            ledger.capture(id, Some((amount, asked["currency"].as_str().unwrap_or("INR"))))?;
            Ok(shapes::payment(ledger.payment(id)?))
        }
        ("POST", ["v1", "payments", id, "refund"]) => refund(ledger, id, &read(body)?),
        ("GET", ["v1", "payments", id, "refunds"]) => {
            ledger.payment(id)?;
            Ok(page(ledger.refunds_of(id).into_iter().rev().map(shapes::refund), &query))
        }
        ("GET", ["v1", "refunds", id]) => ledger.shown_refund(id),
        _ => Err(shapes::no_such_page()),
    }
}

fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn page(items: impl Iterator<Item = Value>, query: &[(String, String)]) -> Value {
    let number = |name: &str| value(query, name).and_then(|text| text.parse::<usize>().ok());
    let (skip, count) = (number("skip").unwrap_or(0), number("count").unwrap_or(PAGE.0).min(PAGE.1));
    shapes::collection(items.skip(skip).take(count).collect())
}

fn refund(ledger: &mut Ledger, payment: &str, asked: &Value) -> Answer<Value> {
    let receipt = asked["receipt"].as_str().map(str::to_owned);
    let notes = if asked["notes"].is_object() { asked["notes"].clone() } else { json!([]) };
    let id = ledger.refund(payment, shapes::amount(asked)?, receipt, notes)?;
    ledger.shown_refund(&id)
}

/// A refund with an idempotency key: done once, and answered the same again.
async fn idempotent(shared: &Data<AppState>, key: &str, payment: &str, asked: Value, fault: Fault) -> Answer<Value> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if key.len() < 10 || !key.bytes().all(fits) {
        return Err(shapes::refused("The idempotency key must be at least 10 characters of letters, digits, - and _"));
    }
    let whole = json!({"payment": payment, "body": asked});
    let done = {
        let mut ledger = shared.ledger.lock();
        match ledger.keys.get(key) {
            Some(Key::InProgress) => return Err(shapes::in_progress()),
            Some(Key::Done(body, output)) if *body == whole => return Ok(output.clone()),
            Some(Key::Done(..)) => {
                let why = "Different request with the same idempotency key has already been processed.";
                return Err(shapes::refused(why));
            }
            None => {}
        }
        let done = refund(&mut ledger, payment, &asked);
        if done.is_ok() {
            ledger.keys.insert(key.to_owned(), Key::InProgress);
        }
        done
    };
    let Ok(output) = &done else { return done };
    let (shared, key, output) = (shared.clone(), key.to_owned(), output.clone());
    let finish = async move {
        if let Fault::Slow(by) = fault {
            actix_web::rt::time::sleep(by).await;
        }
        shared.ledger.lock().keys.insert(key, Key::Done(whole, output));
    };
    // In a separate task, because the client may give up meanwhile.
    let _ = actix_web::rt::spawn(finish).await;
    done
}
