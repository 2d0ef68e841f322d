//! Deleting an account, and exporting what is kept about a user.
//!
//! The account itself is changed by the account service, in one write with the event [`USER_DELETED`](crate::domain::event::Event::UserDeleted).
//! Each service then removes the user from its own documents when it gets the event ([`Eraser`]), and gets it again
//! until that is done. `places` lists every kind of document, with how deletion and export reach it. As in
//! [`super::admin`], what several services keep is read from the store.
//!
//! **Invariant:** an account whose user has open orders stays; removing a user twice has the effect of removing them
//! once; orders, payments and their amounts stay.

pub mod calls;
mod eraser;
mod places;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use self::{
    calls::{DeleteAccount, ExportAccount},
    places::{Exported, Holds, PLACES},
};
use super::accounts::{
    calls::AccountRefusal,
    leaving::{CheckPassword, CloseAccount},
};
use crate::{
    bus::Consumer,
    config::Service,
    domain::{
        Timestamp,
        ids::UserId,
        payment::{Payment, Refund},
        user::{Role, User},
    },
    runtime::calls::{Calls, Handles, Outcome, Registry},
    store::{StoreError, Stores},
};

pub use eraser::Eraser;

/// How many documents are read at once.
const AT_ONCE: u32 = 100;

/// What the calls and the consumers work with.
#[derive(Clone)]
pub struct Leaving {
    stores: Stores,
    calls: Calls,
}

impl Leaving {
    #[must_use]
    pub const fn new(stores: Stores, calls: Calls) -> Self {
        Self { stores, calls }
    }

    /// Registers the calls.
    pub fn register(&self, registry: &mut Registry) {
        let leaving = Arc::new(self.clone());
        registry.serve::<DeleteAccount>(&leaving).serve::<ExportAccount>(&leaving);
    }

    /// The consumers that remove deleted users from the documents of the services that this process serves.
    pub fn erasers(&self, serves: impl Fn(Service) -> bool) -> Vec<Arc<dyn Consumer>> {
        let erasers = Eraser::all(self).filter(|eraser| serves(eraser.service));
        erasers.map(|eraser| -> Arc<dyn Consumer> { Arc::new(eraser) }).collect()
    }

    /// Whether an order or a refund of a user is not finished, or something that they sold is not shipped.
    async fn has_open_business(&self, user: &User) -> Result<bool, StoreError> {
        let Stores { orders, payments, .. } = &self.stores;
        if orders.has_open(user.id).await? || (user.role != Role::User && orders.has_to_ship(user.id).await?) {
            return Ok(true);
        }
        let now = Timestamp::now();
        let payments = all(|skip| payments.of_user(user.id, skip, AT_ONCE)).await?;
        let owes = |payment: &Payment| payment.has_work(now) || payment.refunds.iter().any(Refund::is_unsent);
        Ok(payments.iter().any(owes))
    }
}

/// All pages of a list.
async fn all<T, F>(page: impl Fn(u64) -> F) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<Vec<T>, StoreError>>,
{
    let mut all = vec![];
    loop {
        let read = page(u64::try_from(all.len()).unwrap_or(u64::MAX)).await?;
        let is_last = read.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
        all.extend(read);
        if is_last {
            return Ok(all);
        }
    }
}

impl Handles<DeleteAccount> for Leaving {
    async fn handle(&self, DeleteAccount { user, password, code }: DeleteAccount) -> Outcome<DeleteAccount> {
        let found = self.calls.ask(CheckPassword { user, password }).await?;
        if self.has_open_business(&found).await? {
            return Err(AccountRefusal::HasOpenOrders.into());
        }
        self.calls.ask(CloseAccount { user, code }).await
    }
}

impl Handles<ExportAccount> for Leaving {
    async fn handle(&self, ExportAccount { user }: ExportAccount) -> Outcome<ExportAccount> {
        let mut export = Map::from_iter([("exportedAt".to_owned(), json!(Timestamp::now()))]);
        for place in PLACES {
            if let Holds::Person { exported: Exported::As(name, read), .. } = place.holds {
                export.insert(name.to_owned(), read(&self.stores, user).await?);
            }
        }
        if export.get("user").is_none_or(Value::is_null) {
            return Err(AccountRefusal::NoSuchUser.into());
        }
        Ok(Value::Object(export))
    }
}

/// Whether this user has deleted their account.
async fn is_deleted(stores: &Stores, user: UserId) -> Result<bool, StoreError> {
    Ok(stores.accounts.get(user).await?.is_some_and(|user| user.is_deleted()))
}

#[cfg(test)]
mod tests;
