//! The embedded mailbox.

use async_trait::async_trait;

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::ids::EventId,
    store::{MailboxStore, mailbox::Mail},
};

#[async_trait]
impl MailboxStore for Engine {
    async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        let (to, doc) = (mail.to.clone(), codec::json(mail)?);
        self.write(move |writing| {
            let sql = "INSERT INTO mails (event, recipient, doc) VALUES (?1, ?2, ?3)
                       ON CONFLICT (event, recipient) DO NOTHING";
            Ok(codec::execute(writing, sql, (event.as_slice(), to, doc))? > 0)
        })
        .await
    }

    async fn list(&self, limit: u32) -> Result<Vec<Mail>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT doc FROM mails ORDER BY id DESC LIMIT ?1";
            codec::all(connection, sql, [limit], |row| codec::document(row, 0))
        })
        .await
    }
}
