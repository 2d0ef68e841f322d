//! A whole shop within the test.

use std::{ops::Deref, sync::Arc};

use microbazaar::{
    actors::{accounts::calls::CreateAdmin, admin::calls::SetUserBlocked, tokens::Tokens},
    app::App,
    config::Config,
    domain::{Timestamp, ids::UserId, user::Role},
    store::Stores,
};
use secrecy::SecretString;

use crate::{Client, DEADLINE, PASSWORD, Person, SECRET, Settings, WEBHOOK_SECRET, eventually, rabbit::Vhost};

/// A running shop; it is called as its [`Client`] is.
pub struct Shop {
    pub app: App,
    pub config: Config,
    pub client: Client,
    pub settings: Settings,
}

impl Deref for Shop {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Shop {
    /// A shop on embedded parts, or on the servers that `scripts/test` names for the tests of the API.
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// The same with other settings than usual.
    pub async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let mut settings = Settings::new();
        let named = |name| std::env::var(name).ok();
        if let Some(uri) = named("TEST_API_MONGO_URI") {
            settings = settings.mongo(&uri, &format!("api_{}_", UserId::generate()));
        }
        if let Some(url) = named("TEST_API_REDIS_URL") {
            settings = settings.redis(&url);
        }
        if let Some(urls) = named("TEST_API_RABBIT_URLS") {
            let vhost = Vhost::free(&urls).await;
            settings = settings.rabbit(vhost.url());
            settings.vhost = Some(Arc::new(vhost));
        }
        let mut config = Self::usual(&settings);
        change(&mut config);
        Self::over(config, settings).await
    }

    /// The usual settings of the tests of the API.
    pub fn usual(settings: &Settings) -> Config {
        let mut config = settings.config();
        config.razorpay.webhook_secret = Some(SecretString::from(WEBHOOK_SECRET));
        config
    }

    /// The same on embedded parts alone.
    pub async fn embedded() -> Self {
        let settings = Settings::new();
        Self::over(Self::usual(&settings), settings).await
    }

    /// A shop with these settings.
    pub async fn start(settings: Settings) -> Self {
        Self::over(settings.config(), settings).await
    }

    /// A shop with this configuration, in the folder of `settings`.
    pub async fn over(config: Config, settings: Settings) -> Self {
        let app = App::start(&config).await.unwrap();
        let client = Client::new(&format!("http://{}", app.address));
        let shop = Self { app, config, client, settings };
        if shop.config.rabbit.url.is_some() || shop.config.redis.url.is_some() {
            shop.until_reached().await;
        }
        shop
    }

    /// Waits until each server that it uses was reached.
    async fn until_reached(&self) {
        eventually("its servers are reached", async || {
            let (_, view) = self.readyz().await;
            let away = view["away"].as_array().into_iter().flatten();
            !away.into_iter().any(|server| server == "rabbitmq" || server == "redis")
        })
        .await;
    }

    pub fn stores(&self) -> Stores {
        self.app.storage.stores()
    }

    /// Ends, and says that nothing is left undone.
    pub async fn shutdown(self) {
        self.end().await;
    }

    /// Ends, and starts again over the same folder.
    pub async fn restart(self) -> Self {
        let config = self.config.clone();
        let settings = self.end().await;
        Self::over(config, settings).await
    }

    /// As [`Shop::shutdown`]; what it ran with is left.
    pub async fn end(self) -> Settings {
        drop(self.client);
        let ended = self.app.shutdown().await.unwrap();
        assert_eq!((ended.actors_alive, ended.events_waiting), (0, 0), "{ended:?}");
        self.settings
    }

    /// Ends with events that may wait for a server that is away.
    pub async fn stop(self) {
        let ended = self.app.shutdown().await.unwrap();
        assert_eq!(ended.actors_alive, 0);
    }

    /// Waits until every event has arrived.
    pub async fn settle(&self) {
        assert_eq!(self.app.settle(DEADLINE).await.unwrap(), 0, "events still wait");
        if let (Some(vhost), true) = (&self.settings.vhost, self.config.rabbit.url.is_some()) {
            vhost.settle().await;
        }
    }

    /// An admin, made as the command line makes one.
    pub async fn admin(&self) -> Person {
        let email = "root@example.com".to_owned();
        let create = CreateAdmin { email: email.clone(), username: None, password: SecretString::from(PASSWORD) };
        let id = self.app.services.calls.ask(create).await.unwrap().id;
        Person { id: id.to_hex(), email, token: issue(id, Role::Admin) }
    }

    /// Blocks somebody as an admin does, or lets them in again.
    pub async fn set_blocked(&self, who: &Person, blocked: bool) {
        let block = SetUserBlocked { user: who.id.parse().unwrap(), blocked };
        self.app.services.calls.ask(block).await.unwrap();
    }

    /// A buyer whom only the token knows: for where an account is not needed.
    pub fn stranger(&self) -> Person {
        let id = UserId::generate();
        Person { id: id.to_hex(), email: String::new(), token: issue(id, Role::User) }
    }

    /// The token of another process of the platform.
    pub fn service_token(&self) -> String {
        tokens().issue_service("order", Timestamp::now()).unwrap()
    }

    /// The mails to somebody, oldest first, as (subject, text, html).
    pub async fn mails(&self, to: &Person) -> Vec<(String, String, String)> {
        self.settle().await;
        let text = |value: &serde_json::Value| crate::text(value);
        let mails = self.mailbox().await.into_iter().rev().filter(|mail| mail["to"] == to.email.as_str());
        mails.map(|mail| (text(&mail["subject"]), text(&mail["text"]), text(&mail["html"]))).collect()
    }

    /// How many mails to somebody have a subject that begins so.
    pub async fn mails_that_begin(&self, to: &Person, subject: &str) -> usize {
        self.mails(to).await.iter().filter(|mail| mail.0.starts_with(subject)).count()
    }
}

/// Who signs the tokens of every test.
pub fn tokens() -> Tokens {
    Tokens::new(SECRET.as_bytes())
}

/// A token of somebody.
pub fn issue(user: UserId, role: Role) -> String {
    tokens().issue(user, role, Timestamp::now()).unwrap().0
}
