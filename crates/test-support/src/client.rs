//! Calls to a shop over HTTP, and what buyers and sellers do by them.
//!
//! **Invariant:** every answer that a test sees has been checked for what all answers have in common.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::RwLock;
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

use crate::{DEADLINE, PASSWORD, address, eventually_some, text};

/// An answer that was read.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// How often it was asked for; more than once only by a patient client.
    pub tries: u32,
}

impl Answer {
    /// Reads it, and checks `nosniff` and the one body of every error.
    #[track_caller]
    pub fn checked(status: u16, headers: HeaderMap, body: Bytes) -> Self {
        let answer = Self { status, headers, body, tries: 1 };
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert!(status < 500 || status == 503, "{answer:?}");
        if status >= 400 {
            let error = answer.json();
            for field in ["message", "code", "requestId"] {
                assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {error}");
            }
            for one in error["errors"].as_array().into_iter().flatten() {
                assert!(one["path"].is_string() && one["msg"].is_string(), "{error}");
            }
        }
        answer
    }

    /// The body, of an answer of this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The body, of an answer that says that it was done.
    #[track_caller]
    pub fn done(&self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// An error of this status and code; returns its body.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        body
    }

    /// 400 whose `errors` name `path`.
    #[track_caller]
    pub fn invalid(&self, path: &str) {
        let body = self.refused(400, "request.invalid");
        let named = body["errors"].as_array().is_some_and(|errors| errors.iter().any(|error| error["path"] == path));
        assert!(named, "{path} is not named: {body}");
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        let media = self.header("content-type").unwrap_or_default();
        assert!(["application/json", "application/problem+json"].contains(&media), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The status with the body, which is JSON.
    #[track_caller]
    pub fn parts(&self) -> (u16, Value) {
        (self.status, if self.body.is_empty() { Value::Null } else { self.json() })
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone, Default)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub token: String,
}

impl Person {
    /// Somebody of whom only the token matters.
    pub fn of(token: &str) -> Self {
        Self { token: token.to_owned(), ..Self::default() }
    }
}

/// Where calls to a path go.
type Way = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// How long an answer may take where nothing may hang.
const PROMPT: Duration = Duration::from_secs(20);

fn http(timeout: Duration) -> reqwest::Client {
    microbazaar::runtime::http_client::builder().timeout(timeout).no_proxy().build().unwrap()
}

/// Calls to a shop, wherever it listens.
#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    base: Arc<RwLock<String>>,
    way: Option<Way>,
    patient: bool,
    unknown: Arc<AtomicUsize>,
}

impl Client {
    pub fn new(base: &str) -> Self {
        let base = Arc::new(RwLock::new(base.to_owned()));
        Self { http: http(DEADLINE), base, way: None, patient: false, unknown: Arc::default() }
    }

    /// One that asks each path where `way` says.
    #[must_use]
    pub fn by(self, way: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self { way: Some(Arc::new(way)), ..self }
    }

    /// One for where nothing may hang: whoever is there answers soon.
    #[must_use]
    pub fn prompt(self) -> Self {
        Self { http: http(PROMPT), ..self }
    }

    /// The same, which repeats what got no answer or a 503; that says when to come again.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { patient: true, ..self.prompt() }
    }

    /// The address of the shop.
    pub fn base(&self) -> String {
        self.base.read().clone()
    }

    /// From now on calls go there, also those that are being repeated.
    pub fn redirect(&self, base: &str) {
        base.clone_into(&mut self.base.write());
    }

    /// How many answers of a patient client did not know what became of the request.
    pub fn unknown(&self) -> usize {
        self.unknown.load(Ordering::Relaxed)
    }

    fn url(&self, path: &str) -> String {
        self.way.as_ref().map_or_else(|| format!("{}{path}", self.base.read()), |way| way(path))
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        let request = self.http.request(method, self.url(path));
        Call { client: self.clone(), path: path.to_owned(), request }
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// What somebody reads.
    pub async fn read(&self, token: &str, path: &str) -> Value {
        self.get(path).token(token).send().await.expect(200)
    }

    /// What somebody does, once it is done.
    pub async fn do_as(&self, token: &str, path: &str, body: &Value) -> Value {
        self.post(path).token(token).json(body).send().await.done()
    }

    /// Asks again until the answer is as it should be.
    pub async fn until(&self, what: &str, token: &str, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let found = async || Some(self.read(token, path).await).filter(&holds);
        eventually_some(what, found).await
    }

    pub async fn register(&self, body: &Value) -> Answer {
        self.post("/api/auth/register").json(body).send().await
    }

    pub async fn login(&self, body: &Value) -> Answer {
        self.post("/api/auth/login").json(body).send().await
    }

    /// Registers `name@example.com`, or logs in when a try without an answer has registered them.
    pub async fn person(&self, name: &str, role: &str) -> Person {
        let email = format!("{name}@example.com");
        let name = json!({"firstName": "Asha", "lastName": "Rao"});
        let body = json!({"email": email, "password": PASSWORD, "role": role, "fullName": name});
        let answer = self.register(&body).await;
        let session = if answer.tries > 1 && answer.status == 400 {
            self.login(&json!({"email": email, "password": PASSWORD})).await.expect(200)
        } else {
            answer.expect(201)
        };
        Person { id: text(&session["user"]["_id"]), email, token: text(&session["token"]) }
    }

    /// A registered buyer.
    pub async fn user(&self, name: &str) -> Person {
        self.person(name, "user").await
    }

    /// A registered seller.
    pub async fn seller(&self, name: &str) -> Person {
        self.person(name, "seller").await
    }

    /// A new product; returns its id.
    pub async fn product(&self, seller: &Person, title: &str, price: f64, stock: u32) -> String {
        let body = json!({"title": title, "priceAmount": price, "stock": stock});
        let created = self.post("/api/products").token(&seller.token).json(&body).send().await.expect(201);
        text(&created["product"]["_id"])
    }

    pub async fn add_to_cart(&self, who: &Person, product: &str, quantity: u32) -> Answer {
        let body = json!({"productId": product, "quantity": quantity});
        self.post("/api/cart/items").token(&who.token).json(&body).send().await
    }

    pub async fn place_order(&self, who: &Person, body: &Value) -> Answer {
        self.post("/api/orders").token(&who.token).json(body).send().await
    }

    /// An order of `quantity` of a product.
    pub async fn order(&self, who: &Person, product: &str, quantity: u32) -> Value {
        self.add_to_cart(who, product, quantity).await.expect(200);
        let body = json!({"shippingAddress": address("Pune")});
        self.place_order(who, &body).await.expect(201)["order"].clone()
    }

    pub async fn order_now(&self, who: &Person, order: &Value) -> Value {
        self.read(&who.token, &format!("/api/orders/{}", text(&order["_id"]))).await["order"].clone()
    }

    pub async fn open_payment(&self, who: &Person, order: &Value) -> Answer {
        self.post(&format!("/api/payments/create/{}", text(&order["_id"]))).token(&who.token).send().await
    }

    /// What a buyer does at the sandbox's page; what its checkout gives.
    pub async fn sandbox(&self, who: &Person, razorpay_order: &str, outcome: &str) -> Answer {
        let path = format!("/sandbox/payments/{razorpay_order}");
        self.post(&path).token(&who.token).json(&json!({"outcome": outcome})).send().await
    }

    pub async fn verify(&self, who: &Person, checkout: &Value) -> Answer {
        self.post("/api/payments/verify").token(&who.token).json(checkout).send().await
    }

    /// Pays an order in full; returns the payment.
    pub async fn pay(&self, who: &Person, order: &Value) -> Value {
        let opened = self.open_payment(who, order).await.done();
        let checkout = self.sandbox(who, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
        let verified = self.verify(who, &checkout).await.expect(200);
        assert_eq!(verified["message"], "Payment verified");
        verified["payment"].clone()
    }

    /// Buys and pays; returns the order's id.
    pub async fn buy(&self, who: &Person, product: &str, quantity: u32) -> String {
        let order = self.order(who, product, quantity).await;
        self.pay(who, &order).await;
        text(&order["_id"])
    }

    pub async fn payment_of(&self, who: &Person, order: &Value) -> Value {
        self.read(&who.token, &format!("/api/payments/order/{}", text(&order["_id"]))).await["payment"].clone()
    }

    /// On hand, reserved, available.
    pub async fn stock(&self, product: &str) -> (i64, i64, i64) {
        let level = self.get(&format!("/api/inventory/{product}")).send().await.expect(200);
        assert_eq!(level["productId"], product);
        let number = |key: &str| level[key].as_i64().unwrap();
        (number("onHand"), number("reserved"), number("available"))
    }

    /// Units sold, as a seller's dashboard knows.
    pub async fn sales(&self, seller: &Person) -> u64 {
        self.read(&seller.token, "/api/seller/dashboard/metrics").await["sales"].as_u64().unwrap_or_default()
    }

    /// All mails, newest first.
    pub async fn mailbox(&self) -> Vec<Value> {
        let mails = self.get("/dev/mailbox").header("accept", "application/json").send().await.expect(200);
        mails.as_array().unwrap().clone()
    }

    pub async fn metrics(&self) -> String {
        self.http.get(self.url("/metrics")).send().await.unwrap().text().await.unwrap()
    }

    /// What `/readyz` says: its status, and the view.
    pub async fn readyz(&self) -> (u16, Value) {
        let answer = self.http.get(self.url("/readyz")).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// A request in the making.
pub struct Call {
    client: Client,
    path: String,
    request: RequestBuilder,
}

impl Call {
    fn map(self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        Self { request: change(self.request), ..self }
    }

    /// With a Bearer token, unless it is empty.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        if token.is_empty() { self } else { self.map(|request| request.bearer_auth(token)) }
    }

    /// With the token as a browser keeps it.
    #[must_use]
    pub fn cookie(self, token: &str) -> Self {
        self.header("cookie", &format!("token={token}"))
    }

    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.map(|request| request.header(name, value))
    }

    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.map(|request| request.json(body))
    }

    /// A body of any bytes and type.
    #[must_use]
    pub fn raw(self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        self.map(|request| request.header("content-type", content_type).body(body))
    }

    #[must_use]
    pub fn form(self, form: reqwest::multipart::Form) -> Self {
        self.map(|request| request.multipart(form))
    }

    /// The answer.
    ///
    /// # Panics
    /// When there is none.
    pub async fn send(self) -> Answer {
        if self.client.patient { self.until_answered().await } else { self.try_send().await.unwrap() }
    }

    /// The answer, if there is one.
    ///
    /// # Errors
    /// When nobody answers, or not to the end.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let answer = self.request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer::checked(status, headers, answer.bytes().await?))
    }

    /// In a task that is sent to another thread too, which [`crate::eventually`] is not for.
    async fn until_answered(self) -> Answer {
        let Self { client, path, request } = self;
        let started = Instant::now();
        for tries in 1.. {
            let mut again = request.try_clone().expect("what can be repeated").build().unwrap();
            *again.url_mut() = client.url(&path).parse().unwrap();
            let request = RequestBuilder::from_parts(client.http.clone(), again);
            match (Self { client: client.clone(), path: path.clone(), request }).try_send().await {
                Ok(answer) if answer.status != 503 => return Answer { tries, ..answer },
                Ok(answer) => {
                    assert!(answer.header("retry-after").is_some(), "{path}: {answer:?}");
                    let unknown = answer.json()["code"] == "outcome_unknown";
                    client.unknown.fetch_add(usize::from(unknown), Ordering::Relaxed);
                }
                Err(error) => assert!(!error.is_timeout(), "whoever is there answers {path} in time"),
            }
            assert!(started.elapsed() < DEADLINE, "{path} is answered in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        unreachable!("the tries do not end before their deadline")
    }
}
