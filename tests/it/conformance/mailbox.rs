//! The embedded mailbox.

use futures_util::future::join_all;
use microbazaar::{
    domain::ids::EventId,
    store::{Stores, mailbox::Mail},
};

use super::make;

fn mail(to: &str, subject: &str) -> Mail {
    Mail {
        to: to.into(),
        subject: subject.into(),
        text: "t".into(),
        html: "<p>t</p>".into(),
        at: make::at(0),
        announcement: false,
    }
}

pub async fn a_mail_is_put_once_for_each_event_and_address(stores: &Stores) {
    let (event, mine) = (EventId::generate(), mail("a@x.com", "Welcome"));
    let put = join_all((0..10).map(|_| stores.mailbox.put(event, &mine))).await;
    assert_eq!(put.iter().filter(|put| **put == Ok(true)).count(), 1);
    assert_eq!(put.iter().filter(|put| **put == Ok(false)).count(), 9);
    assert_eq!(stores.mailbox.put(event, &mail("b@x.com", "Welcome")).await, Ok(true));
    assert_eq!(stores.mailbox.put(EventId::generate(), &mine).await, Ok(true));
    assert_eq!(stores.mailbox.list(10).await.unwrap().len(), 3);
}

pub async fn the_newest_mails_come_first(stores: &Stores) {
    let mails = ["1", "2", "3"].map(|subject| mail("a@x.com", subject));
    for mail in &mails {
        stores.mailbox.put(EventId::generate(), mail).await.unwrap();
    }
    assert_eq!(stores.mailbox.list(2).await.unwrap(), [mails[2].clone(), mails[1].clone()]);
}
