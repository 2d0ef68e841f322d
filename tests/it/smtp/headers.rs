//! Whatever names users and products have, a mail has only the intended headers.

use microbazaar::store::mailbox::MailState;
use serde_json::json;
use test_support::{Settings, Shop, smtp::Receiver, text};

use super::until_log;

#[actix_rt::test]
async fn no_title_can_add_a_header() {
    let Some(receiver) = Receiver::plain() else { return };
    let shop = Shop::start(Settings::new().smtp(&receiver.url())).await;
    let seller = shop.seller("mira").await;
    let titles = [
        "Pot\r\nBcc: victim@example.com\r\n\r\nHello".to_owned(),
        "Pot\nX-Evil: 1".to_owned(),
        "Lampe für ☕ in 日本語 und العربية".to_owned(),
        "\u{202e}gnp.exe \"quoted\" <a@b.c>, =?utf-8?q?x?=".to_owned(),
        "long ".repeat(39),
        "x".repeat(200),
    ];
    let mut made = 0;
    for title in &titles {
        let new = json!({"title": title, "priceAmount": 10, "stock": 1});
        let answer = shop.do_as(&seller.token, "/api/products", &new).await;
        assert!(!text(&answer["product"]["_id"]).is_empty());
        made += 1;
    }
    until_log(&shop, MailState::Sent, made + 1).await;
    let mails = receiver.mails();
    assert_eq!(mails.len(), made + 1);
    let known = [
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "auto-submitted",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "mime-version",
        "content-type",
    ];
    for mail in &mails {
        assert_eq!(mail.to, "mira@example.com");
        assert!(mail.headers.keys().all(|name| known.contains(&name.as_str())), "{:?}", mail.headers);
        assert!(mail.headers.values().all(|values| values.len() == 1), "{:?}", mail.headers);
        assert!(mail.raw.is_ascii(), "encoded as it must be");
        assert!(mail.raw.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
    }
    shop.stop().await;
}
