//! The tags of the API. A handler names one in its `#[utoipa::path]`; which service serves it
//! follows from that alone.

use std::collections::BTreeSet;

use utoipa_actix_web::OpenApiFactory;

use crate::config::Service;

/// A group of operations.
#[derive(Debug)]
pub struct Tag {
    /// What `#[utoipa::path]` says.
    pub name: &'static str,
    /// What the document says of it.
    pub about: &'static str,
    /// Who serves its operations; without one every process does.
    pub service: Option<Service>,
}

const fn tag(name: &'static str, about: &'static str, service: Option<Service>) -> Tag {
    Tag { name, about, service }
}

/// Every tag, in the order in which they are shown.
pub const TAGS: [Tag; 10] = [
    tag("auth", "Who somebody is, and where she lives", Some(Service::Auth)),
    tag("products", "What is offered", Some(Service::Product)),
    tag("cart", "What a user is about to buy", Some(Service::Cart)),
    tag("orders", "From a cart to goods", Some(Service::Order)),
    tag("payments", "Money; `/api/payment/...` answers as `/api/payments/...`", Some(Service::Payment)),
    tag("seller", "What a seller sold; follows within a second", Some(Service::SellerDashboard)),
    tag("webhooks", "Being told of events by signed HTTP calls; for sellers and admins", Some(Service::Notification)),
    tag("inventory", "Stock; but for looking, only for the platform's own processes", Some(Service::Inventory)),
    tag(
        "assistant",
        "Conversations with the shopping assistant; the talking itself is over sockets",
        Some(Service::AiBuddy),
    ),
    tag("operations", "How the process does", None),
];

/// A handler's tags do not say which service it belongs to.
#[derive(Debug, thiserror::Error)]
#[error("{paths:?} must have one tag of TAGS, and has {tags:?}")]
pub struct TagError {
    paths: Vec<String>,
    tags: BTreeSet<String>,
}

/// The tag of a handler. A scope must not be asked: it hands its paths over, once.
///
/// # Errors
/// [`TagError`] unless it has one, which is known.
pub fn tag_of(handler: &impl OpenApiFactory) -> Result<&'static Tag, TagError> {
    let paths = handler.paths().paths;
    let operations = paths.values().flat_map(|item| {
        [&item.get, &item.put, &item.post, &item.delete, &item.options, &item.head, &item.patch, &item.trace]
    });
    let tags: BTreeSet<String> =
        operations.flatten().flat_map(|operation| operation.tags.iter().flatten()).cloned().collect();
    let named = |tag: &&Tag| tags.len() == 1 && tags.contains(tag.name);
    TAGS.iter().find(named).ok_or_else(|| TagError { paths: paths.keys().cloned().collect(), tags: tags.clone() })
}

#[cfg(test)]
mod tests {
    use actix_web::{HttpResponse, get};

    use super::*;

    #[utoipa::path(tag = "webhooks", responses())]
    #[get("/known")]
    async fn known() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[utoipa::path(tag = "nowhere", responses())]
    #[get("/unknown")]
    async fn unknown() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[utoipa::path(tags = ["cart", "orders"], responses())]
    #[get("/two")]
    async fn two() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[test]
    fn a_handler_has_one_known_tag() {
        assert_eq!(tag_of(&known).unwrap().service, Some(Service::Notification));
        let refused = tag_of(&unknown).unwrap_err().to_string();
        assert!(refused.contains("/unknown") && refused.contains("nowhere"), "{refused}");
        tag_of(&two).unwrap_err();
    }
}
