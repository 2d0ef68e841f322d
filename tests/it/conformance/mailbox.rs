//! Mails and what became of them.

use futures_util::future::join_all;
use microbazaar::{
    domain::{Timestamp, ids::EventId},
    store::{
        Stores,
        mailbox::{Mail, MailOutcome, MailState},
    },
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

pub async fn a_mail_to_be_sent_has_one_record(stores: &Stores) {
    let (event, mine) = (EventId::generate(), mail("a@x.com", "Welcome"));
    let opened = join_all((0..10).map(|_| stores.mailbox.open(event, &mine))).await;
    let first = opened[0].clone().unwrap();
    assert!(opened.iter().all(|record| record.as_ref() == Ok(&first)));
    assert_eq!((first.state, first.attempts, &first.reason), (MailState::Waiting, 0, &None));
    assert_eq!((first.event, &first.mail), (event, &mine));
    // What was recorded first is what is sent.
    let again = stores.mailbox.open(event, &mail("a@x.com", "Changed")).await.unwrap();
    assert_eq!(again, first);
    let other = stores.mailbox.open(event, &mail("b@x.com", "Welcome")).await.unwrap();
    assert_ne!(other.id, first.id);
    assert_eq!(stores.mailbox.record(first.id).await, Ok(Some(first)));
    assert_eq!(stores.mailbox.record(u64::MAX).await, Ok(None));
    assert_eq!(stores.mailbox.list(10).await.unwrap().len(), 2);
}

pub async fn what_became_of_a_mail_is_recorded(stores: &Stores) {
    let opened = stores.mailbox.open(EventId::generate(), &mail("a@x.com", "Welcome")).await.unwrap();
    let steps = [
        (MailOutcome::Waiting("451".into()), MailState::Waiting, Some("451")),
        (MailOutcome::Failed("550".into()), MailState::Failed, Some("550")),
        (MailOutcome::Sent, MailState::Sent, None),
    ];
    for (attempts, (outcome, state, reason)) in (1..).zip(steps) {
        stores.mailbox.settle(opened.id, &outcome, make::at(attempts.into())).await.unwrap();
        let record = stores.mailbox.record(opened.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.attempts, record.reason.as_deref()), (state, attempts, reason));
        assert_eq!(record.changed_at, make::at(attempts.into()));
        assert_eq!(stores.mailbox.open(record.event, &record.mail).await, Ok(record));
    }
}

pub async fn a_sent_mail_stays_sent(stores: &Stores) {
    let (event, mine) = (EventId::generate(), mail("a@x.com", "Welcome"));
    let opened = stores.mailbox.open(event, &mine).await.unwrap();
    stores.mailbox.settle(opened.id, &MailOutcome::Sent, make::at(1)).await.unwrap();
    stores.mailbox.settle(opened.id, &MailOutcome::Waiting("late".into()), make::at(2)).await.unwrap();
    stores.mailbox.settle(opened.id, &MailOutcome::Failed("late".into()), make::at(3)).await.unwrap();
    let record = stores.mailbox.record(opened.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.reason), (MailState::Sent, None));
    assert_eq!(stores.mailbox.put(event, &mine).await, Ok(false));
    assert_eq!(stores.mailbox.settle(u64::from(u32::MAX), &MailOutcome::Sent, make::at(4)).await, Ok(()));
}

pub async fn failed_mails_are_listed_by_themselves(stores: &Stores) {
    let mut ids = vec![];
    for subject in ["1", "2", "3", "4"] {
        ids.push(stores.mailbox.open(EventId::generate(), &mail("a@x.com", subject)).await.unwrap().id);
    }
    let failed = MailOutcome::Failed("550".into());
    stores.mailbox.settle(ids[2], &failed, make::at(1)).await.unwrap();
    stores.mailbox.settle(ids[0], &failed, make::at(2)).await.unwrap();
    stores.mailbox.put(EventId::generate(), &mail("a@x.com", "5")).await.unwrap();
    let of = async |state, limit| -> Vec<String> {
        let records = stores.mailbox.records(state, limit).await.unwrap();
        records.into_iter().map(|record| record.mail.subject).collect()
    };
    assert_eq!(of(Some(MailState::Failed), 10).await, ["1", "3"], "last changed first");
    assert_eq!(of(Some(MailState::Failed), 1).await, ["1"]);
    assert_eq!(of(Some(MailState::Kept), 10).await, ["5"]);
    assert_eq!(of(None, 3).await, ["5", "4", "3"]);
}

pub async fn old_mails_are_forgotten_unless_they_wait_or_failed(stores: &Stores) {
    let mailbox = &stores.mailbox;
    let outcomes = [Some(MailOutcome::Sent), Some(MailOutcome::Failed("550".into())), None, Some(MailOutcome::Sent)];
    for outcome in outcomes {
        let id = mailbox.open(EventId::generate(), &mail("a@x.com", "log")).await.unwrap().id;
        if let Some(outcome) = outcome {
            mailbox.settle(id, &outcome, make::at(1)).await.unwrap();
        }
    }
    for _ in 0..3 {
        mailbox.put(EventId::generate(), &mail("a@x.com", "kept")).await.unwrap();
    }
    assert_eq!(mailbox.forget(make::at(1), 100).await, Ok(0), "none is that old");
    assert_eq!(mailbox.forget(make::at(2), 1).await, Ok(1), "a bounded number");
    assert_eq!(mailbox.forget(make::at(2), 100).await, Ok(1));
    let later = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let newest = mailbox.records(None, 1).await.unwrap()[0].id;
    assert_eq!(mailbox.forget(later, 100).await, Ok(2), "kept ones too, but for the newest");
    let left = mailbox.records(None, 10).await.unwrap();
    assert_eq!(
        left.iter().map(|record| record.state).collect::<Vec<_>>(),
        [MailState::Kept, MailState::Waiting, MailState::Failed]
    );
    let next = mailbox.open(EventId::generate(), &mail("a@x.com", "next")).await.unwrap();
    assert!(next.id > newest, "no number is given out again");
}
