//! HTML pages: the web shop, rendered on the server; it works without JavaScript.
//!
//! A handler takes a [`PageContext`] (or a [`FormRequest`] for a form), calls services, fills an askama template
//! whose field `page` is the frame, and responds through the context. See `docs/pages.md`.
//!
//! **Invariant:** templates escape all text, and a page responds to any input with a page: 4xx, never 5xx.

mod account;
mod admin;
pub mod assets;
pub mod cards;
pub(super) mod cart;
pub mod cart_summary;
mod checkout;
pub mod context;
pub mod cookies;
pub mod error_page;
pub mod feeds;
pub mod form;
pub mod format;
pub mod guest;
mod home;
mod leaving;
mod listing;
pub mod mailbox;
mod merge;
pub mod middleware;
mod numbers;
mod orders;
pub mod page;
mod pay;
mod product;
mod recovery;
pub mod saved_forms;
mod security;
mod seller;
mod session;
mod unsubscribe;

use actix_web::{
    Resource,
    middleware::from_fn,
    web::{self, ServiceConfig},
};

use super::features::FEATURES;

pub use self::{
    context::PageContext,
    form::{Form, FormRequest, Upload},
    middleware::Policies,
    page::{Flash, Page},
};

/// Registers a page with security headers, and errors as pages.
pub fn page(config: &mut ServiceConfig, resource: Resource) {
    config.service(resource.wrap(from_fn(middleware::page_middleware)));
}

/// Registers every page and its assets.
pub fn configure(config: &mut ServiceConfig) {
    config.service(web::resource("/assets/{file}").get(assets::get));
    config.service(web::resource("/robots.txt").get(feeds::robots));
    config.service(web::resource("/favicon.ico").get(feeds::favicon));
    config.service(web::resource("/sitemap.xml").get(feeds::sitemap));
    page(config, web::resource("/").get(home::home));
    page(config, web::resource("/products/{id}").get(product::show));
    page(config, web::resource("/login").get(session::login_form).post(session::login));
    page(config, web::resource("/login/code").post(session::login_code));
    page(config, web::resource("/register").get(session::register_form).post(session::register));
    page(config, web::resource("/logout").post(session::logout));
    page(config, web::resource("/forgot").get(recovery::forgot_form).post(recovery::forgot));
    page(config, web::resource("/reset").get(recovery::reset_form).post(recovery::reset));
    page(config, web::resource("/verify").get(recovery::verify_form).post(recovery::verify));
    page(config, web::resource("/unsubscribe/{token}").get(unsubscribe::show).post(unsubscribe::set));
    page(config, web::resource("/account").get(account::show));
    page(config, web::resource("/account/email").post(account::change_email));
    page(config, web::resource("/account/email/confirm").post(account::send_confirmation));
    page(config, web::resource("/account/password").post(account::change_password));
    page(config, web::resource("/account/profile").post(account::change_profile));
    page(config, web::resource("/account/delete").get(leaving::show).post(leaving::leave));
    page(config, web::resource("/account/export").get(leaving::export));
    page(config, web::resource("/account/addresses").post(account::add));
    page(config, web::resource("/account/addresses/{id}").get(account::edit_address).post(account::update_address));
    page(config, web::resource("/account/addresses/{id}/remove").post(account::remove));
    page(config, web::resource("/account/security").get(security::show));
    page(config, web::resource("/account/security/sessions/{id}/end").post(security::end_session));
    page(config, web::resource("/account/security/two-factor").post(security::set_up));
    page(config, web::resource("/account/security/two-factor/enable").post(security::enable));
    page(config, web::resource("/account/security/two-factor/disable").post(security::disable));
    page(config, web::resource("/checkout").get(checkout::show).post(checkout::place));
    page(config, web::resource("/orders").get(orders::list));
    page(config, web::resource("/orders/{id}").get(orders::show));
    page(config, web::resource("/orders/{id}/cancel").post(orders::cancel));
    page(config, web::resource("/orders/{id}/pay").get(pay::show).post(pay::pay));
    FEATURES.iter().for_each(|feature| feature.pages(config));
    seller::configure(config);
    admin::configure(config);
}
