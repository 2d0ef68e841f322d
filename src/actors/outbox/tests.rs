//! Tests of the relay with consumers and a store that fail in every way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::SignedDuration;
use parking_lot::Mutex;

use super::{
    relay::{Relay, RelayError},
    *,
};
use crate::{
    bus::{Consumer, Delivery, HandleError},
    domain::{
        Timestamp,
        event::{Envelope, Event, UserSnapshot},
        ids::{EventId, ProductId, UserId},
        queues,
        user::{FullName, Role},
    },
    store::outbox::Parked,
};

const PAUSES: [SignedDuration; 4] = [
    SignedDuration::from_secs(1),
    SignedDuration::from_secs(10),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(10),
];

/// An outbox in memory. Parked messages are due as soon as the test asks.
#[derive(Default)]
struct Memory {
    waiting: Mutex<Vec<(u64, Envelope)>>,
    parked: Mutex<Vec<Parked>>,
    fails_to_settle: AtomicBool,
    panics: AtomicBool,
}

impl Memory {
    fn with(events: &[Envelope]) -> Arc<Self> {
        let memory = Self::default();
        *memory.waiting.lock() = (1..).zip(events.iter().cloned()).collect();
        Arc::new(memory)
    }

    fn depth(&self) -> usize {
        self.waiting.lock().len()
    }
}

#[async_trait]
impl OutboxStore for Memory {
    async fn waiting(&self, after: u64, limit: u32) -> Result<Vec<(u64, Envelope)>, StoreError> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "in the store, on purpose");
        let waiting = self.waiting.lock();
        Ok(waiting.iter().filter(|(at, _)| *at > after).take(usize::try_from(limit).unwrap()).cloned().collect())
    }

    async fn settle(&self, sequences: &[u64], parked: &[Parked]) -> Result<(), StoreError> {
        if self.fails_to_settle.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("on purpose".to_owned()));
        }
        self.waiting.lock().retain(|(at, _)| !sequences.contains(at));
        let mut rows = self.parked.lock();
        for row in parked {
            let id = u64::try_from(rows.len()).unwrap() + 1;
            rows.push(Parked { id, ..row.clone() });
        }
        Ok(())
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        Ok(u64::try_from(Self::depth(self)).unwrap())
    }

    async fn retry_due(&self, _: Timestamp, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let parked = self.parked.lock();
        let due = parked.iter().filter(|row| row.retry_at.is_some());
        Ok(due.take(usize::try_from(limit).unwrap()).cloned().collect())
    }

    async fn repark(&self, id: u64, next: Option<&Parked>) -> Result<(), StoreError> {
        let mut parked = self.parked.lock();
        match (parked.iter().position(|row| row.id == id).unwrap(), next) {
            (at, None) => drop(parked.remove(at)),
            (at, Some(next)) => parked[at] = Parked { id, ..next.clone() },
        }
        Ok(())
    }

    async fn dead(&self, after: u64, _: u32) -> Result<Vec<Parked>, StoreError> {
        let parked = self.parked.lock();
        Ok(parked.iter().filter(|row| row.retry_at.is_none() && row.id > after).cloned().collect())
    }

    async fn revive(&self, _: &[u64], _: Timestamp) -> Result<u64, StoreError> {
        Err(StoreError::Unavailable("nobody asks for it here".into()))
    }

    async fn forget_user(&self, _: UserId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn written(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn forget_applied(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What a test consumer does with an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Fails,
    CannotRead,
    Panics,
    AnswersTooFew,
}

/// A consumer that records what it handled.
struct Reader {
    queues: &'static [&'static str],
    moods: Mutex<Vec<(EventId, Mood)>>,
    handled: Mutex<Vec<EventId>>,
    batches: Mutex<Vec<usize>>,
}

impl Reader {
    fn of(queues: &'static [&'static str]) -> Arc<Self> {
        Arc::new(Self { queues, moods: Mutex::default(), handled: Mutex::default(), batches: Mutex::default() })
    }

    fn about(&self, event: &Envelope, mood: Mood) {
        self.moods.lock().push((event.id, mood));
    }

    fn calm(&self) {
        self.moods.lock().clear();
    }

    fn mood(&self, event: EventId) -> Option<Mood> {
        self.moods.lock().iter().find(|(of, _)| *of == event).map(|(_, mood)| *mood)
    }

    fn handled(&self) -> Vec<EventId> {
        self.handled.lock().clone()
    }
}

#[async_trait]
impl Consumer for Reader {
    fn queues(&self) -> &'static [&'static str] {
        self.queues
    }

    async fn handle(&self, deliveries: Vec<Delivery>) -> Vec<Result<(), HandleError>> {
        self.batches.lock().push(deliveries.len());
        let mut answers = vec![];
        for delivery in deliveries {
            match self.mood(delivery.event) {
                Some(Mood::Fails) => answers.push(Err(HandleError::Transient("not now".to_owned()))),
                Some(Mood::CannotRead) => answers.push(Err(HandleError::Unreadable("no sense".to_owned()))),
                Some(Mood::Panics) => panic!("in a consumer, on purpose"),
                Some(Mood::AnswersTooFew) => return answers,
                None => {
                    self.handled.lock().push(delivery.event);
                    answers.push(Ok(()));
                }
            }
        }
        answers
    }
}

fn gone() -> Envelope {
    let event = Event::ProductDeleted { product: ProductId::generate(), seller: UserId::generate() };
    Envelope::new(event, Timestamp::now())
}

fn joined() -> Envelope {
    let user = UserSnapshot {
        id: UserId::generate(),
        email: "ana@example.com".into(),
        username: "ana".into(),
        full_name: FullName::default(),
        role: Role::User,
        created_at: Timestamp::now(),
    };
    Envelope::new(Event::UserCreated(user), Timestamp::now())
}

fn ids(events: &[Envelope]) -> Vec<EventId> {
    events.iter().map(|event| event.id).collect()
}

const GONE: &[&str] = &[queues::PRODUCT_DELETED_DASHBOARD];

fn relay(store: &Arc<Memory>, readers: &[&Arc<Reader>]) -> Relay {
    let consumer = |reader: &&Arc<Reader>| -> Arc<dyn Consumer> { (*reader).clone() };
    Relay::new(
        store.clone(),
        Arc::new(InProcess::new(readers.iter().map(consumer).collect(), PAUSES)),
        &ChangeNotifier::default(),
    )
}

async fn turn(relay: &Relay) -> Result<bool, StoreError> {
    relay.turn(&mut Timestamp::now()).await.map_err(|error| match error {
        RelayError::Store(error) => error,
        RelayError::Carry(error) => panic!("{error}"),
    })
}

#[tokio::test]
async fn a_batch_keeps_its_order_and_is_taken_out() {
    let events: Vec<_> = (0..100).map(|_| gone()).collect();
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    let relay = relay(&store, &[&reader]);
    assert_eq!(turn(&relay).await, Ok(true));
    assert_eq!((reader.handled(), store.depth()), (ids(&events), 0));
    assert_eq!(turn(&relay).await, Ok(false));
    assert_eq!(*reader.batches.lock(), [100], "one call for all of them, and none for nothing");
}

#[tokio::test]
async fn each_consumer_gets_its_own_queues_and_the_rest_is_let_go() {
    let events = [joined(), gone()];
    let store = Memory::with(&events);
    let mails = Reader::of(&[queues::USER_CREATED_NOTIFICATION]);
    let rows = Reader::of(&[queues::USER_CREATED_DASHBOARD]);
    mails.about(&events[0], Mood::Fails);
    turn(&relay(&store, &[&mails, &rows])).await.unwrap();
    assert_eq!((rows.handled(), store.depth()), (ids(&events[..1]), 0));
    // One consumer's failure does not affect another: only its own message is parked.
    turn(&relay(&store, &[&mails, &rows])).await.unwrap();
    assert_eq!(rows.handled().len(), 1);
    assert_eq!(store.parked.lock()[0].queue, queues::USER_CREATED_NOTIFICATION);
}

#[tokio::test]
async fn what_fails_is_tried_four_times_again_with_growing_pauses_and_then_dead() {
    let events = [gone(), gone()];
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    let relay = relay(&store, &[&reader]);
    reader.about(&events[0], Mood::Fails);
    let mut pauses = vec![];
    // The first round already retries the parked message, because the store says it is due.
    while store.dead(0, 10).await.unwrap().is_empty() {
        let before = Timestamp::now();
        turn(&relay).await.unwrap();
        pauses.extend(store.parked.lock()[0].retry_at.map(|at| at.duration_since(before).as_secs()));
    }
    assert_eq!(reader.handled(), ids(&events[1..]), "what is behind it is not held up");
    assert_eq!(pauses, [10, 60, 600]);
    let dead = store.dead(0, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].attempts, dead[0].reason.as_str()), (1, 5, "not now"));
    assert_eq!(*reader.batches.lock(), [2, 1, 1, 1, 1]);
    assert_eq!(turn(&relay).await, Ok(false), "the dead are left alone");
    assert_eq!(reader.batches.lock().len(), 5);
}

#[tokio::test]
async fn what_failed_is_handled_once_it_can_be() {
    let events = [gone()];
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    let relay = relay(&store, &[&reader]);
    reader.about(&events[0], Mood::Fails);
    turn(&relay).await.unwrap();
    reader.calm();
    assert_eq!(turn(&relay).await, Ok(true));
    assert_eq!(reader.handled(), ids(&events));
    assert!(store.parked.lock().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_dead_at_once_and_holds_up_nothing() {
    let events = [gone(), gone(), gone()];
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    reader.about(&events[1], Mood::CannotRead);
    turn(&relay(&store, &[&reader])).await.unwrap();
    assert_eq!(reader.handled(), [events[0].id, events[2].id]);
    let dead = store.dead(0, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].envelope.id, dead[0].reason.as_str()), (1, events[1].id, "no sense"));
}

#[tokio::test]
async fn a_consumer_that_answers_too_few_has_not_handled_the_rest() {
    let events = [gone(), gone(), gone()];
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    let relay = relay(&store, &[&reader]);
    reader.about(&events[1], Mood::AnswersTooFew);
    store.fails_to_settle.store(true, Ordering::SeqCst);
    assert!(turn(&relay).await.is_err());
    reader.calm();
    reader.handled.lock().clear();
    turn(&relay).await.unwrap();
    assert_eq!(reader.handled(), ids(&events), "nothing is lost");

    let events = [gone(), gone(), gone()];
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    reader.about(&events[1], Mood::AnswersTooFew);
    turn(&self::relay(&store, &[&reader])).await.unwrap();
    // The third failed only because of the second: tried alone it is handled.
    assert_eq!(reader.handled(), [events[0].id, events[2].id]);
    assert_eq!(store.parked.lock().iter().map(|row| row.envelope.id).collect::<Vec<_>>(), [events[1].id]);
}

#[tokio::test]
async fn a_consumer_that_panics_harms_no_other_message() {
    let events = [gone(), gone(), gone()];
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    let relay = relay(&store, &[&reader]);
    reader.about(&events[1], Mood::Panics);
    for _ in 0..5 {
        turn(&relay).await.unwrap();
    }
    assert_eq!(store.depth(), 0);
    // At least once: the first was handled before the panic, and again alone.
    assert_eq!(reader.handled(), [events[0].id, events[0].id, events[2].id]);
    let dead = store.dead(0, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].envelope.id, dead[0].reason.as_str()), (1, events[1].id, "the consumer panicked"));
}

#[tokio::test]
async fn events_come_again_after_a_crash_between_handling_and_settling() {
    let events = [gone(), gone()];
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    store.fails_to_settle.store(true, Ordering::SeqCst);
    assert!(turn(&relay(&store, &[&reader])).await.is_err());
    assert_eq!(store.depth(), 2);
    // After the restart.
    turn(&relay(&store, &[&reader])).await.unwrap();
    assert_eq!(reader.handled(), [ids(&events), ids(&events)].concat());
    assert_eq!(store.depth(), 0);
}

#[tokio::test]
async fn a_parked_message_of_a_queue_that_nobody_reads_any_more_is_kept() {
    let events = [gone()];
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    reader.about(&events[0], Mood::Fails);
    let waiting = store.waiting(0, 1).await.unwrap();
    let parked = Parked {
        id: 0,
        queue: GONE[0].to_owned(),
        envelope: waiting[0].1.clone(),
        attempts: 1,
        retry_at: Some(Timestamp::now() + SignedDuration::from_secs(1)),
        reason: String::new(),
    };
    store.settle(&[waiting[0].0], &[parked]).await.unwrap();
    turn(&relay(&store, &[])).await.unwrap();
    assert_eq!(store.dead(0, 10).await.unwrap()[0].reason, "nobody reads this queue here");
}

#[actix_rt::test]
async fn a_relay_that_dies_is_restarted_and_continues() {
    let events = [gone(), gone()];
    let (store, reader) = (Memory::with(&events), Reader::of(GONE));
    store.panics.store(true, Ordering::SeqCst);
    let runtime = Runtime::new(1);
    let outbox = Outbox::start(
        &runtime,
        store.clone(),
        Arc::new(InProcess::new(vec![reader.clone()], PAUSES)),
        &ChangeNotifier::default(),
    );
    assert_eq!(outbox.drain(Duration::from_secs(20)).await, Ok(0));
    assert_eq!(reader.handled(), ids(&events));
    assert_eq!(runtime.snapshot()[0].restarts, 1);
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

/// A carrier that starts batches ahead; the test decides which of them arrive, and the others are lost.
struct Ahead {
    arrive: Mutex<Vec<bool>>,
    handed_on: Mutex<Vec<EventId>>,
    under_way: Arc<AtomicUsize>,
    most: AtomicUsize,
}

#[async_trait]
impl Carrier for Ahead {
    fn ahead(&self) -> usize {
        3
    }

    async fn carry(&self, envelopes: &[&Envelope]) -> Result<Carried, CarryError> {
        self.handed_on.lock().extend(envelopes.iter().map(|envelope| envelope.id));
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let arrives = self.arrive.lock().pop().unwrap_or(true);
        let under_way = Arc::clone(&self.under_way);
        Ok(Box::pin(async move {
            under_way.fetch_sub(1, Ordering::SeqCst);
            if arrives { Ok(vec![]) } else { Err(CarryError("lost on the way".to_owned())) }
        }))
    }

    async fn retry(&self, _: &Parked) -> Result<Option<Parked>, CarryError> {
        Ok(None)
    }
}

#[tokio::test]
async fn batches_are_on_their_way_at_once_and_one_that_is_lost_keeps_those_behind_it() {
    let events: Vec<_> = (0..1_300).map(|_| gone()).collect();
    let store = Memory::with(&events);
    let carrier = Arc::new(Ahead {
        // In reverse order: the first arrives, the second is lost.
        arrive: Mutex::new(vec![false, true]),
        handed_on: Mutex::default(),
        under_way: Arc::default(),
        most: AtomicUsize::default(),
    });
    let relay = Relay::new(store.clone(), carrier.clone(), &ChangeNotifier::default());
    assert!(matches!(relay.turn(&mut Timestamp::now()).await, Err(RelayError::Carry(_))));
    let batch = 1_300 - store.depth();
    assert_eq!(*carrier.handed_on.lock(), ids(&events[..4 * batch]), "one was taken out, and a fourth handed on");
    carrier.handed_on.lock().clear();
    carrier.under_way.store(0, Ordering::SeqCst);
    assert!(matches!(relay.turn(&mut Timestamp::now()).await, Ok(true)));
    assert_eq!(*carrier.handed_on.lock(), ids(&events[batch..]), "all that was behind it, in its order");
    assert_eq!((store.depth(), carrier.most.load(Ordering::SeqCst)), (0, 3));
}
