//! The tags of the API. A handler names one in its `#[utoipa::path]`; the tag alone decides which service serves the
//! handler.

use std::{
    any::TypeId,
    collections::{BTreeSet, HashMap},
};

use parking_lot::Mutex;
use utoipa_actix_web::OpenApiFactory;

use crate::config::Service;

/// A group of operations.
#[derive(Debug)]
pub struct Tag {
    /// The name in `#[utoipa::path]`.
    pub name: &'static str,
    /// The description in the document.
    pub about: &'static str,
    /// The service that serves the operations; `None` when every process does.
    pub service: Option<Service>,
}

const fn tag(name: &'static str, about: &'static str, service: Option<Service>) -> Tag {
    Tag { name, about, service }
}

/// Every tag, in the order of the document.
pub const TAGS: [Tag; 10] = [
    tag("auth", "Accounts, sessions and addresses", Some(Service::Auth)),
    tag("products", "Products and their pictures", Some(Service::Product)),
    tag("cart", "The user's cart", Some(Service::Cart)),
    tag("orders", "Orders, from checkout to delivery", Some(Service::Order)),
    tag("payments", "Money; `/api/payment/...` answers as `/api/payments/...`", Some(Service::Payment)),
    tag("seller", "A seller's sales; updated within a second", Some(Service::SellerDashboard)),
    tag("webhooks", "Signed HTTP calls that report events; for sellers and admins", Some(Service::Notification)),
    tag("inventory", "Stock; only the platform's own processes may change it", Some(Service::Inventory)),
    tag("assistant", "Conversations with the shopping assistant; messages go over sockets", Some(Service::AiBuddy)),
    tag("operations", "State and metrics of the process", None),
];

/// A handler whose tags do not say which service it belongs to.
#[derive(Debug, thiserror::Error)]
#[error("{paths:?} must have one tag of TAGS, and has {tags:?}")]
pub struct TagError {
    paths: Vec<String>,
    tags: BTreeSet<String>,
}

/// The tag of a handler.
///
/// # Errors
/// [`TagError`] unless it has one, which is known.
pub fn tag_of<H: OpenApiFactory + 'static>(handler: &H) -> Result<&'static Tag, TagError> {
    // Each worker asks for every handler, and it takes long to describe a whole operation for its tag.
    static KNOWN: Mutex<Option<HashMap<TypeId, &'static Tag>>> = Mutex::new(None);
    let of = TypeId::of::<H>();
    if let Some(tag) = KNOWN.lock().get_or_insert_default().get(&of) {
        return Ok(tag);
    }
    let tag = described_tag(handler)?;
    KNOWN.lock().get_or_insert_default().insert(of, tag);
    Ok(tag)
}

fn described_tag(handler: &impl OpenApiFactory) -> Result<&'static Tag, TagError> {
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
