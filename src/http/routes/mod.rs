//! Every route, in one list. A handler extracts, calls a service and answers; rules are
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
mod registrar;
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
use utoipa_actix_web::service_config::ServiceConfig;

use self::registrar::Registrar;
use super::{
    error::ApiError,
    internal,
    mcp::{self, Mcp},
};
use crate::{
    actors::catalogue::Catalogue,
    config::{Service, Services as Served},
    integrations::payment::SandboxGateway,
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
    /// The assistant's tools, for outside agents.
    mcp: Mcp, "ai-buddy";
}

/// Registers every route.
pub fn configure(config: &mut ServiceConfig) {
    configure_some(config, &Served::All);
}

/// Registers every handler whose service is served here; the service follows from the tag.
fn configure_some(config: &mut ServiceConfig, served: &Served) {
    Registrar::new(config, served)
        .add(accounts::register)
        .add(accounts::login)
        .add(accounts::me)
        .add(accounts::logout_by_get)
        .add(accounts::logout_by_post)
        .add(accounts::add_address)
        .add(accounts::list_addresses)
        .add(accounts::remove_address)
        .add(products::create)
        .add(products::list)
        // Before the product of an id, which it would be.
        .add(products::of_seller)
        .add(products::get)
        .add(products::patch)
        .add(products::delete)
        .add(products::add_images)
        .add(products::remove_image)
        .add(products::take_down)
        .add(products::approve)
        // Pages show pictures, whoever keeps them.
        .add_also(Service::Web, media::get)
        .add(inventory::reserve)
        .add(inventory::release)
        .add(inventory::commit)
        .add(inventory::get)
        .add(inventory::put)
        .add(cart::get)
        .add(cart::add)
        .add(cart::set)
        .add(cart::remove)
        .add(cart::clear)
        .add(orders::place)
        .add(orders::mine)
        .add(orders::get)
        .add(orders::cancel)
        .add(orders::set_address)
        .add(orders::ship)
        .add(orders::deliver)
        .add(seller::metrics)
        .add(seller::orders)
        .add(seller::products)
        .add(webhooks::register)
        .add(webhooks::list)
        .add(webhooks::get)
        .add(webhooks::change)
        .add(webhooks::remove)
        .add(webhooks::rotate_secret)
        .add(webhooks::ping)
        .add(webhooks::deliveries)
        .add(webhooks::redeliver)
        // An operator's view, of what one service alone keeps.
        .add_only(Service::Notification, mailbox::get)
        .add(payments::sandbox_pay)
        .add_scope("/api/payments", payment_routes)
        .add_scope("/api/payment", payment_routes)
        .add(conversations::list)
        .add(conversations::get)
        .add(conversations::delete)
        .add(mcp::post);
}

/// What stands under both names of payments.
fn payment_routes(registrar: &mut Registrar<'_, '_>) {
    registrar
        .add(payments::create)
        .add(payments::verify)
        .add(payments::webhook)
        .add(payments::of_order)
        .add(payments::refund);
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
pub fn with_services(services: Data<Services>) -> impl Fn(&mut ServiceConfig) + Send + Clone + 'static {
    move |config| {
        config.app_data(services.clone()).app_data(Data::new(services.calls.clone()));
        configure_some(config, &services.served);
        config.map(|config| {
            internal::configure(config);
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
