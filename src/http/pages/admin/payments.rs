//! Payments and refunds.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;

use super::{PER_PAGE, older};
use crate::{
    actors::payment::RefundRequest,
    domain::{
        ids::PaymentId,
        money::Money,
        payment::{Payment, RefundStatus},
    },
    http::{
        error::ApiError,
        pages::{form::Posted, format, listing::asked, page::Page, visit::Visit},
    },
};

/// The longest reason of a refund.
const REASON_MAX: usize = 200;

struct RefundRow {
    amount: String,
    reason: String,
    word: &'static str,
    class: &'static str,
    at: format::Time,
}

struct Row {
    id: String,
    order: String,
    buyer: String,
    status: &'static str,
    word: &'static str,
    price: String,
    left: String,
    /// Whether there is something to give back.
    may_refund: bool,
    refunds: Vec<RefundRow>,
    disputes: usize,
    at: format::Time,
}

#[derive(Template)]
#[template(path = "admin/payments.html")]
struct PaymentsPage {
    page: Page,
    rows: Vec<Row>,
    older: String,
}

fn row(payment: &Payment) -> Row {
    let refund = |refund: &crate::domain::payment::Refund| {
        let (word, class) = match refund.status {
            RefundStatus::Pending => ("On its way", "warn"),
            RefundStatus::Processed => ("Given back", "good"),
            RefundStatus::Failed => ("Came back", "bad"),
        };
        RefundRow {
            amount: format::money(refund.amount),
            reason: refund.reason.clone().unwrap_or_default(),
            word,
            class,
            at: format::date(refund.created_at),
        }
    };
    Row {
        id: payment.id.to_hex(),
        order: payment.order.to_hex(),
        buyer: payment.contact.email.clone(),
        status: payment.status.as_str(),
        word: format::payment_status(payment.status),
        price: format::money(payment.price),
        left: format::plain(payment.left().minor()),
        may_refund: payment.left().minor() > 0,
        refunds: payment.refunds.iter().map(refund).collect(),
        disputes: payment.disputes.len(),
        at: format::time(payment.created_at),
    }
}

/// The list, newest first.
///
/// # Errors
/// 401, 403, 503.
pub async fn list(req: HttpRequest, visit: Visit) -> Result<HttpResponse, ApiError> {
    visit.admin()?;
    let before: Option<PaymentId> = asked(&req, "before").parse().ok();
    let mut payments = visit.shop.office()?.payments(before, PER_PAGE + 1).await?;
    let older = older(&mut payments, "/admin/payments", |payment| payment.id.to_hex());
    let view = PaymentsPage { page: visit.page("Payments"), rows: payments.iter().map(row).collect(), older };
    visit.ok(&view)
}

/// Gives money back. A form that is sent twice gives once.
///
/// # Errors
/// 401, 403, 404, 503; what the rules refuse is told on the page that follows.
pub async fn refund(path: Path<String>, Posted { mut visit, form }: Posted) -> Result<HttpResponse, ApiError> {
    visit.admin()?;
    let payment: PaymentId = path.parse().map_err(|_| ApiError::NotFound("payment"))?;
    let payments = visit.shop.payments()?;
    let currency = payments.currency_of(payment).await?;
    let amount = match form.trimmed("amount") {
        "" => None,
        text => match Money::parse_major(text, currency) {
            Ok(amount) if amount.minor() > 0 => Some(amount),
            _ => {
                visit.warn("Nothing was refunded: enter an amount above zero, like 499.50.");
                return Ok(visit.go("/admin/payments"));
            }
        },
    };
    let reason: String = form.trimmed("reason").chars().take(REASON_MAX).collect();
    let reason = (!reason.is_empty()).then_some(reason);
    // The form's own token, which another form does not have.
    let key = (form.text("csrf").to_owned(), format!("{amount:?} {reason:?}"));
    let request = RefundRequest { payment, amount, reason, key: Some(key) };
    match payments.refund(request).await.map_err(ApiError::from) {
        Ok(refunded) => {
            let given = refunded.payment.refunds.iter().find(|refund| refund.id == refunded.refund);
            let given = given.map_or_else(String::new, |refund| format::money(refund.amount));
            visit.say(format!("{given} goes back to {}.", refunded.payment.contact.email));
        }
        Err(error) if actix_web::ResponseError::status_code(&error).is_client_error() => {
            visit.warn(format!("Nothing was refunded: {error}."));
        }
        Err(error) => return Err(error),
    }
    Ok(visit.go("/admin/payments"))
}
