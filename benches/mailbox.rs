//! The cost of a call to an actor: a plain async call, actix's own address, and the runtime's handles with their
//! bounds, deadline and supervision.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler, Message};
use criterion::{Criterion, criterion_group, criterion_main};
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

fn round_trips(criterion: &mut Criterion) {
    let system = actix::System::new();
    let mut group = criterion.benchmark_group("round trip");

    group.bench_function("plain async call", |bencher| {
        bencher.iter_custom(|calls| {
            system.block_on(async {
                let mut counter = Counter(0);
                let began = Instant::now();
                for number in 0..calls {
                    let _sum = black_box(plain(&mut counter, number).await);
                }
                began.elapsed()
            })
        });
    });

    let (runtime, near) = system.block_on(async { (Runtime::new(1), Counter(0).start()) });
    group.bench_function("Addr::send, same thread", |bencher| {
        bencher.iter_custom(|calls| system.block_on(timed(calls, |number| near.send(Add(number)))));
    });

    let arbiter = system.block_on(async { actix::Arbiter::new() });
    let far = Counter::start_in_arbiter(&arbiter.handle(), |_| Counter(0));
    group.bench_function("Addr::send, other thread", |bencher| {
        bencher.iter_custom(|calls| system.block_on(timed(calls, |number| far.send(Add(number)))));
    });

    let handle = system.block_on(async { runtime.supervise("bench_one", Limits::default(), || Counter(0)) });
    group.bench_function("Handle::ask, other thread", |bencher| {
        bencher.iter_custom(|calls| system.block_on(timed(calls, |number| handle.ask(Add(number)))));
    });

    let keyed = runtime.keyed("bench_keyed", KeyedLimits::default(), |_: &u64| Counter(0));
    group.bench_function("Keyed::ask, other thread", |bencher| {
        bencher.iter_custom(|calls| {
            let keyed = &keyed;
            system.block_on(timed(calls, |number| async move { keyed.ask(&(number % 64), Add(number)).await }))
        });
    });

    group.finish();
    system.block_on(runtime.shutdown(Duration::from_secs(5)));
    arbiter.stop();
}

criterion_group!(benches, round_trips);
criterion_main!(benches);
