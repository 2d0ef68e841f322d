//! Reports of the gateway (its webhooks).
//!
//! A report is stored, then answered, then processed; failed processing is repeated, by any process. Duplicates and
//! reordering are harmless, because a payment only advances.
//!
//! A report of money is only a hint: the gateway is asked, and its answer counts. While it is unavailable the report
//! waits.
//!
//! **Invariant:** nothing is read from a body without a valid signature, and no money counts because of a report
//! alone.

use std::time::Duration;

use growing_backoff::Backoff;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::{
    calls::{PaymentRefusal, TakeGatewayReport},
    report_body::{DisputeEntity, Entities, OrderEntity, PaymentEntity, RefundEntity, Report},
    service::{Outcome, PaymentService, TRIES, as_stored},
};
use crate::{
    actors::accounts::calls::GetAdmins,
    crash,
    domain::{
        Timestamp,
        event::Event,
        money::Money,
        payment::{Changed, Dispute, Payment},
    },
    integrations::payment::GatewayError,
    runtime::calls::{CallError, Handles, Outcome as CallOutcome},
    store::{StoreError, StoredReport},
};

/// How long the gateway waits at most while its report is processed; it is answered then in any case.
const ANSWER_WITHIN: Duration = Duration::from_millis(600);
/// The caller that stored a report processes it; after this time another worker does.
const GRACE: SignedDuration = SignedDuration::from_secs(5);
/// How often processing a report is tried. Every open payment is also checked with the gateway.
const TRIES_MAX: u32 = 40;
/// The same while the gateway does not know the reported entity: its API may lag behind its reports.
const UNKNOWN_TRIES_MAX: u32 = 5;
/// The pauses between attempts.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(3_600));

/// The outcome of a report that contradicts itself or the gateway.
const CONTRADICTS: &str = "contradicts itself or the gateway";

/// Stores a report, and processes it for a while. A known report is answered at once.
impl Handles<TakeGatewayReport> for PaymentService {
    async fn handle(&self, call: TakeGatewayReport) -> CallOutcome<TakeGatewayReport> {
        let TakeGatewayReport { body, signature, event_id } = call;
        if !self.gateway.keys().webhook_is_signed(&body, &signature) {
            return Err(PaymentRefusal::BadSignature.into());
        }
        let parsed = serde_json::from_slice::<serde_json::Value>(&body);
        if !parsed.is_ok_and(|report| report["event"].is_string()) {
            return Err(PaymentRefusal::Unreadable.into());
        }
        let id = event_id.unwrap_or_else(|| hex::encode(Sha256::digest(&body)));
        let now = Timestamp::now();
        let due_at = now.saturating_add(GRACE).unwrap_or(now);
        let report = StoredReport { id, body, received_at: now, attempts: 0 };
        crash::point("payment.report.before");
        if !self.store.keep_report(&report, due_at).await? {
            return Ok(());
        }
        crash::point("payment.report.after");
        let service = self.clone();
        let work = actix::spawn(async move { service.work_on(report).await });
        match tokio::time::timeout(ANSWER_WITHIN, work).await {
            Ok(Ok(Err(error))) => tracing::warn!(%error, "processing a report failed; retrying later"),
            Ok(Err(error)) => tracing::error!(%error, "processing a report failed; retrying later"),
            Ok(Ok(Ok(()))) | Err(_) => {}
        }
        Ok(())
    }
}

impl PaymentService {
    /// Processes a stored report, and records the outcome.
    pub(super) async fn work_on(&self, report: StoredReport) -> Outcome<()> {
        let now = Timestamp::now();
        let outcome = match self.apply(&report.body).await {
            Ok(outcome) => outcome,
            // A rule, or a payment of another shop: retrying changes nothing.
            Err(CallError::Refused(PaymentRefusal::NotFound)) => "tells of no payment of ours",
            Err(CallError::Refused(PaymentRefusal::Gateway(GatewayError::Unknown)))
                if report.attempts + 1 >= UNKNOWN_TRIES_MAX =>
            {
                tracing::error!(report.id, "a report is about an entity that the gateway does not know");
                "tells of what the gateway does not know"
            }
            Err(error) if report.attempts + 1 >= TRIES_MAX => {
                tracing::error!(report.id, %error, "a report is given up; the payment is checked with the gateway instead");
                "given up"
            }
            Err(error) => {
                let attempts = report.attempts + 1;
                let due_at = now.saturating_add(PAUSES.after(attempts)).unwrap_or(now);
                self.store.report_later(&report.id, attempts, due_at).await?;
                return Err(error);
            }
        };
        crash::point("payment.report.worked");
        self.store.report_done(&report.id, outcome).await?;
        crash::point("payment.report.done");
        Ok(())
    }

    async fn apply(&self, body: &[u8]) -> Outcome<&'static str> {
        let Ok(Report { event, payload }) = serde_json::from_slice::<Report>(body) else {
            return Ok("has another shape than this program knows");
        };
        let Entities { payment, refund, dispute, order } = payload.entities();
        let done = match (event.as_str(), payment, refund, dispute) {
            ("payment.authorized" | "payment.captured" | "order.paid", Some(payment), ..) => {
                self.reported_payment(&event, &payment, order.as_ref()).await?
            }
            ("payment.failed", Some(payment), ..) if !payment.agrees_with(&event) => CONTRADICTS,
            ("payment.failed", Some(payment), ..) => {
                let reason = payment.error_description.as_deref().unwrap_or("the payment failed");
                self.failed(payment.order()?, reason).await?;
                "applied"
            }
            ("refund.created" | "refund.processed" | "refund.failed", payment, Some(refund), _) => {
                self.reported_refund(&event, payment.as_ref(), &refund).await?
            }
            ("payment.dispute.created", payment, _, Some(dispute)) => {
                self.reported_dispute(payment.as_ref(), &dispute).await?
            }
            _ => "ignored",
        };
        if done == CONTRADICTS {
            tracing::error!(event, "a report contradicts itself or the gateway and is not applied");
        }
        Ok(done)
    }

    async fn reported_payment(
        &self,
        event: &str,
        entity: &PaymentEntity,
        order: Option<&OrderEntity>,
    ) -> Outcome<&'static str> {
        let payment = self.by_gateway_order(entity.order()?).await?;
        let of_another = order.is_some_and(|order| !order.is_paid_by(entity, payment.price));
        if of_another || !entity.agrees_with(event) {
            return Ok(CONTRADICTS);
        }
        if payment.knows_capture(&entity.id) {
            if !payment.settled {
                self.settle(payment).await?;
            }
            return Ok("applied before");
        }
        let known = self.gateway.reported_payment(&payment.razorpay_order_id, &entity.id).await?;
        if !entity.is_of(known.amount) {
            return Ok(CONTRADICTS);
        }
        self.seen(payment, &known).await?;
        Ok("applied")
    }

    async fn reported_refund(
        &self,
        event: &str,
        payment: Option<&PaymentEntity>,
        entity: &RefundEntity,
    ) -> Outcome<&'static str> {
        let of_another = payment.is_some_and(|payment| payment.id != entity.payment_id);
        if of_another || !entity.agrees_with(event) {
            return Ok(CONTRADICTS);
        }
        let payment = self.of_entity(payment, &entity.payment_id).await?;
        if !payment.knows_capture(&entity.payment_id) {
            // The report of the payment has not arrived yet.
            return Err(StoreError::Busy.into());
        }
        let rows = self.gateway.refunds_of(&entity.payment_id).await?;
        let Some(row) = rows.into_iter().find(|row| row.id == entity.id) else {
            return Err(GatewayError::Unknown.into());
        };
        if !entity.is_of(row.amount) {
            return Ok(CONTRADICTS);
        }
        let payment = self.learn(payment, &entity.payment_id, &[row]).await?;
        // At once, because an order that was refunded at the gateway must not be shipped.
        self.note_refunds(payment).await?;
        Ok("applied")
    }

    async fn reported_dispute(&self, payment: Option<&PaymentEntity>, entity: &DisputeEntity) -> Outcome<&'static str> {
        let admins = self.calls.ask(GetAdmins {}).await?;
        let of_another = payment.is_some_and(|payment| payment.id != entity.payment_id);
        let mut payment = self.of_entity(payment, &entity.payment_id).await?;
        if of_another || !entity.is_open() || !entity.is_in(payment.price.currency()) {
            return Ok(CONTRADICTS);
        }
        for _ in 0..TRIES {
            let now = Timestamp::now();
            let amount = entity.amount.map_or(payment.price, |minor| Money::new(minor, payment.price.currency()));
            let dispute = Dispute {
                id: entity.id.clone(),
                payment_id: entity.payment_id.clone(),
                amount,
                reason: entity.reason(),
                respond_by: entity.respond_by.and_then(|at| Timestamp::from_second(at).ok()),
                at: now,
            };
            if payment.dispute(dispute.clone(), now) == Changed::No {
                return Ok("applied before");
            }
            tracing::error!(payment.id = %payment.id, dispute.id = dispute.id, "a buyer's bank disputes a payment");
            let event = Event::PaymentDisputed { payment: as_stored(&payment), dispute, admins: admins.clone() };
            if self.save(&mut payment, &[event]).await? {
                return Ok("applied");
            }
            payment = self.read(payment.id).await?;
        }
        Err(StoreError::Busy.into())
    }

    /// The payment that an entity of the gateway belongs to.
    async fn of_entity(&self, entity: Option<&PaymentEntity>, payment_id: &str) -> Outcome<Payment> {
        if let Some(order) = entity.and_then(|entity| entity.order_id.as_deref()) {
            return self.by_gateway_order(order).await;
        }
        self.store.by_gateway_payment(payment_id).await?.ok_or_else(|| PaymentRefusal::NotFound.into())
    }
}
