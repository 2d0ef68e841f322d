//! Every route, by service. A handler extracts, calls a service and answers; rules are
//! elsewhere.

pub mod accounts;
pub mod cart;
pub mod inventory;
pub mod mailbox;
pub mod media;
pub mod orders;
pub mod payments;
mod product_form;
pub mod products;
pub mod seller;
pub mod webhooks;

use std::sync::Arc;

use actix_web::{HttpRequest, web::Data};
use sha2::{Digest, Sha256};
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use super::error::ApiError;
use crate::{
    actors::{
        accounts::Accounts, cart::Carts, catalogue::Catalogue, order_saga::Orders, payment::Payments,
        seller_dashboard::SellerDashboard, webhook::Webhooks,
    },
    integrations::razorpay::SandboxGateway,
    peers::Inventory,
    store::MailboxStore,
};

/// The services that handlers call.
pub struct Services {
    /// Users.
    pub accounts: Accounts,
    /// Products.
    pub catalogue: Catalogue,
    /// Stock.
    pub inventory: Arc<dyn Inventory>,
    /// Carts.
    pub carts: Carts,
    /// Orders.
    pub orders: Orders,
    /// Payments.
    pub payments: Payments,
    /// Sellers' figures.
    pub dashboard: SellerDashboard,
    /// Who is told of events.
    pub webhooks: Webhooks,
    /// The sandbox gateway, when it is the one in use.
    pub sandbox: Option<Arc<SandboxGateway>>,
    /// The embedded mailbox, when it is shown.
    pub mailbox: Option<Arc<dyn MailboxStore>>,
}

/// Registers every route.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(accounts::register)
        .service(accounts::login)
        .service(accounts::me)
        .service(accounts::logout_by_get)
        .service(accounts::logout_by_post)
        .service(accounts::add_address)
        .service(accounts::list_addresses)
        .service(accounts::remove_address)
        .service(products::create)
        .service(products::list)
        .service(products::of_seller)
        .service(products::get)
        .service(products::patch)
        .service(products::delete)
        .service(products::add_images)
        .service(products::remove_image)
        .service(inventory::reserve)
        .service(inventory::release)
        .service(inventory::commit)
        .service(inventory::get)
        .service(inventory::put)
        .service(cart::get)
        .service(cart::add)
        .service(cart::set)
        .service(cart::remove)
        .service(cart::clear)
        .service(orders::place)
        .service(orders::mine)
        .service(orders::get)
        .service(orders::cancel)
        .service(orders::set_address)
        .service(orders::ship)
        .service(orders::deliver)
        .service(seller::metrics)
        .service(seller::orders)
        .service(seller::products)
        .service(webhooks::register)
        .service(webhooks::list)
        .service(webhooks::get)
        .service(webhooks::change)
        .service(webhooks::remove)
        .service(webhooks::rotate_secret)
        .service(webhooks::ping)
        .service(webhooks::deliveries)
        .service(webhooks::redeliver)
        .service(payments::sandbox_pay)
        .service(media::get)
        .service(mailbox::get);
    for prefix in ["/api/payments", "/api/payment"] {
        config.service(
            scope::scope(prefix)
                .service(payments::create)
                .service(payments::verify)
                .service(payments::webhook)
                .service(payments::of_order)
                .service(payments::refund),
        );
    }
}

/// Registers every route with the services behind it.
pub fn with_services(services: Data<Services>) -> impl Fn(&mut ServiceConfig) + Send + Clone + 'static {
    move |config| {
        config.app_data(services.clone());
        configure(config);
    }
}

/// The `Idempotency-Key` of a request with a hash of what was asked with it.
///
/// # Errors
/// 400 unless it is 1 to 255 visible characters.
fn idempotency_key(req: &HttpRequest, asked: &impl serde::Serialize) -> Result<Option<(String, String)>, ApiError> {
    let Some(value) = req.headers().get("idempotency-key") else { return Ok(None) };
    let refused = || ApiError::field("Idempotency-Key", "must be 1 to 255 visible characters");
    let key = value.to_str().map_err(|_| refused())?;
    if key.is_empty() || key.len() > 255 {
        return Err(refused());
    }
    let asked = serde_json::to_vec(asked).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(Some((key.to_owned(), hex::encode(Sha256::digest(asked)))))
}
