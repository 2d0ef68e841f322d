//! Encryption, certificates, passwords and tokens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use microbazaar::store::mailbox::MailState;
use serde_json::json;
use test_support::{Folder, Settings, Shop, certificate::Certificate, done, eventually, smtp::Receiver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{log, until_log};

fn path(path: &std::path::Path) -> String {
    path.display().to_string()
}

#[actix_rt::test]
async fn passwords_go_over_tls_of_either_kind() {
    let folder = Folder::new();
    let made = Certificate::make(&folder.0);
    for (tls, scheme, query, methods) in
        [("starttls", "smtp", "?tls=required", json!(["PLAIN"])), ("implicit", "smtps", "", json!(["LOGIN"]))]
    {
        let options = json!({
            "tls": tls, "key": path(&made.key), "cert": path(&made.certificate),
            "user": "shop@example.com", "password": "p@ss/word", "methods": methods,
        });
        let Some(receiver) = Receiver::start(&options) else { return };
        let url = format!("{scheme}://shop%40example.com:p%40ss%2Fword@127.0.0.1:{}{query}", receiver.port);
        let settings = Settings::new().smtp(&url).set("MICROBAZAAR_SMTP__CA_FILE", &path(&made.authority));
        let shop = Shop::start(settings).await;
        shop.user("asha").await;
        until_log(&shop, MailState::Sent, 1).await;
        let mails = receiver.mails();
        assert_eq!(mails.len(), 1);
        assert!(mails[0].secure && mails[0].user.as_deref() == Some("shop@example.com"));
        shop.stop().await;
    }
}

#[actix_rt::test]
async fn an_untrusted_certificate_is_refused() {
    let [of_made, of_other] = [(); 2].map(|()| Folder::new());
    let (made, other) = (Certificate::make(&of_made.0), Certificate::make(&of_other.0));
    for (tls, scheme, query) in [("starttls", "smtp", "?tls=required"), ("implicit", "smtps", "")] {
        let options = json!({"tls": tls, "key": path(&made.key), "cert": path(&made.certificate)});
        let Some(receiver) = Receiver::start(&options) else { return };
        let url = format!("{scheme}://127.0.0.1:{}{query}", receiver.port);
        let settings = Settings::new().smtp(&url).set("MICROBAZAAR_SMTP__CA_FILE", &path(&other.authority));
        let shop = Shop::start(settings).await;
        shop.user("asha").await;
        let failed = until_log(&shop, MailState::Failed, 1).await;
        let reason = failed[0].reason.as_deref().unwrap();
        assert!(reason.contains("certificate"), "{reason}");
        assert!(receiver.mails().is_empty());
        shop.stop().await;
    }
}

#[actix_rt::test]
async fn without_starttls_nothing_is_sent_where_it_is_required() {
    let Some(receiver) = Receiver::plain() else { return };
    let shop = Shop::start(Settings::new().smtp(&format!("{}?tls=required", receiver.url()))).await;
    shop.user("asha").await;
    let failed = until_log(&shop, MailState::Failed, 1).await;
    assert!(failed[0].reason.as_deref().unwrap().contains("STARTTLS is not supported"), "{failed:?}");
    assert!(receiver.mails().is_empty());
    shop.stop().await;
}

#[actix_rt::test]
async fn a_refused_login_is_retried_and_its_password_never_shown() {
    let options = json!({"user": "shop", "password": "right-secret"});
    let Some(receiver) = Receiver::start(&options) else { return };
    let url = format!("smtp://shop:wrong-secret@127.0.0.1:{}", receiver.port);
    let shop = Shop::start(Settings::new().smtp(&url)).await;
    shop.user("asha").await;
    eventually("it was tried", async || log(&shop).await.iter().any(|record| record.attempts >= 1)).await;
    let record = log(&shop).await.remove(0);
    let reason = record.reason.unwrap();
    assert!(reason.starts_with("the mail server refuses the login: 535 5.7.8"), "{reason}");
    assert!(!reason.contains("wrong-secret"), "{reason}");
    let resend = |url: &str| {
        let mut command = shop.settings.command(&["mail", "resend", "1"]);
        command.env("SMTP_URL", url);
        done(command)
    };
    let (code, out, complaint) = resend(&url).await;
    assert_eq!(code, Some(1));
    assert!(complaint.contains("refuses the login") && !format!("{out}{complaint}").contains("wrong-secret"));
    let right = format!("smtp://shop:right-secret@127.0.0.1:{}", receiver.port);
    assert_eq!(resend(&right).await.0, Some(0));
    assert_eq!(receiver.mails().len(), 1);
    shop.stop().await;
}

/// A token endpoint that issues `token-1`, `token-2` and so on.
async fn tokens() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let given = Arc::clone(&count);
    actix_rt::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            let mut asked = vec![];
            while !String::from_utf8_lossy(&asked).contains("refresh_token=re%26fresh") {
                let mut part = [0; 4096];
                let read = peer.read(&mut part).await.unwrap();
                assert!(read > 0, "the whole form: {}", String::from_utf8_lossy(&asked));
                asked.extend_from_slice(&part[..read]);
            }
            let asked = String::from_utf8_lossy(&asked).into_owned();
            assert!(asked.contains("grant_type=refresh_token&client_id=me&client_secret=hush"), "{asked}");
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            let body = json!({"access_token": format!("token-{number}"), "expires_in": 3600, "token_type": "Bearer"});
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            peer.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    (url, count)
}

#[actix_rt::test]
async fn a_token_is_fetched_once_and_again_when_it_is_refused() {
    let Some(receiver) = Receiver::start(&json!({"user": "shop@gmail.example", "token": "token-1"})) else { return };
    let (endpoint, fetched) = tokens().await;
    let more = [
        ("EMAIL_USER", "shop@gmail.example"),
        ("EMAIL_CLIENT_ID", "me"),
        ("EMAIL_CLIENT_SECRET", "hush"),
        ("EMAIL_REFRESH_TOKEN", "re&fresh"),
        ("EMAIL_TOKEN_URL", endpoint.as_str()),
    ];
    let shop = Shop::start(Settings::new().smtp(&receiver.url()).set_all(more)).await;
    for number in 0..5 {
        shop.user(&format!("buyer{number}")).await;
    }
    until_log(&shop, MailState::Sent, 5).await;
    assert_eq!(fetched.load(Ordering::SeqCst), 1, "it is kept");
    assert_eq!(receiver.mails()[0].user.as_deref(), Some("shop@gmail.example"));
    // The server refuses it: the first mail after that fetches a new one.
    let port = receiver.kill();
    let receiver = Receiver::start(&json!({"port": port, "user": "shop@gmail.example", "token": "token-2"})).unwrap();
    shop.user("asha").await;
    until_log(&shop, MailState::Sent, 6).await;
    assert_eq!(fetched.load(Ordering::SeqCst), 2);
    assert_eq!(receiver.refused(), ["token-1"]);
    shop.stop().await;
}

#[actix_rt::test]
async fn a_configured_token_is_used_as_a_login() {
    let Some(receiver) = Receiver::start(&json!({"user": "shop@gmail.example", "token": "given"})) else { return };
    let more = [("EMAIL_USER", "shop@gmail.example"), ("EMAIL_ACCESS_TOKEN", "given")];
    let shop = Shop::start(Settings::new().smtp(&receiver.url()).set_all(more)).await;
    shop.user("asha").await;
    until_log(&shop, MailState::Sent, 1).await;
    shop.stop().await;
}
