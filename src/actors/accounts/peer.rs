//! The auth service as the other services of this process see it.

use async_trait::async_trait;

use super::{Accounts, Failure};
use crate::{
    actors::runtime::AskError,
    domain::{
        ids::{AddressId, UserId},
        user::{Contact, PostalAddress, Role, User},
    },
    peers::{self, PeerError},
};

/// This service's name to the others.
const NAME: &str = "auth";
/// To how many admins one mail goes at most.
const ADMINS_MAX: u32 = 20;

#[async_trait]
impl peers::Accounts for Accounts {
    async fn contact(&self, user: UserId) -> Result<Option<Contact>, PeerError> {
        let user = self.user(user).await.map_err(peer_error)?;
        Ok(user.map(|user| user.contact()))
    }

    async fn role(&self, user: UserId) -> Result<Option<Role>, PeerError> {
        Ok(self.user(user).await.map_err(peer_error)?.map(|user| user.role))
    }

    async fn admins(&self) -> Result<Vec<Contact>, PeerError> {
        let admins = self.store.of_role(Role::Admin, ADMINS_MAX).await;
        let admins = admins.map_err(|error| PeerError::of("auth", &AskError::Refused(error)))?;
        Ok(admins.iter().map(User::contact).collect())
    }

    async fn address(&self, user: UserId, id: Option<AddressId>) -> Result<Option<PostalAddress>, PeerError> {
        let Some(user) = self.read_user(user).await.map_err(peer_error)? else { return Ok(None) };
        let address = match id {
            Some(id) => user.addresses.iter().find(|address| address.id == id),
            None => user.default_address(),
        };
        Ok(address.map(|address| address.postal.clone()))
    }
}

fn peer_error(failure: Failure) -> PeerError {
    match failure {
        AskError::Busy => PeerError::Busy(NAME),
        AskError::Deadline => PeerError::Deadline(NAME),
        AskError::Restarting | AskError::Died | AskError::Refused(_) => PeerError::Unavailable(NAME),
    }
}
