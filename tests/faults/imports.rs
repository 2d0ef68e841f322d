//! The process dies during an import of products, which is nevertheless completed.

use microbazaar::{
    crash::IMPORT_POINTS,
    domain::ids::ProductId,
    store::sqlite::{SqliteOptions, SqliteStore},
};
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use test_support::{Client, Process, eventually, text};

use super::settings;

/// How many products the file creates: more than are done between two saves of the progress.
const MADE: usize = 45;

/// Sends the file with the page's form; `None` when the process died.
async fn send(client: &Client, token: &str, file: &str) -> Option<String> {
    let path = "/seller/products/import";
    let page = client.get(path).cookie(token).try_send().await.ok()?;
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let part = Part::text(file.to_owned()).file_name("products.csv");
    let form = Form::new().text("csrf", csrf).part("file", part);
    let sent = client.post(path).cookie(token).form(form).try_send().await.ok()?;
    Some(String::from_utf8(sent.body.to_vec()).unwrap())
}

async fn titles(client: &Client, token: &str) -> Vec<String> {
    let list = client.read(token, "/api/products/seller?limit=100").await;
    let mut titles: Vec<String> = list.as_array().unwrap().iter().map(|product| text(&product["title"])).collect();
    titles.sort();
    titles
}

async fn until_told(client: &Client) {
    let is_told = |mail: &Value| text(&mail["subject"]).starts_with("Import finished");
    let mails = async || client.mailbox().await.iter().filter(|mail| is_told(mail)).count();
    eventually("it is told", async || mails().await == 1).await;
}

async fn dies_at(point: &str) {
    let settings = settings();
    let process = Process::launch(&settings, &[("CRASH_AT", point)]).unwrap();
    let client = process.client.clone();
    let mira = client.seller("mira").await;
    let old = client.product(&mira, "Old", 5.0, 10).await;
    let rows: String = (0..MADE).map(|n| format!(",New {n:02},{},2\n", n + 1)).collect();
    let file = format!("id,title,price,stock\n{old},,,6\n{rows}");
    assert_eq!(send(&client, &mira.token, &file).await, None, "{point}: it dies");
    process.kill();

    let process = Process::start(&settings);
    client.redirect(&process.base());
    let mut wanted: Vec<String> = (0..MADE).map(|n| format!("New {n:02}")).collect();
    wanted.push("Old".to_owned());
    let all = async || titles(&client, &mira.token).await.len() >= wanted.len();
    eventually("the import is finished", all).await;
    assert_eq!(titles(&client, &mira.token).await, wanted, "{point}");
    until_told(&client).await;
    assert_eq!(client.stock(&old).await.2, 6, "{point}");

    // Sent again after the crash, it creates nothing and restores no sold stock.
    let again = send(&client, &mira.token, &file).await.unwrap();
    assert!(
        again.contains(&format!("<b>0</b> new, <b>0</b> changed, <b>{}</b> as before", MADE + 1)),
        "{point}: {again}"
    );
    assert_eq!(titles(&client, &mira.token).await, wanted, "{point}");
}

/// The process dies when the stock is set, and the stock has its earlier value again before the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_stock_is_not_set_again_after_a_crash() {
    let settings = settings();
    let process = Process::launch(&settings, &[("CRASH_AT", "import.row.after")]).unwrap();
    let client = process.client.clone();
    let mira = client.seller("mira").await;
    let old = client.product(&mira, "Old", 5.0, 10).await;
    let file = format!("id,stock,stockSeen\n{old},6,10\n");
    assert_eq!(send(&client, &mira.token, &file).await, None, "it dies");
    process.kill();

    let store = SqliteStore::open(&settings.data(), SqliteOptions::default()).unwrap();
    let (stores, product): (_, ProductId) = (store.stores(), old.parse().unwrap());
    assert_eq!(stores.stock.get(product).await.unwrap().unwrap().available(), 6, "it was set");
    stores.stock.set_available(&[(product, 10)]).await.unwrap();
    drop(stores);
    store.close().unwrap();

    let process = Process::start(&settings);
    client.redirect(&process.base());
    until_told(&client).await;
    // Set manually, after the seller has checked the number; sent again, the row does nothing.
    let again = send(&client, &mira.token, &file).await.unwrap();
    assert!(again.contains("<b>0</b> changed, <b>1</b> as before"), "{again}");
    assert_eq!(client.stock(&old).await.2, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_completed_wherever_the_process_dies() {
    for point in IMPORT_POINTS {
        let times = match *point {
            "import.row.before" | "import.row.after" => 30,
            _ => 1,
        };
        dies_at(&format!("{point}:{times}")).await;
    }
}
