//! Payments and refunds.

use actix_web::{HttpRequest, HttpResponse, ResponseError, http::StatusCode, web::Path};
use askama::Template;

use super::{PER_PAGE, older};
use crate::{
    actors::admin::calls::GetNewestPayments,
    actors::payment::calls::{GetPayment, RefundPayment},
    domain::{
        ids::PaymentId,
        money::Money,
        payment::{Payment, RefundStatus},
    },
    http::{
        error::ApiError,
        pages::{
            context::PageContext,
            form::{Form, FormRequest},
            format,
            listing::asked,
            numbers,
            page::Page,
        },
    },
};

/// The path of the list.
const LIST: &str = "/admin/payments";
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
    /// Whether there is money left to refund.
    may_refund: bool,
    refunds: Vec<RefundRow>,
    /// The form as it was typed before the session ended, or as it was refused.
    kept: Option<Form>,
    disputes: usize,
    at: format::Time,
}

impl Row {
    /// A field of the form as it was typed.
    fn typed(&self, name: &str) -> &str {
        self.kept.as_ref().map_or("", |form| form.text(name))
    }

    /// The error of a field.
    fn error(&self, name: &str) -> Option<&str> {
        self.kept.as_ref().and_then(|form| form.error(name))
    }
}

#[derive(Template)]
#[template(path = "admin/payments.html")]
struct PaymentsPage {
    page: Page,
    rows: Vec<Row>,
    older: String,
    /// Why nothing was refunded; the list then has only the payment concerned.
    refused: String,
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
        left: format::money(payment.left()),
        may_refund: payment.left().minor() > 0,
        refunds: payment.refunds.iter().map(refund).collect(),
        kept: None,
        disputes: payment.disputes.len(),
        at: format::time(payment.created_at),
    }
}

/// The list, newest first.
///
/// # Errors
/// 401, 403, 503.
pub async fn list(req: HttpRequest, mut context: PageContext) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let before: Option<PaymentId> = asked(&req, "before").parse().ok();
    let mut payments = context.calls.ask(GetNewestPayments { before, limit: PER_PAGE + 1 }).await?;
    let older = older(&mut payments, LIST, |payment| payment.id.to_hex());
    let mut rows: Vec<Row> = payments.iter().map(row).collect();
    for row in &mut rows {
        row.kept = context.take_saved_form(&format!("{LIST}/{}/refund", row.id));
    }
    let view = PaymentsPage { page: context.page("Payments"), rows, older, refused: String::new() };
    context.ok(&view)
}

/// The confirmation page of a refund.
#[derive(Template)]
#[template(path = "admin/refund.html")]
struct RefundPage {
    page: Page,
    id: String,
    order: String,
    buyer: String,
    /// The refund's amount, as shown and as sent again.
    amount: String,
    amount_plain: String,
    /// What is left now, and what will be left after the refund.
    left: String,
    left_plain: String,
    rest: String,
    is_all: bool,
    reason: String,
}

/// The amount that the form asks for, or why it is not an amount.
fn wanted(form: &Form, left: Money) -> Result<Money, &'static str> {
    match (form.text("what"), form.trimmed("amount")) {
        ("all", "") => Ok(left),
        ("all", _) => Err("choose either everything that is left or an amount"),
        (_, "") => Err("choose everything that is left, or enter an amount"),
        (_, text) => match numbers::money(text, left.currency()) {
            Ok(amount) if amount.minor() > 0 => Ok(amount),
            _ => Err("enter an amount above zero, like 499.50"),
        },
    }
}

/// The payment with its form as it was sent, and why nothing was refunded.
fn refuse(
    context: PageContext,
    status: StatusCode,
    mut form: Form,
    payment: &Payment,
    why: &str,
) -> Result<HttpResponse, ApiError> {
    form.refuse("amount", why);
    let rows = vec![Row { kept: Some(form), ..row(payment) }];
    let refused = format!("Nothing was refunded: {why}.");
    let view = PaymentsPage { page: context.page("Payments"), rows, older: String::new(), refused };
    context.html(status, &view)
}

/// Shows the confirmation page; confirmed there, makes the refund. A form that is sent twice makes one refund.
///
/// **Invariant:** the refund has the amount that the admin saw, while what is left is what they saw.
///
/// # Errors
///
/// 401, 403, 404, 503; refusals are shown beside the form, which keeps its fields.
pub async fn refund(
    path: Path<String>,
    FormRequest { mut context, form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let id: PaymentId = path.parse().map_err(|_| ApiError::NotFound("payment"))?;
    let payment = context.calls.ask(GetPayment { payment: id }).await?;
    let left = payment.left();
    let reason: String = form.trimmed("reason").chars().take(REASON_MAX).collect();
    let amount = match wanted(&form, left) {
        Ok(amount) => amount,
        Err(why) => return refuse(context, StatusCode::BAD_REQUEST, form, &payment, why),
    };
    // The form's own token, which differs from every other form's.
    let key = (form.text("csrf").to_owned(), format!("{amount:?} {reason:?}"));
    // A refund that this form made before is shown again.
    let repeated = payment.refund_by_key(&key.0, &key.1).is_ok_and(|known| known.is_some());
    if form.text("confirmed") != "yes" {
        if amount.minor() > left.minor() {
            let why = format!("only {} is left to refund", format::money(left));
            return refuse(context, StatusCode::BAD_REQUEST, form, &payment, &why);
        }
        let view = RefundPage {
            page: context.page("Refund"),
            id: id.to_hex(),
            order: payment.order.to_hex(),
            buyer: payment.contact.email.clone(),
            amount: format::money(amount),
            amount_plain: format::plain(amount.minor()),
            left: format::money(left),
            left_plain: format::plain(left.minor()),
            rest: format::money(Money::new(left.minor() - amount.minor(), left.currency())),
            is_all: amount == left,
            reason,
        };
        return context.ok(&view);
    }
    if !repeated && form.text("left") != format::plain(left.minor()) {
        let why =
            format!("{} is left now, not what you saw. Look at the payment and choose again", format::money(left));
        return refuse(context, StatusCode::CONFLICT, form, &payment, &why);
    }
    let reason = (!reason.is_empty()).then_some(reason);
    let request = RefundPayment { payment: id, amount: Some(amount), reason, key: Some(key) };
    match context.calls.ask(request).await.map_err(ApiError::from) {
        Ok(refunded) => {
            let given = refunded.payment.refunds.iter().find(|refund| refund.id == refunded.refund);
            let given = given.map_or_else(String::new, |refund| format::money(refund.amount));
            context.flash_message(format!("{given} goes back to {}.", refunded.payment.contact.email));
        }
        Err(error) if error.status_code().is_client_error() => {
            let payment = context.calls.ask(GetPayment { payment: id }).await?;
            return refuse(context, error.status_code(), form, &payment, &error.to_string());
        }
        Err(error) => return Err(error),
    }
    Ok(context.redirect(LIST))
}
