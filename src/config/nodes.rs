//! The requirements of serving only some of the services.
//!
//! **Invariant:** a process that serves some services has the address of every peer that they call, and uses servers
//! that the other processes can reach too.

use std::path::PathBuf;

use super::{
    Config, PeersConfig,
    error::{ConfigError, require},
    layers::DEFAULT,
    services::{Service, Services},
};

/// Refuses a configuration that lacks what serving some services needs.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    if config.services == Services::All {
        return Ok(());
    }
    let shared = [
        ("mongo.uri", config.mongo.uri.is_some(), "the processes share its documents"),
        ("rabbit.url", config.rabbit.url.is_some(), "events travel between the processes by it"),
        ("jwt_secret", config.jwt_secret.is_some(), "the processes take each other's tokens"),
    ];
    for (key, given, why) in shared {
        require(given, key, format!("must be given for serving only {}: {why}", config.services))?;
    }
    for service in config.services.called() {
        let (name, port, callers) = (service.name(), service.split_port(), config.services.callers_of(service));
        let problem =
            format!("must be given for serving {callers} without {name}; write for example http://{name}:{port}");
        require(config.peers.of(service).is_some(), &format!("peers.{name}"), problem)?;
    }
    Ok(())
}

/// The port to listen on, which was set by `origin`: a single service has its own default.
pub(super) fn port(config: &Config, origin: Option<&str>) -> u16 {
    match &config.services {
        Services::Some(some)
            if let [alone] = some[..]
                && origin == Some(DEFAULT) =>
        {
            alone.split_port()
        }
        _ => config.http.port,
    }
}

impl Config {
    /// The folder of this process: one that serves some services has its own, so that several can run on one machine.
    #[must_use]
    pub fn own_folder(&self) -> PathBuf {
        match &self.services {
            Services::All => self.data_dir.clone(),
            some @ Services::Some(_) => self.data_dir.join(some.names().join("+")),
        }
    }
}

impl PeersConfig {
    /// The address of `service`, if it is configured.
    #[must_use]
    pub fn of(&self, service: Service) -> Option<&str> {
        let address = match service {
            Service::Auth => &self.auth,
            Service::Product => &self.product,
            Service::Inventory => &self.inventory,
            Service::Cart => &self.cart,
            Service::Order => &self.order,
            Service::Payment => &self.payment,
            Service::Notification | Service::SellerDashboard | Service::AiBuddy | Service::Web => return None,
        };
        address.as_deref()
    }
}

impl Service {
    /// Its default port when a process serves it alone.
    #[must_use]
    pub const fn split_port(self) -> u16 {
        match self {
            Self::Auth => 3000,
            Self::Product => 3001,
            Self::Cart => 3002,
            Self::Order => 3003,
            Self::Payment => 3004,
            Self::AiBuddy => 3005,
            Self::Notification => 3006,
            Self::SellerDashboard => 3007,
            Self::Inventory => 3008,
            Self::Web => 8080,
        }
    }

    /// The services that it calls.
    #[must_use]
    pub const fn calls(self) -> &'static [Self] {
        match self {
            Self::Auth | Self::Inventory | Self::Web => &[],
            Self::AiBuddy => &[Self::Product, Self::Cart, Self::Order],
            Self::Product => &[Self::Auth, Self::Inventory],
            Self::Cart => &[Self::Product],
            Self::Order => &[Self::Auth, Self::Product, Self::Inventory, Self::Cart, Self::Payment],
            Self::Payment => &[Self::Auth, Self::Order],
            Self::Notification => &[Self::Auth],
            Self::SellerDashboard => &[Self::Inventory],
        }
    }
}

impl Services {
    /// Whether this process serves `service`.
    #[must_use]
    pub fn serve(&self, service: Service) -> bool {
        match self {
            Self::All => true,
            Self::Some(some) => some.contains(&service),
        }
    }

    /// The services in other processes that this process's services call.
    #[must_use]
    pub fn called(&self) -> Vec<Service> {
        let Self::Some(some) = self else { return vec![] };
        let called = |service: &Service| some.iter().any(|own| own.calls().contains(service));
        Service::ALL.into_iter().filter(|service| called(service) && !some.contains(service)).collect()
    }

    /// The names of those that call `service`.
    fn callers_of(&self, service: Service) -> Self {
        let calls = |own: &Service| self.serve(*own) && own.calls().contains(&service);
        Self::Some(Service::ALL.into_iter().filter(calls).collect())
    }
}
