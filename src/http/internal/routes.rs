//! Which call is which method of which trait.

use actix_web::Scope;

use super::{Exposed, answer, ping};
use crate::peers::wire;

/// Adds the calls of every service in `exposed`.
pub(super) fn add(scope: Scope, exposed: &Exposed) -> Scope {
    payments(scope, exposed)
}

fn payments(scope: Scope, exposed: &Exposed) -> Scope {
    let Some(payments) = &exposed.payments else { return scope };
    let scope = ping(scope, "payment");
    let scope = answer(scope, wire::CAPTURED, payments, |payments, ask: wire::OfOrder| async move {
        payments.captured(ask.order).await
    });
    answer(scope, wire::REFUND, payments, |payments, ask: wire::Refund| async move {
        payments.refund(ask.payment, ask.reason).await
    })
}
