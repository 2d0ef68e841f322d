//! Builds the app from its parts.
//!
//! **Invariant:** nothing listens before everything that it needs has started.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{dev::ServerHandle, web::Data};
use anyhow::{Context, Result};

use super::{
    open_files,
    readiness::{Dependencies, ReadinessMonitor},
    services::{AppBuilder, Started},
    storage::Storage,
};
use crate::{
    actors::{
        blocked_users::BlockedUsers,
        mail_sender::Mails,
        outbox::Outbox,
        tokens::{self, RevokedTokens},
        webhook::Webhooks,
    },
    config::{Config, DataDir, EmailVerification, Environment, Origins, PublicUrl, RateLimitConfig, Service},
    domain::Timestamp,
    http::{
        HttpSettings, State, ops,
        rate::{
            AuthLimits,
            work::{PerMinute, WorkLimits},
        },
        routes::{self, Services},
        server,
    },
    integrations::redis::Redis,
    runtime::Runtime,
    store::sqlite::SqliteOptions,
};

/// How long the outbox and the actors may each take to stop.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A running marketplace.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its services, for code in the same process.
    pub services: Data<Services>,
    /// The store, for fault injection.
    pub storage: Storage,
    outbox: Outbox,
    mails: Option<Mails>,
    webhooks: Option<Webhooks>,
    runtime: Arc<Runtime>,
    watch: Arc<ReadinessMonitor>,
    server: ServerHandle,
    _data_dir: DataDir,
}

/// How an app ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Actors that were still alive at the deadline.
    pub actors_alive: i64,
    /// Events that still wait, for the next start.
    pub events_waiting: u64,
}

impl App {
    /// Starts everything. Must be called within an actix system.
    ///
    /// # Errors
    /// One clear sentence, for example: the data directory is in use, the database is damaged, the port is taken.
    pub async fn start(config: &Config) -> Result<Self> {
        let mut options = SqliteOptions { readers: config.sqlite.readers, ..SqliteOptions::default() };
        if config.rabbit.url.is_some() {
            // Other programs may consume any of them.
            options.keep_event = Arc::new(|_| true);
        }
        Self::start_with(config, options).await
    }

    /// Starts everything over a store with these options.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_with(config: &Config, options: SqliteOptions) -> Result<Self> {
        let data_dir = DataDir::lock(config.own_folder())?;
        let redis = super::redis::start(&config.redis)?;
        let notifier = super::redis::notifier(&config.redis, redis.as_ref());
        let storage = Storage::open_notifying(config, data_dir.path(), options, &notifier).await?;
        // After the data file: if it is missing but secrets exist, it was lost.
        let secrets = config.secrets()?;
        let runtime = Arc::new(Runtime::new(config.http.worker_count()));
        let blocked = Arc::new(BlockedUsers::new(&storage.stores(), &notifier));
        blocked.start().await.context("the blocked users could not be read")?;
        let public_url = PublicUrl::of(config);
        let builder = AppBuilder {
            config,
            secrets: &secrets,
            storage: &storage,
            runtime: &runtime,
            notifier: &notifier,
            public_url: &public_url,
            blocked: &blocked,
        };
        let Started { mut services, outbox, rabbit, mails, webhooks, razorpay, peers, live } =
            builder.services(data_dir.path())?;
        let accounts = storage.stores().accounts;
        let dead = accounts.dead_tokens(Timestamp::now()).await.context("the tokens could not be read")?;
        let catalogue = services.catalogue.clone();
        let dependencies = Dependencies { rabbit, catalogue, mails: mails.clone(), razorpay, peers };
        let watch = ReadinessMonitor::start(storage.clone(), Arc::clone(&runtime), outbox.clone(), dependencies);
        let state = Data::new(builder.state(&dead, &watch, redis)?);
        services.sockets = services.chats.as_ref().map(|chats| builder.sockets(&services, chats, live, &state));
        let services = Data::new(services);
        let (server, address) = server::start(&state, routes::with_services(services.clone()))?;
        public_url.set_port(config, address.port());
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok(Self {
            address,
            services,
            storage,
            outbox,
            mails,
            webhooks,
            runtime,
            watch,
            server: handle,
            _data_dir: data_dir,
        })
    }

    /// Shuts everything down: accepts no new work, finishes running work, and saves everything.
    ///
    /// # Errors
    /// When the store did not close.
    pub async fn shutdown(self) -> Result<ShutdownReport> {
        self.watch.draining();
        if let Some(chats) = &self.services.chats {
            chats.drain(END_WITHIN).await;
        }
        // The server waits for its connections to end.
        if let Some(sockets) = &self.services.sockets {
            sockets.shutdown();
        }
        self.server.stop(true).await;
        let events_waiting = self.outbox.drain(END_WITHIN).await.unwrap_or(u64::MAX);
        let webhooks = async {
            if let Some(webhooks) = &self.webhooks {
                webhooks.finish(END_WITHIN).await;
            }
        };
        let mails = async {
            if let Some(mails) = &self.mails {
                mails.finish(END_WITHIN).await;
            }
        };
        let pictures = async {
            if let Some(catalogue) = &self.services.catalogue {
                catalogue.finish(END_WITHIN).await;
            }
        };
        tokio::join!(webhooks, mails, pictures);
        self.watch.stop();
        let actors_alive = self.runtime.shutdown(END_WITHIN).await;
        if let Some(catalogue) = &self.services.catalogue {
            catalogue.close().await;
        }
        self.storage.close().await?;
        Ok(ShutdownReport { actors_alive, events_waiting })
    }

    /// Waits until the outbox is empty; returns how many events are left at the deadline.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn settle(&self, within: Duration) -> Result<u64> {
        Ok(self.outbox.drain(within).await?)
    }
}

impl AppBuilder<'_> {
    fn state(
        &self,
        dead: &[(String, Timestamp)],
        watch: &Arc<ReadinessMonitor>,
        redis: Option<Redis>,
    ) -> Result<State> {
        let config = self.config;
        let production = config.environment == Environment::Production;
        let settings = HttpSettings {
            host: config.http.host.clone(),
            port: config.http.port,
            workers: config.http.worker_count(),
            max_connections: connections_of_a_worker(config.http.worker_count())?,
            request_timeout: config.http.request_timeout,
            production,
            origins: Origins {
                public_url: self.public_url.clone(),
                allowed: config.http.allowed_origins.clone(),
                local: config.environment == Environment::Development,
            },
            trusted_proxies: config.http.trusted_proxies.clone(),
            operators: config.http.operators.clone(),
            image_origin: config.picture_host()?.and_then(|host| host.origin()),
            services: config.services.names(),
            web_shop: config.services.serve(Service::Web),
            two_factor_for: if production { config.auth.two_factor_for.clone() } else { vec![] },
            verified_only: config.email.verification == EmailVerification::Required,
        };
        let tokens = self.tokens();
        let limits = AuthLimits::new(config.rate_limit.enabled, config.rate_limit.auth_per_minute);
        let limits = super::redis::limits(limits, redis.as_ref());
        let mut state = State::new(settings, tokens, limits);
        let RateLimitConfig { enabled, carts_per_minute, orders_per_minute, searches_per_minute, .. } =
            config.rate_limit;
        let per_minute =
            PerMinute { carts: carts_per_minute, orders: orders_per_minute, searches: searches_per_minute };
        state.work_limits = WorkLimits::new(enabled, per_minute);
        let stores = self.storage.stores();
        state.dead_tokens = Arc::new(match &stores.cluster {
            Some(_) => RevokedTokens::shared(stores.accounts, redis.clone()),
            None => RevokedTokens::load(dead.iter().map(|(jti, exp)| (jti.clone(), exp.as_second()))),
        });
        let dead_tokens = Arc::downgrade(&state.dead_tokens);
        tokio::spawn(tokens::follow(dead_tokens.clone(), self.storage.stores().accounts));
        self.blocked.on_change(move |user, blocked| {
            if let Some(dead) = dead_tokens.upgrade() {
                dead.block(&user.to_hex(), blocked);
            }
        });
        self.blocked.known().iter().for_each(|user| state.dead_tokens.block(&user.to_hex(), true));
        let watch = Arc::clone(watch);
        state.readiness = super::redis::readiness(Arc::new(move || watch.report()), redis);
        state.metrics = Some(ops::install_metrics().map_err(anyhow::Error::msg)?);
        Ok(state)
    }
}

/// The most connections of one of `workers` that the limit on open files allows.
fn connections_of_a_worker(workers: usize) -> Result<usize> {
    let all = open_files::raise_limit()?;
    Ok((all / workers.max(1)).clamp(1, HttpSettings::default().max_connections))
}
