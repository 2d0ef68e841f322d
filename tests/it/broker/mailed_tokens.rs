//! No token of a mailed link is anywhere but in the mail.

use std::fs::File;

use serde_json::json;
use test_support::{
    PASSWORD, Process, Receiver as Hook, Settings, done, eventually_some, rabbit::Broker, smtp::Receiver,
};

#[actix_rt::test]
async fn mailed_tokens_are_in_no_event_queue_webhook_or_log() {
    let Some(mails) = Receiver::plain() else { return };
    let Some(broker) = Broker::empty().await else { return };
    let (listener, hook) = (broker.listen_to("#").await, Hook::start());
    let settings = Settings::new()
        .rabbit(&broker.url)
        .smtp(&mails.url())
        .set("MICROBAZAAR_EMAIL__VERIFICATION", "remind")
        .set("MICROBAZAAR_WEBHOOKS__ALLOW_PRIVATE", "true")
        .set("MICROBAZAAR_LOG__LEVEL", "trace");
    let mut create = settings.command(&["admin", "create", "--email", "root@example.com"]);
    create.env("MICROBAZAAR_ADMIN_PASSWORD", PASSWORD);
    assert_eq!(done(create).await.0, Some(0));
    let log = settings.folder().join("log");
    let mut command = settings.command(&["serve"]);
    command.stderr(File::create(&log).unwrap());
    let mut process = Process::spawn(command);
    process.until_ready().unwrap();
    let client = &process.client;
    let login = async |email: &str, password: &str| {
        let session = client.login(&json!({"email": email, "password": password})).await.expect(200);
        session["token"].as_str().unwrap().to_owned()
    };
    let root = login("root@example.com", PASSWORD).await;
    client.do_as(&root, "/api/webhooks", &json!({"url": hook.url, "events": ["*"]})).await;

    // The token of the newest mail with such a link, of mails that come after the first `after`.
    let mailed = async |page: &str, to: &str| {
        let start = format!("/{page}?token=3D");
        let found = async || {
            let mail = mails.mails_to(to).into_iter().rev().find(|mail| unwrapped(&mail.body).contains(&start))?;
            let body = unwrapped(&mail.body);
            body.split_once(&start).map(|(_, token)| token.chars().take(56).collect::<String>())
        };
        eventually_some("the mail arrives", found).await
    };
    let asha = client.user("asha").await;
    let confirm = mailed("verify", &asha.email).await;
    client.do_as("", "/api/auth/email/verify", &json!({"token": confirm})).await;
    client.do_as("", "/api/auth/password/forgot", &json!({"email": asha.email})).await;
    let reset = mailed("reset", &asha.email).await;
    let body = json!({"token": reset, "password": "battery staple"});
    client.do_as("", "/api/auth/password/reset", &body).await;
    let token = login(&asha.email, "battery staple").await;
    let change = json!({"email": "new@example.com", "password": "battery staple"});
    client.do_as(&token, "/api/auth/email/change", &change).await;
    let replace = mailed("verify", "new@example.com").await;
    client.do_as("", "/api/auth/email/verify", &json!({"token": replace})).await;
    let tokens = [confirm, reset, replace];
    assert!(tokens.iter().all(|token| token.len() == 56 && token.starts_with(&asha.id)), "{tokens:?}");

    let mut seen: Vec<String> = hook.received().into_iter().map(|received| received.body).collect();
    while let Some(message) = broker.take(&listener).await {
        seen.push(format!("{:?} {}", message.properties, String::from_utf8_lossy(&message.data)));
    }
    assert!(seen.iter().any(|message| message.contains("PASSWORD_RESET_REQUESTED")), "{seen:?}");
    seen.push(done(settings.command(&["dead", "list"])).await.1);
    process.terminate();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains(" TRACE ") || log.contains("DEBUG"), "it logs everything");
    seen.push(log);
    for token in &tokens {
        // The first part is the user's id.
        let secret = &token[24..];
        assert!(!seen.iter().any(|text| text.contains(secret)), "a mailed token is elsewhere");
    }
    hook.stop().await;
}

/// A body without the line breaks that quoted-printable adds.
fn unwrapped(body: &str) -> String {
    body.replace("=\r\n", "")
}
