//! Paying an order: Razorpay's checkout, or the sandbox's two buttons.
//!
//! **Invariant:** a payment counts only after the payment service has verified the gateway's signature, never because
//! a page reports it.

use actix_web::{HttpResponse, http::header::CONTENT_SECURITY_POLICY, web::Path};
use askama::Template;

use super::{checkout::path_of, context::PageContext, form::FormRequest, format, page::Page, product::id_of};
use crate::{
    actors::order_saga::Party,
    actors::order_saga::calls::GetOrderFor,
    actors::payment::calls::{FailPayment, OpenPayment, OpenedPayment, VerifyPayment},
    domain::{
        ids::OrderId,
        order::{Order, OrderStatus},
    },
    http::error::ApiError,
    integrations::payment::Outcome,
};

#[derive(Template)]
#[template(path = "shop/pay.html")]
struct PayPage {
    page: Page,
    order: String,
    until: format::Time,
    total: String,
    sandbox: bool,
    key_id: String,
    razorpay_order: String,
    minor: i64,
    currency: &'static str,
    email: String,
    failed: bool,
}

/// The message for an order that the gateway refuses permanently.
const REFUSED: &str = "This order cannot be paid and was cancelled. Nothing was charged, and what you ordered is \
                       back in your cart.";

async fn order_of(context: &PageContext, path: &str) -> Result<Order, ApiError> {
    let id: OrderId = id_of(path, "order")?;
    let user = context.buyer()?.id;
    Ok(context.calls.ask(GetOrderFor { order: id, who: Party::Buyer(user) }).await?)
}

/// Opens the order's payment; `None` when there is nothing to pay, in which case the next page explains why if the
/// user may not know.
async fn open(context: &mut PageContext, order: &Order) -> Result<Option<OpenedPayment>, ApiError> {
    if order.status != OrderStatus::Pending {
        return Ok(None);
    }
    let call = OpenPayment { order: order.id, user: context.buyer()?.id };
    match context.calls.ask(call).await.map_err(ApiError::from) {
        Ok(opened) => Ok(Some(opened)),
        Err(ApiError::Conflict { code: "payment.not_payable", .. }) => Ok(None),
        Err(ApiError::Conflict { code: "payment.refused", message, .. }) => {
            context.flash_error(format!("{REFUSED} The payment service says: {message}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

///
/// # Errors
/// 401, 403, 404, 503.
pub async fn show(mut context: PageContext, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let order = order_of(&context, &path).await?;
    let Some(OpenedPayment { payment, key_id, .. }) = open(&mut context, &order).await? else {
        return Ok(context.redirect(&path_of(order.id)));
    };
    let sandbox = context.sandbox.is_some();
    let view = PayPage {
        page: context.page("Payment"),
        order: order.id.to_hex(),
        until: format::time(order.expires_at),
        total: format::money(payment.price),
        sandbox,
        key_id,
        razorpay_order: payment.razorpay_order_id,
        minor: payment.price.minor(),
        currency: payment.price.currency().code(),
        email: payment.contact.email,
        failed: payment.status == crate::domain::payment::PaymentStatus::Failed,
    };
    let policy = context.state().policies.paying.clone();
    let mut answer = context.ok(&view)?;
    if !sandbox {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(answer)
}

/// Takes the result of the checkout or of a sandbox button.
///
/// # Errors
///
/// As [`show`], and 400 for an invalid signature.
pub async fn pay(FormRequest { mut context, form }: FormRequest, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let order = order_of(&context, &path).await?;
    let to = path_of(order.id);
    let user = context.buyer()?.id;
    let (order_id, payment_id, signature) = match context.sandbox.clone() {
        None => {
            let field = |name: &str| form.text(name).chars().take(1_000).collect::<String>();
            (field("razorpay_order_id"), field("razorpay_payment_id"), field("razorpay_signature"))
        }
        Some(sandbox) => {
            // The first click on either button has decided.
            let Some(opened) = open(&mut context, &order).await? else { return Ok(context.redirect(&to)) };
            let id = opened.payment.razorpay_order_id;
            if form.text("outcome") != "success" {
                match sandbox.pay(&id, Outcome::Failure).await {
                    Ok(_) => {
                        let reason = "the payment was declined in the sandbox".to_owned();
                        context.calls.ask(FailPayment { order_id: id, reason }).await?;
                        context.flash_error("The payment failed, and no money was taken. You can try again.");
                    }
                    Err(error) => tracing::info!(%error, "a sandbox payment did not fail"),
                }
                return Ok(context.redirect(&to));
            }
            let checkout = sandbox.pay(&id, Outcome::Success).await?;
            (checkout.order_id, checkout.payment_id, checkout.signature)
        }
    };
    context.calls.ask(VerifyPayment { user, order_id, payment_id, signature }).await?;
    context.flash_message("Thank you, your payment has arrived.");
    Ok(context.redirect(&to))
}
