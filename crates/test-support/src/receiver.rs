//! A webhook receiver whose responses the test controls.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::StatusCode, web};
use serde_json::Value;

use crate::eventually_some;

/// A response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub after: Duration,
    pub location: Option<String>,
}

impl Reply {
    pub fn of(status: u16) -> Self {
        Self { status, after: Duration::ZERO, location: None }
    }
}

/// A received request.
#[derive(Debug, Clone)]
pub struct Received {
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

#[derive(Default)]
struct Script {
    received: Vec<Received>,
    next: VecDeque<Reply>,
    usual: Option<Reply>,
}

/// A running receiver.
pub struct Receiver {
    pub url: String,
    script: Arc<Mutex<Script>>,
    server: ServerHandle,
}

async fn take(req: HttpRequest, body: String, script: web::Data<Mutex<Script>>) -> HttpResponse {
    let text = |value: &actix_web::http::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = req.headers().iter().map(|(key, value)| (key.as_str().to_owned(), text(value))).collect();
    let reply = {
        let mut script = script.lock().unwrap();
        script.received.push(Received { headers, body });
        let usual = script.usual.clone();
        script.next.pop_front().or(usual).unwrap_or_else(|| Reply::of(204))
    };
    tokio::time::sleep(reply.after).await;
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap());
    if let Some(location) = reply.location {
        response.insert_header(("location", location));
    }
    if reply.status == 204 { response.finish() } else { response.body("a word ".repeat(1_000)) }
}

impl Receiver {
    pub fn start() -> Self {
        let script = web::Data::new(Mutex::new(Script::default()));
        let of_app = script.clone();
        let server = HttpServer::new(move || App::new().app_data(of_app.clone()).default_service(web::to(take)))
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
        let url = format!("http://{}/hook", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Self { url, script: script.into_inner(), server: handle }
    }

    /// The responses to the next requests, in this order.
    pub fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script.lock().unwrap().next.extend(replies);
    }

    /// The response to all other requests.
    pub fn always(&self, reply: Reply) {
        self.script.lock().unwrap().usual = Some(reply);
    }

    /// The received requests, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.script.lock().unwrap().received.clone()
    }

    /// The received requests, once a condition holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        eventually_some(what, async || Some(self.received()).filter(|received| holds(received))).await
    }

    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}
