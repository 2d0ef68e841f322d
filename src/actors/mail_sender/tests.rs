//! A sender over the embedded store, and mail servers of every kind.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{sync::Semaphore, time::Instant};

use super::*;
use crate::store::{
    mailbox::{MailRecord, MailState},
    sqlite::{SqliteOptions, SqliteStore},
};

/// What a server does with the next mails to an address; when there is nothing left to do, it takes them.
#[derive(Clone, Copy)]
enum Manner {
    PutOff,
    Refuse,
    Panic,
    /// It says nothing until it is let go.
    Hang,
}

#[derive(Default)]
struct Server {
    manners: Mutex<HashMap<String, Vec<Manner>>>,
    taken: Mutex<Vec<String>>,
    now: AtomicUsize,
    most: AtomicUsize,
    pausing: AtomicBool,
    /// Grows by one for each mail that is let go.
    gate: Gate,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

#[async_trait]
impl MailTransport for Server {
    async fn send(&self, _: EventId, mail: &Mail) -> Result<(), MailError> {
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let manner = self.manners.lock().get_mut(&mail.to).and_then(Vec::pop);
        if matches!(manner, Some(Manner::Hang)) {
            self.gate.0.acquire().await.unwrap().forget();
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        match manner {
            Some(Manner::PutOff) => Err(MailError::Temporary("451 later".into())),
            Some(Manner::Refuse) => Err(MailError::Permanent("550 never".into())),
            Some(Manner::Panic) => panic!("over a mail, on purpose"),
            Some(Manner::Hang) | None => {
                self.taken.lock().push(mail.to.clone());
                Ok(())
            }
        }
    }

    fn is_up(&self) -> bool {
        !self.is_pausing()
    }

    fn is_pausing(&self) -> bool {
        self.pausing.load(Ordering::SeqCst)
    }
}

struct Fixture {
    runtime: Runtime,
    server: Arc<Server>,
    store: MailboxStore,
    mails: Mails,
    sqlite: SqliteStore,
    dir: PathBuf,
}

const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(20)];

fn start() -> Fixture {
    let dir = std::env::temp_dir().join(format!("microbazaar-mails-{}", EventId::generate()));
    std::fs::create_dir_all(&dir).unwrap();
    let sqlite = SqliteStore::open(&dir, SqliteOptions::default()).unwrap();
    let (runtime, server, store) = (Runtime::new(1), Arc::<Server>::default(), sqlite.stores().mailbox);
    let mails = Mails::start(&runtime, store.clone(), server.clone(), PAUSES.to_vec(), &ChangeNotifier::default());
    Fixture { runtime, server, store, mails, sqlite, dir }
}

impl Fixture {
    fn behaves(&self, to: &str, manners: &[Manner]) {
        self.server.manners.lock().insert(to.to_owned(), manners.iter().rev().copied().collect());
    }

    async fn send(&self, to: &str) {
        assert_eq!(self.mails.send(EventId::generate(), &mail(to)).await, Ok(()));
    }

    async fn record(&self, to: &str) -> MailRecord {
        let records = self.store.records(None, 1_000).await.unwrap();
        records.into_iter().find(|record| record.mail.to == to).unwrap()
    }

    async fn until_taken(&self, count: usize) {
        until("they are taken", async || self.server.taken.lock().len() >= count).await;
        until("that is written", async || self.store.waiting().await == Ok(0)).await;
        assert_eq!(self.server.taken.lock().len(), count);
    }

    async fn stop(self) {
        assert_eq!(self.runtime.shutdown(Duration::from_secs(5)).await, 0);
        let sqlite = self.sqlite;
        tokio::task::spawn_blocking(move || sqlite.close()).await.unwrap().unwrap();
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

fn mail(to: &str) -> Mail {
    let [subject, text, html] = ["Hello", "t", "<p>t</p>"].map(ToOwned::to_owned);
    Mail {
        to: to.into(),
        subject,
        text,
        html,
        at: Timestamp::UNIX_EPOCH,
        announcement: false,
        confidential: false,
        unsubscribe: None,
        user: None,
        about: None,
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !holds().await {
        assert!(Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[actix_rt::test]
async fn each_mail_is_sent_once_and_few_at_a_time() {
    let fixture = start();
    // A second sender over the same store, as another node would have.
    let other = Mails::start(
        &fixture.runtime,
        fixture.store.clone(),
        fixture.server.clone(),
        PAUSES.to_vec(),
        &ChangeNotifier::default(),
    );
    for number in 0..60 {
        let (event, mail) = (EventId::generate(), mail(&format!("buyer{number}@x.com")));
        for mails in [&fixture.mails, &other, &fixture.mails] {
            assert_eq!(mails.send(event, &mail).await, Ok(()));
        }
    }
    fixture.until_taken(60).await;
    assert_eq!(fixture.server.taken.lock().iter().collect::<HashSet<_>>().len(), 60);
    assert!(fixture.server.most.load(Ordering::SeqCst) <= 8, "four for each of the two");
    assert!(fixture.store.records(None, 100).await.unwrap().iter().all(|record| record.attempts == 1));
    fixture.stop().await;
}

#[actix_rt::test]
async fn one_that_is_put_off_is_tried_again_and_one_that_is_refused_is_not() {
    let fixture = start();
    fixture.behaves("later@x.com", &[Manner::PutOff, Manner::Panic]);
    fixture.behaves("too-late@x.com", &[Manner::PutOff; 3]);
    fixture.behaves("never@x.com", &[Manner::Refuse]);
    for to in ["later@x.com", "too-late@x.com", "never@x.com", "asha@x.com"] {
        fixture.send(to).await;
    }
    fixture.until_taken(2).await;
    let became = async |to| {
        let MailRecord { state, attempts, reason, next_try_at, .. } = fixture.record(to).await;
        assert_eq!(next_try_at, None);
        (state, attempts, reason)
    };
    assert_eq!(became("asha@x.com").await, (MailState::Sent, 1, None));
    assert_eq!(became("later@x.com").await, (MailState::Sent, 3, None));
    assert_eq!(became("too-late@x.com").await, (MailState::Failed, 3, Some("451 later".into())));
    assert_eq!(became("never@x.com").await, (MailState::Failed, 1, Some("550 never".into())));
    // Its event comes again: that is no reason to send it.
    let failed = fixture.record("never@x.com").await;
    assert_eq!(fixture.mails.send(failed.event, &failed.mail).await, Ok(()));
    assert_eq!(fixture.record("never@x.com").await, failed);
    assert_eq!(fixture.runtime.snapshot()[0].restarts, 0, "a panic harms nobody else");
    fixture.stop().await;
}

#[actix_rt::test]
async fn a_server_that_hangs_holds_up_nobody_and_the_end_waits_for_it() {
    let fixture = start();
    let stuck = ["a@x.com", "b@x.com", "c@x.com", "d@x.com"];
    for to in stuck {
        fixture.behaves(to, &[Manner::Hang]);
        fixture.send(to).await;
    }
    until("four hang", async || fixture.server.now.load(Ordering::SeqCst) == 4).await;
    fixture.send("e@x.com").await;
    assert_eq!(fixture.record("e@x.com").await.state, MailState::Waiting, "taken on all the same");
    fixture.mails.finish(Duration::from_millis(20)).await;
    assert!(fixture.server.taken.lock().is_empty());
    fixture.server.gate.0.add_permits(4);
    fixture.mails.finish(Duration::from_secs(20)).await;
    assert_eq!(fixture.server.taken.lock().len(), 4);
    for to in stuck {
        assert_eq!(fixture.record(to).await.state, MailState::Sent, "written by then");
    }
    let left = fixture.record("e@x.com").await;
    assert_eq!((left.state, left.attempts), (MailState::Waiting, 0), "for the next start");
    fixture.stop().await;
}

#[actix_rt::test]
async fn announcements_never_hold_up_other_mails() {
    let fixture = start();
    let announce = async |to: &str| {
        let mail = Mail { announcement: true, ..mail(to) };
        assert_eq!(fixture.mails.send(EventId::generate(), &mail).await, Ok(()));
    };
    fixture.server.pausing.store(true, Ordering::SeqCst);
    for n in 0..30 {
        announce(&format!("a{n}@x.com")).await;
    }
    fixture.send("order@x.com").await;
    fixture.server.pausing.store(false, Ordering::SeqCst);
    fixture.until_taken(31).await;
    let place = fixture.server.taken.lock().iter().position(|to| to == "order@x.com");
    assert!(place.is_some_and(|place| place < 4), "it is among the first to be begun: {place:?}");

    let stuck: Vec<_> = (0..6).map(|n| format!("stuck{n}@x.com")).collect();
    for to in &stuck {
        fixture.behaves(to, &[Manner::Hang]);
        announce(to).await;
    }
    until("three hang", async || fixture.server.now.load(Ordering::SeqCst) == 3).await;
    fixture.send("later@x.com").await;
    until("it is sent beside them", async || fixture.server.taken.lock().len() == 32).await;
    assert_eq!(fixture.server.now.load(Ordering::SeqCst), 3, "a slot is left free");
    fixture.server.gate.0.add_permits(6);
    fixture.until_taken(38).await;
    fixture.stop().await;
}

#[actix_rt::test]
async fn while_there_is_no_use_in_sending_no_mail_loses_a_try() {
    let fixture = start();
    fixture.server.pausing.store(true, Ordering::SeqCst);
    assert!(!fixture.mails.is_up());
    for to in ["a@x.com", "b@x.com"] {
        fixture.send(to).await;
    }
    assert_eq!(fixture.store.waiting().await, Ok(2));
    fixture.server.pausing.store(false, Ordering::SeqCst);
    fixture.until_taken(2).await;
    assert_eq!(fixture.record("a@x.com").await.attempts, 1);
    fixture.stop().await;
}

#[actix_rt::test]
async fn what_a_dead_sender_had_claimed_is_sent_after_its_claim() {
    let fixture = start();
    fixture.server.pausing.store(true, Ordering::SeqCst);
    fixture.send("a@x.com").await;
    let now = Timestamp::now();
    let claimed = fixture.store.claim(now, now + Duration::from_millis(300), 10, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    fixture.server.pausing.store(false, Ordering::SeqCst);
    fixture.until_taken(1).await;
    assert!(Timestamp::now() >= claimed[0].lease);
    fixture.stop().await;
}

#[actix_rt::test]
async fn a_mail_is_sent_by_hand_beside_the_sender_and_not_at_once_with_it() {
    let fixture = start();
    fixture.behaves("a@x.com", &[Manner::Hang]);
    fixture.send("a@x.com").await;
    until("it is under way", async || fixture.server.now.load(Ordering::SeqCst) == 1).await;
    let by_hand = async |record: MailRecord| resend(&fixture.store, &*fixture.server, &PAUSES, &record).await;
    let waiting = fixture.record("a@x.com").await;
    let let_go = async { fixture.server.gate.0.add_permits(1) };
    let (resent, ()) = tokio::join!(by_hand(waiting), let_go);
    assert_eq!(resent, Ok(Resent::BySender));
    assert_eq!(fixture.server.taken.lock().len(), 1);

    fixture.behaves("b@x.com", &[Manner::Refuse, Manner::PutOff]);
    fixture.send("b@x.com").await;
    until("it is refused", async || fixture.record("b@x.com").await.state == MailState::Failed).await;
    let b = async || fixture.record("b@x.com").await;
    assert_eq!(by_hand(b().await).await, Err(ResendError::Refused(MailError::Temporary("451 later".into()))));
    assert_eq!(b().await.state, MailState::Failed, "a hand does not make it wait");
    assert_eq!(by_hand(b().await).await, Ok(Resent::Now));
    assert_eq!(b().await.state, MailState::Sent);
    assert_eq!(by_hand(b().await).await, Ok(Resent::Now), "also one that was sent");
    fixture.stop().await;
}
