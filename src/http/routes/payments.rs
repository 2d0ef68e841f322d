//! Payments. `/api/payment/...` is the same as `/api/payments/...`.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::LOCATION,
    post,
    web::{Data, Payload},
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Services, idempotency_key};
use crate::{
    actors::payment::calls::{
        FailPayment, GetPayment, GetPaymentOfGatewayOrder, GetPaymentOfOrder, OpenPayment, RefundPayment,
        TakeGatewayReport, VerifyPayment,
    },
    domain::ids::{OrderId, PaymentId},
    http::{
        auth::{AdminUser, AuthUser, Buyer},
        error::{ApiError, ErrorBody},
        extract::{BODY_MAX, Json, JsonOrEmpty, PathId, read_body},
    },
    integrations::payment::Outcome,
    runtime::calls::Calls,
    views::{
        money::MoneyInput,
        payment::{
            CheckoutResultView, CheckoutView, PaymentAnswer, PaymentView, RefundAnswer, RefundView, VerifiedAnswer,
        },
    },
};

/// The result of Razorpay's checkout.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct VerifyBody {
    /// The gateway's order id; `razorpayOrderId` is accepted as well.
    #[serde(alias = "razorpayOrderId")]
    #[garde(length(min = 1, max = 100))]
    #[schema(example = "order_IluGWxBm9U8zJ8")]
    razorpay_order_id: String,
    /// The gateway's payment id; `paymentId` is accepted as well.
    #[serde(alias = "paymentId", alias = "razorpayPaymentId")]
    #[garde(length(min = 1, max = 100))]
    #[schema(example = "pay_29QQoUBi66xm2f")]
    razorpay_payment_id: String,
    /// HMAC-SHA256 over `order_id|payment_id`, in hex; `signature` is accepted as well.
    #[serde(alias = "signature", alias = "razorpaySignature")]
    #[garde(length(max = 1000))]
    #[schema(example = "9ef4dffbfd84f1318f6739a3ce19f9d85851857ae648f114332d8401e0949a3d")]
    razorpay_signature: String,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct RefundBody {
    /// The amount; everything that is left when absent.
    #[serde(default, deserialize_with = "given")]
    #[garde(skip)]
    #[schema(value_type = MoneyInput)]
    amount: Option<MoneyInput>,
    /// The reason.
    #[serde(default, deserialize_with = "crate::http::visible_text::visible_option")]
    #[garde(inner(length(chars, max = 1000)))]
    #[schema(example = "damaged", max_length = 1000)]
    reason: Option<String>,
}

/// Refuses `null`: it may be an amount that the client lost, and must not mean everything.
fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<MoneyInput>, D::Error> {
    MoneyInput::deserialize(from).map(Some)
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SandboxOutcome {
    /// The money is captured.
    Success,
    /// The payment fails.
    Failure,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct SandboxBody {
    #[garde(skip)]
    outcome: SandboxOutcome,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReportTakenView {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Opens a payment of an order, or returns the one that is open.
///
/// Role `user`.
#[utoipa::path(
    tag = "payments",
    operation_id = "createPayment",
    params(("orderId" = String, Path, description = "The order")),
    responses(
        (status = 201, description = "What the checkout page needs", body = CheckoutView),
        (status = 200, description = "The payment that was open already", body = CheckoutView),
        (status = 404, description = "No such order", body = ErrorBody),
        (
            status = 409,
            description = "`payment.not_payable`: the order cannot be paid. `payment.refused`, in the gateway's words: \
                           it never takes this amount or currency; the order is cancelled, and its lines are back in \
                           the cart",
            body = ErrorBody
        ),
        (status = 503, description = "The gateway is not available; nothing is changed", body = ErrorBody),
    )
)]
#[post("/create/{orderId}")]
pub async fn create(user: Buyer, calls: Data<Calls>, PathId(order): PathId<OrderId>) -> Result<HttpResponse, ApiError> {
    let opened = calls.ask(OpenPayment { order, user: user.id }).await?;
    let mut answer = if opened.is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    answer.insert_header((LOCATION, format!("/api/payments/order/{order}")));
    Ok(answer.json(CheckoutView::new(&opened.payment, &opened.key_id)))
}

/// Verifies the result of the checkout.
///
/// Role `user`.
#[utoipa::path(
    tag = "payments",
    operation_id = "verifyPayment",
    request_body = VerifyBody,
    responses(
        (status = 200, description = "The payment", body = VerifiedAnswer),
        (status = 400, description = "`Invalid signature`; nothing is changed", body = ErrorBody),
        (status = 404, description = "No such payment", body = ErrorBody),
    )
)]
#[post("/verify")]
pub async fn verify(user: Buyer, calls: Data<Calls>, Json(body): Json<VerifyBody>) -> Result<HttpResponse, ApiError> {
    let verify = VerifyPayment {
        user: user.id,
        order_id: body.razorpay_order_id,
        payment_id: body.razorpay_payment_id,
        signature: body.razorpay_signature,
    };
    let verified = calls.ask(verify).await?;
    let payment = PaymentView::from(&verified);
    Ok(HttpResponse::Ok().json(VerifiedAnswer { message: "Payment verified".to_owned(), payment }))
}

/// Receives a webhook of the gateway.
#[utoipa::path(
    tag = "payments",
    operation_id = "takeWebhook",
    params(
        ("X-Razorpay-Signature" = String, Header, description = "HMAC-SHA256 over the raw body, in hex"),
        ("X-Razorpay-Event-Id" = Option<String>, Header, description = "Identifies the report, which is applied once"),
    ),
    request_body(content = serde_json::Value, description = "As Razorpay sends it", content_type = "*/*"),
    responses(
        (status = 200, description = "Accepted", body = ReportTakenView),
        (status = 400, description = "Bad signature", body = ErrorBody),
    ),
    security(())
)]
#[post("/webhook")]
pub async fn webhook(req: HttpRequest, payload: Payload, calls: Data<Calls>) -> Result<HttpResponse, ApiError> {
    let body = read_body(&req, &mut payload.into_inner(), BODY_MAX).await?;
    let header = |name: &str| req.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let signature = header("x-razorpay-signature").unwrap_or_default();
    let event_id = header("x-razorpay-event-id").filter(|id| !id.is_empty() && id.len() <= 255);
    calls.ask(TakeGatewayReport { body: body.to_vec(), signature, event_id }).await?;
    Ok(HttpResponse::Ok().json(ReportTakenView { status: "ok" }))
}

/// The payment of an order, for its user and admins.
#[utoipa::path(
    tag = "payments",
    operation_id = "getPaymentOfOrder",
    params(("orderId" = String, Path, description = "The order")),
    responses(
        (status = 200, description = "The payment", body = PaymentAnswer),
        (status = 404, description = "No payment of this order", body = ErrorBody),
    )
)]
#[get("/order/{orderId}")]
pub async fn of_order(
    user: AuthUser,
    calls: Data<Calls>,
    PathId(order): PathId<OrderId>,
) -> Result<HttpResponse, ApiError> {
    let payment = calls.ask(GetPaymentOfOrder { order }).await?.ok_or(ApiError::NotFound("payment"))?;
    user.must_be_or_admin(payment.user())?;
    Ok(HttpResponse::Ok().json(PaymentAnswer { payment: PaymentView::from(&payment) }))
}

/// Refunds a payment, in full or in part.
///
/// Role `admin`.
#[utoipa::path(
    tag = "payments",
    operation_id = "refundPayment",
    params(
        ("id" = String, Path, description = "The payment's `_id`"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same refund again"),
    ),
    request_body(content = Option<RefundBody>),
    responses(
        (status = 201, description = "The payment and the refund", body = RefundAnswer),
        (status = 404, description = "No such payment", body = ErrorBody),
        (status = 409, description = "More than is left, or nothing captured", body = ErrorBody),
        (status = 422, description = "The key was used for another request", body = ErrorBody),
    ),
    security(("bearer" = ["admin"]), ("cookie" = ["admin"]))
)]
#[post("/{id}/refunds")]
pub async fn refund(
    req: HttpRequest,
    _admin: AdminUser,
    calls: Data<Calls>,
    PathId(payment): PathId<PaymentId>,
    JsonOrEmpty(body): JsonOrEmpty<RefundBody>,
) -> Result<HttpResponse, ApiError> {
    let asked = (body.amount.map(|amount| (amount.amount, amount.currency)), &body.reason);
    let key = idempotency_key(&req, &asked)?;
    let amount = match body.amount {
        Some(input) if input.currency.is_some() => input.currency.map(|currency| input.or(currency)),
        Some(input) => Some(input.or(calls.ask(GetPayment { payment }).await?.price.currency())),
        None => None,
    };
    let refunded = calls.ask(RefundPayment { payment, amount, reason: body.reason, key }).await?;
    let row = refunded.payment.refunds.iter().find(|row| row.id == refunded.refund);
    let refund =
        row.map(RefundView::from).ok_or_else(|| ApiError::Internal("the refund is not in its payment".into()))?;
    let location = (LOCATION, format!("/api/payments/order/{}", refunded.payment.order));
    Ok(HttpResponse::Created()
        .insert_header(location)
        .json(RefundAnswer { payment: PaymentView::from(&refunded.payment), refund }))
}

/// Pays or fails a sandbox payment; returns what the gateway's checkout would return to the page.
///
/// Role `user`.
#[utoipa::path(
    tag = "payments",
    operation_id = "payInSandbox",
    params(("razorpayOrderId" = String, Path, description = "The gateway's order")),
    request_body = SandboxBody,
    responses(
        (status = 200, description = "What to verify", body = CheckoutResultView),
        (status = 404, description = "No such payment, or no sandbox", body = ErrorBody),
        (status = 409, description = "A paid order cannot fail", body = ErrorBody),
    )
)]
#[post("/sandbox/payments/{razorpayOrderId}")]
pub async fn sandbox_pay(
    req: HttpRequest,
    user: Buyer,
    services: Data<Services>,
    calls: Data<Calls>,
    Json(body): Json<SandboxBody>,
) -> Result<HttpResponse, ApiError> {
    let sandbox = services.sandbox.as_ref().ok_or(ApiError::NotFound("page"))?;
    let order_id = req.match_info().get("razorpayOrderId").unwrap_or_default().to_owned();
    let payment = calls.ask(GetPaymentOfGatewayOrder { order_id: order_id.clone() }).await?;
    let payment = payment.ok_or(ApiError::NotFound("payment"))?;
    user.must_be(payment.user())?;
    let outcome = match body.outcome {
        SandboxOutcome::Success => Outcome::Success,
        SandboxOutcome::Failure => Outcome::Failure,
    };
    let checkout = sandbox.pay(&order_id, outcome).await?;
    if outcome == Outcome::Failure {
        let reason = "the payment was declined in the sandbox".to_owned();
        calls.ask(FailPayment { order_id, reason }).await?;
    }
    Ok(HttpResponse::Ok().json(CheckoutResultView {
        razorpay_order_id: checkout.order_id,
        razorpay_payment_id: checkout.payment_id,
        razorpay_signature: checkout.signature,
    }))
}
