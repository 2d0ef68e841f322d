//! Mails and their states.

use futures_util::future::join_all;
use jiff::SignedDuration;
use microbazaar::{
    domain::{Timestamp, ids::EventId},
    store::{
        MailboxStore, Stores,
        mailbox::{Mail, MailOutcome, MailRecord, MailState},
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
        confidential: false,
        unsubscribe: None,
        user: None,
        about: None,
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

/// Records a mail to be sent.
async fn opened(mailbox: &MailboxStore, event: EventId, mail: &Mail) -> MailRecord {
    assert_eq!(mailbox.open(event, mail).await, Ok(true));
    let newest = mailbox.records(None, 1).await.unwrap().remove(0);
    assert_eq!((newest.event, &newest.mail), (event, mail));
    newest
}

/// Claims a mail and records this result.
async fn settled(mailbox: &MailboxStore, id: u64, outcome: &MailOutcome, now: Timestamp) {
    let claimed = mailbox.claim_one(id, now, now + MINUTE).await.unwrap().expect("it is not claimed");
    assert_eq!(mailbox.settle(id, claimed.lease, outcome, now).await, Ok(true));
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Later than anything that was recorded so far, at a full second, which every store can represent.
fn soon() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap() + MINUTE
}

fn put_off(reason: &str, next_try_at: Timestamp) -> MailOutcome {
    MailOutcome::Waiting { reason: reason.into(), next_try_at }
}

pub async fn a_mail_to_be_sent_has_one_record(stores: &Stores) {
    let mailbox = &stores.mailbox;
    let (event, mine) = (EventId::generate(), mail("a@x.com", "Welcome"));
    let before = Timestamp::now();
    let opened = join_all((0..10).map(|_| mailbox.open(event, &mine))).await;
    assert_eq!(opened.iter().filter(|opened| **opened == Ok(true)).count(), 1);
    assert_eq!(opened.iter().filter(|opened| **opened == Ok(false)).count(), 9);
    let first = mailbox.records(None, 10).await.unwrap().remove(0);
    assert_eq!((first.state, first.attempts, &first.reason), (MailState::Waiting, 0, &None));
    assert_eq!((first.event, &first.mail), (event, &mine));
    let due = first.next_try_at.expect("it is to be tried");
    assert!((before..=Timestamp::now() + MINUTE).contains(&due), "at once: {due}");
    // The first recorded content is sent.
    assert_eq!(mailbox.open(event, &mail("a@x.com", "Changed")).await, Ok(false));
    assert_eq!(mailbox.put(event, &mine).await, Ok(false));
    assert_eq!(mailbox.record(first.id).await, Ok(Some(first.clone())));
    assert_eq!(mailbox.open(event, &mail("b@x.com", "Welcome")).await, Ok(true));
    assert_eq!(mailbox.record(u64::MAX).await, Ok(None));
    assert_eq!((mailbox.list(10).await.unwrap().len(), mailbox.waiting().await), (2, Ok(2)));
    // A kept mail is never sent.
    let kept = mail("c@x.com", "Kept");
    assert_eq!(mailbox.put(event, &kept).await, Ok(true));
    assert_eq!(mailbox.open(event, &kept).await, Ok(false));
    assert_eq!(mailbox.waiting().await, Ok(2));
    assert_eq!(mailbox.claim(soon(), soon() + MINUTE, 10, 10).await.unwrap().len(), 2);
}

pub async fn a_waiting_mail_is_claimed_by_one(stores: &Stores) {
    let mailbox = &stores.mailbox;
    let mut ids = vec![];
    for subject in ["1", "2", "3", "4", "5"] {
        ids.push(opened(mailbox, EventId::generate(), &mail("a@x.com", subject)).await.id);
    }
    assert_eq!(mailbox.claim(make::at(0), soon(), 10, 10).await, Ok(vec![]), "none is due yet");
    let (now, lease) = (soon(), soon() + MINUTE);
    let two = mailbox.claim(now, lease, 2, 2).await.unwrap();
    assert_eq!(two.iter().map(|claimed| claimed.record.id).collect::<Vec<_>>(), ids[..2], "longest due first");
    assert_eq!(two[0].record, mailbox.record(ids[0]).await.unwrap().unwrap());
    assert_eq!(mailbox.claim_one(ids[0], now, lease).await, Ok(None));
    // Many at once: each gets different ones.
    let rest = join_all((0..8).map(|_| mailbox.claim(now, lease, 1, 1))).await;
    let mut got: Vec<u64> = rest.into_iter().flat_map(Result::unwrap).map(|claimed| claimed.record.id).collect();
    got.sort_unstable();
    assert!(got.iter().all(|id| ids[2..].contains(id)) && got.windows(2).all(|two| two[0] < two[1]), "{got:?}");
    let left = mailbox.claim(now, lease, 10, 10).await.unwrap();
    assert_eq!(left.len() + got.len(), 3);
    assert_eq!(mailbox.claim(now, lease, 10, 10).await, Ok(vec![]));
    // A claim expires, and its former holder writes nothing.
    let (later, next) = (lease + MINUTE, lease + MINUTE * 2);
    let again = mailbox.claim(later, next, 10, 10).await.unwrap();
    assert_eq!(again.len(), 5);
    assert_eq!(mailbox.settle(ids[0], two[0].lease, &MailOutcome::Sent, later).await, Ok(false));
    assert_eq!(mailbox.record(ids[0]).await.unwrap().unwrap().state, MailState::Waiting);
    let first = again.iter().find(|claimed| claimed.record.id == ids[0]).unwrap();
    assert_eq!(mailbox.settle(ids[0], first.lease, &MailOutcome::Sent, later).await, Ok(true));
    assert_eq!(mailbox.settle(ids[0], first.lease, &MailOutcome::Failed("late".into()), later).await, Ok(false));
    assert_eq!((mailbox.waiting().await, mailbox.record(ids[0]).await.unwrap().unwrap().attempts), (Ok(4), 1));
}

pub async fn a_mail_that_is_put_off_is_due_at_its_time(stores: &Stores) {
    let mailbox = &stores.mailbox;
    let first = opened(mailbox, EventId::generate(), &mail("a@x.com", "1")).await;
    let second = opened(mailbox, EventId::generate(), &mail("b@x.com", "2")).await;
    let now = soon();
    settled(mailbox, first.id, &put_off("451", now + MINUTE * 10), now).await;
    let claimed = mailbox.claim(now + MINUTE, now + MINUTE * 2, 10, 10).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.record.id).collect::<Vec<_>>(), [second.id]);
    let record = mailbox.record(first.id).await.unwrap().unwrap();
    assert_eq!(record.next_try_at.unwrap(), now + MINUTE * 10);
    settled(mailbox, second.id, &put_off("451", now + MINUTE * 20), now + MINUTE * 3).await;
    let claimed = mailbox.claim(now + MINUTE * 30, now + MINUTE * 31, 10, 10).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.record.id).collect::<Vec<_>>(), [first.id, second.id]);
    assert_eq!(claimed[0].record.attempts, 1);
}

pub async fn what_became_of_a_mail_is_recorded(stores: &Stores) {
    let mailbox = &stores.mailbox;
    let id = opened(mailbox, EventId::generate(), &mail("a@x.com", "Welcome")).await.id;
    let steps = [
        (put_off("451", make::at(9)), MailState::Waiting, Some("451")),
        (MailOutcome::Failed("550".into()), MailState::Failed, Some("550")),
        (MailOutcome::Sent, MailState::Sent, None),
    ];
    for (attempts, (outcome, state, reason)) in (1..).zip(steps) {
        settled(mailbox, id, &outcome, make::at(attempts.into())).await;
        let record = mailbox.record(id).await.unwrap().unwrap();
        assert_eq!((record.state, record.attempts, record.reason.as_deref()), (state, attempts, reason));
        assert_eq!(record.changed_at, make::at(attempts.into()));
        assert_eq!(record.next_try_at, (state == MailState::Waiting).then(|| make::at(9)));
        assert_eq!(mailbox.open(record.event, &record.mail).await, Ok(false), "whatever became of it");
        assert_eq!(mailbox.record(id).await, Ok(Some(record)));
    }
    assert_eq!(mailbox.claim(soon(), soon() + MINUTE, 10, 10).await, Ok(vec![]));
}

pub async fn a_sent_mail_stays_sent(stores: &Stores) {
    let mailbox = &stores.mailbox;
    let (event, mine) = (EventId::generate(), mail("a@x.com", "Welcome"));
    let id = opened(mailbox, event, &mine).await.id;
    settled(mailbox, id, &MailOutcome::Sent, make::at(1)).await;
    let sent = mailbox.record(id).await.unwrap().unwrap();
    // Claimed manually again; each claim ends, otherwise there would be no second.
    settled(mailbox, id, &put_off("late", make::at(3)), make::at(2)).await;
    settled(mailbox, id, &MailOutcome::Failed("late".into()), make::at(3)).await;
    assert_eq!(mailbox.record(id).await, Ok(Some(sent)));
    assert_eq!(mailbox.put(event, &mine).await, Ok(false));
    settled(mailbox, id, &MailOutcome::Sent, make::at(4)).await;
    assert_eq!(mailbox.record(id).await.unwrap().unwrap().attempts, 2);
    let nobody = u64::from(u32::MAX);
    assert_eq!(mailbox.claim_one(nobody, make::at(4), make::at(5)).await, Ok(None));
    assert_eq!(mailbox.settle(nobody, make::at(5), &MailOutcome::Sent, make::at(4)).await, Ok(false));
}

pub async fn failed_mails_are_listed_by_themselves(stores: &Stores) {
    let mailbox = &stores.mailbox;
    let mut ids = vec![];
    for subject in ["1", "2", "3", "4"] {
        ids.push(opened(mailbox, EventId::generate(), &mail("a@x.com", subject)).await.id);
    }
    let failed = MailOutcome::Failed("550".into());
    settled(mailbox, ids[2], &failed, make::at(1)).await;
    settled(mailbox, ids[0], &failed, make::at(2)).await;
    mailbox.put(EventId::generate(), &mail("a@x.com", "5")).await.unwrap();
    let of = async |state, limit| -> Vec<String> {
        let records = mailbox.records(state, limit).await.unwrap();
        records.into_iter().map(|record| record.mail.subject).collect()
    };
    assert_eq!(of(Some(MailState::Failed), 10).await, ["1", "3"], "last changed first");
    assert_eq!(of(Some(MailState::Failed), 1).await, ["1"]);
    assert_eq!(of(Some(MailState::Kept), 10).await, ["5"]);
    assert_eq!(of(None, 3).await, ["5", "4", "3"]);
}

pub async fn old_mails_are_forgotten_unless_they_wait(stores: &Stores) {
    let mailbox = &stores.mailbox;
    let outcomes = [Some(MailOutcome::Sent), Some(MailOutcome::Failed("550".into())), None, Some(MailOutcome::Sent)];
    for outcome in outcomes {
        let id = opened(mailbox, EventId::generate(), &mail("a@x.com", "log")).await.id;
        if let Some(outcome) = outcome {
            settled(mailbox, id, &outcome, make::at(1)).await;
        }
    }
    for _ in 0..3 {
        mailbox.put(EventId::generate(), &mail("a@x.com", "kept")).await.unwrap();
    }
    let early = make::at(0);
    assert_eq!(mailbox.forget(make::at(1), early, 100).await, Ok(0), "none is that old");
    assert_eq!(mailbox.forget(make::at(2), early, 1).await, Ok(1), "a bounded number");
    assert_eq!(mailbox.forget(make::at(2), early, 100).await, Ok(1));
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    let newest = mailbox.records(None, 1).await.unwrap()[0].id;
    assert_eq!(mailbox.forget(later, early, 100).await, Ok(2), "kept ones too, but for the newest");
    let states = async || -> Vec<MailState> {
        mailbox.records(None, 10).await.unwrap().iter().map(|record| record.state).collect()
    };
    assert_eq!(states().await, [MailState::Kept, MailState::Waiting, MailState::Failed]);
    assert_eq!(mailbox.forget(early, make::at(1), 100).await, Ok(0), "failed ones have their own age");
    assert_eq!(mailbox.forget(early, make::at(2), 100).await, Ok(1));
    assert_eq!(mailbox.forget(later, later, 100).await, Ok(0));
    assert_eq!(states().await, [MailState::Kept, MailState::Waiting]);
    let next = opened(mailbox, EventId::generate(), &mail("a@x.com", "next")).await;
    assert!(next.id > newest, "no number is given out again");
}

pub async fn announcements_are_claimed_after_all_others(stores: &Stores) {
    let mailbox = &stores.mailbox;
    for n in 0..3 {
        let mail = Mail { announcement: true, ..mail("a@x.com", &format!("announcement {n}")) };
        opened(mailbox, EventId::generate(), &mail).await;
    }
    for n in 0..2 {
        opened(mailbox, EventId::generate(), &mail("a@x.com", &format!("order {n}"))).await;
    }
    let (now, lease) = (soon(), soon() + MINUTE);
    let subjects = async |limit, announcements| {
        let claimed = mailbox.claim(now, lease, limit, announcements).await.unwrap();
        claimed.into_iter().map(|claimed| claimed.record.mail.subject).collect::<Vec<_>>()
    };
    assert_eq!(subjects(1, 1).await, ["order 0"]);
    assert_eq!(subjects(3, 1).await, ["order 1", "announcement 0"]);
    assert!(subjects(10, 0).await.is_empty());
    assert_eq!(subjects(10, 9).await, ["announcement 1", "announcement 2"]);
}
