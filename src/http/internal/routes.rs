//! Which call is which method of which trait.

use actix_web::Scope;

use super::{Exposed, answer, ping};
use crate::peers::{
    ListQuery, Page, PeerError,
    wire::{self, OfferBody},
};

/// Adds the calls of every service in `exposed`.
pub(super) fn add(scope: Scope, exposed: &Exposed) -> Scope {
    let scope = accounts(catalogue(scope, exposed), exposed);
    let scope = carts(scope, exposed);
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

fn catalogue(scope: Scope, exposed: &Exposed) -> Scope {
    let Some(catalogue) = &exposed.catalogue else { return scope };
    let scope = ping(scope, "product");
    let scope = answer(scope, wire::OFFERS, catalogue, |catalogue, ask: wire::OfProducts| async move {
        let offers = catalogue.offers(&ask.products).await?;
        Ok::<Vec<OfferBody>, PeerError>(offers.iter().map(OfferBody::from).collect())
    });
    let scope = answer(scope, wire::SEARCH, catalogue, |catalogue, query: ListQuery| async move {
        let found = catalogue.search(&query).await?;
        let rows = found.rows.iter().map(OfferBody::from).collect();
        Ok::<Page<OfferBody>, PeerError>(Page { rows, total: found.total })
    });
    answer(
        scope,
        wire::CATEGORIES,
        catalogue,
        |catalogue, _: wire::Nothing| async move { catalogue.categories().await },
    )
}

fn carts(scope: Scope, exposed: &Exposed) -> Scope {
    let Some(carts) = &exposed.carts else { return scope };
    let scope = ping(scope, "cart");
    let scope = answer(scope, wire::CART, carts, |carts, ask: wire::OfUser| async move { carts.cart(ask.user).await });
    let scope = answer(scope, wire::CART_ADD, carts, |carts, ask: wire::OfCartLine| async move {
        carts.add(ask.user, ask.product, ask.quantity).await
    });
    let scope = answer(scope, wire::CART_SET, carts, |carts, ask: wire::OfCartLine| async move {
        carts.set(ask.user, ask.product, ask.quantity).await
    });
    let scope = answer(scope, wire::CART_REMOVE, carts, |carts, ask: wire::OfCartLine| async move {
        carts.remove(ask.user, ask.product).await
    });
    let scope = answer(scope, wire::CHECK_OUT, carts, |carts, ask: wire::CheckOut| async move {
        carts.check_out(ask.user, ask.order, ask.bought).await
    });
    answer(scope, wire::RESTORE, carts, |carts, ask: wire::CheckOut| async move {
        carts.restore(ask.user, ask.order, ask.bought).await
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
