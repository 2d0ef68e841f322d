//! Starts the services that this process serves.
//!
//! **Invariant:** only this module and `nodes` depend on which services these are.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use jiff::SignedDuration;
use secrecy::ExposeSecret;

use super::{nodes, storage::Storage};
use crate::{
    actors::{
        accounts::{self, AccountSettings, Passwords},
        admin,
        blocked_users::BlockedUsers,
        cart::{self, CartListener},
        catalogue::{Catalogue, index::SearchIndex, snapshots::Snapshots},
        inventory::{self, StockListener},
        leaving::Leaving,
        mail_sender::Mails,
        notification::{EmailChannel, Notifications, ShopInfo, WebhookChannel},
        order_saga::{OrderSettings, Orders},
        outbox::{Carrier, InProcess, Outbox},
        payment,
        rabbit_bridge::{RabbitBridge, RabbitSettings},
        seller_dashboard::SellerDashboard,
        tokens::Tokens,
        webhook::{WebhookSettings, Webhooks},
    },
    bus::Consumer,
    config::{Config, Consume, EmailVerification, Environment, PublicUrl, Secrets, Service},
    domain::order::Pricing,
    http::routes::Services,
    integrations::{
        image::{DocumentImages, HostedImages, ImageKit, ImageStore, LocalImages},
        payment::{Keys, PaymentGateway, RazorpayGateway, SandboxGateway},
        redis::ChangeNotifier,
        webhook::address::UrlRules,
    },
    runtime::{
        Runtime,
        calls::{Calls, Registry, remote::Peer},
    },
    store::Stores,
    ws::live::Live,
};

/// The smallest useful size of the snapshot cache.
const SMALLEST_SNAPSHOTS_MIB: u32 = 1;

/// Everything that is needed to start services.
pub(super) struct AppBuilder<'a> {
    pub(super) config: &'a Config,
    pub(super) secrets: &'a Secrets,
    pub(super) storage: &'a Storage,
    pub(super) runtime: &'a Runtime,
    pub(super) notifier: &'a ChangeNotifier,
    pub(super) public_url: &'a PublicUrl,
    pub(super) blocked: &'a Arc<BlockedUsers>,
}

/// The started services.
pub(super) struct Started {
    pub(super) services: Services,
    pub(super) outbox: Outbox,
    pub(super) rabbit: Option<RabbitBridge>,
    pub(super) mails: Option<Mails>,
    pub(super) webhooks: Option<Webhooks>,
    /// Razorpay, if it is used.
    pub(super) razorpay: Option<Arc<RazorpayGateway>>,
    /// The services in other processes.
    pub(super) peers: Vec<Peer>,
    /// The listeners of live events.
    pub(super) live: Arc<Live>,
}

/// The gateways: Razorpay or the sandbox.
type Gateways = (Option<Arc<SandboxGateway>>, Option<Arc<RazorpayGateway>>);

/// Razorpay if its key is configured, otherwise the sandbox.
///
/// # Errors
/// When the client for Razorpay cannot be set up.
pub(super) fn gateway(
    config: &Config,
    secrets: &Secrets,
    stores: &Stores,
) -> Result<(Arc<dyn PaymentGateway>, Gateways)> {
    let keys = Keys {
        key_secret: secrets.razorpay_key_secret.clone(),
        webhook_secret: secrets.razorpay_webhook_secret.clone(),
    };
    let key_id = secrets.razorpay_key_id.clone();
    if config.razorpay.key_id.is_some() {
        let gateway = RazorpayGateway::try_new(&config.razorpay.base_url, key_id, keys);
        let gateway = Arc::new(gateway.context("Razorpay cannot be called")?);
        return Ok((gateway.clone(), (None, Some(gateway))));
    }
    let sandbox = Arc::new(SandboxGateway::new(key_id, keys, stores.payments.clone()));
    Ok((sandbox.clone(), (Some(sandbox), None)))
}

/// Tax and shipping.
pub(super) fn pricing(config: &Config) -> Pricing {
    Pricing { tax_basis_points: config.pricing.tax_basis_points, shipping_minor: config.pricing.shipping_flat_minor }
}

pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

impl AppBuilder<'_> {
    pub(super) fn serves(&self, service: Service) -> bool {
        self.config.services.serve(service)
    }

    /// Whether this process runs a service: one that it serves, or one that its pages call. The latter works on the
    /// shared documents like a replica, and other processes cannot call it here.
    fn runs(&self, service: Service) -> bool {
        let asked_by_pages = !matches!(service, Service::AiBuddy | Service::Notification);
        self.serves(service) || (asked_by_pages && self.serves(Service::Web))
    }

    /// Starts the services of this process, and connects to the peers that they call.
    pub(super) fn services(&self, data_dir: &Path) -> Result<Started> {
        let (config, runtime) = (self.config, self.runtime);
        let (stores, calls) = (self.storage.stores(), Calls::default());
        let snapshot_bytes = u64::from(config.catalogue.snapshot_mib.max(SMALLEST_SNAPSHOTS_MIB)) << 20;
        let snapshots = Arc::new(Snapshots::new(snapshot_bytes));
        let clustered = stores.cluster.is_some();
        let mut registry = Registry::default();
        self.accounts(&stores, &mut registry)?;
        if self.runs(Service::Inventory) {
            let listener = inventory::notifying_listener(snapshots.clone(), self.notifier.clone());
            let window = signed(config.order.payment_window);
            inventory::start(runtime, &mut registry, Arc::clone(&stores.stock), listener, window);
        }
        let catalogue = self.catalogue(&stores, &calls, snapshots, data_dir)?;
        if let Some(catalogue) = &catalogue {
            catalogue.set_blocked_users(self.blocked);
            catalogue.register(runtime, &mut registry);
        }
        let live = Arc::new(Live::default());
        if self.runs(Service::Cart) {
            let listener = self.serves(Service::AiBuddy).then(|| -> Arc<dyn CartListener> { live.clone() });
            let store = stores.carts.clone();
            cart::start(runtime, &mut registry, store, calls.clone(), listener, config.cart.idle, clustered);
        }
        let orders = self.runs(Service::Order).then(|| {
            Orders::start(runtime, &mut registry, stores.orders.clone(), calls.clone(), self.order_settings())
        });
        orders.iter().for_each(|orders| orders.set_blocked_users(self.blocked));
        if self.serves(Service::AiBuddy) {
            orders.iter().for_each(|orders| orders.notify(live.clone()));
        }
        let chats = self.chats(&mut registry, &stores, &calls)?;
        let (sandbox, razorpay) = self.payments(&mut registry, &stores, &calls)?;
        let dashboard =
            self.runs(Service::SellerDashboard).then(|| SellerDashboard::start(runtime, &mut registry, &stores));

        let webhooks = match self.serves(Service::Notification) {
            true => Some(self.webhooks(&mut registry, &stores, &calls)?),
            false => None,
        };
        admin::register(&mut registry, stores.clone(), config.rabbit.url.clone(), Arc::clone(self.blocked));
        let leaving = Leaving::new(stores.clone(), calls.clone());
        if self.runs(Service::Auth) {
            leaving.register(&mut registry);
        }
        registry.expose(|service| self.serves(service));
        let peers = nodes::connect(config, self.tokens(), &calls, registry)?;
        let (mut consumers, mut mails): (Vec<Arc<dyn Consumer>>, _) = (vec![], None);
        if let Some(webhooks) = &webhooks {
            let shop = ShopInfo { name: "microBazaar".to_owned(), base_url: self.public_url.clone() };
            let (mailer, sending) = super::mail::mailer(config, runtime, &stores, self.notifier)?;
            mails = sending;
            let email = EmailChannel::new(calls.clone(), mailer, shop, self.tokens());
            consumers.push(Arc::new(Notifications::start(runtime, Arc::new(email))));
            let telling = WebhookChannel::new(webhooks.clone());
            consumers.push(Arc::new(Notifications::start(runtime, Arc::new(telling))));
        }
        if let Some(dashboard) = &dashboard {
            consumers.push(Arc::new(dashboard.clone()));
        }
        consumers.extend(leaving.erasers(|service| self.serves(service)));
        let rabbit = self.rabbit(&consumers);
        let carrier: Arc<dyn Carrier> = match &rabbit {
            Some(bridge) => Arc::new(bridge.clone()),
            None => Arc::new(InProcess::new(consumers, config.rabbit.retry_delays.map(signed))),
        };
        let outbox = Outbox::start(runtime, Arc::clone(&stores.outbox), carrier, self.notifier);
        let mailbox = config.mailbox.enabled.then(|| stores.mailbox.clone());
        let services = Services {
            catalogue,
            calls: calls.clone(),
            served: self.config.services.clone(),
            sandbox,
            mailbox,
            chats,
            sockets: None,
            mcp: self.mcp(&calls),
        };
        Ok(Started { services, outbox, rabbit, mails, webhooks, razorpay, peers, live })
    }

    fn accounts(&self, stores: &Stores, registry: &mut Registry) -> Result<()> {
        if self.runs(Service::Auth) {
            let passwords = Passwords::start(self.config.passwords.hashers());
            let passwords = passwords.context("the password threads did not start")?;
            let settings = AccountSettings {
                shared: stores.cluster.is_some(),
                confirms_email: self.config.email.verification != EmailVerification::Off,
            };
            accounts::start(self.runtime, registry, stores.accounts.clone(), passwords, self.tokens(), settings);
        }
        Ok(())
    }

    fn catalogue(
        &self,
        stores: &Stores,
        calls: &Calls,
        snapshots: Arc<Snapshots>,
        data_dir: &Path,
    ) -> Result<Option<Catalogue>> {
        if !self.runs(Service::Product) {
            return Ok(None);
        }
        let index = Arc::new(SearchIndex::open(Some(&data_dir.join("search")))?);
        let mut pictures: Arc<dyn ImageStore> = Arc::new(LocalImages::new(data_dir));
        if let Some(store) = &stores.cluster {
            pictures = Arc::new(DocumentImages::new(Arc::clone(store)));
            let listener: Arc<dyn StockListener> = snapshots.clone();
            inventory::follow(self.runtime, Arc::clone(store), listener, self.notifier);
        }
        let hosted = match self.config.picture_host()? {
            Some(settings) => {
                let host = ImageKit::try_new(settings).context("ImageKit cannot be called")?;
                Some(HostedImages::new(Arc::clone(&pictures), Arc::new(host), stores.pictures.clone()))
            }
            None => None,
        };
        if let Some(hosted) = &hosted {
            pictures = Arc::new(hosted.clone());
        }
        let (calls, cluster) = (calls.clone(), stores.cluster.as_ref().map(|_| self.notifier));
        let catalogue = Catalogue::start(self.runtime, stores.clone(), snapshots, index, pictures, calls, cluster);
        let catalogue = catalogue.with_imports(self.runtime, self.notifier);
        Ok(Some(match hosted {
            Some(hosted) => catalogue.with_hosting(self.runtime, hosted, self.notifier),
            None => catalogue,
        }))
    }

    fn order_settings(&self) -> OrderSettings {
        let order = &self.config.order;
        OrderSettings {
            pricing: pricing(self.config),
            window: signed(order.payment_window),
            max_unpaid: order.max_unpaid,
        }
    }

    /// Starts payments, with Razorpay if its key is configured, otherwise with the sandbox.
    fn payments(&self, registry: &mut Registry, stores: &Stores, calls: &Calls) -> Result<Gateways> {
        if !self.runs(Service::Payment) {
            return Ok((None, None));
        }
        let (gateway, gateways) = gateway(self.config, self.secrets, stores)?;
        let every = signed(self.config.razorpay.reconcile_every);
        payment::start(self.runtime, registry, stores.payments.clone(), gateway, calls.clone(), every);
        Ok(gateways)
    }

    /// Issues and checks tokens.
    pub(super) fn tokens(&self) -> Tokens {
        Tokens::new(self.secrets.jwt.expose_secret().as_bytes())
    }

    fn webhooks(&self, registry: &mut Registry, stores: &Stores, calls: &Calls) -> Result<Webhooks> {
        let config = &self.config.webhooks;
        let allow_http = self.config.environment == Environment::Development || config.allow_private;
        let settings = WebhookSettings {
            rules: UrlRules { allow_http, allow_private: config.allow_private },
            retry_delays: config.retry_delays.clone(),
            switch_off_after: config.switch_off_after,
            timeout: config.timeout,
        };
        let started =
            Webhooks::start(self.runtime, registry, stores.webhooks.clone(), calls.clone(), settings, self.notifier);
        started.context("webhooks cannot be sent")
    }

    /// The bridge to the broker, if one is configured.
    fn rabbit(&self, consumers: &[Arc<dyn Consumer>]) -> Option<RabbitBridge> {
        let rabbit = &self.config.rabbit;
        let consume = match &rabbit.consume {
            Consume::All => None,
            Consume::Queues(names) => Some(names.clone()),
        };
        let settings = RabbitSettings { url: rabbit.url.clone()?, consume, delays: rabbit.retry_delays };
        Some(RabbitBridge::start(self.runtime, &settings, consumers))
    }
}
