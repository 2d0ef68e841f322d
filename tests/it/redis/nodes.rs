//! Nodes of one shop: each has its HTTP side, its memory of dead tokens and its connection to Redis; they share one
//! store.

use std::{num::NonZeroU32, sync::Arc};

use actix_web::{dev::ServerHandle, web::Data};
use microbazaar::{
    actors::tokens::{RevokedTokens, Tokens},
    domain::ids::UserId,
    http::{HttpSettings, State, rate::AuthLimits, routes, server},
    integrations::redis::Redis,
    store::AccountStore,
};
use test_support::{Call, Client, Forward, SECRET, Settings};

use super::store::Counting;

/// A shop whose services the nodes share.
pub struct Shop {
    pub shop: test_support::Shop,
    /// What asks its store.
    pub asks: Arc<Counting>,
}

/// One node of it.
pub struct Node {
    client: Client,
    server: ServerHandle,
}

impl Shop {
    pub async fn open() -> Self {
        Self { shop: test_support::Shop::start(Settings::new()).await, asks: Arc::default() }
    }

    /// Its users and dead tokens, through the counting store.
    pub fn accounts(&self) -> AccountStore {
        AccountStore::new(Forward::backend(&self.asks, self.shop.stores().backend))
    }

    /// Another node, as a program that shares its store with others.
    pub fn node(&self, redis: Option<Redis>) -> Node {
        let limits = AuthLimits::new(false, NonZeroU32::MIN);
        let settings = HttpSettings { workers: 1, ..HttpSettings::default() };
        let mut state = State::new(settings, Tokens::new(SECRET.as_bytes()), limits);
        state.dead_tokens = Arc::new(RevokedTokens::shared(self.accounts(), redis));
        let routes = routes::with_services(self.shop.app.services.clone());
        let (running, address) = server::start(&Data::new(state), routes).unwrap();
        let server = running.handle();
        actix_rt::spawn(running);
        Node { client: Client::new(&format!("http://{address}")), server }
    }

    pub async fn close(self, nodes: Vec<Node>) {
        for node in nodes {
            node.server.stop(true).await;
        }
        self.shop.stop().await;
    }
}

impl Node {
    /// A change by this token.
    pub fn post(&self, path: &str, token: &str) -> Call {
        self.client.post(path).token(token)
    }

    /// The token of a new user.
    pub async fn register(&self) -> String {
        self.client.user(&UserId::generate().to_string()).await.token
    }

    pub async fn logout(&self, token: &str) {
        self.client.post("/api/auth/logout").token(token).send().await.expect(200);
    }

    /// Whether this node accepts the token.
    pub async fn takes(&self, token: &str) -> bool {
        let answer = self.client.get("/api/auth/me").token(token).send().await;
        if answer.status != 200 {
            answer.refused(401, "auth.invalid_token");
        }
        answer.status == 200
    }
}
