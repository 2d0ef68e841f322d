//! Access control: every operation of the OpenAPI document, by every kind of caller.

use std::collections::{BTreeMap, BTreeSet};

use microbazaar::domain::{
    Timestamp,
    conversation::Conversation,
    ids::{ConversationId, UserId},
    user::Role,
};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{Answer, Call, PASSWORD, Person, Shop, address, id, issue, text};
use crate::hostile::{
    api::{Operation, with_ids},
    forms::png,
    shop::Things,
};

/// The result of each caller, in the order of [`CALLERS`], of an operation that names no roles in the document, or whose
/// result depends on more than the role: `o` is allowed, `-` 401, `x` 403, `4` 404. The payment routes under the second
/// prefix have the same results.
const MATRIX: &[(&str, &str)] = &[
    // Public, with any token.
    ("getRoot", "ooooooooo"),
    ("getDocs", "ooooooooo"),
    ("getHealth", "ooooooooo"),
    ("getReadiness", "ooooooooo"),
    ("getMetrics", "ooooooooo"),
    ("getOpenApi", "ooooooooo"),
    ("listMails", "ooooooooo"),
    ("register", "ooooooooo"),
    ("forgotPassword", "ooooooooo"),
    ("resetPassword", "ooooooooo"),
    ("verifyEmail", "ooooooooo"),
    ("logout", "ooooooooo"),
    ("logoutByGet", "ooooooooo"),
    ("listProducts", "ooooooooo"),
    ("getProduct", "ooooooooo"),
    ("getPicture", "ooooooooo"),
    ("getStock", "ooooooooo"),
    ("takeWebhook", "ooooooooo"),
    // The token does not count, a password would.
    ("login", "oooooooxo"),
    ("logInWithCode", "ooooooooo"),
    // Anyone with an account, but each only their own data.
    ("removeAddress", "-o4444x--"),
    ("changeAddress", "-o4444x--"),
    ("endSession", "-o4444x--"),
    ("getConversation", "-oxxxxx--"),
    ("deleteConversation", "-oxxxxx--"),
    // The order's buyer, and others who are involved.
    ("getOrder", "-oxoxox--"),
    ("cancelOrder", "-oxxxox--"),
    ("setOrderAddress", "-oxxxxx--"),
    ("shipOrder", "-xxoxox--"),
    ("deliverOrder", "-xxoxox--"),
    ("createPayment", "-oxxxxx--"),
    ("verifyPayment", "-oxxxxx--"),
    ("getPaymentOfOrder", "-oxxxox--"),
    ("payInSandbox", "-oxxxxx--"),
    // The product's seller.
    ("updateProduct", "-xxoxox--"),
    ("deleteProduct", "-xxoxox--"),
    ("addProductImages", "-xxoxox--"),
    ("removeProductImage", "-xxoxox--"),
    // Sellers and admins; admins see and disable sellers' webhooks, sellers do not see each other's.
    ("getWebhook", "-xxo4ox--"),
    ("changeWebhook", "-xxo4ox--"),
    ("deleteWebhook", "-xxo4ox--"),
    ("listWebhookDeliveries", "-xxo4ox--"),
    ("rotateWebhookSecret", "-xxo4xx--"),
    ("pingWebhook", "-xxo4xx--"),
    ("redeliverWebhookDelivery", "-xxo4xx--"),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Caller {
    Anonymous,
    Buyer,
    OtherBuyer,
    Seller,
    OtherSeller,
    Admin,
    Service,
    Blocked,
    LoggedOut,
}

const CALLERS: [Caller; 9] = [
    Caller::Anonymous,
    Caller::Buyer,
    Caller::OtherBuyer,
    Caller::Seller,
    Caller::OtherSeller,
    Caller::Admin,
    Caller::Service,
    Caller::Blocked,
    Caller::LoggedOut,
];

/// A shop where the buyer has an order of the seller's product.
struct Market {
    app: Shop,
    buyer: Person,
    other_buyer: Person,
    seller: Person,
    other_seller: Person,
    admin: Person,
    blocked: Person,
    logged_out: Person,
    /// What all calls share.
    things: Things,
}

impl Market {
    async fn open() -> Self {
        let app = Shop::open_with(|config| config.webhooks.allow_private = true).await;
        let (buyer, other_buyer) = (app.user("asha").await, app.user("bela").await);
        let (seller, other_seller) = (app.seller("mira").await, app.seller("ravi").await);
        let (admin, blocked, logged_out) = (app.admin().await, app.user("bad").await, app.user("gone").await);
        app.set_blocked(&blocked, true).await;
        app.post("/api/auth/logout").token(&logged_out.token).send().await.expect(200);
        let things = Things { user: buyer.id.clone(), seller: seller.id.clone(), ..Things::default() };
        let mut market = Self { app, buyer, other_buyer, seller, other_seller, admin, blocked, logged_out, things };
        market.things = market.stock().await;
        market
    }

    async fn stock(&self) -> Things {
        let (product, image) = self.pictured().await;
        let order = self.app.order(&self.buyer, &product, 1).await;
        let opened = self.app.open_payment(&self.buyer, &order).await.expect(201);
        let webhook = self.webhook().await;
        // Disabled, so that nothing is sent: an owner gets this as an error.
        let off = json!({"active": false});
        self.app
            .patch(&format!("/api/webhooks/{webhook}"))
            .token(&self.seller.token)
            .json(&off)
            .send()
            .await
            .expect(200);
        Things {
            order: id(&order),
            payment: id(&opened["payment"]),
            gateway_order: text(&opened["razorpayOrderId"]),
            address: self.address().await,
            conversation: self.conversation().await,
            delivery: webhook.clone(),
            product,
            image,
            webhook,
            ..self.things.clone()
        }
    }

    /// The parameters of an operation: what the call would end is created for it.
    async fn things_for(&self, operation: &str) -> Things {
        let kept = self.things.clone();
        match operation {
            "deleteProduct" | "takeDownProduct" | "addProductImages" => {
                Things { product: self.app.product(&self.seller, "Mug", 9.0, 5).await, ..kept }
            }
            "removeProductImage" => {
                let (product, image) = self.pictured().await;
                Things { product, image, ..kept }
            }
            "cancelOrder" => Things { order: id(&self.app.order(&self.buyer, &kept.product, 1).await), ..kept },
            "removeAddress" => Things { address: self.address().await, ..kept },
            "deleteConversation" => Things { conversation: self.conversation().await, ..kept },
            "endSession" => Things { session: self.session().await, ..kept },
            "deleteWebhook" => Things { webhook: self.webhook().await, ..kept },
            _ => kept,
        }
    }

    async fn pictured(&self) -> (String, String) {
        let product = self.app.product(&self.seller, "Lamp", 10.0, 1000).await;
        let call = self.app.post(&format!("/api/products/{product}/images")).token(&self.seller.token);
        let pictured = call.form(images()).send().await.expect(200);
        (product, text(&pictured["images"][0]["id"]))
    }

    async fn address(&self) -> String {
        let call = self.app.post("/api/auth/users/me/addresses").token(&self.buyer.token);
        let kept = call.json(&address("Pune")).send().await.expect(201);
        id(kept["addresses"].as_array().unwrap().last().unwrap())
    }

    async fn session(&self) -> String {
        let login = self.app.login(&json!({"email": self.buyer.email, "password": PASSWORD})).await.expect(200);
        let kept = self.app.read(&text(&login["token"]), "/api/auth/sessions").await;
        text(&kept["sessions"][0]["id"])
    }

    async fn conversation(&self) -> String {
        let kept = Conversation::new(ConversationId::generate(), self.buyer.id.parse().unwrap(), Timestamp::now());
        self.app.stores().conversations.save(&kept).await.unwrap();
        kept.id.to_hex()
    }

    async fn webhook(&self) -> String {
        let body = json!({"url": "http://127.0.0.1:9/hook", "events": ["order.shipped"]});
        let made = self.app.post("/api/webhooks").token(&self.seller.token).json(&body).send().await.expect(201);
        id(&made["webhook"])
    }

    /// A new token if the caller can have one, so that a logout does not affect other calls.
    fn token(&self, caller: Caller) -> Option<String> {
        let fresh = |person: &Person, role| Some(issue(person.id.parse::<UserId>().unwrap(), role));
        match caller {
            Caller::Anonymous => None,
            Caller::Buyer => fresh(&self.buyer, Role::User),
            Caller::OtherBuyer => fresh(&self.other_buyer, Role::User),
            Caller::Seller => fresh(&self.seller, Role::Seller),
            Caller::OtherSeller => fresh(&self.other_seller, Role::Seller),
            Caller::Admin => fresh(&self.admin, Role::Admin),
            Caller::Service => Some(self.app.service_token()),
            Caller::Blocked => Some(self.blocked.token.clone()),
            Caller::LoggedOut => Some(self.logged_out.token.clone()),
        }
    }

    async fn ask(&self, operation: &Operation, caller: Caller, expected: char) -> Answer {
        let name = first_name(&operation.id);
        let things = self.things_for(name).await;
        if let (true, Caller::Buyer | Caller::OtherBuyer) = (operation.path.starts_with("/api/cart"), caller) {
            let who = if caller == Caller::Buyer { &self.buyer } else { &self.other_buyer };
            self.app.add_to_cart(who, &things.product, 1).await.expect(200);
        }
        let call = self.app.call(operation.method.parse().unwrap(), &operation.target(&things, None));
        let call = call.header("accept", "application/json, text/event-stream");
        let call = match self.token(caller) {
            Some(token) => call.token(&token),
            None => call,
        };
        self.with_body(call, operation, caller, expected, &things).send().await
    }

    fn with_body(&self, call: Call, operation: &Operation, caller: Caller, expected: char, things: &Things) -> Call {
        let body = match first_name(&operation.id) {
            "login" if caller == Caller::Blocked => json!({"email": self.blocked.email, "password": PASSWORD}),
            // An allowed caller gets an invalid body, so that nothing is created. Others get a valid one: where
            // tokens are looked up elsewhere, an invalid body may be refused before its sender is.
            "login"
            | "logInWithCode"
            | "enableTwoFactor"
            | "disableTwoFactor"
            | "register"
            | "changePassword"
            | "changeProfile"
            | "changeEmail"
            | "deleteAccount"
            | "deleteAccountByPost"
            | "createProduct"
            | "addAddress"
            | "registerWebhook"
            | "setStock"
            | "reserveStock"
            | "releaseStock"
            | "commitStock"
            | "rotateWebhookSecret"
                if expected == 'o' =>
            {
                json!({})
            }
            "addProductImages" => return call.form(images()),
            "takeWebhook" => return call.raw("application/json", "{}"),
            "updateProduct" => json!({"title": "Lamp"}),
            "setOrderAddress" => json!({"shippingAddress": address("Pune")}),
            "changeWebhook" => json!({"active": false}),
            "payInSandbox" => json!({"outcome": "failure"}),
            "callMcp" => json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}),
            _ => match operation.json() {
                Some(example) => with_ids(example, things),
                None => return call,
            },
        };
        call.json(&body)
    }
}

/// The row of an operation that lets in whoever has one of these roles.
fn row_of(roles: &[String]) -> String {
    let sign = |caller: Caller| match caller {
        Caller::Anonymous | Caller::Blocked | Caller::LoggedOut => '-',
        Caller::Buyer | Caller::OtherBuyer => of(roles, "user"),
        Caller::Seller | Caller::OtherSeller => of(roles, "seller"),
        Caller::Admin => of(roles, "admin"),
        Caller::Service => of(roles, "service"),
    };
    CALLERS.into_iter().map(sign).collect()
}

fn of(roles: &[String], role: &str) -> char {
    if roles.iter().any(|named| named == role) { 'o' } else { 'x' }
}

fn images() -> Form {
    Form::new().part("images", Part::bytes(png()).file_name("a.png"))
}

fn first_name(operation: &str) -> &str {
    operation.trim_end_matches("BySecondName")
}

/// A caller is allowed if the error is about the body or about the resource's state.
fn sign(status: u16) -> char {
    match status {
        200..400 | 400 | 409 | 422 => 'o',
        401 => '-',
        403 => 'x',
        404 => '4',
        _ => '?',
    }
}

#[actix_web::test]
async fn every_operation_allows_the_right_callers() {
    let market = Market::open().await;
    let document: Value = market.app.get("/openapi.json").send().await.expect(200);
    let operations = Operation::of(&document);
    let rows: BTreeMap<&str, &str> = MATRIX.iter().copied().collect();
    assert_eq!(rows.len(), MATRIX.len(), "an operation has two rows");
    let known: BTreeSet<&str> = operations.iter().map(|operation| first_name(&operation.id)).collect();
    let stray: Vec<_> = rows.keys().filter(|named| !known.contains(*named)).collect();
    assert!(stray.is_empty(), "rows of no operation: {stray:?}");

    let mut wrong = vec![];
    for operation in &operations {
        let row = match rows.get(first_name(&operation.id)) {
            Some(row) => (*row).to_owned(),
            None => row_of(&operation.roles),
        };
        assert!(row.contains('o'), "{} has neither a row nor roles in the document", operation.id);
        assert_eq!(row.len(), CALLERS.len(), "the row of {}", operation.id);
        for (caller, expected) in CALLERS.into_iter().zip(row.chars()) {
            let answer = market.ask(operation, caller, expected).await;
            if sign(answer.status) != expected {
                let body = String::from_utf8_lossy(&answer.body);
                let said: String = body.chars().take(200).collect();
                wrong.push(format!("{} by {caller:?}: {expected} but {} {said}", operation.id, answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    market.app.shutdown().await;
}
