//! A whole shop within the test, with a simulated Razorpay.

use microbazaar::{
    app::App,
    config::{Config, Overrides, Sources},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::payments::{gateways::Folder, standin::StandIn};

/// The admin's password.
const PASSWORD: &str = "correct horse";

/// A shop within the test, and the simulated Razorpay.
pub struct Shop {
    app: App,
    pub base: String,
    pub client: reqwest::Client,
    pub standin: StandIn,
    variables: Vec<(String, String)>,
    _folder: Folder,
}

/// Runs the program: whether it succeeded, and its output.
fn run(variables: &[(String, String)], args: &[&str]) -> (bool, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_microbazaar"));
    command.env_clear().envs(variables.iter().cloned()).env("MICROBAZAAR_ADMIN_PASSWORD", PASSWORD).args(args);
    let ended = command.output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8(said).unwrap())
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// A shop with these additional settings, and the admin `root@shop.example`.
    pub async fn open_with(settings: &[(&str, &str)]) -> Self {
        let (standin, folder) = (StandIn::start(), Folder::new());
        let data = folder.0.join("data").display().to_string();
        let own = [
            ("JWT_SECRET", "a secret of thirty-two bytes, or so"),
            ("PORT", "0"),
            ("MICROBAZAAR_RATE_LIMIT__ENABLED", "false"),
            ("MICROBAZAAR_DATA_DIR", data.as_str()),
        ];
        let of_standin = standin.variables();
        let of_standin = of_standin.iter().map(|(name, value)| (*name, value.as_str()));
        let variables = own.into_iter().chain(of_standin).chain(settings.iter().copied());
        let variables: Vec<_> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let made = run(&variables, &["admin", "create", "--email", "root@shop.example"]);
        assert!(made.0, "{}", made.1);
        let mut sources = Sources::of_variables([]);
        sources.variables.extend(variables.iter().cloned());
        let config = Config::load_from(&sources, &Overrides::default()).unwrap();
        let app = App::start(&config).await.unwrap();
        let base = format!("http://{}", app.address);
        let client = microbazaar::runtime::http_client::builder().no_proxy().build().unwrap();
        Self { app, base, client, standin, variables, _folder: folder }
    }

    pub async fn ask(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(Method::POST, path, token, Some(body)).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Value {
        self.ask(Method::GET, path, token, None).await.1
    }

    pub async fn join(&self, name: &str, role: &str) -> String {
        let new = json!({"email": format!("{name}@shop.example"), "password": "correct horse", "role": role});
        text(&self.post("/api/auth/register", "", &new).await.1["token"])
    }

    /// An order of two units at 10; returns the buyer's token and the order's id.
    pub async fn ordered(&self) -> (String, String) {
        self.ordered_as("asha").await
    }

    /// The same for a buyer with this name.
    pub async fn ordered_as(&self, name: &str) -> (String, String) {
        let (seller, buyer) = (self.join(&format!("mira{name}"), "seller").await, self.join(name, "user").await);
        let new = json!({"title": "Brass lamp", "priceAmount": 10, "stock": 100});
        let product = text(&self.post("/api/products", &seller, &new).await.1["product"]["_id"]);
        self.post("/api/cart/items", &buyer, &json!({"productId": product, "quantity": 2})).await;
        let address = json!({"street": "1 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"});
        let (status, placed) = self.post("/api/orders", &buyer, &json!({ "shippingAddress": address })).await;
        assert_eq!(status, StatusCode::CREATED, "{placed}");
        (buyer, text(&placed["order"]["_id"]))
    }

    pub async fn admin(&self) -> String {
        let login = json!({"email": "root@shop.example", "password": PASSWORD});
        text(&self.post("/api/auth/login", "", &login).await.1["token"])
    }

    /// Opens a payment; returns the gateway's order.
    pub async fn opened(&self, buyer: &str, order: &str) -> String {
        let (status, opened) = self.post(&format!("/api/payments/create/{order}"), buyer, &json!({})).await;
        assert!(status.is_success(), "{opened}");
        text(&opened["razorpayOrderId"])
    }

    pub async fn payment(&self, buyer: &str, order: &str) -> Value {
        self.get(&format!("/api/payments/order/{order}"), buyer).await["payment"].clone()
    }

    /// All mails.
    pub async fn mails(&self) -> Vec<Value> {
        let request = self.client.get(format!("{}/dev/mailbox", self.base)).header("accept", "application/json");
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Checks that the ledger, the orders and the refunds agree, and that the sums are these.
    pub async fn check_ledger_sums(&self, sums: &str) {
        let (well, said) = self.command(&["ledger", "check"]).await;
        assert!(well && said.contains(sums), "{said}");
    }

    /// Runs a command beside the shop: whether it succeeded, and its output.
    pub async fn command(&self, args: &[&str]) -> (bool, String) {
        let (variables, args) = (self.variables.clone(), args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>());
        let run = move || run(&variables, &args.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    pub async fn order_status(&self, buyer: &str, order: &str) -> String {
        text(&self.get(&format!("/api/orders/{order}"), buyer).await["order"]["status"])
    }

    pub async fn close(self) {
        let ended = self.app.shutdown().await.unwrap();
        assert_eq!(ended.actors_alive, 0);
    }
}
