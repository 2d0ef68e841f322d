//! Puts the parts together.
//!
//! **Invariant:** nothing listens before everything behind it has started.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{dev::ServerHandle, web::Data};
use anyhow::{Context, Result};
use jiff::SignedDuration;
use secrecy::ExposeSecret;

use super::{readiness::Watch, storage::Storage};
use crate::{
    actors::{
        accounts::{Accounts, Passwords},
        cart::Carts,
        catalogue::{Catalogue, index::SearchIndex, snapshots::Snapshots},
        inventory::{self, Inventory, StockListener},
        mail_sender::Mails,
        notification::{EmailChannel, Notifications, ShopInfo, WebhookChannel},
        order_saga::{OrderSettings, Orders},
        outbox::{Carrier, InProcess, Outbox},
        payment::Payments,
        rabbit_bridge::{RabbitBridge, RabbitSettings},
        runtime::Runtime,
        seller_dashboard::SellerDashboard,
        webhook::{WebhookSettings, Webhooks},
    },
    bus::Consumer,
    config::{Config, Consume, DataDir, Environment, Secrets},
    domain::{Timestamp, order::Pricing},
    http::{
        HttpSettings, State, ops,
        rate::AuthLimits,
        routes::{self, Services},
        server,
        tokens::{DeadTokens, Tokens},
    },
    integrations::{
        imagekit::{LocalPictures, PictureStore, SharedPictures},
        razorpay::{Keys, PaymentGateway, SandboxGateway},
        redis::Redis,
        webhook::address::UrlRules,
    },
    peers::{self, Peers},
    store::{MailboxStore, Stores, sqlite::SqliteOptions},
};

/// How long the outbox and the actors may each take to end.
const END_WITHIN: Duration = Duration::from_secs(10);
/// The least room for snapshots that is of any use.
const SMALLEST_SNAPSHOTS_MIB: u32 = 1;

/// A running marketplace.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its services, for whoever runs in the same process.
    pub services: Data<Services>,
    /// The store, for faults.
    pub storage: Storage,
    outbox: Outbox,
    mails: Option<Mails>,
    runtime: Arc<Runtime>,
    watch: Arc<Watch>,
    server: ServerHandle,
    _data_dir: DataDir,
}

/// How an app ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Actors that were still alive at the deadline.
    pub actors_alive: i64,
    /// Events that still wait, for the next start.
    pub events_waiting: u64,
}

impl App {
    /// Starts everything. Must be called within an actix system.
    ///
    /// # Errors
    /// One clear sentence: the data directory is in use, the database is broken, the port
    /// is taken.
    pub async fn start(config: &Config) -> Result<Self> {
        let mut options = SqliteOptions { readers: config.sqlite.readers, ..SqliteOptions::default() };
        if config.rabbit.url.is_some() {
            // Other programs may listen to any of them.
            options.keep_event = Arc::new(|_| true);
        }
        Self::start_with(config, options).await
    }

    /// Starts everything over a store with these options.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_with(config: &Config, options: SqliteOptions) -> Result<Self> {
        let data_dir = DataDir::lock(&config.data_dir)?;
        let secrets = config.secrets()?;
        let storage = Storage::open(config, data_dir.path(), options).await?;
        let index = Arc::new(SearchIndex::open(Some(&data_dir.path().join("search")))?);
        let runtime = Arc::new(Runtime::new(config.http.worker_count()));
        let parts = Parts { config, secrets: &secrets, storage: &storage, runtime: &runtime };
        let (services, outbox, rabbit, mails) = parts.services(index, data_dir.path())?;
        let dead = services.accounts.dead_tokens(Timestamp::now()).await.context("the tokens could not be read")?;
        let catalogue = services.catalogue.clone();
        let watch =
            Watch::start(storage.clone(), Arc::clone(&runtime), outbox.clone(), rabbit, catalogue, mails.clone());
        let services = Data::new(services);
        let redis = super::redis::start(&config.redis)?;
        let state = Data::new(parts.state(&dead, &watch, redis)?);
        let (server, address) = server::start(&state, routes::with_services(services.clone()))?;
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok(Self { address, services, storage, outbox, mails, runtime, watch, server: handle, _data_dir: data_dir })
    }

    /// Ends everything: no new work, what runs is finished, what is to be saved is saved.
    ///
    /// # Errors
    /// When the store did not close.
    pub async fn shutdown(self) -> Result<Ended> {
        self.watch.draining();
        self.server.stop(true).await;
        let events_waiting = self.outbox.drain(END_WITHIN).await.unwrap_or(u64::MAX);
        let mails = async {
            if let Some(mails) = &self.mails {
                mails.finish(END_WITHIN).await;
            }
        };
        tokio::join!(self.services.webhooks.finish(END_WITHIN), mails);
        self.watch.stop();
        let actors_alive = self.runtime.shutdown(END_WITHIN).await;
        self.storage.close().await?;
        Ok(Ended { actors_alive, events_waiting })
    }

    /// Waits until no event waits any more; returns how many still do at the deadline.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn settle(&self, within: Duration) -> Result<u64> {
        Ok(self.outbox.drain(within).await?)
    }
}

struct Parts<'a> {
    config: &'a Config,
    secrets: &'a Secrets,
    storage: &'a Storage,
    runtime: &'a Runtime,
}

impl Parts<'_> {
    fn services(
        &self,
        index: Arc<SearchIndex>,
        data_dir: &std::path::Path,
    ) -> Result<(Services, Outbox, Option<RabbitBridge>, Option<Mails>)> {
        let (config, runtime) = (self.config, self.runtime);
        let (stores, peers) = (self.storage.stores(), Peers::default());
        let signed = |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let window = signed(config.order.payment_window);
        let snapshot_bytes = u64::from(config.catalogue.snapshot_mib.max(SMALLEST_SNAPSHOTS_MIB)) << 20;
        let snapshots = Arc::new(Snapshots::new(snapshot_bytes));
        let listener: Arc<dyn StockListener> = snapshots.clone();
        let shared = stores.shared.is_some();
        if let Some(store) = &stores.shared {
            inventory::follow(runtime, Arc::clone(store), Arc::clone(&listener));
        }

        let passwords = Passwords::start(config.passwords.hashers()).context("the password threads did not start")?;
        let accounts = Accounts::start(runtime, Arc::clone(&stores.accounts), passwords, shared);
        let inventory = Inventory::start(runtime, Arc::clone(&stores.stock), listener, window);
        let pictures: Arc<dyn PictureStore> = match &stores.shared {
            Some(shared) => Arc::new(SharedPictures::new(Arc::clone(shared))),
            None => Arc::new(LocalPictures::new(data_dir)),
        };
        let catalogue =
            Catalogue::start(runtime, Arc::clone(&stores.products), snapshots, index, pictures, peers.clone(), shared);
        let carts = Carts::start(runtime, Arc::clone(&stores.carts), peers.clone(), config.cart.idle, shared);
        let pricing = Pricing {
            tax_basis_points: config.pricing.tax_basis_points,
            shipping_minor: config.pricing.shipping_flat_minor,
        };
        let settings = OrderSettings { pricing, window };
        let orders = Orders::start(runtime, Arc::clone(&stores.orders), peers.clone(), settings);
        let keys = Keys {
            key_secret: self.secrets.razorpay_key_secret.clone(),
            webhook_secret: self.secrets.razorpay_webhook_secret.clone(),
        };
        let key_id = self.secrets.razorpay_key_id.clone();
        let sandbox = Arc::new(SandboxGateway::new(key_id, keys, Arc::clone(&stores.payments)));
        let gateway: Arc<dyn PaymentGateway> = sandbox.clone();
        let reconcile_every = signed(config.razorpay.reconcile_every);
        let payments = Payments::start(runtime, Arc::clone(&stores.payments), gateway, peers.clone(), reconcile_every);

        peers.set_accounts(Arc::new(accounts.clone()));
        peers.set_inventory(Arc::new(inventory.clone()));
        peers.set_catalogue(Arc::new(catalogue.clone()));
        peers.set_carts(Arc::new(carts.clone()));
        peers.set_orders(Arc::new(orders.clone()));
        peers.set_payments(Arc::new(payments.clone()));

        let dashboard = SellerDashboard::start(runtime, &stores);
        let shop = ShopInfo { name: "microBazaar".to_owned(), base_url: shop_url(config) };
        let webhooks = self.webhooks(&stores, &peers)?;
        let (mailer, mails) = super::mail::mailer(config, runtime, &stores)?;
        let email = EmailChannel::new(peers, mailer, shop);
        let notifications = Notifications::start(runtime, Arc::new(email));
        let telling = Notifications::start(runtime, Arc::new(WebhookChannel::new(webhooks.clone())));
        let consumers: Vec<Arc<dyn Consumer>> =
            vec![Arc::new(notifications), Arc::new(dashboard.clone()), Arc::new(telling)];
        let rabbit = self.rabbit(&consumers);
        let carrier: Arc<dyn Carrier> = match &rabbit {
            Some(bridge) => Arc::new(bridge.clone()),
            None => Arc::new(InProcess::new(consumers, config.rabbit.retry_delays.map(signed))),
        };
        let outbox = Outbox::start(runtime, Arc::clone(&stores.outbox), carrier);
        let mailbox: Option<Arc<dyn MailboxStore>> = config.mailbox.enabled.then(|| Arc::clone(&stores.mailbox));
        let inventory: Arc<dyn peers::Inventory> = Arc::new(inventory);
        let sandbox = Some(sandbox);
        let services =
            Services { accounts, catalogue, inventory, carts, orders, payments, dashboard, webhooks, sandbox, mailbox };
        Ok((services, outbox, rabbit, mails))
    }

    fn webhooks(&self, stores: &Stores, peers: &Peers) -> Result<Webhooks> {
        let config = &self.config.webhooks;
        let allow_http = self.config.environment == Environment::Development || config.allow_private;
        let settings = WebhookSettings {
            rules: UrlRules { allow_http, allow_private: config.allow_private },
            retry_delays: config.retry_delays.clone(),
            switch_off_after: config.switch_off_after,
            timeout: config.timeout,
        };
        let started = Webhooks::start(self.runtime, Arc::clone(&stores.webhooks), peers.clone(), settings);
        started.context("webhooks cannot be sent")
    }

    /// The bridge to the broker, when there is one to be used.
    fn rabbit(&self, consumers: &[Arc<dyn Consumer>]) -> Option<RabbitBridge> {
        let rabbit = &self.config.rabbit;
        let consume = match &rabbit.consume {
            Consume::All => None,
            Consume::Queues(names) => Some(names.clone()),
        };
        let settings = RabbitSettings { url: rabbit.url.clone()?, consume, delays: rabbit.retry_delays };
        Some(RabbitBridge::start(self.runtime, &settings, consumers))
    }

    fn state(&self, dead: &[(String, Timestamp)], watch: &Arc<Watch>, redis: Option<Redis>) -> Result<State> {
        let config = self.config;
        let settings = HttpSettings {
            host: config.http.host.clone(),
            port: config.http.port,
            workers: config.http.worker_count(),
            request_timeout: config.http.request_timeout,
            production: config.environment == Environment::Production,
            allowed_origins: config.http.allowed_origins.clone(),
            trusted_proxies: config.http.trusted_proxies.clone(),
            ..HttpSettings::default()
        };
        let tokens = Tokens::new(self.secrets.jwt.expose_secret().as_bytes());
        let limits = AuthLimits::new(config.rate_limit.enabled, config.rate_limit.auth_per_minute);
        let limits = super::redis::limits(limits, redis.as_ref());
        let mut state = State::new(settings, tokens, limits);
        let stores = self.storage.stores();
        state.dead_tokens = Arc::new(match &stores.shared {
            Some(_) => DeadTokens::shared(stores.accounts, redis.clone()),
            None => DeadTokens::load(dead.iter().map(|(jti, exp)| (jti.clone(), exp.as_second()))),
        });
        let watch = Arc::clone(watch);
        state.readiness = super::redis::readiness(Arc::new(move || watch.report()), redis);
        state.metrics = Some(ops::install_metrics().map_err(anyhow::Error::msg)?);
        Ok(state)
    }
}

/// Where links in mails lead.
fn shop_url(config: &Config) -> String {
    let own = || format!("http://{}:{}", config.http.host, config.http.port);
    config.http.allowed_origins.first().cloned().unwrap_or_else(own)
}
