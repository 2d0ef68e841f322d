//! Where users are logged in, and the second factor of a login.

use futures_util::future::join_all;
use microbazaar::{
    config::{EmailVerification, Environment},
    domain::{Timestamp, two_factor::code, user::Role},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, PASSWORD, Person, Shop, credentials::mailed, pages::browser::Browser, text};

async fn log_in(app: &Shop, who: &Person) -> Value {
    app.login(&json!({"email": who.email, "password": PASSWORD})).await.expect(200)
}

async fn is_valid(app: &Shop, token: &str) -> bool {
    app.get("/api/auth/me").token(token).send().await.status == 200
}

/// A code that the app shows `steps` of 30 seconds from now.
fn code_in(secret: &str, steps: i64) -> String {
    let at = Timestamp::now().as_second() + steps * 30;
    code(secret, Timestamp::from_second(at).unwrap()).unwrap()
}

async fn post(app: &Shop, token: &str, path: &str, body: Value) -> Answer {
    app.post(path).token(token).json(&body).send().await
}

/// Enables the second factor with the code of the step before; returns the secret and the recovery codes.
async fn enable(app: &Shop, who: &Person) -> (String, Vec<String>) {
    let setup = post(app, &who.token, "/api/auth/2fa/setup", json!({})).await.expect(200);
    let secret = text(&setup["secret"]);
    let uri = text(&setup["otpauthUri"]);
    assert!(uri.starts_with("otpauth://totp/") && uri.contains(&format!("secret={secret}")), "{uri}");
    let wrong = post(app, &who.token, "/api/auth/2fa/enable", json!({"code": "000000"})).await;
    wrong.refused(400, "auth.code_invalid");
    let enabled =
        post(app, &who.token, "/api/auth/2fa/enable", json!({"code": code_in(&secret, -1)})).await.expect(200);
    let codes: Vec<String> = enabled["recoveryCodes"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(codes.len(), 10);
    (secret, codes)
}

async fn with_code(app: &Shop, ticket: &Value, code: &str) -> Answer {
    app.post("/api/auth/login/2fa").json(&json!({"ticket": ticket, "code": code})).send().await
}

#[actix_web::test]
async fn sessions_are_listed_and_ended() {
    let app = Shop::open().await;
    let (asha, ravi) = (app.user("asha").await, app.user("ravi").await);
    let login = app.post("/api/auth/login").header("user-agent", "Fire\u{e9}fox \u{1f600}");
    let other = login.json(&json!({"email": asha.email, "password": PASSWORD})).send().await.expect(200);
    let other = text(&other["token"]);
    let list = async |token: &str| app.read(token, "/api/auth/sessions").await["sessions"].as_array().unwrap().clone();
    let sessions = list(&asha.token).await;
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(false), &json!(true)));
    assert!(text(&sessions[0]["userAgent"]).contains("fox") && sessions[0]["ip"] == "127.0.0.1", "{sessions:?}");
    assert!(sessions.iter().all(|session| session["createdAt"].is_string() && session["lastSeenAt"].is_string()));

    let path = format!("/api/auth/sessions/{}", text(&sessions[0]["id"]));
    app.delete(&path).token(&ravi.token).send().await.expect(404);
    assert!(is_valid(&app, &other).await);
    app.delete(&path).token(&asha.token).send().await.expect(204);
    assert!(!is_valid(&app, &other).await && is_valid(&app, &asha.token).await);
    assert_eq!(list(&asha.token).await.len(), 1);
    app.delete(&path).token(&asha.token).send().await.expect(404);

    // A token that is not recorded: of another program, or of before.
    let foreign = super::issue(asha.id.parse().unwrap(), Role::User);
    let sessions = list(&foreign).await;
    let current: Vec<_> = sessions.iter().filter(|session| session["current"] == true).collect();
    assert_eq!((sessions.len(), current.len()), (2, 1), "{sessions:?}");
    assert!(current[0].get("ip").is_none() && current[0].get("lastSeenAt").is_none());
    app.delete(&format!("/api/auth/sessions/{}", text(&current[0]["id"]))).token(&foreign).send().await.expect(204);
    assert!(!is_valid(&app, &foreign).await);

    let again = text(&log_in(&app, &asha).await["token"]);
    app.post("/api/auth/logout").token(&again).send().await.expect(200);
    assert_eq!(list(&asha.token).await.len(), 1, "a logout ends a session");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_second_factor_is_needed_from_then_on() {
    let app = Shop::open_with(|config| config.rate_limit.enabled = false).await;
    let asha = app.user("asha").await;
    let (secret, codes) = enable(&app, &asha).await;
    post(&app, &asha.token, "/api/auth/2fa/setup", json!({})).await.refused(409, "auth.two_factor_on");
    assert!(is_valid(&app, &asha.token).await, "the session goes on");

    let asked = app.login(&json!({"email": asha.email, "password": PASSWORD})).await;
    assert!(asked.header("set-cookie").is_none(), "no cookie without a code");
    let asked = asked.expect(200);
    assert_eq!(asked["twoFactorRequired"], true);
    assert!(asked.get("token").is_none() && asked.get("user").is_none(), "{asked}");
    with_code(&app, &asked["ticket"], &code_in(&secret, -1)).await.refused(401, "auth.code_invalid");
    let right = code_in(&secret, 0);
    let tries = join_all((0..3).map(|_| with_code(&app, &asked["ticket"], &right))).await;
    let done: Vec<_> = tries.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(done.len(), 1, "a code counts once");
    assert!(is_valid(&app, &text(&done[0].json()["token"])).await);
    let asked = log_in(&app, &asha).await;
    with_code(&app, &asked["ticket"], &right).await.refused(401, "auth.code_invalid");
    // The clock of the app may be a step ahead.
    with_code(&app, &asked["ticket"], &code_in(&secret, 1)).await.expect(200);

    // Five tries, and not one more.
    let asked = log_in(&app, &asha).await;
    for _ in 0..5 {
        with_code(&app, &asked["ticket"], "123 456").await.refused(401, "auth.code_invalid");
    }
    with_code(&app, &asked["ticket"], &codes[0]).await.refused(401, "auth.code_invalid");
    let asked = log_in(&app, &asha).await;
    with_code(&app, &asked["ticket"], &codes[0].to_uppercase()).await.expect(200);
    let asked = log_in(&app, &asha).await;
    with_code(&app, &asked["ticket"], &codes[0]).await.refused(401, "auth.code_invalid");
    for ticket in ["", "x", &"0".repeat(56), &format!("{}{}", asha.id, "0".repeat(32))] {
        with_code(&app, &json!(ticket), &codes[1]).await.refused(401, "auth.code_invalid");
    }

    // Neither a new password nor a new address gets past it.
    let change = async |code: Value| {
        let body = json!({"email": "new@example.com", "password": PASSWORD, "code": code});
        post(&app, &asha.token, "/api/auth/email/change", body).await
    };
    change(Value::Null).await.refused(400, "auth.code_invalid");
    change(json!(codes[1])).await.expect(202);
    let body = json!({"currentPassword": PASSWORD, "newPassword": "battery staple"});
    let changed = app.patch("/api/auth/me/password").token(&asha.token).json(&body).send().await.expect(200);
    with_code(&app, &asked["ticket"], &codes[2]).await.refused(401, "auth.code_invalid");
    let asked = app.login(&json!({"email": asha.email, "password": "battery staple"})).await.expect(200);
    assert_eq!(asked["twoFactorRequired"], true);

    let token = text(&changed["token"]);
    let disable = async |password: &str, code: &str| {
        post(&app, &token, "/api/auth/2fa/disable", json!({"password": password, "code": code})).await
    };
    let leave = app.delete("/api/auth/me").token(&token).json(&json!({"password": "battery staple"}));
    leave.send().await.refused(400, "auth.code_invalid");
    disable(PASSWORD, &codes[2]).await.refused(400, "auth.wrong_password");
    disable("battery staple", "000000").await.refused(400, "auth.code_invalid");
    disable("battery staple", &codes[2]).await.expect(200);
    assert!(
        app.login(&json!({"email": asha.email, "password": "battery staple"})).await.expect(200)["token"].is_string()
    );
    app.shutdown().await;
}

#[actix_web::test]
async fn in_production_admins_must_have_a_second_factor() {
    let app = Shop::open_with(|config| config.environment = Environment::Production).await;
    let (admin, asha) = (app.admin().await, app.user("asha").await);
    let listed = app.get("/api/webhooks").token(&admin.token).send().await;
    listed.refused(403, "auth.two_factor_required");
    let call = app.call(Method::PATCH, "/api/auth/me").token(&admin.token).json(&json!({"username": "boss"}));
    call.send().await.refused(403, "auth.two_factor_required");
    assert!(is_valid(&app, &admin.token).await && is_valid(&app, &asha.token).await);
    app.get("/api/auth/sessions").token(&asha.token).send().await.expect(200);
    enable(&app, &admin).await;
    app.get("/api/webhooks").token(&admin.token).send().await.expect(200);
    app.shutdown().await;
}

#[actix_web::test]
async fn where_it_is_required_only_confirmed_addresses_buy_and_sell() {
    let app = Shop::open_with(|config| config.email.verification = EmailVerification::Required).await;
    let (asha, mira) = (app.user("asha").await, app.seller("mira").await);
    let new = json!({"title": "Lamp", "priceAmount": 10, "stock": 5});
    post(&app, &mira.token, "/api/products", new.clone()).await.refused(403, "auth.email_unverified");
    app.place_order(&asha, &json!({})).await.refused(403, "auth.email_unverified");
    for who in [&asha, &mira] {
        let token = mailed(&app, &who.email, "Confirm your e-mail", "verify").await;
        post(&app, "", "/api/auth/email/verify", json!({"token": token})).await.expect(200);
    }
    let product = post(&app, &mira.token, "/api/products", new).await.expect(201);
    app.add_to_cart(&asha, &text(&product["product"]["_id"]), 1).await.expect(200);
    app.place_order(&asha, &json!({})).await.expect(201);
    app.shutdown().await;
}

#[actix_web::test]
async fn the_pages_set_a_second_factor_up_and_ask_for_it() {
    let app = Shop::open().await;
    let browser = Browser::new(&app);
    browser.sign_up("asha").await;
    let page = browser.open("/account/security").await;
    page.has("This one");
    let page = browser.submit(&page, "/account/security/two-factor", &[]).await;
    page.has("otpauth://totp/").has("autocomplete=\"one-time-code\"");
    let secret = page.body.split("<code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let wrong = browser.submit(&page, "/account/security/two-factor/enable", &[("code", "1")]).await;
    wrong.has("id=\"e-code\"").has(&secret);
    let code = code_in(&secret, -1);
    let on = browser.submit(&wrong, "/account/security/two-factor/enable", &[("code", &code)]).await;
    on.has("recovery codes");

    let other = Browser::new(&app);
    let page = other.open("/login?next=/orders").await;
    let asked = other.submit(&page, "/login", &[("email", "asha@example.com"), ("password", PASSWORD)]).await;
    asked.has("autocomplete=\"one-time-code\"").lacks("Log out");
    let again = other.submit(&asked, "/login/code", &[("code", "nothing")]).await;
    again.has("id=\"e-code\"");
    let done = other.submit(&again, "/login/code", &[("code", &code_in(&secret, 0))]).await;
    assert_eq!(done.path, "/orders");
    let page = other.open("/account/security").await;
    let (_, end) = page.body.split_once("/account/security/sessions/").unwrap();
    let first = end.split('/').next().unwrap().to_owned();
    assert!(!first.is_empty());
    let off = [("password", PASSWORD), ("code", &code_in(&secret, 1))];
    other.submit(&page, "/account/security/two-factor/disable", &off).await.has("is off");
    app.shutdown().await;
}
