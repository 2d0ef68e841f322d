//! Which call is which method of which trait.

use actix_web::Scope;

use super::{Exposed, answer, ping};
use crate::peers::wire;

/// Adds the calls of every service in `exposed`.
pub(super) fn add(scope: Scope, exposed: &Exposed) -> Scope {
    let scope = accounts(scope, exposed);
    payments(scope, exposed)
}

fn accounts(scope: Scope, exposed: &Exposed) -> Scope {
    let Some(accounts) = &exposed.accounts else { return scope };
    let scope = ping(scope, "auth");
    let scope = answer(scope, wire::CONTACT, accounts, |accounts, ask: wire::OfUser| async move {
        accounts.contact(ask.user).await
    });
    let scope =
        answer(scope, wire::ROLE, accounts, |accounts, ask: wire::OfUser| async move { accounts.role(ask.user).await });
    let scope =
        answer(scope, wire::ADMINS, accounts, |accounts, _: wire::Nothing| async move { accounts.admins().await });
    answer(scope, wire::ADDRESS, accounts, |accounts, ask: wire::OfAddress| async move {
        accounts.address(ask.user, ask.address).await
    })
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
