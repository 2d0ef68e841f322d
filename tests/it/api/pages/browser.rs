//! A browser without JavaScript: cookies, links and forms.

use reqwest::header::HeaderMap;

use test_support::{DEADLINE, Shop};

/// A browser with its own cookies.
pub struct Browser {
    client: reqwest::Client,
    base: String,
}

/// A loaded page.
#[derive(Debug, Clone)]
pub struct Doc {
    pub status: u16,
    /// The final path after redirects.
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Browser {
    pub fn new(app: &Shop) -> Self {
        Self::with(app, true)
    }

    /// A browser that stores no cookies.
    pub fn without_cookies(app: &Shop) -> Self {
        Self::with(app, false)
    }

    fn with(app: &Shop, cookies: bool) -> Self {
        let client = microbazaar::runtime::http_client::builder().cookie_store(cookies).timeout(DEADLINE);
        let client = client.redirect(reqwest::redirect::Policy::limited(5));
        Self { client: client.build().unwrap(), base: app.base() }
    }

    /// The same browser, for a shop that was restarted at another address.
    pub fn at_address(self, app: &Shop) -> Self {
        Self { base: app.base(), ..self }
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> Doc {
        let answer = request.header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let path = answer.url().as_str().strip_prefix(&self.base).unwrap().to_owned();
        let doc = Doc { status, path, headers, body: answer.text().await.unwrap() };
        assert!(status < 500 || status == 503, "{doc:?}");
        assert_eq!(doc.header("x-content-type-options"), "nosniff");
        doc
    }

    pub async fn get(&self, path: &str) -> Doc {
        self.read(self.client.get(format!("{}{path}", self.base))).await
    }

    /// Opens a page that must exist.
    pub async fn open(&self, path: &str) -> Doc {
        let doc = self.get(path).await;
        assert_eq!(doc.status, 200, "{path}: {}", doc.body);
        doc
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Doc {
        self.post_with(path, fields, &[]).await
    }

    /// The response to a form that a page's script sends.
    pub async fn script(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> (u16, serde_json::Value) {
        let answer = self.request(path, fields, headers).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub async fn post_with(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Doc {
        self.read(self.request(path, fields, headers)).await
    }

    fn request(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let mut request = self.client.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"))
    }

    /// Fills in the form of `doc` with this action, and sends it.
    pub async fn submit(&self, doc: &Doc, action: &str, fields: &[(&str, &str)]) -> Doc {
        let hidden = doc.hidden(action);
        let kept = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = kept.filter(|(name, _)| !fields.iter().any(|(field, _)| field == name));
        let all: Vec<(&str, &str)> = kept.chain(fields.iter().copied()).collect();
        self.post(action, &all).await
    }

    /// Fills in the form of `doc` with this action, with files as (field, name, bytes).
    pub async fn upload(
        &self,
        doc: &Doc,
        action: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &str, Vec<u8>)],
    ) -> Doc {
        let mut form = reqwest::multipart::Form::new();
        for (name, value) in doc.hidden(action) {
            form = form.text(name, value);
        }
        for (name, value) in fields {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        for (field, name, bytes) in files {
            let part = reqwest::multipart::Part::bytes(bytes.clone()).file_name((*name).to_owned());
            form = form.part((*field).to_owned(), part);
        }
        self.read(self.client.post(format!("{}{action}", self.base)).multipart(form)).await
    }

    /// Presses a feature's button on a product of `doc`.
    pub async fn press(&self, doc: &Doc, action: &str) -> Doc {
        let on = if doc.is_on(action) { "false" } else { "true" };
        self.post(action, &[("csrf", &doc.act("csrf")), ("back", &doc.act("back")), ("on", on)]).await
    }

    pub async fn sign_up(&self, name: &str) -> Doc {
        let form = self.open("/register").await;
        let email = format!("{name}@example.com");
        self.submit(&form, "/register", &[("email", &email), ("password", test_support::PASSWORD)]).await
    }

    pub async fn log_in(&self, name: &str) -> Doc {
        let form = self.open("/login").await;
        let email = format!("{name}@example.com");
        self.submit(&form, "/login", &[("email", &email), ("password", test_support::PASSWORD)]).await
    }

    /// Adds `quantity` of a product to the cart, from its page.
    pub async fn put(&self, product: &str, quantity: &str) -> Doc {
        let page = self.open(&format!("/products/{product}")).await;
        self.submit(&page, "/cart", &[("product", product), ("quantity", quantity)]).await
    }
}

impl Doc {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub fn has(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text:?} is not on {} ({}): {}", self.path, self.status, self.body);
        self
    }

    #[track_caller]
    pub fn lacks(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text:?} is on {}: {}", self.path, self.body);
        self
    }

    /// The hidden fields of the form with this action.
    #[track_caller]
    pub fn hidden(&self, action: &str) -> Vec<(String, String)> {
        self.hidden_of(&format!("action=\"{action}\" method=\"post\""))
    }

    #[track_caller]
    fn hidden_of(&self, start: &str) -> Vec<(String, String)> {
        let at = self.body.find(start).unwrap_or_else(|| panic!("no form {start}: {}", self.body));
        let form = self.body[at..].split("</form>").next().unwrap();
        let inputs = form.split("<input type=\"hidden\"").skip(1).map(|input| input.split('>').next().unwrap());
        inputs.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect()
    }

    /// A hidden field.
    #[track_caller]
    pub fn field(&self, action: &str, name: &str) -> String {
        let hidden = self.hidden(action);
        hidden.into_iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    /// A hidden field of the form that the buttons of features send.
    #[track_caller]
    pub fn act(&self, name: &str) -> String {
        let hidden = self.hidden_of("id=\"act\" method=\"post\"");
        hidden.into_iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    /// Whether a feature's button on a product is on.
    #[track_caller]
    pub fn is_on(&self, action: &str) -> bool {
        let start = format!("form=\"act\" formaction=\"{action}\" name=\"on\"");
        let at = self.body.find(&start).unwrap_or_else(|| panic!("no button to {action}: {}", self.body));
        attribute(&self.body[at..], "value") == "false"
    }

    /// The badge: units in the cart.
    pub fn badge(&self) -> u64 {
        let at = self.body.find("id=\"cart-badge\"").expect("a cart badge");
        attribute(&self.body[at..], "data-count").parse().unwrap()
    }

    /// The status of the first order of the page.
    pub fn order_status(&self) -> String {
        let at = self.body.find("data-status=\"").expect("an order's status");
        attribute(&self.body[at..], "data-status")
    }
}

fn attribute(element: &str, name: &str) -> String {
    let start = format!("{name}=\"");
    let Some(at) = element.find(&start) else { return String::new() };
    let value = element[at + start.len()..].split('"').next().unwrap();
    value.replace("&#38;", "&").replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">")
}

pub fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
