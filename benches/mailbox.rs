//! The cost of a call to an actor: a plain async call, actix's own address, and the runtime's handles with their
//! bounds, deadline and supervision.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler, Message};
use microbazaar::runtime::{KeyedLimits, Limits, Runtime};

struct Counter(u64);

impl Actor for Counter {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<u64, ()>")]
struct Add(u64);

impl Handler<Add> for Counter {
    type Result = Result<u64, ()>;

    fn handle(&mut self, Add(more): Add, _: &mut Self::Context) -> Self::Result {
        self.0 = self.0.wrapping_add(more);
        Ok(self.0)
    }
}

async fn plain(counter: &mut Counter, more: u64) -> Result<u64, ()> {
    counter.0 = counter.0.wrapping_add(black_box(more));
    Ok(counter.0)
}

/// Times `calls` round trips, one after the other.
async fn timed<T, F: Future<Output = T>>(calls: u64, mut call: impl FnMut(u64) -> F) -> Duration {
    let began = Instant::now();
    for number in 0..calls {
        black_box(call(number).await);
    }
    began.elapsed()
}

/// How often each is timed, and how long each time takes about.
const SAMPLES: usize = 50;
const SAMPLE: Duration = Duration::from_millis(50);

/// Prints the time of one call in the median sample, with the first and the last quartile.
fn report(name: &str, mut sample: impl FnMut(u64) -> Duration) {
    let mut calls = 1;
    while sample(calls) < SAMPLE {
        calls *= 2;
    }
    let mut nanoseconds: Vec<_> = (0..SAMPLES).map(|_| sample(calls).as_nanos() / u128::from(calls)).collect();
    nanoseconds.sort_unstable();
    let [first, median, last] = [1, 2, 3].map(|quarter| nanoseconds[SAMPLES * quarter / 4]);
    println!("{name:<28} {median:>8} ns ({first} to {last})");
}

fn main() {
    let system = actix::System::new();

    report("plain async call", |calls| {
        system.block_on(async {
            let mut counter = Counter(0);
            let began = Instant::now();
            for number in 0..calls {
                let _sum = black_box(plain(&mut counter, number).await);
            }
            began.elapsed()
        })
    });

    let (runtime, near) = system.block_on(async { (Runtime::new(1), Counter(0).start()) });
    report("Addr::send, same thread", |calls| system.block_on(timed(calls, |number| near.send(Add(number)))));

    let arbiter = system.block_on(async { actix::Arbiter::new() });
    let far = Counter::start_in_arbiter(&arbiter.handle(), |_| Counter(0));
    report("Addr::send, other thread", |calls| system.block_on(timed(calls, |number| far.send(Add(number)))));

    let handle = system.block_on(async { runtime.supervise("bench_one", Limits::default(), || Counter(0)) });
    report("Handle::ask, other thread", |calls| system.block_on(timed(calls, |number| handle.ask(Add(number)))));

    let keyed = &runtime.keyed("bench_keyed", KeyedLimits::default(), |_: &u64| Counter(0));
    report("Keyed::ask, other thread", |calls| {
        system.block_on(timed(calls, |number| async move { keyed.ask(&(number % 64), Add(number)).await }))
    });

    system.block_on(runtime.shutdown(Duration::from_secs(5)));
    arbiter.stop();
}
