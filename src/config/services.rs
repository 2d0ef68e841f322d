//! The services, and which of them a process serves.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{error::quoted, fields};

/// One service of the marketplace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Service {
    /// Accounts and tokens.
    Auth,
    /// The catalogue.
    Product,
    /// Stock and reservations.
    Inventory,
    Cart,
    Order,
    /// Payments and refunds.
    Payment,
    /// Mails.
    Notification,
    /// The seller dashboard.
    SellerDashboard,
    /// The shopping assistant.
    AiBuddy,
    /// The web shop.
    Web,
}

impl Service {
    /// Every service, in the order in which they are named.
    pub const ALL: [Self; 10] = [
        Self::Auth,
        Self::Product,
        Self::Inventory,
        Self::Cart,
        Self::Order,
        Self::Payment,
        Self::Notification,
        Self::SellerDashboard,
        Self::AiBuddy,
        Self::Web,
    ];

    /// The service of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Product => "product",
            Self::Inventory => "inventory",
            Self::Cart => "cart",
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Notification => "notification",
            Self::SellerDashboard => "seller-dashboard",
            Self::AiBuddy => "ai-buddy",
            Self::Web => "web",
        }
    }
}

/// Which services a process serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub enum Services {
    /// Every one.
    #[default]
    All,
    /// These.
    Some(Vec<Service>),
}

impl Services {
    /// Reads `all` or names of services.
    fn from_names(names: &[String]) -> Result<Self, String> {
        if names == ["all"] {
            return Ok(Self::All);
        }
        let known = || Service::ALL.map(Service::name).join(", ");
        if names.is_empty() {
            return Err(format!("names no service; write all, or some of {}", known()));
        }
        let mut services = Vec::new();
        for name in names {
            let service = Service::named(name)
                .ok_or_else(|| format!("{} is not a service; write all, or some of {}", quoted(name), known()))?;
            if !services.contains(&service) {
                services.push(service);
            }
        }
        Ok(Self::Some(services))
    }

    /// Their names; `all` for all.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::All => vec!["all".to_owned()],
            Self::Some(services) => services.iter().map(|service| service.name().to_owned()).collect(),
        }
    }
}

impl fmt::Display for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Some(services) => f.write_str(&services.iter().map(|s| s.name()).collect::<Vec<_>>().join(",")),
        }
    }
}

impl<'de> Deserialize<'de> for Services {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::from_names(&fields::items(from)?).map_err(D::Error::custom)
    }
}
