//! The mails of a purchase.

use serde_json::{Value, json};

use super::{PASSWORD, Shop, id, is_moment};

#[actix_web::test]
async fn each_step_of_a_purchase_sends_one_mail() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 10.0, 30).await;
    let order = app.order(&asha, &lamp, 2).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    app.open_payment(&asha, &order).await.expect(200);
    app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "failure").await.expect(200);
    let checkout = app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
    for _ in 0..2 {
        app.verify(&asha, &checkout).await.expect(200);
    }
    let path = format!("/api/orders/{}/ship", id(&order));
    app.post(&path).token(&seller.token).send().await.expect(200);

    let mails = app.mails(&asha).await;
    let begin =
        ["Welcome", "Confirm your e-mail", "Payment initiated", "Payment failed", "Payment received", "Order shipped"];
    assert_eq!(mails.len(), begin.len(), "{mails:?}");
    for subject in begin {
        let mut with = mails.iter().filter(|mail| mail.0.starts_with(subject));
        let (_, text, html) = with.next().unwrap_or_else(|| panic!("no {subject}: {mails:?}"));
        assert!(with.next().is_none(), "{subject} came twice");
        assert!(!text.is_empty() && html.contains('<'));
        if subject.starts_with("Payment") {
            let order = id(&order);
            assert!(text.contains(&order) && html.contains(&order), "{subject} names the order");
        }
    }
    let subjects: Vec<String> = app.mails(&seller).await.into_iter().map(|mail| mail.0).collect();
    assert_eq!(subjects.len(), 4, "{subjects:?}");
    assert!(subjects.iter().any(|subject| subject.starts_with("New order")));
    assert!(subjects.iter().any(|subject| subject.starts_with("New product")));
    app.shutdown().await;
}

#[actix_web::test]
async fn no_mail_contains_typed_names_or_titles() {
    let app = Shop::open().await;
    let name = json!({"firstName": "Wonn", "lastName": "Prizeman"});
    let body = json!({
        "email": "victim@example.com", "username": "claimnow", "password": PASSWORD, "fullName": name, "role": "seller",
    });
    let token = app.register(&body).await.expect(201)["token"].as_str().unwrap().to_owned();
    let title = "Claim at http://evil.example/x";
    let new = json!({"title": title, "priceAmount": 10, "stock": 1, "description": title, "category": "Prizes"});
    app.post("/api/products").token(&token).json(&new).send().await.expect(201);
    app.settle().await;
    let mails = app.get("/dev/mailbox").header("accept", "application/json").send().await.expect(200);
    let mails = mails.as_array().unwrap();
    assert_eq!(mails.len(), 3);
    for mail in mails {
        for part in ["subject", "text", "html"] {
            let part = mail[part].as_str().unwrap().to_lowercase();
            for typed in ["wonn", "prize", "claim", "evil"] {
                assert!(!part.contains(typed), "{typed}: {part}");
            }
        }
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn the_mailbox_is_a_page_and_an_array_and_escapes_names() {
    let app = Shop::open().await;
    let name = json!({"firstName": "<script>alert(1)</script>", "lastName": "\r\nBcc: x"});
    let body = json!({"email": "asha@example.com", "password": PASSWORD, "fullName": name});
    app.register(&body).await.expect(201);
    app.settle().await;
    let mails = app.get("/dev/mailbox").header("accept", "application/json").send().await.expect(200);
    let is_welcome = |mail: &&Value| mail["subject"].as_str().unwrap().starts_with("Welcome");
    let mail = mails.as_array().unwrap().iter().find(is_welcome).unwrap();
    assert!(mail["to"] == "asha@example.com" && is_moment(&mail["at"]));
    assert!(!mail["html"].as_str().unwrap().contains("<script>"));
    assert!(!mail["text"].as_str().unwrap().contains("script"), "what was typed stays out of it");
    let page = app.get("/dev/mailbox").header("accept", "text/html").send().await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(html.contains("asha@example.com") && html.contains("Welcome") && !html.contains("<script>"));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_disabled_mailbox_is_not_found() {
    let app = Shop::open_with(|config| config.mailbox.enabled = false).await;
    app.get("/dev/mailbox").send().await.expect(404);
    app.shutdown().await;
}

#[actix_web::test]
async fn announcements_end_by_one_click_without_a_session() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let announced = async || {
        app.settle().await;
        app.mails(&seller).await.iter().filter(|mail| mail.0.starts_with("New product")).count()
    };
    app.product(&seller, "Lamp", 10.0, 1).await;
    assert_eq!(announced().await, 1);
    let link = format!("/unsubscribe/{}", super::tokens().unsubscribe_token(seller.id.parse().unwrap()));
    let one_click = |path: &str| app.post(path).raw("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click");
    for wrong in ["/unsubscribe/x", "/unsubscribe/665f1f77bcf86cd799439011.00", &format!("{link}0")] {
        // The answer is a page.
        let answer = app.http.post(format!("{}{wrong}", app.base())).body("List-Unsubscribe=One-Click").send().await;
        assert_eq!(answer.unwrap().status().as_u16(), 404, "{wrong}");
    }
    let shown = app.get(&link).header("accept", "text/html").send().await;
    assert_eq!(shown.status, 200);
    app.product(&seller, "Mug", 10.0, 1).await;
    assert_eq!(announced().await, 2, "a look stops nothing");
    for _ in 0..2 {
        assert_eq!(one_click(&link).send().await.status, 200);
    }
    app.product(&seller, "Rug", 10.0, 1).await;
    assert_eq!(announced().await, 2);
    assert_eq!(one_click(&format!("{link}?again=yes")).send().await.status, 200);
    app.product(&seller, "Pan", 10.0, 1).await;
    assert_eq!(announced().await, 3);
    app.shutdown().await;
}
