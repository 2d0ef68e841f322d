//! The same shop as one embedded process, as one node on MongoDB, and as two nodes on MongoDB, RabbitMQ and Redis:
//! measures browsing, filling carts and ordering in each.
//!
//! The setups run one after the other, each with the whole machine. The load of two nodes is distributed evenly, as
//! by a load balancer.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};

use super::{
    Nodes, Run,
    fixture::{self, Fixture, get, post},
    generator::{Outcome, Pace, Script, count, run_load_on_all},
    process::{Process, microbazaar},
    rows::{add, whole},
};

/// Connections that browse and order.
const CONNECTIONS: usize = 64;
/// Connections and users that fill carts.
const SHOPPERS: usize = 200;
/// The most carts to order in a second.
const ORDERS_A_SECOND: f64 = 4_000.0;
/// The prefix of the databases' names.
const PREFIX: &str = "bench_";
/// What is measured.
const ROWS: [&str; 3] = ["browse", "cart, add an item", "order, of two lines"];

/// A setup of the shop.
struct Shape {
    name: &'static str,
    nodes: usize,
    /// The servers that its nodes use.
    environment: Vec<(&'static str, String)>,
}

impl Shape {
    fn all(servers: &Nodes) -> [Self; 3] {
        let mongo =
            vec![("MONGO_URI", servers.mongo.clone()), ("MICROBAZAAR_MONGO__DATABASE_PREFIX", PREFIX.to_owned())];
        let mut all = mongo.clone();
        all.extend([("RABBIT_URL", servers.rabbit.clone()), ("REDIS_URL", servers.redis.clone())]);
        [
            Self { name: "embedded", nodes: 1, environment: vec![] },
            Self { name: "one node, MongoDB", nodes: 1, environment: mongo },
            Self { name: "two nodes, MongoDB, RabbitMQ, Redis", nodes: 2, environment: all },
        ]
    }

    fn command(&self, run: &Run, data: &Path) -> Command {
        let mut command = microbazaar(run, data);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Measures every setup and prints the table.
///
/// # Errors
///
/// When a server fails.
pub fn run(servers: &Nodes) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("microbazaar-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let mut measured = vec![];
        for (at, shape) in Shape::all(servers).iter().enumerate() {
            eprintln!("{} ...", shape.name);
            // Both setups on MongoDB have the same products.
            let fill = at < 2;
            measured.push((shape.name, measure(shape, &servers.run, &scratch.join(at.to_string()), fill).await?));
        }
        print_table(&measured);
        Ok(())
    });
    std::fs::remove_dir_all(&scratch)?;
    done
}

async fn measure(shape: &Shape, run: &Run, data: &Path, fill: bool) -> Result<[Outcome; 3]> {
    if fill {
        fixture::fill_by(shape.command(run, data), run)?;
    }
    let mut nodes = vec![];
    for number in 0..shape.nodes {
        nodes.push(Process::of(shape.command(run, &data.join(number.to_string()))).await?);
    }
    if shape.environment.is_empty() {
        // The node that was filled.
        nodes = vec![Process::of(shape.command(run, data)).await?];
    }
    let fixture = Arc::new(Fixture::of(&nodes[0], run).await?);
    let load = Load { nodes, fixture, seconds: run.seconds };
    let (browse, cart) = (load.browse().await?, load.cart().await?);
    let order = load.order(cart.rate()).await?;
    for node in load.nodes {
        node.stop()?;
    }
    Ok([browse, cart, order])
}

struct Load {
    nodes: Vec<Process>,
    fixture: Arc<Fixture>,
    seconds: f64,
}

impl Load {
    fn pace(&self) -> Pace {
        let length = Duration::from_secs_f64(self.seconds);
        Pace { warm: Duration::from_secs(1), length, pause: Duration::ZERO }
    }

    async fn run_load(&self, scripts: Vec<Script>, pace: Pace) -> Result<Outcome> {
        run_load_on_all(&self.nodes.iter().collect::<Vec<_>>(), scripts, pace).await
    }

    /// A product, a product, the list, a search, and again.
    async fn browse(&self) -> Result<Outcome> {
        let asked = Arc::new(AtomicUsize::new(0));
        let script = |_| -> Script {
            let (fixture, asked) = (Arc::clone(&self.fixture), Arc::clone(&asked));
            Box::new(move |out| {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                let path = match number % 4 {
                    0 | 1 => format!("/api/products/{}", fixture.products[number % fixture.products.len()]),
                    2 => "/api/products?limit=20".to_owned(),
                    _ => format!("/api/products?q={}", fixture.words[number % fixture.words.len()]),
                };
                out.extend_from_slice(&get(&path, None));
                true
            })
        };
        self.run_load((0..CONNECTIONS).map(script).collect(), self.pace()).await
    }

    /// Each user adds to their cart repeatedly.
    async fn cart(&self) -> Result<Outcome> {
        let script = |user: usize| -> Script {
            let fixture = Arc::clone(&self.fixture);
            let mut number = user;
            Box::new(move |out| {
                let product = &fixture.products[(user * 4 + number % 4) % fixture.products.len()];
                number += 1;
                out.extend_from_slice(&add(&fixture.tokens[user], product));
                true
            })
        };
        self.run_load((0..SHOPPERS).map(script).collect(), self.pace()).await
    }

    /// Fills carts of two lines, which is not timed, as many as `cart_rate` allows in about the time of a row; then
    /// orders all of them.
    async fn order(&self, cart_rate: f64) -> Result<Outcome> {
        let carts = whole(self.seconds * (cart_rate / 2.0).min(ORDERS_A_SECOND)).max(CONNECTIONS);
        let tokens = std::iter::repeat_with(fixture::mint).take(carts).collect::<Result<Vec<_>>>()?;
        let tokens = Arc::new(tokens);
        let all = Pace { warm: Duration::ZERO, length: Duration::from_mins(5), pause: Duration::ZERO };
        for line in 0..2 {
            let fill = self.once_each(&tokens, move |fixture, at, token| {
                add(token, &fixture.products[(at * 2 + line) % fixture.products.len()])
            });
            let filled = self.run_load(fill, all).await?;
            if filled.bad > 0 {
                bail!("a cart was answered with {}", filled.bad_status);
            }
        }
        let place = self.once_each(&tokens, |_, _, token| post("/api/orders", Some(token), "{}"));
        self.run_load(place, Pace { warm: Duration::ZERO, ..self.pace() }).await
    }

    /// Scripts that together make each token's request once.
    fn once_each(
        &self,
        tokens: &Arc<Vec<String>>,
        request: impl Fn(&Fixture, usize, &str) -> Vec<u8> + Copy + Send + 'static,
    ) -> Vec<Script> {
        let next = Arc::new(AtomicUsize::new(0));
        let script = |_| -> Script {
            let (fixture, tokens, next) = (Arc::clone(&self.fixture), Arc::clone(tokens), Arc::clone(&next));
            Box::new(move |out| {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(token) = tokens.get(at) else { return false };
                out.extend_from_slice(&request(&fixture, at, token));
                true
            })
        };
        (0..CONNECTIONS).map(script).collect()
    }
}

/// Prints the setups of each row side by side; the ratio is to the first one, which is embedded.
fn print_table(measured: &[(&str, [Outcome; 3])]) {
    println!("{:<20} {:<36} {:>9} {:>8} {:>8} {:>12}", "row", "run as", "req/s", "p50 ms", "p99 ms", "to embedded");
    for (row, name) in ROWS.iter().enumerate() {
        let embedded = measured.first().map_or(f64::NAN, |(_, rows)| rows[row].rate());
        for (at, (shape, rows)) in measured.iter().enumerate() {
            let outcome = &rows[row];
            println!(
                "{:<20} {shape:<36} {:>9.0} {:>8.2} {:>8.2} {:>12.3}",
                if at == 0 { name } else { "" },
                outcome.rate(),
                outcome.percentile(50),
                outcome.percentile(99),
                outcome.rate() / embedded,
            );
            if outcome.bad > 0 {
                let share = 100.0 * count(outcome.bad) / count(outcome.bad + outcome.good);
                println!("    {} answers ({share:.1} %) were not 2xx, such as {}", outcome.bad, outcome.bad_status);
            }
        }
    }
}
