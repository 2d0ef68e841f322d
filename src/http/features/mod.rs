//! Features: parts of the shop that have both operations and pages.
//!
//! Everything else about a feature follows from [`FEATURES`]: its routes and pages, the menu, whether its forms are
//! harmless, what a login merges, and its buttons on products.

mod wishlist;

use actix_web::web::ServiceConfig;
use async_trait::async_trait;

use self::wishlist::Wishlist;
use super::{
    pages::{PageContext, cart::Cart},
    routes::Registrar,
};
use crate::domain::ids::ProductId;

/// Every feature.
pub const FEATURES: &[&dyn Feature] = &[&Cart, &Wishlist];

/// A part of the shop. It has no state.
#[async_trait(?Send)]
pub trait Feature: Sync {
    /// The path of its page; its other pages are below it. Its forms are harmless for whichever account is logged in,
    /// and search engines are kept out.
    fn path(&self) -> &'static str;

    /// The label of its page in the menu of guests and buyers, if it is there.
    fn label(&self) -> Option<&'static str> {
        None
    }

    /// Registers its operations.
    fn api(&self, registrar: &mut Registrar<'_, '_>);

    /// Registers its pages.
    fn pages(&self, config: &mut ServiceConfig);

    /// Merges what a guest's browser stores into the account of the user who logged in; returns a message if something
    /// was not merged. What fails because a service is unavailable stays in the browser for the next login.
    async fn merge_guest(&self, _context: &mut PageContext) -> Option<String> {
        None
    }

    /// Its button on products; reads once what the buttons of a page need.
    async fn button(&self, _context: &PageContext) -> Option<ButtonOf> {
        None
    }
}

/// The button of a product.
pub type ButtonOf = Box<dyn Fn(ProductId) -> Button>;

/// A button on a product: on its card and on its page.
#[derive(Debug, Clone)]
pub struct Button {
    /// Where the form goes: with `on`, whether it is to be on now, and `back`, the page to return to.
    pub action: String,
    /// Such as `Save`; screen readers get the product's title after it.
    pub label: &'static str,
    pub is_on: bool,
}

/// Whether a path is a feature's or below it.
#[must_use]
pub fn owns(feature: &dyn Feature, path: &str) -> bool {
    path.strip_prefix(feature.path()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
