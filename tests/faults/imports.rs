//! The process dies during an import of products, which is nevertheless completed.

use std::time::{Duration, Instant};

use microbazaar::{
    crash::IMPORT_POINTS,
    domain::ids::ProductId,
    store::sqlite::{SqliteOptions, SqliteStore},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::Line,
    process::{Process, data_of},
    shop::TempDir,
};

const WITHIN: Duration = Duration::from_secs(30);
/// How many products the file creates: more than are done between two saves of the progress.
const MADE: usize = 45;

/// Sends the file with the page's form; `None` when the process died.
async fn send(base: &str, token: &str, file: &str) -> Option<String> {
    let http = microbazaar::runtime::http_client::builder().timeout(WITHIN).build().unwrap();
    let url = format!("{base}/seller/products/import");
    let cookie = format!("token={token}");
    let page = http.get(&url).header("cookie", &cookie).send().await.ok()?.text().await.ok()?;
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let part = reqwest::multipart::Part::text(file.to_owned()).file_name("products.csv");
    let form = reqwest::multipart::Form::new().text("csrf", csrf).part("file", part);
    let sent = http.post(&url).header("cookie", &cookie).multipart(form).send().await.ok()?;
    sent.text().await.ok()
}

/// Polls until `found` returns something.
async fn eventually<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let ends = Instant::now() + WITHIN;
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(Instant::now() < ends, "{what} in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn titles(line: &Line, token: &str) -> Vec<String> {
    let (_, list) = line.get("/api/products/seller?limit=100", token).await;
    let mut titles: Vec<String> =
        list.as_array().unwrap().iter().map(|product| product["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

async fn finished_mails(base: &str) -> usize {
    let http = microbazaar::runtime::http_client::builder().build().unwrap();
    let mails = http.get(format!("{base}/dev/mailbox")).header("accept", "application/json").send().await.unwrap();
    let mails: Value = serde_json::from_slice(&mails.bytes().await.unwrap()).unwrap();
    let is_told = |mail: &&Value| mail["subject"].as_str().unwrap().starts_with("Import finished");
    mails.as_array().unwrap().iter().filter(is_told).count()
}

async fn dies_at(point: &str) {
    let dir = TempDir::new();
    let data = data_of(&dir.0);
    let process = Process::start_with(&data, &[("CRASH_AT", point)]);
    let line = Line::new(&process.base);
    let (_, token) = line.join("mira@example.com", "seller").await;
    let body = json!({"title": "Old", "priceAmount": 5, "stock": 10});
    let ((_, old), _) = line.post("/api/products", &token, &body).await;
    let old = old["product"]["_id"].as_str().unwrap().to_owned();
    let rows: String = (0..MADE).map(|n| format!(",New {n:02},{},2\n", n + 1)).collect();
    let file = format!("id,title,price,stock\n{old},,,6\n{rows}");
    assert_eq!(send(&process.base, &token, &file).await, None, "{point}: it dies");
    process.kill();

    let process = Process::start(&data);
    line.redirect(&process.base);
    let mut wanted: Vec<String> = (0..MADE).map(|n| format!("New {n:02}")).collect();
    wanted.push("Old".to_owned());
    let all = async || Some(titles(&line, &token).await).filter(|titles| titles.len() >= wanted.len());
    assert_eq!(eventually("the import is finished", all).await, wanted, "{point}");
    eventually("it is told", async || (finished_mails(&process.base).await == 1).then_some(())).await;
    let level = line.ask(Method::GET, &format!("/api/inventory/{old}"), &token, None, None).await.0.1;
    assert_eq!(level["available"], 6, "{point}");

    // Sent again after the crash, it creates nothing and restores no sold stock.
    let again = send(&process.base, &token, &file).await.unwrap();
    assert!(
        again.contains(&format!("<b>0</b> new, <b>0</b> changed, <b>{}</b> as before", MADE + 1)),
        "{point}: {again}"
    );
    assert_eq!(titles(&line, &token).await, wanted, "{point}");
}

/// The process dies when the stock is set, and the stock has its earlier value again before the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_stock_is_not_set_again_after_a_crash() {
    let dir = TempDir::new();
    let data = data_of(&dir.0);
    let process = Process::start_with(&data, &[("CRASH_AT", "import.row.after")]);
    let line = Line::new(&process.base);
    let (_, token) = line.join("mira@example.com", "seller").await;
    let body = json!({"title": "Old", "priceAmount": 5, "stock": 10});
    let ((_, old), _) = line.post("/api/products", &token, &body).await;
    let old = old["product"]["_id"].as_str().unwrap().to_owned();
    let file = format!("id,stock,stockSeen\n{old},6,10\n");
    assert_eq!(send(&process.base, &token, &file).await, None, "it dies");
    process.kill();

    let store = SqliteStore::open(&data, SqliteOptions::default()).unwrap();
    let (stores, product): (_, ProductId) = (store.stores(), old.parse().unwrap());
    assert_eq!(stores.stock.get(product).await.unwrap().unwrap().available(), 6, "it was set");
    stores.stock.set_available(&[(product, 10)]).await.unwrap();
    drop(stores);
    store.close().unwrap();

    let process = Process::start(&data);
    line.redirect(&process.base);
    eventually("it is told", async || (finished_mails(&process.base).await == 1).then_some(())).await;
    // Set manually, after the seller has checked the number; sent again, the row does nothing.
    let again = send(&process.base, &token, &file).await.unwrap();
    assert!(again.contains("<b>0</b> changed, <b>1</b> as before"), "{again}");
    let level = line.ask(Method::GET, &format!("/api/inventory/{old}"), &token, None, None).await.0.1;
    assert_eq!(level["available"], 10);
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
