//! A server with the namespace of the tests, in this process.

use std::{sync::Arc, time::Duration};

use actix_guardian::{KeyedLimits, Runtime};
use actix_socketio::{
    engine::{Engine, EngineConfig, Refusal},
    socket::{SocketConfig, SocketServer},
};
use actix_web::{App, HttpServer, dev::ServerHandle};
use reqwest::{Client, Response};
use serde_json::Value;

use crate::chat::{ChatActor, ChatNamespace};

/// A path such as an application would use.
pub const PATH: &str = "/api/socket/socket.io/";

pub struct TestServer {
    pub url: String,
    pub engine: Engine,
    pub chats: ChatNamespace,
    pub http: Client,
    runtime: Runtime,
    handle: ServerHandle,
}

impl TestServer {
    pub fn start() -> Self {
        Self::with(EngineConfig::default(), SocketConfig { rate: None, ..SocketConfig::default() })
    }

    pub fn with(engine: EngineConfig, sockets: SocketConfig) -> Self {
        let runtime = Runtime::new(1);
        let actors = runtime.keyed("chat", KeyedLimits::default(), |_user: &String| ChatActor::default());
        let chats = ChatNamespace { actors, revoked: Arc::default(), ended: Arc::default() };
        let namespaces = SocketServer::new(sockets).namespace("/", chats.clone()).check(|request| {
            match request.headers().get("origin").map(actix_web::http::header::HeaderValue::as_bytes) {
                None | Some(b"https://shop.example") => Ok(()),
                Some(_) => Err(Refusal::Forbidden("this page may not".into())),
            }
        });
        let engine = Engine::new(engine, namespaces);
        let served = engine.clone();
        let server = HttpServer::new(move || {
            App::new().service(served.resource(PATH)).service(served.plain_resource("/ws/chat"))
        })
        .workers(2)
        .disable_signals()
        .shutdown_timeout(30)
        .bind(("127.0.0.1", 0))
        .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        // If another crate has installed a provider already, it stays.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { url, engine, chats, http, runtime, handle }
    }

    /// Ends the sockets and the server, and checks that nothing is left.
    pub async fn stop(self) {
        self.engine.shutdown();
        self.handle.stop(true).await;
        crate::until("no session is left", async || self.engine.is_empty()).await;
        assert_eq!(self.runtime.shutdown(Duration::from_secs(10)).await, 0);
    }

    pub fn at(&self, query: &str) -> String {
        format!("{}{PATH}?{query}", self.url)
    }

    pub async fn get(&self, query: &str) -> Response {
        self.http.get(self.at(query)).send().await.unwrap()
    }

    /// Opens a session and returns its id.
    pub async fn open(&self) -> String {
        let opened = self.get("EIO=4&transport=polling").await;
        assert_eq!(opened.status(), 200);
        let body = opened.text().await.unwrap();
        let handshake: Value = serde_json::from_str(body.strip_prefix('0').unwrap()).unwrap();
        handshake["sid"].as_str().unwrap().to_owned()
    }

    pub async fn poll(&self, sid: &str) -> Response {
        self.get(&format!("EIO=4&transport=polling&sid={sid}")).await
    }

    pub async fn post(&self, sid: &str, body: impl Into<reqwest::Body>) -> Response {
        let url = self.at(&format!("EIO=4&transport=polling&sid={sid}"));
        self.http.post(url).body(body).send().await.unwrap()
    }

    /// Polls until this many packets have arrived.
    pub async fn packets(&self, sid: &str, count: usize) -> Vec<String> {
        let mut packets = vec![];
        while packets.len() < count {
            let answer = self.poll(sid).await;
            assert_eq!(answer.status(), 200, "after {packets:?}");
            packets.extend(answer.text().await.unwrap().split('\u{1e}').map(str::to_owned));
        }
        packets
    }

    /// Opens a session whose client has joined the namespace as this user.
    pub async fn join(&self, user: &str) -> String {
        let sid = self.open().await;
        let joined = self.post(&sid, format!(r#"40{{"token":"token-of-{user}"}}"#)).await;
        assert_eq!(joined.status(), 200);
        assert!(self.packets(&sid, 1).await[0].starts_with("40{"));
        sid
    }
}
