//! Every route, by service. A handler extracts, calls a service and answers; rules are
//! elsewhere.

pub mod accounts;
pub mod cart;
pub mod conversations;
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

use actix_web::{
    HttpRequest,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::{Next, from_fn},
    web::Data,
};
use sha2::{Digest, Sha256};
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use super::{
    error::ApiError,
    internal::{self, Exposed},
    mcp::{self, Mcp},
};
use crate::{
    actors::{catalogue::Catalogue, payment::Payments},
    config::{Service, Services as Served},
    integrations::razorpay::SandboxGateway,
    runtime::calls::Calls,
    store::MailboxStore,
    ws::{chat::Chats, engine::Engine},
};

/// The services of this process, which handlers call. A service that another process serves
/// is absent, and so are its routes.
#[derive(Default)]
pub struct Services {
    /// Products.
    pub catalogue: Option<Catalogue>,
    /// The services that are asked by calls, here or elsewhere.
    pub calls: Calls,
    /// Which ones others may call here; the rest is there for the pages.
    pub served: Served,
    /// Payments.
    pub payments: Option<Payments>,
    /// The sandbox gateway, when it is the one in use.
    pub sandbox: Option<Arc<SandboxGateway>>,
    /// The embedded mailbox, when it is shown.
    pub mailbox: Option<MailboxStore>,
    /// Conversations with the assistant.
    pub chats: Option<Chats>,
    /// The sockets that reach it.
    pub sockets: Option<Engine>,
    /// The assistant's tools, for outside agents.
    pub mcp: Option<Mcp>,
}

macro_rules! present {
    ($($(#[$doc:meta])* $name:ident: $service:ty, $word:literal;)*) => {
        impl Services {
            $($(#[$doc])*
            ///
            /// # Errors
            /// 503 when another process serves it, in which no handler that asks is registered.
            pub fn $name(&self) -> Result<&$service, ApiError> {
                self.$name.as_ref().ok_or_else(|| ApiError::unavailable($word))
            })*
        }
    };
}

present! {
    /// Products.
    catalogue: Catalogue, "product";
    /// Payments.
    payments: Payments, "payment";
    /// The assistant's tools, for outside agents.
    mcp: Mcp, "ai-buddy";
}

/// Registers every route.
pub fn configure(config: &mut ServiceConfig) {
    auth_routes(config);
    product_routes(config);
    inventory_routes(config);
    cart_routes(config);
    order_routes(config);
    seller_routes(config);
    notification_routes(config);
    payment_routes(config);
    chat_routes(config);
    mcp_routes(config);
}

/// Registers the routes of one service.
type Routes = fn(&mut ServiceConfig);

/// Registers the routes of the services that are served here.
fn configure_some(config: &mut ServiceConfig, services: &Services) {
    let of: [(Service, Routes); 10] = [
        (Service::Auth, auth_routes),
        (Service::Product, product_routes),
        (Service::Inventory, inventory_routes),
        (Service::Cart, cart_routes),
        (Service::Order, order_routes),
        (Service::SellerDashboard, seller_routes),
        (Service::Notification, notification_routes),
        (Service::Payment, payment_routes),
        (Service::AiBuddy, chat_routes),
        (Service::AiBuddy, mcp_routes),
    ];
    of.iter().filter(|(service, _)| services.served.serve(*service)).for_each(|(_, routes)| routes(config));
    if services.served.serve(Service::Web) && !services.served.serve(Service::Product) {
        config.service(media::get);
    }
}

fn auth_routes(config: &mut ServiceConfig) {
    config
        .service(accounts::register)
        .service(accounts::login)
        .service(accounts::me)
        .service(accounts::logout_by_get)
        .service(accounts::logout_by_post)
        .service(accounts::add_address)
        .service(accounts::list_addresses)
        .service(accounts::remove_address);
}

fn product_routes(config: &mut ServiceConfig) {
    config
        .service(products::create)
        .service(products::list)
        .service(products::of_seller)
        .service(products::get)
        .service(products::patch)
        .service(products::delete)
        .service(products::add_images)
        .service(products::remove_image)
        .service(products::take_down)
        .service(products::approve)
        .service(media::get);
}

fn inventory_routes(config: &mut ServiceConfig) {
    config
        .service(inventory::reserve)
        .service(inventory::release)
        .service(inventory::commit)
        .service(inventory::get)
        .service(inventory::put);
}

fn cart_routes(config: &mut ServiceConfig) {
    config.service(cart::get).service(cart::add).service(cart::set).service(cart::remove).service(cart::clear);
}

fn order_routes(config: &mut ServiceConfig) {
    config
        .service(orders::place)
        .service(orders::mine)
        .service(orders::get)
        .service(orders::cancel)
        .service(orders::set_address)
        .service(orders::ship)
        .service(orders::deliver);
}

fn seller_routes(config: &mut ServiceConfig) {
    config.service(seller::metrics).service(seller::orders).service(seller::products);
}

fn notification_routes(config: &mut ServiceConfig) {
    config
        .service(webhooks::register)
        .service(webhooks::list)
        .service(webhooks::get)
        .service(webhooks::change)
        .service(webhooks::remove)
        .service(webhooks::rotate_secret)
        .service(webhooks::ping)
        .service(webhooks::deliveries)
        .service(webhooks::redeliver)
        .service(mailbox::get);
}

fn payment_routes(config: &mut ServiceConfig) {
    config.service(payments::sandbox_pay);
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

fn chat_routes(config: &mut ServiceConfig) {
    config.service(conversations::list).service(conversations::get).service(conversations::delete);
}

fn mcp_routes(config: &mut ServiceConfig) {
    config.service(mcp::post);
}

/// Where sockets connect: Socket.IO, and events on a WebSocket without it.
fn socket_routes(config: &mut actix_web::web::ServiceConfig, sockets: &Engine) {
    for path in ["/socket.io", "/api/socket/socket.io"] {
        config.service(sockets.resource(path));
    }
    // Of no protocol with errors of its own.
    config.service(sockets.plain_resource("/ws/chat").wrap(from_fn(in_our_words)));
}

/// Gives what is refused the body that every error has.
async fn in_our_words(req: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(req).await?;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(response);
    }
    let error = match status {
        StatusCode::BAD_REQUEST => ApiError::bad_request("socket.not_a_websocket", "connect with a WebSocket here"),
        StatusCode::SERVICE_UNAVAILABLE => ApiError::unavailable("chat"),
        status => ApiError::from_status(status, "a socket was refused"),
    };
    // An error here would go past the edge.
    Ok(ServiceResponse::from_err(error, response.into_parts().0))
}

/// Registers the routes of the services that are there, and what other processes may call.
pub fn with_services(
    services: Data<Services>,
    exposed: Exposed,
) -> impl Fn(&mut ServiceConfig) + Send + Clone + 'static {
    move |config| {
        config.app_data(services.clone()).app_data(Data::new(services.calls.clone()));
        configure_some(config, &services);
        config.map(|config| {
            internal::configure(config, &exposed);
            if let Some(sockets) = &services.sockets {
                socket_routes(config, sockets);
            }
            config
        });
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
