use actix_web::{dev::Payload, error::PayloadError, http::StatusCode};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use super::*;

fn post(path: &str, body: impl Into<String>) -> TestRequest {
    TestRequest::post().uri(path).insert_header(("content-type", "application/json")).set_payload(body.into())
}

/// The status and the fields that the errors name.
async fn refused(request: TestRequest) -> (u16, Vec<String>) {
    let response = call(request).await;
    let status = response.status().as_u16();
    let body = body(response).await;
    let paths = body["errors"].as_array().into_iter().flatten();
    (status, paths.map(|error| error["path"].as_str().unwrap().to_owned()).collect())
}

#[actix_web::test]
async fn a_valid_body_is_accepted_and_its_money_is_exact() {
    let sent = r#"{"fullName": {"firstName": "Asha"}, "quantity": 2, "price": {"amount": 19.99}}"#;
    let response = call(post("/things", sent)).await;
    assert_eq!(body(response).await, json!({"name": "Asha", "quantity": 2, "minor": 1999}));
}

#[actix_web::test]
async fn errors_name_the_path_of_the_field() {
    for (sent, path) in [
        (r#"{"quantity": 2}"#, "fullName"),
        (r#"{"fullName": {}, "quantity": 2}"#, "fullName.firstName"),
        (r#"{"fullName": {"firstName": 5}, "quantity": 2}"#, "fullName.firstName"),
        (r#"{"fullName": {"firstName": null}, "quantity": 2}"#, "fullName.firstName"),
        (r#"{"fullName": {"firstName": ""}, "quantity": 2}"#, "fullName.firstName"),
        (r#"{"fullName": {"firstName": "a", "x": 1}, "quantity": 2}"#, "fullName.x"),
        (r#"{"fullName": {"firstName": "a"}, "quantity": 0}"#, "quantity"),
        (r#"{"fullName": {"firstName": "a"}, "quantity": -1}"#, "quantity"),
        (r#"{"fullName": {"firstName": "a"}, "quantity": 1e99}"#, "quantity"),
        (r#"{"fullName": {"firstName": "a"}, "quantity": "2"}"#, "quantity"),
        (r#"{"fullName": {"firstName": "a"}, "quantity": 2, "price": {"amount": "19.99"}}"#, "price.amount"),
        (r#"{"fullName": {"firstName": "a"}, "quantity": 2, "quantity": 3}"#, "quantity"),
        (r#"{"fullName": {"firstName": "a"}, "quantity": 2, "price": {"amount": 0.001}}"#, "price.amount"),
        (
            r#"{"fullName": {"firstName": "a"}, "quantity": 2, "price": {"amount": 1, "currency": "EUR"}}"#,
            "price.currency",
        ),
        (r#"{"fullName": {"firstName": "a"}, "quantity": 2, "price": {"amount": 1.0000000000000001}}"#, "amount"),
        ("[]", ""),
        ("5", ""),
        ("null", ""),
    ] {
        assert_eq!(refused(post("/things", sent)).await, (400, vec![path.to_owned()]), "{sent}");
    }
}

#[actix_web::test]
async fn other_text_than_json_is_malformed() {
    let deep = format!(r#"{{"fullName": {}"#, "[".repeat(100_000));
    for sent in ["", "{", "{}x", "nonsense", r#"{"a": "\ud800"}"#, deep.as_str()] {
        let response = call(post("/things", sent)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{}", &sent[..sent.len().min(20)]);
    }
    let bytes = TestRequest::post().uri("/things").insert_header(("content-type", "application/json"));
    assert_eq!(refused(bytes.set_payload(vec![b'"', 0xff, b'"'])).await.0, 400);
}

#[actix_web::test]
async fn large_bodies_are_413_and_other_media_415() {
    assert_eq!(refused(post("/things", " ".repeat(extract::BODY_MAX + 1))).await.0, 413);
    let announced = post("/things", "{}").insert_header(("content-length", "99999999"));
    assert_eq!(refused(announced).await.0, 413);
    for media in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"] {
        let request = TestRequest::post().uri("/things").insert_header(("content-type", media)).set_payload("{}");
        assert_eq!(refused(request).await.0, 415, "{media}");
    }
    assert_eq!(refused(TestRequest::post().uri("/things").set_payload("{}")).await.0, 415);
    let json = TestRequest::post().uri("/wishes").insert_header(("content-type", "application/JSON; charset=utf-8"));
    assert_eq!(call(json.set_payload("{}")).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn an_empty_body_is_an_empty_object_where_that_is_valid() {
    assert_eq!(body(call(TestRequest::post().uri("/wishes")).await).await, json!({"reason": null}));
    assert_eq!(refused(post("/wishes", r#"{"reason": "too long"}"#)).await, (400, vec!["reason".to_owned()]));
}

#[actix_web::test]
async fn ids_and_queries_are_parsed_strictly() {
    assert_eq!(refused(TestRequest::get().uri("/things/zz")).await, (400, vec!["id".to_owned()]));
    for (query, path) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("skip=-1", "skip"),
        ("page=0", "page"),
        ("page=1&skip=1", "page"),
        ("skip=18446744073709551615", "skip"),
        ("page=9999999999999999", "page"),
        ("skip=1&skip=2", "skip"),
        ("q=%zz", "q"),
        ("q=%ff", "q"),
        ("q=%", "q"),
        ("min=1.5", "min"),
        ("min=1&min=2", "min"),
    ] {
        let request = TestRequest::get().uri(&format!("/things?{query}"));
        assert_eq!(refused(request).await, (400, vec![path.to_owned()]), "{query}");
    }
    let request = TestRequest::get().uri("/things?q=a%20b%2Bc+d&min=-5&unknown=1&&skip=3");
    assert_eq!(body(call(request).await).await, json!(["a b+c d", -5, 3, 20]));
}

#[actix_web::test]
async fn a_list_has_paging_headers() {
    let response = call(TestRequest::get().uri("/things?q=x%22&skip=20&limit=20")).await;
    assert_eq!(header(&response, "x-total-count"), "45");
    assert_eq!(
        header(&response, "link"),
        "</things?q=x%22&skip=0&limit=20>; rel=\"first\", </things?q=x%22&skip=0&limit=20>; rel=\"prev\", \
         </things?q=x%22&skip=40&limit=20>; rel=\"next\", </things?q=x%22&skip=40&limit=20>; rel=\"last\""
    );
    let response = call(TestRequest::get().uri("/things?page=3&limit=20")).await;
    assert_eq!(
        header(&response, "link"),
        "</things?page=1&limit=20>; rel=\"first\", </things?page=2&limit=20>; rel=\"prev\", \
         </things?page=3&limit=20>; rel=\"last\""
    );
}

#[actix_web::test]
async fn the_query_in_links_is_bounded_and_the_next_page_stays_to_the_last() {
    for (length, rels) in [(10, 4), (900, 4), (1_200, 3), (1_800, 2), (3_500, 1), (5_000, 0), (20_000, 0)] {
        let response =
            call(TestRequest::get().uri(&format!("/things?skip=20&limit=20&x={}", "a".repeat(length)))).await;
        assert_eq!((response.status().as_u16(), header(&response, "x-total-count")), (200, "45".into()));
        let links = response.headers().get("link").map_or("", |links| links.to_str().unwrap()).to_owned();
        assert!(links.len() <= 4_000, "{}", links.len());
        assert_eq!(links.matches("rel=").count(), rels, "{length}");
        assert_eq!(links.contains("rel=\"next\""), rels > 0, "{length}");
    }
}

#[test]
fn pages_are_counted() {
    let paging = Paging::try_from(paging::PagingParams { skip: None, page: Some(2), limit: Some(20) }).unwrap();
    let shown = json!(paging.pagination(41));
    assert_eq!(shown, json!({"page": 2, "limit": 20, "total": 41, "totalPages": 3}));
}

#[actix_web::test]
async fn a_body_that_never_ends_times_out() {
    let request = TestRequest::post().to_http_request();
    tokio::time::pause();
    let mut stalled: Payload = Payload::Stream { payload: Box::pin(stream::pending()) };
    let given_up = extract::read_body(&request, &mut stalled, 10).await;
    assert_eq!(given_up, Err(ApiError::Malformed("the body did not arrive in time".into())));
    let piece = || Ok::<_, PayloadError>(Bytes::from_static(b"1234"));
    let mut endless: Payload = Payload::Stream { payload: Box::pin(stream::repeat_with(piece)) };
    assert!(matches!(extract::read_body(&request, &mut endless, 10).await, Err(ApiError::TooLarge(_))));
    let mut short: Payload = Payload::Stream { payload: Box::pin(stream::iter([piece(), piece()])) };
    assert_eq!(extract::read_body(&request, &mut short, 10).await, Ok(Bytes::from_static(b"12341234")));
}
