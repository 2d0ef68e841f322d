//! Accounts: registration, login, logout, addresses.

use futures_util::future::join_all;
use serde_json::json;

use super::{PASSWORD, Shop, address, is_moment, text};

#[actix_web::test]
async fn a_user_registers_and_is_logged_in_by_cookie_and_bearer() {
    let app = Shop::open().await;
    let body = json!({
        "email": "Asha@Example.com", "password": PASSWORD, "username": "asha_r.1",
        "fullName": {"firstName": "<b>Asha</b>", "lastName": "Rao"}, "role": "user",
    });
    let answer = app.register(&body).await;
    let session = answer.expect(201);
    let user = &session["user"];
    assert!(session["message"].is_string());
    assert_eq!(user["_id"], user["id"]);
    assert_eq!(user["username"], "asha_r.1");
    assert_eq!(user["role"], "user");
    assert_eq!(user["fullName"], json!({"firstName": "<b>Asha</b>", "lastName": "Rao"}));
    assert!(is_moment(&user["createdAt"]) && is_moment(&user["updatedAt"]));
    let whole = session.to_string().to_lowercase();
    assert!(!whole.contains("hash") && !whole.contains("argon2"), "{whole}");

    let cookie = answer.header("set-cookie").unwrap();
    let token = text(&session["token"]);
    let parts: Vec<&str> = cookie.split("; ").collect();
    assert_eq!(parts[0], format!("token={token}"));
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=86400"] {
        assert!(parts.contains(&part), "{part} is not in {cookie}");
    }
    assert!(!parts.contains(&"Secure"), "plain in development");
    let by_bearer = app.get("/api/auth/me").token(&token).send().await.expect(200);
    let by_cookie = app.get("/api/auth/me").cookie(&token).send().await.expect(200);
    assert_eq!(by_bearer, json!({"user": user}));
    assert_eq!(by_cookie, by_bearer);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_token_has_the_user_the_role_and_the_expiry() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let claims = super::tokens().verify(&seller.token).unwrap();
    assert_eq!(claims.id, seller.id);
    assert_eq!(claims.exp - claims.iat, 24 * 60 * 60);
    assert!(!claims.jti.is_empty());
    assert_eq!(serde_json::to_value(claims).unwrap()["role"], "seller");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_registration_that_is_not_valid_names_the_field() {
    let app = Shop::open().await;
    let good = json!({"email": "a@example.com", "password": PASSWORD});
    let long = "a".repeat(129);
    for (field, value) in [
        ("email", json!("nobody")),
        ("email", json!(7)),
        ("email", json!(null)),
        ("password", json!("short12")),
        ("password", json!(long)),
        ("username", json!("ab")),
        ("username", json!("no spaces")),
        ("username", json!("a".repeat(33))),
        ("role", json!("admin")),
        ("role", json!("service")),
        ("role", json!("king")),
        ("fullName", json!("Asha")),
    ] {
        let mut body = good.clone();
        body[field] = value;
        app.register(&body).await.invalid(field);
    }
    app.register(&json!({"password": PASSWORD})).await.invalid("email");
    app.register(&json!({"email": "a@example.com"})).await.invalid("password");
    app.register(&good).await.expect(201);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_email_or_username_is_taken_once_in_any_case() {
    let app = Shop::open().await;
    let body = json!({"email": "asha@example.com", "username": "asha", "password": PASSWORD});
    app.register(&body).await.expect(201);
    for (email, username) in [("ASHA@example.COM", "other"), ("other@example.com", "Asha")] {
        let body = json!({"email": email, "username": username, "password": PASSWORD});
        let refused = app.register(&body).await.refused(400, "auth.user_exists");
        assert_eq!(refused["message"], "User already exists");
    }
    let other = app.register(&json!({"email": "asha@elsewhere.com", "password": PASSWORD})).await.expect(201);
    let made = text(&other["user"]["username"]);
    assert!(made != "asha" && (3..=32).contains(&made.len()), "{made}");
    app.shutdown().await;
}

#[actix_web::test]
async fn an_email_counts_in_its_idna_form_and_its_local_part_in_nfkc_alone() {
    let app = Shop::open().await;
    let body = |email: &str| json!({"email": email, "password": PASSWORD});
    let mike = app.register(&body("mike@example.com")).await.expect(201)["user"]["_id"].clone();
    for other in ["mi\u{212A}e@example.com", "ｍike@example.com", "mike\u{200B}@example.com", "mike@exam\u{AD}ple.com"]
    {
        app.register(&body(other)).await.invalid("email");
        app.login(&body(other)).await.expect(401);
    }
    let made = app.register(&body("Äna@Bücher.example")).await.expect(201);
    assert_eq!(made["user"]["email"], "Äna@Bücher.example", "kept as it was typed");
    for same in ["äna@xn--bcher-kva.example", "ÄNA@BÜCHER.EXAMPLE", "äna@bu\u{308}cher.example", "äna@bücher。example"]
    {
        app.register(&body(same)).await.refused(400, "auth.user_exists");
        assert_eq!(app.login(&body(same)).await.expect(200)["user"]["_id"], made["user"]["_id"]);
    }
    app.register(&body("Mike@ｅｘａｍｐｌｅ.com")).await.refused(400, "auth.user_exists");
    let by_name = json!({"username": "mi\u{212A}e", "password": PASSWORD});
    app.login(&by_name).await.expect(401);
    let by_name = json!({"username": "MIKE", "password": PASSWORD});
    assert_eq!(app.login(&by_name).await.expect(200)["user"]["_id"], mike);
    app.shutdown().await;
}

#[actix_web::test]
async fn names_are_visible_and_contain_no_urls() {
    let app = Shop::open().await;
    let of = |first: &str| json!({"firstName": first, "lastName": "Rao"});
    let body = |name: &str, first: &str| json!({"email": format!("{name}@example.com"), "password": PASSWORD, "fullName": of(first)});
    for first in [
        "http://evil.example/x",
        "You won! www.evil.example",
        "evil.example/claim",
        "claim at evil.com",
        "evil。com",
        "x@evil.com",
        "почта.рф",
        "Asha\r\nBcc: x",
        "Asha\u{2028}Rao",
        "Asha \u{202E}oaR",
        "X.Com",
        "☃.net",
        "93.184.216.34",
        "\u{200B}\u{3164}",
        " ",
    ] {
        app.register(&body("asha", first)).await.invalid("fullName.firstName");
    }
    for (first, last) in [("Asha", "evil.com"), ("evil", ".com")] {
        let name = json!({"firstName": first, "lastName": last});
        let body = json!({"email": "asha@example.com", "password": PASSWORD, "fullName": name});
        app.register(&body).await.invalid("fullName.lastName");
    }
    let by_name = |username: &str| json!({"email": "asha@example.com", "password": PASSWORD, "username": username});
    for username in
        ["www.evil.example", "evil.com", "amit.dev", "192.168.0.1", "X.Com", "ash\u{200D}a", "asha\u{2800}", "asha "]
    {
        app.register(&by_name(username)).await.invalid("username");
    }
    for (n, first) in
        ["J.R.", "O'Neil", "St.John", "Dr.Li", "M.K.De", "\u{FEFF} Asha\u{2060}", ""].into_iter().enumerate()
    {
        let made = app.register(&body(&format!("u{n}"), first)).await.expect(201);
        assert_eq!(made["user"]["fullName"]["firstName"], first.trim_matches(['\u{FEFF}', ' ', '\u{2060}']));
    }
    let made = app.register(&json!({"email": "www.evil@example.com", "password": PASSWORD})).await.expect(201);
    assert_eq!(made["user"]["username"], "www-evil");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_password_is_the_same_in_each_form_of_its_letters() {
    let app = Shop::open().await;
    let [composed, decomposed] = ["Ünïcödé pass", "U\u{308}ni\u{308}co\u{308}de\u{301}\u{A0}pass"];
    let body = |name: &str, password: &str| json!({"email": format!("{name}@example.com"), "password": password});
    app.register(&body("asha", decomposed)).await.expect(201);
    app.register(&body("mira", composed)).await.expect(201);
    for name in ["asha", "mira"] {
        for password in [composed, decomposed] {
            app.login(&body(name, password)).await.expect(200);
        }
        app.login(&body(name, "Unicode pass")).await.expect(401);
    }
    // Eight characters are eight in any form, and 128 as well.
    app.register(&body("few", &"e\u{301}".repeat(4))).await.invalid("password");
    app.register(&body("many", &"e\u{301}".repeat(128))).await.expect(201);
    app.login(&body("many", &"é".repeat(128))).await.expect(200);
    app.shutdown().await;
}

#[actix_web::test]
async fn of_twenty_registrations_of_one_email_at_once_one_wins() {
    let app = Shop::open().await;
    let one = |n: usize| {
        let email = if n.is_multiple_of(2) { "asha@example.com" } else { "Asha@Example.com" };
        let (app, body) = (&app, json!({"email": email, "password": PASSWORD}));
        async move { app.register(&body).await }
    };
    let answers = join_all((0..20).map(one)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.expect(400)["message"], "User already exists");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn login_takes_email_or_username_in_any_case() {
    let app = Shop::open().await;
    let body = json!({"email": "asha@example.com", "username": "asha", "password": PASSWORD});
    let id = app.register(&body).await.expect(201)["user"]["_id"].clone();
    for name in [json!({"email": "Asha@example.com"}), json!({"username": "ASHA"})] {
        let mut body = name;
        body["password"] = json!(PASSWORD);
        let answer = app.login(&body).await;
        let session = answer.expect(200);
        assert_eq!(session["user"]["_id"], id);
        assert!(answer.header("set-cookie").unwrap().starts_with("token="));
        app.get("/api/auth/me").token(&text(&session["token"])).send().await.expect(200);
    }
    let wrong = app.login(&json!({"email": "asha@example.com", "password": "wrong horse"})).await.expect(401);
    let unknown = app.login(&json!({"email": "nobody@example.com", "password": "wrong horse"})).await.expect(401);
    assert_eq!(wrong["message"], "Invalid credentials");
    assert_eq!((&wrong["message"], &wrong["code"]), (&unknown["message"], &unknown["code"]));
    app.login(&json!({"password": PASSWORD})).await.invalid("email");
    app.login(&json!({"email": "asha@example.com"})).await.invalid("password");
    app.login(&json!({"email": ["asha@example.com"], "password": PASSWORD})).await.invalid("email");
    app.shutdown().await;
}

#[actix_web::test]
async fn too_many_logins_get_retry_after() {
    let app = Shop::open_with(|config| {
        config.rate_limit.enabled = true;
        config.rate_limit.auth_per_minute = std::num::NonZeroU32::new(2).unwrap();
    })
    .await;
    let body = json!({"email": "nobody@example.com", "password": PASSWORD});
    app.login(&body).await.expect(401);
    app.login(&body).await.expect(401);
    let answer = app.login(&body).await;
    answer.refused(429, "rate_limited");
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    app.register(&body).await.expect(429);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_logout_ends_its_token_at_once_and_for_good() {
    let app = Shop::open().await;
    let asha = app.user("asha").await;
    let other = app.login(&json!({"email": asha.email, "password": PASSWORD})).await.expect(200);
    let other = text(&other["token"]);
    let third = app.login(&json!({"email": asha.email, "password": PASSWORD})).await.expect(200);
    let third = text(&third["token"]);

    let answer = app.post("/api/auth/logout").token(&asha.token).send().await;
    assert!(answer.expect(200)["message"].is_string());
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("token=;") && cookie.contains("Max-Age=0") && cookie.contains("Path=/"), "{cookie}");
    assert_eq!(answer.header("clear-site-data"), None, "nothing of a browser is asked for by Bearer");
    let answer = app.get("/api/auth/logout").cookie(&third).send().await;
    answer.expect(200);
    assert_eq!(answer.header("clear-site-data"), Some("\"cookies\", \"storage\""));
    for dead in [&asha.token, &third] {
        app.get("/api/auth/me").token(dead).send().await.expect(401);
        app.get("/api/cart").cookie(dead).send().await.expect(401);
    }
    app.get("/api/auth/me").token(&other).send().await.expect(200);
    for call in [app.post("/api/auth/logout"), app.get("/api/auth/logout"), app.get("/api/auth/logout").token("x")] {
        call.send().await.expect(200);
    }

    let app = app.restart().await;
    app.get("/api/auth/me").token(&asha.token).send().await.expect(401);
    app.get("/api/auth/me").cookie(&third).send().await.expect(401);
    app.get("/api/auth/me").token(&other).send().await.expect(200);
    app.shutdown().await;
}

#[actix_web::test]
async fn missing_broken_and_foreign_tokens_are_refused() {
    let app = Shop::open().await;
    let answer = app.get("/api/auth/me").send().await;
    answer.expect(401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    let foreign = microbazaar::actors::tokens::Tokens::new(b"another secret of thirty-two bytes!");
    let user = microbazaar::domain::ids::UserId::generate();
    let now = microbazaar::domain::Timestamp::now();
    let role = microbazaar::domain::user::Role::Admin;
    let (foreign, _) = foreign.issue(user, role, now).unwrap();
    let past = microbazaar::domain::Timestamp::from_second(now.as_second() - 2 * 24 * 60 * 60).unwrap();
    let (over, _) = super::tokens().issue(user, role, past).unwrap();
    // {"alg":"none"} and an admin's claims.
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpZCI6IjY2NWYxZjc3YmNmODZjZDc5OTQzOTAxMSIsInJvbGUiOiJhZG1pbiIsImlhdCI6MSwiZXhwIjo5OTk5OTk5OTk5LCJqdGkiOiJ4In0.";
    for token in ["", "x", "a.b.c", none, &foreign, &over] {
        app.get("/api/auth/me").token(token).send().await.expect(401);
        app.get("/api/auth/me").cookie(token).send().await.expect(401);
    }
    app.get("/api/auth/me").header("authorization", "Basic YTpi").send().await.expect(401);
    app.shutdown().await;
}

#[actix_web::test]
async fn addresses_are_kept_and_one_is_the_default() {
    let app = Shop::open().await;
    let (asha, other) = (app.user("asha").await, app.user("ravi").await);
    let path = "/api/auth/users/me/addresses";
    assert_eq!(app.get(path).token(&asha.token).send().await.expect(200), json!({"addresses": []}));
    let add = |city: &str, default: Option<bool>| {
        let mut body = address(city);
        if let Some(default) = default {
            body["isDefault"] = json!(default);
        }
        app.post(path).token(&asha.token).json(&body).send()
    };
    let first = add("Pune", Some(false)).await.expect(201);
    assert_eq!(first["addresses"][0]["isDefault"], true, "the first always is");
    assert_eq!(first["addresses"][0]["street"], "12 Lake Road");
    add("Delhi", None).await.expect(201);
    let three = add("Goa", Some(true)).await.expect(201);
    let defaults: Vec<bool> =
        three["addresses"].as_array().unwrap().iter().map(|one| one["isDefault"].as_bool().unwrap()).collect();
    assert_eq!(defaults, [false, false, true]);
    let goa = super::id(&three["addresses"][2]);
    assert_eq!(app.get(path).token(&asha.token).send().await.expect(200), three);
    app.delete(&format!("{path}/{goa}")).token(&other.token).send().await.expect(404);
    let left = app.delete(&format!("{path}/{goa}")).token(&asha.token).send().await.expect(200);
    assert_eq!(left["addresses"].as_array().unwrap().len(), 2);
    assert_eq!(left["addresses"].as_array().unwrap().iter().filter(|one| one["isDefault"] == true).count(), 1);
    app.delete(&format!("{path}/{goa}")).token(&asha.token).send().await.expect(404);
    app.delete(&format!("{path}/nonsense")).token(&asha.token).send().await.invalid("addressId");
    let mut bad = address("Pune");
    bad["zip"] = json!("");
    app.post(path).token(&asha.token).json(&bad).send().await.invalid("zip");
    app.post(path).token(&asha.token).json(&json!({"street": "x"})).send().await.invalid("city");
    app.get(path).send().await.expect(401);
    app.shutdown().await;
}

#[actix_web::test]
async fn names_made_from_emails_are_never_taken_twice() {
    let app = Shop::open().await;
    let one = |n: usize| {
        let (app, body) = (&app, json!({"email": format!("asha@shop{n}.example"), "password": PASSWORD}));
        async move { text(&app.register(&body).await.expect(201)["user"]["username"]) }
    };
    let mut names = join_all((0..20).map(one)).await;
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 20);
    app.shutdown().await;
}

#[actix_web::test]
async fn concurrent_logins_are_all_answered() {
    let app = Shop::open().await;
    let asha = app.user("asha").await;
    let one = |n: usize| {
        let password = if n.is_multiple_of(2) { PASSWORD } else { "wrong horse" };
        let (app, body) = (&app, json!({"email": asha.email, "password": password}));
        async move { app.login(&body).await.status }
    };
    let answers = join_all((0..20).map(one)).await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(200), count(401)), (10, 10));
    app.shutdown().await;
}

#[actix_web::test]
async fn in_production_the_cookie_goes_over_https_only() {
    let production = microbazaar::config::Environment::Production;
    let app = Shop::open_with(|config| config.environment = production).await;
    let asha = app.register(&json!({"email": "asha@example.com", "password": PASSWORD})).await;
    asha.expect(201);
    let out = app.post("/api/auth/logout").send().await;
    out.expect(200);
    for answer in [asha, out] {
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.split("; ").any(|part| part == "Secure"), "{cookie}");
    }
    app.shutdown().await;
}
