use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use actix_web::http::{Method, StatusCode};

use super::*;
use crate::http::ops::{ActorKind, Part, PartState, ReadinessReport};

#[actix_web::test]
async fn unknown_paths_are_404_and_other_methods_405_with_allow() {
    let response = call(TestRequest::get().uri("/nothing/here")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(body(response).await["code"], "not_found");
    for (method, path, allow) in [
        (Method::DELETE, "/things", "GET, HEAD, POST"),
        (Method::TRACE, "/things", "GET, HEAD, POST"),
        (Method::POST, "/things/0123456789abcdef01234567", "GET, HEAD"),
        (Method::GET, "/wishes", "POST"),
        (Method::HEAD, "/wishes", "POST"),
        (Method::PUT, "/readyz", "GET, HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/", "GET, HEAD"),
    ] {
        let response = call(TestRequest::default().method(method.clone()).uri(path)).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(header(&response, "allow"), allow, "{method} {path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(body(response).await["code"], "request.method_not_allowed");
    }
}

#[actix_web::test]
async fn a_clients_request_id_is_returned_if_it_is_safe() {
    let with_id = |path: &str, id: &str| TestRequest::get().uri(path).insert_header(("x-request-id", id.to_owned()));
    let response = call(with_id("/things", "abc-1")).await;
    assert_eq!(header(&response, "x-request-id"), "abc-1");
    assert_eq!(header(&response, "x-content-type-options"), "nosniff");
    let response = call(with_id("/nothing", "abc-1")).await;
    assert_eq!(header(&response, "x-request-id"), "abc-1");
    assert_eq!(body(response).await["requestId"], "abc-1");
    for id in ["<b>", "", &"x".repeat(65)] {
        let response = call(with_id("/nothing", id)).await;
        let made = header(&response, "x-request-id");
        assert_eq!(made.len(), 16);
        assert_eq!(body(response).await["requestId"], made);
    }
}

#[actix_web::test]
async fn an_internal_error_hides_its_reason() {
    let response = call(TestRequest::get().uri("/fault")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let text = body(response).await.to_string();
    assert!(!text.contains("secret"), "{text}");
}

#[actix_web::test]
async fn readiness_names_unavailable_components() {
    let part = |name: &str, state| Part { name: name.into(), state, detail: None };
    let kind = |failing| ActorKind { kind: "cart".into(), alive: 1, restarts: 9, in_flight: 0, refused: 0, failing };
    let cases = [
        (ReadinessReport::default(), 200, "ready", vec![]),
        (
            ReadinessReport { parts: vec![part("mail", PartState::Degraded)], ..Default::default() },
            200,
            "degraded",
            vec!["mail"],
        ),
        (
            ReadinessReport { parts: vec![part("store", PartState::Down)], ..Default::default() },
            503,
            "unavailable",
            vec!["store"],
        ),
        (ReadinessReport { actors: vec![kind(true)], ..Default::default() }, 503, "unavailable", vec!["cart"]),
        (ReadinessReport { actors: vec![kind(false)], ..Default::default() }, 200, "ready", vec![]),
        (ReadinessReport { draining: true, ..Default::default() }, 503, "unavailable", vec![]),
    ];
    for (report, status, word, away) in cases {
        let limits = AuthLimits::new(false, NonZeroU32::MIN);
        let mut state = State::new(HttpSettings::default(), Tokens::new(SECRET), limits);
        state.readiness = Arc::new(move || report.clone());
        let response = call_with(&Data::new(state), TestRequest::get().uri("/readyz")).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(header(&response, "retry-after").is_empty(), status == 200);
        let body = body(response).await;
        assert_eq!((&body["status"], &body["away"]), (&word.into(), &serde_json::json!(away)));
    }
}

#[actix_web::test]
async fn operations_answer() {
    assert_eq!(body(call(TestRequest::get().uri("/")).await).await["name"], "microbazaar");
    assert_eq!(body(call(TestRequest::get().uri("/healthz")).await).await["status"], "ok");
    let state = state();
    call_with(&state, TestRequest::get().uri("/things/0123456789abcdef01234567")).await;
    let metrics = test::read_body(call_with(&state, TestRequest::get().uri("/metrics")).await).await;
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(metrics.contains(r#"http_requests_total{method="GET",route="/things/{id}",status="200"}"#), "{metrics}");
    assert!(metrics.contains("http_request_duration_seconds_bucket"), "{metrics}");
    let api = body(call(TestRequest::get().uri("/openapi.json")).await).await;
    assert!(api["paths"]["/things/{id}"]["get"]["responses"]["401"].is_object());
    assert!(api["paths"]["/healthz"]["get"]["responses"]["401"].is_null());
    assert_eq!(api["components"]["securitySchemes"]["cookie"]["name"], "token");
    let page = test::read_body(call(TestRequest::get().uri("/docs")).await).await;
    let page = String::from_utf8_lossy(&page);
    assert!(page.contains("/things/{id}") && !page.contains("<script"), "{page}");
}

#[actix_web::test]
async fn only_allowed_origins_get_cors_headers() {
    let preflight = |origin: &str| {
        TestRequest::default()
            .method(Method::OPTIONS)
            .uri("/things")
            .insert_header(("origin", origin.to_owned()))
            .insert_header(("access-control-request-method", "POST"))
    };
    let response = call(preflight("https://shop.example")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "access-control-allow-origin"), "https://shop.example");
    assert_eq!(header(&response, "access-control-allow-credentials"), "true");
    let response = call(preflight("https://evil.example")).await;
    assert_eq!(header(&response, "access-control-allow-origin"), "");
    assert_eq!(body(response).await["code"], "request.malformed");
}

/// The response of the server at `address` to these bytes, until it closes the connection.
fn talk(address: std::net::SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[actix_web::test]
async fn a_server_on_a_free_port_answers_head_without_a_body() {
    let state = state();
    let (server, address) = server::start(&state, routes).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let ask = |text: &'static str| actix_web::rt::task::spawn_blocking(move || talk(address, text));
    let answer = ask("HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.contains("content-length: 15"), "{answer}");
    let answer = ask("GET / HTTP/1.1\r\nbad header\r\n\r\n").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");

    let taken = HttpSettings { port: address.port(), ..HttpSettings::default() };
    let limits = AuthLimits::new(false, NonZeroU32::MIN);
    let other = Data::new(State::new(taken, Tokens::new(SECRET), limits));
    let error = server::start(&other, routes).err().unwrap().to_string();
    assert_eq!(error, format!("cannot listen on 127.0.0.1:{}: another program uses this port", address.port()));
    handle.stop(true).await;
}

#[actix_web::test]
async fn too_many_logins_are_429_with_retry_after() {
    let state = state();
    let request = TestRequest::post().peer_addr("1.2.3.4:5".parse().unwrap()).to_http_request();
    for _ in 0..5 {
        assert_eq!(state.check_auth_rate(&request, Some("a@b.cd")).await, Ok(()));
    }
    let refused = state.check_auth_rate(&request, None).await.unwrap_err().response("id");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
}
