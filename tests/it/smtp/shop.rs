//! A shop that sends its mails by SMTP: within the test, or as the real program.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use microbazaar::{
    app::App,
    config::{Config, Overrides, Sources},
    domain::ids::UserId,
    store::mailbox::{MailRecord, MailState},
};
use serde_json::{Value, json};

use crate::smtp::{DEADLINE, until};

/// A folder that is removed after the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("microbazaar-smtp-{}", UserId::generate()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Short retry delays, so that retries occur within the test.
pub const QUICK: &str = "100ms,200ms,400ms,800ms";

/// The settings of a shop over `folder`.
pub fn config(folder: &Path, url: &str, more: &[(&str, &str)]) -> Config {
    let data = folder.join("data").display().to_string();
    let mut sources = Sources::of_variables([
        ("JWT_SECRET", "a secret of thirty-two bytes, or so"),
        ("PORT", "0"),
        ("MICROBAZAAR_RATE_LIMIT__ENABLED", "false"),
        ("MICROBAZAAR_RABBIT__RETRY_DELAYS", QUICK),
        ("EMAIL_FROM", "The Shop <shop@shop.example>"),
        ("SMTP_URL", url),
        ("MICROBAZAAR_DATA_DIR", &data),
    ]);
    sources.variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Config::load_from(&sources, &Overrides::default()).unwrap()
}

/// A shop within the test.
pub struct Shop {
    pub app: App,
    pub client: Client,
}

impl Shop {
    pub async fn start(config: &Config) -> Self {
        let app = App::start(config).await.unwrap();
        let client = Client::new(&format!("http://{}", app.address));
        Self { app, client }
    }

    /// The delivery log, newest first.
    pub async fn log(&self) -> Vec<MailRecord> {
        self.app.storage.stores().mailbox.records(None, 1_000).await.unwrap()
    }

    /// Waits until the log has this many mails in a state.
    pub async fn until_log(&self, state: MailState, count: usize) -> Vec<MailRecord> {
        until(&format!("{count} mails are {state:?}"), async || {
            self.log().await.iter().filter(|record| record.state == state).count() >= count
        })
        .await;
        self.log().await.into_iter().filter(|record| record.state == state).collect()
    }

    pub async fn stop(self) {
        let ended = self.app.shutdown().await.unwrap();
        assert_eq!(ended.actors_alive, 0);
    }
}

/// Calls to a shop.
pub struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    pub fn new(base: &str) -> Self {
        let http = microbazaar::runtime::http_client::builder().timeout(DEADLINE).build().unwrap();
        Self { base: base.to_owned(), http }
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Registers, which sends a welcome mail. Returns the token.
    pub async fn join(&self, email: &str, role: &str) -> String {
        let new = json!({"email": email, "password": "correct horse", "role": role});
        text(&self.post("/api/auth/register", "", &new).await["token"])
    }

    /// As [`Client::join`] where the server may be killed: returns whether it answered.
    pub async fn try_join(&self, email: &str) -> bool {
        let new = json!({"email": email, "password": "correct horse"});
        let sent = self.http.post(format!("{}/api/auth/register", self.base)).json(&new).send().await;
        sent.is_ok_and(|answer| answer.status().is_success())
    }

    pub async fn get_text(&self, path: &str) -> String {
        self.http.get(format!("{}{path}", self.base)).send().await.unwrap().text().await.unwrap()
    }

    pub async fn get(&self, path: &str, token: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.base));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Creates a product; returns its id.
    pub async fn offer(&self, seller: &str) -> String {
        let new = json!({"title": "Brass lamp ✨", "priceAmount": 10, "stock": 100});
        text(&self.post("/api/products", seller, &new).await["product"]["_id"])
    }

    /// Buys two of a product and pays; returns the order's id.
    pub async fn purchase(&self, product: &str, buyer: &str) -> String {
        self.post("/api/cart/items", buyer, &json!({"productId": product, "quantity": 2})).await;
        let address = json!({"street": "1 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"});
        let placed = self.post("/api/orders", buyer, &json!({ "shippingAddress": address })).await;
        let order = text(&placed["order"]["_id"]);
        let opened = self.post(&format!("/api/payments/create/{order}"), buyer, &json!({})).await;
        let sandbox = format!("/sandbox/payments/{}", text(&opened["razorpayOrderId"]));
        let paid = self.post(&sandbox, buyer, &json!({"outcome": "success"})).await;
        self.post("/api/payments/verify", buyer, &paid).await;
        order
    }

    pub async fn mailbox(&self) -> Vec<Value> {
        let request = self.http.get(format!("{}/dev/mailbox", self.base)).header("accept", "application/json");
        let mails: Value = request.send().await.unwrap().json().await.unwrap();
        mails.as_array().unwrap().clone()
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text")).to_owned()
}

/// The real program over `folder`, to run `arguments`.
pub fn microbazaar(folder: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microbazaar"));
    command.env_clear().current_dir(folder).args(arguments).arg("--data-dir").arg(folder.join("data"));
    command.env("MICROBAZAAR_RATE_LIMIT__ENABLED", "false").env("MICROBAZAAR_LOG__LEVEL", "error");
    command.env("MICROBAZAAR_RABBIT__RETRY_DELAYS", QUICK).env("EMAIL_FROM", "The Shop <shop@shop.example>");
    command.env("SMTP_URL", url).stdin(Stdio::null());
    command
}

/// Runs a command of the real program: its exit code, output and errors.
pub async fn done(mut command: Command) -> (Option<i32>, String, String) {
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap());
    let Output { status, stdout, stderr } =
        tokio::time::timeout(DEADLINE, ran).await.expect("it ends in time").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// The real program, serving.
pub struct Process {
    child: Child,
    pub client: Client,
}

impl Process {
    pub fn start(folder: &Path, url: &str) -> Self {
        let mut command = microbazaar(folder, url, &["serve", "--port", "0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, reported) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some((_, base)) = line.split_once("is ready at ") {
                    let _gone = tell.send(base.trim().to_owned());
                }
            }
        });
        let base = reported.recv_timeout(DEADLINE.max(Duration::from_secs(1)));
        if base.is_err() {
            let _ended = child.kill();
        }
        Self { child, client: Client::new(&base.expect("the program is ready in time")) }
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
