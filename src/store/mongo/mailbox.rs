//! The embedded mailbox, where every node finds it.

use async_trait::async_trait;
use bson::doc;

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::ids::EventId,
    store::{MailboxStore, StoreError, mailbox::Mail},
};

#[async_trait]
impl MailboxStore for Engine {
    async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        let (mails, number) = (self.collections.mails.clone(), self.sequence.next());
        let made = doc! {
            "n": codec::long(number)?,
            "event": codec::oid(event.bytes()),
            "recipient": &mail.to,
            "doc": codec::document(mail)?,
        };
        self.run(async move {
            match mails.insert_one(made).await {
                Ok(_) => Ok(true),
                Err(error) if codec::is_duplicate(&error) => Ok(false),
                Err(error) => Err(Failed::write(&error)),
            }
        })
        .await
    }

    async fn list(&self, limit: u32) -> Result<Vec<Mail>, StoreError> {
        let mails = self.collections.mails.clone();
        self.run(async move {
            codec::all(mails.find(doc! {}).sort(doc! { "n": -1 }).limit(limit.into()), codec::read).await
        })
        .await
    }
}
