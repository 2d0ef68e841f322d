//! Nodes of one shop: each has its HTTP side, its memory of dead tokens and its connection to Redis; they share one
//! store.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc};

use actix_web::{dev::ServerHandle, web::Data};
use microbazaar::{
    actors::tokens::{RevokedTokens, Tokens},
    app::App,
    config::{Config, Overrides, Sources},
    domain::ids::UserId,
    http::{HttpSettings, State, rate::AuthLimits, routes, server},
    integrations::redis::Redis,
    store::AccountStore,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::redis::{DEADLINE, store::Counting};

const SECRET: &str = "a secret of thirty-two bytes, or so";
const PASSWORD: &str = "correct horse";

/// A shop whose services the nodes share.
pub struct Shop {
    pub app: App,
    pub store: Arc<Counting>,
    folder: PathBuf,
}

/// One node of it.
pub struct Node {
    base: String,
    server: ServerHandle,
    client: reqwest::Client,
}

pub fn config(folder: PathBuf) -> Config {
    let mut config = Config::load_from(&Sources::of_variables([]), &Overrides::default()).unwrap();
    config.data_dir = folder;
    config.jwt_secret = Some(SecretString::from(SECRET));
    config.http.port = 0;
    config.http.workers = 1;
    config
}

pub fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("microbazaar-nodes-{}", UserId::generate()))
}

pub fn client() -> reqwest::Client {
    microbazaar::runtime::http_client::builder().timeout(DEADLINE).build().unwrap()
}

impl Shop {
    pub async fn open() -> Self {
        let folder = folder();
        let app = App::start(&config(folder.clone())).await.unwrap();
        let store = Counting::over(app.storage.stores().backend);
        Self { app, store, folder }
    }

    /// Its users and dead tokens, through the counting store.
    pub fn accounts(&self) -> AccountStore {
        AccountStore::new(self.store.clone())
    }

    /// Another node, as a program that shares its store with others.
    pub fn node(&self, redis: Option<Redis>) -> Node {
        let limits = AuthLimits::new(false, NonZeroU32::MIN);
        let settings = HttpSettings { workers: 1, ..HttpSettings::default() };
        let mut state = State::new(settings, Tokens::new(SECRET.as_bytes()), limits);
        state.dead_tokens = Arc::new(RevokedTokens::shared(self.accounts(), redis));
        let routes = routes::with_services(self.app.services.clone());
        let (running, address) = server::start(&Data::new(state), routes).unwrap();
        let server = running.handle();
        actix_rt::spawn(running);
        Node { base: format!("http://{address}"), server, client: client() }
    }

    pub async fn close(self, nodes: Vec<Node>) {
        for node in nodes {
            node.server.stop(true).await;
        }
        self.app.shutdown().await.unwrap();
        let _gone = std::fs::remove_dir_all(self.folder);
    }
}

impl Node {
    /// The token of a new user.
    pub async fn register(&self) -> String {
        let new = json!({"email": format!("{}@example.com", UserId::generate()), "password": PASSWORD});
        let answer = self.client.post(format!("{}/api/auth/register", self.base)).json(&new).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        let answer: Value = answer.json().await.unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }

    pub async fn logout(&self, token: &str) {
        let request = self.client.post(format!("{}/api/auth/logout", self.base)).bearer_auth(token);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    }

    /// Whether this node accepts the token.
    pub async fn takes(&self, token: &str) -> bool {
        let request = self.client.get(format!("{}/api/auth/me", self.base)).bearer_auth(token);
        let answer = request.send().await.unwrap();
        match answer.status().as_u16() {
            200 => true,
            401 => {
                let answer: Value = answer.json().await.unwrap();
                assert_eq!(answer["code"], "auth.invalid_token");
                false
            }
            other => panic!("{other}"),
        }
    }
}
