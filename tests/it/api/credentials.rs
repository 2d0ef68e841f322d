//! Passwords, e-mail addresses and names that users change, also by mailed links.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Answer, PASSWORD, Person, Shop, pages::browser::Browser};
use test_support::eventually_some;

const NEW: &str = "battery staple";

/// The token of the newest mail to an address with this subject.
pub(super) async fn mailed(app: &Shop, to: &str, subject: &str, page: &str) -> String {
    let start = format!("/{page}?token=");
    let found = async || {
        let mails = app.mailbox().await;
        let mail = mails.iter().find(|mail| mail["to"] == to && mail["subject"] == subject)?;
        let (_, token) = mail["text"].as_str()?.split_once(&start)?;
        Some(token.split_whitespace().next()?.to_owned())
    };
    eventually_some("the mail arrives", found).await
}

async fn post(app: &Shop, path: &str, body: Value) -> Answer {
    app.post(path).json(&body).send().await
}

async fn forgot(app: &Shop, email: &str) {
    let answer = post(app, "/api/auth/password/forgot", json!({"email": email})).await;
    assert!(answer.expect(202)["message"].is_string());
}

async fn reset(app: &Shop, token: &str, password: &str) -> Answer {
    post(app, "/api/auth/password/reset", json!({"token": token, "password": password})).await
}

async fn logs_in(app: &Shop, email: &str, password: &str) -> bool {
    app.login(&json!({"email": email, "password": password})).await.status == 200
}

async fn is_valid(app: &Shop, token: &str) -> bool {
    app.get("/api/auth/me").token(token).send().await.status == 200
}

#[actix_web::test]
async fn a_forgotten_password_is_reset_once_by_the_last_link() {
    let app = Shop::open().await;
    let asha = app.user("asha").await;
    forgot(&app, "nobody@example.com").await;
    forgot(&app, &asha.email).await;
    let first = mailed(&app, &asha.email, "Reset your password", "reset").await;
    forgot(&app, &asha.email).await;
    let second = eventually_some("the second mail", async || {
        Some(mailed(&app, &asha.email, "Reset your password", "reset").await).filter(|token| *token != first)
    })
    .await;
    reset(&app, &first, NEW).await.refused(400, "auth.token_invalid");
    for wrong in ["", "x", &"0".repeat(56), &second[..55], &format!("{second}0")] {
        reset(&app, wrong, NEW).await.refused(400, "auth.token_invalid");
    }
    for (password, why) in
        [("short", "8 to 128"), ("password123", "common"), ("MicroBazaar", "name"), ("ASHA@example.com", "name")]
    {
        let refused = reset(&app, &second, password).await.expect(400);
        assert!(refused["errors"][0]["msg"].as_str().unwrap().contains(why), "{refused}");
    }
    assert!(is_valid(&app, &asha.token).await && logs_in(&app, &asha.email, PASSWORD).await, "nothing has changed");
    let tries = join_all((0..20).map(|_| reset(&app, &second, NEW))).await;
    assert_eq!(tries.iter().filter(|answer| answer.status == 200).count(), 1, "the link works once");
    assert!(!is_valid(&app, &asha.token).await, "the earlier token has ended");
    assert!(!logs_in(&app, &asha.email, PASSWORD).await);
    let session = app.login(&json!({"email": asha.email, "password": NEW})).await.expect(200);
    assert!(is_valid(&app, session["token"].as_str().unwrap()).await, "a new token is valid at once");
    assert_eq!(session["user"]["emailVerified"], true, "the link came by mail");
    assert_eq!(app.mails_that_begin(&asha, "Your password was changed").await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_changed_password_ends_all_other_tokens() {
    let app = Shop::open().await;
    let asha = app.user("asha").await;
    let other = app.login(&json!({"email": asha.email, "password": PASSWORD})).await.expect(200);
    let other = other["token"].as_str().unwrap().to_owned();
    let change = async |current: &str, new: &str| {
        let body = json!({"currentPassword": current, "newPassword": new});
        app.patch("/api/auth/me/password").token(&asha.token).json(&body).send().await
    };
    change("not the password", NEW).await.refused(400, "auth.wrong_password");
    change(PASSWORD, "iloveyou1").await.invalid("newPassword");
    assert!(is_valid(&app, &other).await);
    let changed = change(PASSWORD, NEW).await;
    assert!(changed.header("set-cookie").is_some_and(|cookie| cookie.starts_with("token=")));
    let changed = changed.expect(200);
    assert!(is_valid(&app, changed["token"].as_str().unwrap()).await && changed["message"].is_string());
    assert!(!is_valid(&app, &asha.token).await && !is_valid(&app, &other).await);
    assert!(logs_in(&app, &asha.email, NEW).await && !logs_in(&app, &asha.email, PASSWORD).await);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_address_is_confirmed_and_replaced_by_mailed_links() {
    let app = Shop::open().await;
    let (asha, ravi) = (app.user("asha").await, app.user("ravi").await);
    let me = async |who: &Person| app.read(&who.token, "/api/auth/me").await["user"].clone();
    assert_eq!(me(&asha).await["emailVerified"], false);
    let verify = async |token: &str| post(&app, "/api/auth/email/verify", json!({"token": token})).await;
    let token = mailed(&app, &asha.email, "Confirm your e-mail", "verify").await;
    for _ in 0..2 {
        assert_eq!(verify(&token).await.expect(200)["user"]["emailVerified"], true);
    }
    reset(&app, &token, NEW).await.refused(400, "auth.token_invalid");
    assert!(is_valid(&app, &asha.token).await, "nothing was replaced");
    app.post("/api/auth/email/resend").token(&asha.token).send().await.expect(202);
    assert_eq!(app.mails_that_begin(&asha, "Confirm your e-mail").await, 1, "it is confirmed already");

    let change = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        app.post("/api/auth/email/change").token(&asha.token).json(&body).send().await
    };
    change("new@example.com", "not the password").await.refused(400, "auth.wrong_password");
    change(&ravi.email, PASSWORD).await.refused(400, "auth.user_exists");
    change("no address", PASSWORD).await.invalid("email");
    change("new@example.com", PASSWORD).await.expect(202);
    assert_eq!(me(&asha).await["email"], asha.email.as_str(), "nothing changes before it is confirmed");
    assert_eq!(app.mails_that_begin(&asha, "Your e-mail is to be changed").await, 1);
    let token = mailed(&app, "new@example.com", "Confirm your e-mail", "verify").await;
    assert_eq!(verify(&token).await.expect(200)["user"]["email"], "new@example.com");
    assert!(!is_valid(&app, &asha.token).await && logs_in(&app, "new@example.com", PASSWORD).await);
    assert!(!logs_in(&app, &asha.email, PASSWORD).await);
    app.shutdown().await;
}

#[actix_web::test]
async fn names_and_addresses_are_changed_in_part() {
    let app = Shop::open().await;
    let (asha, ravi) = (app.user("asha").await, app.user("ravi").await);
    let patch = async |path: &str, body: Value| app.patch(path).token(&asha.token).json(&body).send().await;
    let user = patch("/api/auth/me", json!({"fullName": {"firstName": "Aśa", "lastName": "Rao"}})).await.expect(200);
    assert_eq!((&user["user"]["fullName"]["firstName"], &user["user"]["username"]), (&json!("Aśa"), &json!("asha")));
    patch("/api/auth/me", json!({"username": "RAVI"})).await.refused(400, "auth.user_exists");
    assert_eq!(
        patch("/api/auth/me", json!({"username": "asha.rao"})).await.expect(200)["user"]["username"],
        "asha.rao"
    );
    patch("/api/auth/me", json!({"username": "x"})).await.invalid("username");

    let address = json!({"fullName": "Asha", "street": "12 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"});
    let kept = app.post("/api/auth/users/me/addresses").token(&asha.token).json(&address).send().await.expect(201);
    let path = format!("/api/auth/users/me/addresses/{}", kept["addresses"][0]["_id"].as_str().unwrap());
    let changed =
        patch(&path, json!({"street": "13 Lake Road", "fullName": ""})).await.expect(200)["addresses"][0].clone();
    assert_eq!((&changed["street"], &changed["city"]), (&json!("13 Lake Road"), &json!("Pune")));
    assert!(changed.get("fullName").is_none() && changed["isDefault"] == true, "{changed}");
    patch(&path, json!({"zip": "nowhere"})).await.refused(422, "auth.bad_address");
    let foreign = app.patch(&path).token(&ravi.token).json(&json!({"street": "1 Other Road"})).send().await;
    foreign.expect(404);
    app.shutdown().await;
}

#[actix_web::test]
async fn the_pages_of_mailed_links_act_only_when_a_button_is_pressed() {
    let app = Shop::open().await;
    let browser = Browser::new(&app);
    browser.sign_up("asha").await;
    let page = browser.open("/account").await;
    page.has("not confirmed yet").has("autocomplete=\"new-password\"").has("autocomplete=\"current-password\"");
    let token = mailed(&app, "asha@example.com", "Confirm your e-mail", "verify").await;
    let page = browser.open(&format!("/verify?token={token}")).await;
    browser.open("/account").await.has("not confirmed yet");
    browser.submit(&page, "/verify", &[]).await.has("is confirmed").lacks("not confirmed yet");

    let guest = Browser::new(&app);
    let page = guest.open("/forgot").await;
    guest.submit(&page, "/forgot", &[("email", "asha@example.com")]).await.has("on its way");
    let token = mailed(&app, "asha@example.com", "Reset your password", "reset").await;
    let page = guest.open(&format!("/reset?token={token}")).await;
    page.has("autocomplete=\"new-password\"").lacks("next=%2Freset");
    let refused = guest.submit(&page, "/reset", &[("password", "12345678")]).await;
    refused.has("id=\"e-password\"").has("common");
    let done = guest.submit(&refused, "/reset", &[("password", NEW)]).await;
    assert_eq!(done.path, "/login");
    done.has("Log in with it");
    assert!(browser.open("/account").await.path.starts_with("/login"), "the other browser is logged out");
    let again = guest.open(&format!("/reset?token={token}")).await;
    guest.submit(&again, "/reset", &[("password", NEW)]).await.has("not valid any more");
    app.shutdown().await;
}
