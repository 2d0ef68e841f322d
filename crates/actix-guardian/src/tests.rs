//! Panic, stop, overload, slowness and idleness, with an actor whose state is in a "store" that outlives it.

use std::sync::atomic::{AtomicI64, AtomicU64};

use actix::{ActorFutureExt, AsyncContext, AtomicResponse, Handler, Message, WrapFuture};
use tokio::sync::Notify;

use super::*;

/// The state that outlives the actor.
#[derive(Default)]
struct Store {
    value: AtomicU64,
    starts: AtomicU64,
    instances: AtomicI64,
    panics_in_started: AtomicI64,
    release: Notify,
}

struct Counter {
    value: u64,
    store: Arc<Store>,
}

impl Counter {
    fn new(store: &Arc<Store>) -> Self {
        store.instances.fetch_add(1, Ordering::SeqCst);
        Self { value: u64::MAX, store: Arc::clone(store) }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.store.instances.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Actor for Counter {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.store.starts.fetch_add(1, Ordering::SeqCst);
        if self.store.panics_in_started.fetch_sub(1, Ordering::SeqCst) > 0 {
            panic!("in started, on purpose");
        }
        self.value = self.store.value.load(Ordering::SeqCst);
    }
}

#[derive(Clone, Copy, Message)]
#[rtype(result = "Result<u64, String>")]
enum Do {
    Add,
    Refuse,
    PanicInHandler,
    PanicInSpawned,
    PanicAfterAwait,
    WaitForRelease,
}

impl Handler<Do> for Counter {
    type Result = AtomicResponse<Self, Result<u64, String>>;

    fn handle(&mut self, message: Do, ctx: &mut Self::Context) -> Self::Result {
        let store = Arc::clone(&self.store);
        let next = self.value + 1;
        let work = async move {
            match message {
                Do::PanicAfterAwait => {
                    tokio::task::yield_now().await;
                    panic!("after an await, on purpose")
                }
                Do::WaitForRelease => store.release.notified().await,
                _ => {}
            }
        };
        match message {
            Do::PanicInHandler => panic!("in a handler, on purpose"),
            Do::Refuse => {
                return AtomicResponse::new(Box::pin(std::future::ready(Err("no".to_owned())).into_actor(self)));
            }
            Do::PanicInSpawned => {
                ctx.spawn(async { panic!("in a spawned future, on purpose") }.into_actor(self));
            }
            _ => {}
        }
        AtomicResponse::new(Box::pin(work.into_actor(self).map(move |(), actor, _| {
            actor.store.value.store(next, Ordering::SeqCst);
            actor.value = next;
            Ok(next)
        })))
    }
}

fn start(limits: Limits) -> (Arc<Runtime>, Arc<Store>, Handle<Counter>) {
    let runtime = Arc::new(Runtime::new(2));
    let store = Arc::new(Store::default());
    let of = Arc::clone(&store);
    let handle = runtime.supervise("counter", limits, move || Counter::new(&of));
    (runtime, store, handle)
}

/// Waits for a condition, with a deadline.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[actix_rt::test]
async fn an_answer_and_a_refusal_come_from_the_actor() {
    let (runtime, _, counter) = start(Limits::default());
    assert_eq!(counter.ask(Do::Add).await, Ok(1));
    assert_eq!(counter.ask(Do::Refuse).await, Err(AskError::Refused("no".to_owned())));
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn after_a_panic_a_new_actor_starts_with_the_stored_state() {
    let (runtime, store, counter) = start(Limits::default());
    let (bystander, other) = {
        let store = Arc::new(Store::default());
        let of = Arc::clone(&store);
        (store, runtime.supervise("bystander", Limits::default(), move || Counter::new(&of)))
    };
    for (round, bad) in [Do::PanicInHandler, Do::PanicInSpawned, Do::PanicAfterAwait].into_iter().enumerate() {
        let before = store.value.load(Ordering::SeqCst);
        let spawned = matches!(bad, Do::PanicInSpawned);
        let answer = counter.ask(bad).await;
        // The answer to the message that spawned the future depends on which of the two ends first.
        assert!(spawned || answer == Err(AskError::Died), "{answer:?}");
        let restarts = u64::try_from(round).unwrap() + 1;
        eventually("it is started anew", || runtime.snapshot()[0].restarts == restarts).await;
        let after = store.value.load(Ordering::SeqCst);
        assert!(after == before || spawned);
        assert_eq!(counter.ask(Do::Add).await, Ok(after + 1));
        assert_eq!(other.ask(Do::Add).await, Ok(bystander.value.load(Ordering::SeqCst)));
    }
    assert_eq!((runtime.snapshot()[0].alive, runtime.snapshot()[1].restarts), (1, 0));
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn an_actor_that_keeps_dying_at_its_start_is_reported_as_failing_and_recovers() {
    let runtime = Runtime::new(1);
    let store = Arc::new(Store::default());
    store.panics_in_started.store(6, Ordering::SeqCst);
    let of = Arc::clone(&store);
    let counter = runtime.supervise("counter", Limits::default(), move || Counter::new(&of));
    eventually("it counts as failing", || runtime.snapshot()[0].failing == 1).await;
    eventually("it is alive in the end", || store.starts.load(Ordering::SeqCst) == 7).await;
    assert_eq!(counter.ask(Do::Add).await, Ok(1));
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn too_many_calls_are_busy_and_a_slow_actor_exceeds_the_deadline() {
    let limits = Limits { in_flight: 8, deadline: Duration::from_millis(200) };
    let (runtime, store, counter) = start(limits);
    let calls = (0..1_000).map(|_| counter.ask(Do::WaitForRelease));
    let answers = futures_util::future::join_all(calls).await;
    let count = |wanted: &AskError<String>| answers.iter().filter(|a| a.as_ref().err() == Some(wanted)).count();
    assert_eq!((count(&AskError::Busy), count(&AskError::Deadline)), (992, 8));
    assert_eq!(runtime.snapshot()[0].refused, 992);
    // Queued calls whose callers stopped waiting are not done; the one in progress continues.
    store.release.notify_one();
    assert_eq!(counter.ask(Do::Add).await, Ok(2));
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

fn keyed(limits: KeyedLimits) -> (Runtime, Arc<Store>, Keyed<u32, Counter>) {
    let runtime = Runtime::new(2);
    let store = Arc::new(Store::default());
    let of = Arc::clone(&store);
    let keyed = runtime.keyed("keyed", limits, move |_: &u32| Counter::new(&of));
    (runtime, store, keyed)
}

#[actix_rt::test]
async fn a_hundred_thousand_idle_keys_take_no_memory() {
    let limits = KeyedLimits { idle: Duration::from_millis(300), ..KeyedLimits::default() };
    let (runtime, store, keyed) = keyed(limits);
    for chunk in 0..100_u32 {
        let calls = (0..1_000).map(|i| touch(&keyed, chunk * 1_000 + i));
        assert!(futures_util::future::join_all(calls).await.into_iter().all(|answer| answer.is_ok()));
    }
    assert_eq!(store.starts.load(Ordering::SeqCst), 100_000);
    eventually("all sleep", || runtime.snapshot()[0].alive == 0).await;
    assert_eq!(store.instances.load(Ordering::SeqCst), 0);
    eventually("the registry has given its room back", || keyed.0.capacity() == 0).await;
    assert!(keyed.ask(&7, Do::Add).await.is_ok());
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn a_panic_of_one_key_does_not_affect_others_and_the_key_restarts() {
    let (runtime, _, keyed) = keyed(KeyedLimits::default());
    assert!(keyed.ask(&1, Do::Add).await.is_ok());
    assert!(keyed.ask(&2, Do::Add).await.is_ok());
    assert_eq!(keyed.ask(&1, Do::PanicInHandler).await, Err(AskError::Died));
    assert!(keyed.ask(&2, Do::Add).await.is_ok());
    eventually("its end is noticed", || runtime.snapshot()[0].alive == 1).await;
    assert!(keyed.ask(&1, Do::Add).await.is_ok());
    assert_eq!(runtime.snapshot()[0].restarts, 1);
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn active_keys_and_calls_per_key_are_bounded() {
    let all = Limits { in_flight: 1_000, deadline: Duration::from_millis(300) };
    let limits = KeyedLimits { all, per_key: 4, awake: 64, idle: Duration::from_secs(60) };
    let (runtime, store, keyed) = keyed(limits);
    let calls = (0..10).map(|_| keyed.ask(&1, Do::WaitForRelease));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Err(AskError::Busy)).count(), 6);
    let mut refused = 0;
    for key in 0..1_000 {
        refused += u32::from(keyed.ask(&key, Do::Refuse).await == Err(AskError::Busy));
    }
    assert!(refused >= 1_000 - 64 && runtime.snapshot()[0].alive <= 64);
    store.release.notify_one();
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn shutdown_stops_every_actor_and_refuses_later_calls() {
    let (runtime, store, counter) = start(Limits::default());
    let of = Arc::clone(&store);
    let keyed = runtime.keyed("keyed", KeyedLimits::default(), move |_: &u32| Counter::new(&of));
    for key in 0..100 {
        keyed.ask(&key, Do::Add).await.unwrap();
    }
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
    eventually("every actor is dropped", || store.instances.load(Ordering::SeqCst) == 0).await;
    assert!(matches!(counter.ask(Do::Add).await, Err(AskError::Busy | AskError::Restarting)));
    assert!(keyed.ask(&1, Do::Add).await.is_err());
}

async fn touch(keyed: &Keyed<u32, Counter>, key: u32) -> Result<u64, AskError<String>> {
    keyed.ask(&key, Do::Add).await
}

#[actix_rt::test]
async fn a_step_is_repeated_after_panics_failures_and_notifications() {
    let runtime = Runtime::new(1);
    let (steps, notify) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let pace = Pace::every(Duration::from_secs(3_600)).or_notified(Arc::clone(&notify));
    runtime.repeat("step", pace, Arc::clone(&steps), async |steps| match steps.fetch_add(1, Ordering::SeqCst) {
        0 => Next::Again,
        1 => panic!("a step that panics"),
        2 => Next::Failed,
        _ => Next::Wait,
    });
    let reached = async |count| {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while steps.load(Ordering::SeqCst) < count {
            assert!(tokio::time::Instant::now() < deadline, "{count} steps run in time");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    reached(4).await;
    for count in 5..8 {
        notify.notify_one();
        reached(count).await;
    }
    assert_eq!(runtime.snapshot()[0].restarts, 1);
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}
