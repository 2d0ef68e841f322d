//! A mail that one node claims and another sends.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use microbazaar::{
    actors::mail_sender::Mails,
    domain::{Timestamp, ids::EventId},
    integrations::mail::{Mail, MailError, MailTransport, Mailer},
    runtime::Runtime,
    store::sqlite::{SqliteOptions, SqliteStore},
};
use test_support::{Folder, eventually, servers};

use super::{node, prefix};

/// A route to a mail server, or to none.
struct MailProxy {
    leads: bool,
}

#[async_trait]
impl MailTransport for MailProxy {
    async fn send(&self, _: EventId, _: &Mail) -> Result<(), MailError> {
        assert!(self.leads, "nothing is begun where there is no use in it");
        Ok(())
    }

    fn is_up(&self) -> bool {
        self.leads
    }

    fn is_pausing(&self) -> bool {
        !self.leads
    }
}

#[actix_rt::test]
async fn the_node_that_can_send_a_mail_is_notified() {
    let Some(url) = servers::redis() else { return };
    let folder = Folder::new();
    let sqlite = SqliteStore::open(&folder.0, SqliteOptions::default()).unwrap();
    let (runtime, store, prefix) = (Runtime::new(1), sqlite.stores().mailbox, prefix());
    // Both would poll only once an hour.
    let seldom = Duration::from_secs(60 * 60);
    let mut nodes = vec![];
    for leads in [false, true] {
        let redis = node(&url, &prefix).await;
        let notifier = redis.notifier().looking_every(seldom);
        let mails = Mails::start(&runtime, store.clone(), Arc::new(MailProxy { leads }), vec![seldom], &notifier);
        nodes.push((redis, mails));
    }
    for number in 0..5 {
        let mail = Mail {
            to: format!("buyer{number}@example.com"),
            subject: "Hello".into(),
            text: "t".into(),
            html: "<p>t</p>".into(),
            at: Timestamp::now(),
            announcement: false,
            confidential: false,
            unsubscribe: None,
            user: None,
            about: None,
        };
        nodes[0].1.send(EventId::generate(), &mail).await.unwrap();
        eventually("the other node has sent it", async || store.waiting().await == Ok(0)).await;
    }
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
    drop((nodes, store));
    tokio::task::spawn_blocking(move || sqlite.close()).await.unwrap().unwrap();
}
