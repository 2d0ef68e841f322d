//! The list of all routes. A handler extracts, calls a service and responds; rules are in `domain` and `actors`.

pub mod accounts;
pub mod cart;
pub mod conversations;
pub mod credentials;
pub mod inventory;
pub mod leaving;
pub mod mailbox;
pub mod media;
pub mod orders;
pub mod payments;
mod product_form;
pub mod products;
mod registrar;
pub mod seller;
pub mod sessions;
pub mod two_factor;
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

pub use self::registrar::Registrar;
use super::{
    Register,
    error::ApiError,
    features::FEATURES,
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

/// The services that handlers call. A service that another process serves is `None`, and its routes are not
/// registered.
#[derive(Default)]
pub struct Services {
    pub catalogue: Option<Catalogue>,
    /// Calls to services, in this process or in another.
    pub calls: Calls,
    /// The services whose routes are registered here; others run only for the pages.
    pub served: Served,
    /// The sandbox gateway, if it is in use.
    pub sandbox: Option<Arc<SandboxGateway>>,
    /// The embedded mailbox, if it is shown.
    pub mailbox: Option<MailboxStore>,
    pub chats: Option<Chats>,
    /// The sockets of the assistant.
    pub sockets: Option<Engine>,
    /// The assistant's tools, for outside agents.
    pub mcp: Option<Mcp>,
}

impl Services {
    /// The product service.
    ///
    /// # Errors
    /// 503 when another process serves it; then no handler that needs it is registered here.
    pub fn catalogue(&self) -> Result<&Catalogue, ApiError> {
        present(self.catalogue.as_ref(), "product")
    }

    /// The assistant's tools, for outside agents.
    ///
    /// # Errors
    /// As [`Services::catalogue`].
    pub fn mcp(&self) -> Result<&Mcp, ApiError> {
        present(self.mcp.as_ref(), "ai-buddy")
    }
}

fn present<'a, T>(service: Option<&'a T>, name: &'static str) -> Result<&'a T, ApiError> {
    service.ok_or_else(|| ApiError::unavailable(name))
}

/// Registers every route.
pub fn configure(register: &mut Register<'_>) {
    configure_some(register, &Served::All);
}

/// Registers every handler whose service is served here; the service follows from the tag.
fn configure_some(register: &mut Register<'_>, served: &Served) {
    let mut registrar = Registrar::new(register, served);
    registrar
        .add(accounts::register)
        .add(accounts::login)
        .add(accounts::me)
        .add(accounts::logout_by_get)
        .add(accounts::logout_by_post)
        .add(accounts::add_address)
        .add(accounts::list_addresses)
        .add(accounts::remove_address)
        .add(credentials::forgot_password)
        .add(credentials::reset_password)
        .add(credentials::change_password)
        .add(credentials::change_profile)
        .add(credentials::resend_confirmation)
        .add(credentials::verify_email)
        .add(credentials::change_email)
        .add(credentials::change_address)
        .add(sessions::list)
        .add(sessions::remove)
        .add(two_factor::log_in_with_code)
        .add(two_factor::set_up_two_factor)
        .add(two_factor::enable_two_factor)
        .add(two_factor::disable_two_factor)
        .add(leaving::export)
        .add(leaving::delete_account)
        .add(leaving::delete_account_by_post)
        .add(products::create)
        .add(products::list)
        // Before `/api/products/{id}`, which would match as well.
        .add(products::of_seller)
        .add(products::get)
        .add(products::patch)
        .add(products::delete)
        .add(products::add_images)
        .add(products::remove_image)
        .add(products::take_down)
        .add(products::approve)
        // The web service serves pictures as well, because its pages show them.
        .add_also(Service::Web, media::get)
        .add(inventory::reserve)
        .add(inventory::release)
        .add(inventory::commit)
        .add(inventory::get)
        .add(inventory::put)
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
        // For operators; only this service stores mails.
        .add_only(Service::Notification, mailbox::get)
        .add(payments::sandbox_pay)
        .add_scope("/api/payments", payment_routes)
        .add_scope("/api/payment", payment_routes)
        .add(conversations::list)
        .add(conversations::get)
        .add(conversations::delete)
        .add(mcp::post);
    FEATURES.iter().for_each(|feature| feature.api(&mut registrar));
}

/// The payment routes, registered under two prefixes.
fn payment_routes(registrar: &mut Registrar<'_, '_>) {
    registrar
        .add(payments::create)
        .add(payments::verify)
        .add(payments::webhook)
        .add(payments::of_order)
        .add(payments::refund);
}

/// The socket endpoints: Socket.IO, and plain WebSocket.
fn socket_routes(config: &mut actix_web::web::ServiceConfig, sockets: &Engine) {
    for path in ["/socket.io", "/api/socket/socket.io"] {
        config.service(sockets.resource(path));
    }
    // The plain WebSocket protocol defines no error bodies of its own.
    config.service(sockets.plain_resource("/ws/chat").wrap(from_fn(websocket_error_body)));
}

/// Gives a refused WebSocket request the API's error body.
async fn websocket_error_body(
    req: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
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
    // An `Err` would bypass the middleware.
    Ok(ServiceResponse::from_err(error, response.into_parts().0))
}

/// Registers the routes of the services in this process, and the endpoint for calls of other processes.
pub fn with_services(services: Data<Services>) -> impl Fn(&mut Register<'_>) + Send + Sync + Clone + 'static {
    move |register| {
        configure_some(register, &services.served);
        register.in_app(|app| {
            app.app_data(services.clone()).app_data(Data::new(services.calls.clone()));
            internal::configure(app);
            if let Some(sockets) = &services.sockets {
                socket_routes(app, sockets);
            }
        });
    }
}

/// The `Idempotency-Key` of a request with a hash of the request.
///
/// # Errors
///
/// 400 unless the key has 1 to 255 visible characters.
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
