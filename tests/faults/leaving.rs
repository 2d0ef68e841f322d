//! The process dies while an account is deleted: either nothing of the user is gone, or soon everything is.

use std::time::Duration;

use rand::Rng;
use reqwest::Method;
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::{Value, json};
use test_support::{Client, PASSWORD, Person, Process, Settings, eventually, text};

use super::settings;

/// How often the process dies.
const KILLS: u32 = 8;

/// The tables with a row that has this text.
fn tables_with(settings: &Settings, mark: &str) -> Vec<String> {
    let path = settings.data().join("microbazaar.db");
    let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut tables = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let mut tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let has_mark = |table: &String| {
        let mut all = file.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let found = (0..columns).any(|column| match row.get_ref(column).unwrap() {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).contains(mark),
                _ => false,
            });
            if found {
                return true;
            }
        }
        false
    };
    tables.retain(has_mark);
    tables
}

/// A user whose name is `mark`, with a delivered order, a cart, a wishlist and mails.
async fn user(client: &Client, seller: &Person, lamp: &str, mark: &str) -> Person {
    let email = format!("{mark}@example.com");
    let new = json!({"email": email, "password": PASSWORD, "fullName": {"firstName": mark}});
    let session = client.register(&new).await.expect(201);
    let user = Person { id: text(&session["user"]["_id"]), email, token: text(&session["token"]) };
    let address =
        json!({"fullName": mark, "street": "7 Lane", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"});
    client.do_as(&user.token, "/api/auth/users/me/addresses", &address).await;
    let order = client.buy(&user, lamp, 1).await;
    for step in ["ship", "deliver"] {
        client.do_as(&seller.token, &format!("/api/orders/{order}/{step}"), &json!({})).await;
    }
    client.add_to_cart(&user, lamp, 1).await.expect(200);
    client.call(Method::PUT, &format!("/api/wishlist/{lamp}")).token(&user.token).send().await.expect(204);
    user
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_deleted_whole_wherever_the_process_dies() {
    let settings = settings();
    let mut process = Process::start(&settings);
    let client = process.client.clone();
    let seller = client.seller("mira").await;
    let lamp = client.product(&seller, "Lamp", 10.0, 100).await;
    let mut deleted = 0;
    for kill in 0..KILLS {
        let mark = format!("zarathu{kill}x");
        let who = user(&client, &seller, &lamp, &mark).await;
        let call = client.delete("/api/auth/me").token(&who.token).json(&json!({"password": PASSWORD}));
        let leaving = tokio::spawn(call.try_send());
        let after = Duration::from_millis(rand::rng().random_range(0..250));
        tokio::time::sleep(after).await;
        process.kill();
        let answered = leaving.await.unwrap().is_ok_and(|answer| answer.status == 202);

        process = Process::start(&settings);
        client.redirect(&process.base());
        let login = client.login(&json!({"email": who.email, "password": PASSWORD})).await;
        if login.status == 200 {
            assert!(!answered, "killed after {after:?}: a deletion that was answered");
            let me: Value = client.read(&text(&login.json()["token"]), "/api/auth/me").await;
            assert_eq!(
                (&me["user"]["fullName"]["firstName"], me["user"]["addresses"][0]["street"].as_str()),
                (&json!(mark), Some("7 Lane"))
            );
            continue;
        }
        deleted += 1;
        let is_gone = async || tables_with(&settings, &mark).is_empty();
        eventually(&format!("nothing names the user, killed after {after:?}"), is_gone).await;
    }
    assert!(deleted > 0, "the process always died too early");
    assert_eq!(client.sales(&seller).await, u64::from(KILLS), "the figures stay");
}
