use std::{
    io::{self, Write},
    sync::Arc,
};

use actix_web::{
    cookie::Cookie,
    http::{Method, StatusCode},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::json;
use sha2::Sha384;

use super::*;
use crate::actors::tokens::{Claims, RevokedTokens, cookie, removal_cookie};
use crate::http::audit;
use test_support::{BASE64_URL, altered, altered_once};

fn bearer(path: &str, token: &str) -> TestRequest {
    TestRequest::post().uri(path).insert_header(("authorization", format!("Bearer {token}")))
}

#[actix_web::test]
async fn each_role_has_access_to_its_routes() {
    let roles = [Role::User, Role::Seller, Role::Admin, Role::Service];
    for (path, allowed) in [
        ("/any", vec![Role::User, Role::Seller, Role::Admin]),
        ("/buyer", vec![Role::User]),
        ("/seller", vec![Role::Seller]),
        ("/seller-or-admin", vec![Role::Seller, Role::Admin]),
        ("/admin", vec![Role::Admin]),
        ("/service", vec![Role::Service]),
    ] {
        for role in roles {
            let expected = if allowed.contains(&role) { 200 } else { 403 };
            let token = match role {
                Role::Service => Tokens::new(SECRET).issue_service("order", Timestamp::now()).unwrap(),
                Role::User | Role::Seller | Role::Admin => token(role),
            };
            assert_eq!(call(bearer(path, &token)).await.status().as_u16(), expected, "{path} {role:?}");
        }
        let response = call(TestRequest::post().uri(path)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(body(response).await["code"], "auth.unauthorized");
    }
}

#[actix_web::test]
async fn only_own_unexpired_tokens_are_valid() {
    // Installs the signer that `jsonwebtoken::encode` below uses, too.
    let _tokens = Tokens::new(SECRET);
    let now = Timestamp::now().as_second();
    let id = UserId::generate().to_hex();
    let claims = Claims { id, role: Role::User, iat: now, exp: now + 60, jti: "j".into(), aud: None, amr: vec![] };
    let sign = |claims: &Claims, secret: &[u8]| {
        jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let good = sign(&claims, SECRET);
    let (head, rest) = good.split_once('.').unwrap();
    let said = rest.split('.').next().unwrap();
    let none = format!("eyJhbGciOiJub25lIn0.{said}.");
    let by_hs384 = format!("eyJhbGciOiJIUzM4NCJ9.{said}");
    let mac = Hmac::<Sha384>::new_from_slice(SECRET).unwrap().chain_update(&by_hs384);
    let bad = [
        format!("{by_hs384}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())),
        sign(&claims, b"another secret of enough bytes......"),
        sign(&Claims { exp: now - 10, ..claims.clone() }, SECRET),
        sign(&Claims { id: "x".into(), ..claims.clone() }, SECRET),
        none,
        head.to_owned(),
        String::new(),
        "a.b.c".into(),
        "é".into(),
    ];
    assert_eq!(call(bearer("/any", &good)).await.status(), StatusCode::OK);
    for token in &bad {
        assert_eq!(call(bearer("/any", token)).await.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert_eq!(call(bearer("/maybe", token)).await.status(), StatusCode::OK, "{token}");
    }
    let in_cookie = |header: &str| TestRequest::post().uri("/any").insert_header(("cookie", header.to_owned()));
    assert_eq!(call(in_cookie(&format!("a=b; token={good}; c"))).await.status(), StatusCode::OK);
    assert_eq!(call(in_cookie("xtoken=1; token=")).await.status(), StatusCode::UNAUTHORIZED);
    // Bearer wins, even when it is invalid.
    let both = bearer("/any", "bad").cookie(Cookie::new("token", good.clone()));
    assert_eq!(call(both).await.status(), StatusCode::UNAUTHORIZED);
    let basic = in_cookie(&format!("token={good}")).insert_header(("authorization", "Basic abc"));
    assert_eq!(call(basic).await.status(), StatusCode::UNAUTHORIZED);
}

#[test]
fn an_audience_is_issued_and_checked_where_there_is_one() {
    let (tokens, now) = (Tokens::new(SECRET), Timestamp::now());
    let (token, claims) = tokens.issue(UserId::generate(), Role::User, now).unwrap();
    let said = |token: &str| -> Value {
        let said = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(said).unwrap()).unwrap()
    };
    assert_eq!(said(&token)["aud"], "microbazaar");
    assert_eq!(said(&tokens.issue_service("order", now).unwrap())["aud"], "microbazaar");
    assert_eq!(tokens.verify(&token), Ok(claims));
    let with = |role: &str, aud: Option<Value>| {
        let mut claims = json!({"id": UserId::generate().to_hex(), "role": role, "iat": 1, "jti": "j"});
        claims["exp"] = json!(now.as_second() + 60);
        if let Some(aud) = aud {
            claims["aud"] = aud;
        }
        let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap();
        tokens.verify(&token).is_ok()
    };
    for role in ["user", "seller", "admin", "service"] {
        for own in [json!("microbazaar"), json!(["microbazaar"]), json!(["other", "microbazaar"]), Value::Null] {
            assert!(with(role, Some(own.clone())), "{role} {own}");
        }
        assert!(with(role, None), "{role}: a token of an earlier version");
        for other in [json!("other"), json!(["other"]), json!([]), json!(""), json!(5), json!({}), json!("MicroBazaar")]
        {
            assert!(!with(role, Some(other.clone())), "{role} {other}");
        }
    }
}

#[test]
fn a_token_that_is_nearly_right_is_wrong() {
    let (tokens, now) = (Tokens::new(SECRET), Timestamp::now());
    let (of_user, _) = tokens.issue(UserId::generate(), Role::User, now).unwrap();
    for token in [of_user, tokens.issue_service("order", now).unwrap()] {
        assert!(tokens.verify(&token).is_ok());
        let signature = token.rsplit_once('.').unwrap().1;
        let said = &token[..token.len() - signature.len()];
        for nearly in altered(signature, BASE64_URL) {
            assert!(tokens.verify(&format!("{said}{nearly}")).is_err(), "{nearly}");
        }
        for nearly in altered_once(&token, BASE64_URL) {
            assert!(tokens.verify(&nearly).is_err(), "{nearly}");
        }
    }
}

#[actix_web::test]
async fn a_revoked_token_is_refused_at_once() {
    let state = state();
    let (token, claims) = state.tokens.issue(UserId::generate(), Role::User, Timestamp::now()).unwrap();
    assert_eq!(call_with(&state, bearer("/any", &token)).await.status(), StatusCode::OK);
    state.dead_tokens.insert(&claims.jti, claims.exp, Timestamp::now());
    let response = call_with(&state, bearer("/any", &token)).await;
    assert_eq!(body(response).await["code"], "auth.invalid_token");
}

#[test]
fn expired_dead_tokens_are_forgotten() {
    let now = Timestamp::now();
    let dead = RevokedTokens::load([("stored".to_owned(), now.as_second() + 1_000)]);
    for n in 0..5_000 {
        dead.insert(&format!("old{n}"), now.as_second() - 100, now);
    }
    assert!(dead.len() < 2_000 && !dead.is_empty());
    assert!(dead.contains("stored") && !dead.contains("other"));
}

#[actix_web::test]
async fn the_caller_is_refused_before_the_body() {
    let sent = |token: &str, body: &'static str| bearer("/late", token).set_payload(body);
    for body in ["", "{", "[]", "{\"quantity\": \"x\"}"] {
        assert_eq!(call(sent(&token(Role::User), body)).await.status(), StatusCode::FORBIDDEN, "{body}");
        assert_eq!(call(sent("nonsense", body)).await.status(), StatusCode::UNAUTHORIZED, "{body}");
        let status = call(sent(&token(Role::Admin), body)).await.status();
        assert!([StatusCode::BAD_REQUEST, StatusCode::UNSUPPORTED_MEDIA_TYPE].contains(&status), "{body}: {status}");
    }
}

/// Collects the lines of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn logins_refusals_and_what_staff_does_are_logged_by_ids_alone() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let logged = tracing::subscriber::set_default(subscriber);
    // Where there is one alone, a place that another test reaches first would count as disabled for good.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let user = UserId::generate();
    let token_of = |role| Tokens::new(SECRET).issue(user, role, Timestamp::now()).unwrap().0;
    let with_id = |request: TestRequest| request.insert_header(("x-request-id", "r-17"));
    call(with_id(bearer("/admin?email=asha@example.com", &token_of(Role::User)))).await;
    let foreign = TestRequest::post().uri("/any").insert_header(("sec-fetch-site", "cross-site"));
    call(with_id(foreign.cookie(Cookie::new("token", token_of(Role::User))))).await;
    call(with_id(bearer("/admin", &token_of(Role::Admin))).set_payload("asha@example.com")).await;
    let req = with_id(TestRequest::post()).to_http_request();
    audit::login(&req, Ok(user));
    audit::login(&req, Err(&ApiError::Unauthorized { code: "auth.invalid_credentials", message: "x" }));
    audit::refused(&req, &ApiError::TooManyRequests { retry_after: 1 }, "r-17");
    drop(logged);
    let lines = String::from_utf8(lines.0.lock().clone()).unwrap();
    for (text, more) in [
        ("a user was refused", vec![user.to_hex(), "auth.forbidden".into(), "/admin".into()]),
        ("a request of another site was refused", vec!["/any".into()]),
        ("a member of staff changed something", vec![user.to_hex(), "/admin".into(), "status=200".into()]),
        ("a user logged in", vec![user.to_hex()]),
        ("a login failed", vec!["auth.invalid_credentials".into()]),
        ("too many requests were refused", vec![]),
    ] {
        let found: Vec<_> = lines.lines().filter(|line| line.contains(text)).collect();
        let [line] = found.as_slice() else { panic!("{text}: {lines}") };
        assert!(line.contains(" audit: ") && line.contains("r-17"), "{line}");
        assert!(more.iter().all(|part| line.contains(part)), "{line}");
    }
    assert!(!lines.contains('@'), "{lines}");
}

#[test]
fn the_cookie_is_hidden_from_scripts() {
    assert_eq!(cookie("t", true).to_string(), "token=t; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=86400");
    assert_eq!(cookie("t", false).to_string(), "token=t; HttpOnly; SameSite=Lax; Path=/; Max-Age=86400");
    assert!(removal_cookie(false).to_string().contains("Max-Age=0"));
}

#[actix_web::test]
async fn a_cookie_changes_state_only_from_allowed_origins() {
    let token = token(Role::User);
    let own = "http://localhost:8080";
    for (site, origin, passes) in [
        (None, None, true),
        (Some("same-origin"), None, true),
        (Some("same-origin"), Some("https://evil.example"), true),
        (Some("none"), None, true),
        (Some("same-site"), None, false),
        (Some("cross-site"), None, false),
        (Some("cross-site"), Some("https://evil.example"), false),
        (Some("cross-site"), Some(own), false),
        (Some("cross-site"), Some("https://shop.example"), true),
        (Some("same-site"), Some("https://shop.example"), true),
        (Some("nonsense"), None, false),
        (None, Some(own), true),
        (None, Some("https://shop.example"), true),
        (None, Some("https://shop.example.evil.example"), false),
        (None, Some("https://evil.example"), false),
        (None, Some("null"), false),
    ] {
        let headers = |mut request: TestRequest| {
            request = request.insert_header(("host", "localhost:8080"));
            for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
                if let Some(value) = value {
                    request = request.insert_header((name, value));
                }
            }
            request
        };
        let by_cookie = || headers(TestRequest::post().uri("/any")).cookie(Cookie::new("token", token.clone()));
        let response = call(by_cookie()).await;
        assert_eq!(response.status() == StatusCode::OK, passes, "{site:?} {origin:?}");
        if !passes {
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            assert_eq!(body(response).await["code"], "request.csrf");
        }
        assert_eq!(call(headers(bearer("/any", &token))).await.status(), StatusCode::OK);
        let reads = csrf::check(&by_cookie().method(Method::GET).to_http_request(), &Origins::default());
        assert_eq!(reads, Ok(()));
        let logout = csrf::check_logout(&by_cookie().to_http_request());
        assert_eq!(logout.is_err(), site == Some("cross-site"));
    }
}

#[test]
fn forwarded_addresses_count_from_trusted_proxies_only() {
    let trusted: Vec<Network> = ["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap()).into();
    let seen = |peer: &str, forwarded: &[&str]| {
        let mut request = TestRequest::get().peer_addr(format!("{peer}:1").parse().unwrap());
        for line in forwarded {
            request = request.append_header(("x-forwarded-for", *line));
        }
        address::of(&request.to_http_request(), &trusted).to_string()
    };
    assert_eq!(seen("1.2.3.4", &["5.6.7.8"]), "1.2.3.4");
    assert_eq!(seen("10.0.0.1", &["9.9.9.9, 5.6.7.8, 10.0.0.2"]), "5.6.7.8");
    assert_eq!(seen("10.0.0.1", &["9.9.9.9", "5.6.7.8:443"]), "5.6.7.8");
    assert_eq!(seen("[::1]", &["[2001:db8::1]"]), "2001:db8::1");
    assert_eq!(seen("10.0.0.1", &["nonsense"]), "10.0.0.1");
    assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    for text in ["", "10.0.0.0/33", "a/8", "10.0.0.0/x", "::/129"] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
    assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("1.2.3.4".parse().unwrap()));
}

#[test]
fn owners_and_admins_pass() {
    let id = UserId::generate();
    let user = |role| AuthUser {
        id,
        role,
        jti: String::new(),
        iat: 0,
        exp: 0,
        source: crate::http::auth::TokenSource::Bearer,
    };
    assert!(user(Role::User).must_be(id).is_ok() && user(Role::User).must_be(UserId::generate()).is_err());
    assert!(user(Role::Admin).must_be_or_admin(UserId::generate()).is_ok());
    assert_eq!(json!(Role::Admin), "admin");
}
