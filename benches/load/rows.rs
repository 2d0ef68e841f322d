//! The rows: requests, connections and goals.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};

use super::{
    Run,
    fixture::{self, Fixture, get, post},
    generator::{Outcome, Pace, Script, run_load},
    process::Process,
    report::{self, Goal},
};

/// Connections of a row that reads.
const READERS: usize = 64;
/// Connections, and users, of the cart's row.
const SHOPPERS: usize = 200;
/// Connections of the orders' row.
const BUYERS: usize = 128;
/// The most carts to order in a second of the orders' row.
const ORDERS_A_SECOND: f64 = 4_000.0;
/// How often a start is timed.
const STARTS: usize = 5;

/// Measures everything and prints the table.
///
/// # Errors
///
/// When a server fails.
pub fn run(run: &Run) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("microbazaar-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(all(run, &scratch));
    std::fs::remove_dir_all(&scratch)?;
    done
}

async fn all(run: &Run, scratch: &Path) -> Result<()> {
    let data = run.data.clone().unwrap_or_else(|| scratch.join("shop"));
    fixture::fill(run, &data)?;
    let server = Process::server(run, &data).await?;
    let fixture = Arc::new(Fixture::of(&server, run).await?);
    let body = scratch.join("body.json");
    std::fs::write(&body, &fixture.product_body)?;
    let bench = Bench { run, bare: Process::bare(&body).await?, server, fixture };
    report::heading();
    bench.rows().await?;
    let after_load = bench.server.resident_mib()?;
    let Bench { server, bare, .. } = bench;
    server.stop()?;
    drop(bare);
    if run.only.is_empty() {
        println!();
        report::figure("memory after load", after_load, "MiB", 150.0);
        starts(run, &data, scratch).await?;
    }
    Ok(())
}

/// Times starts, with products and without; and the memory of a fresh, empty shop.
async fn starts(run: &Run, data: &Path, scratch: &Path) -> Result<()> {
    let mut idle = 0.0;
    for (name, data) in [("start to ready, filled", data.to_owned()), ("start to ready, empty", PathBuf::new())] {
        let mut times = Vec::new();
        for number in 0..STARTS {
            let empty = scratch.join(format!("empty-{number}"));
            let filled = !data.as_os_str().is_empty();
            let server = Process::server(run, if filled { &data } else { &empty }).await?;
            times.push(server.ready_after.as_secs_f64() * 1_000.0);
            if !filled && number == 0 {
                tokio::time::sleep(Duration::from_secs(2)).await;
                idle = server.resident_mib()?;
            }
            server.stop()?;
        }
        times.sort_by(f64::total_cmp);
        report::figure(name, times[STARTS / 2], "ms, the median of five", 100.0);
    }
    report::figure("memory idle, empty", idle, "MiB", 40.0);
    Ok(())
}

struct Bench<'a> {
    run: &'a Run,
    server: Process,
    bare: Process,
    fixture: Arc<Fixture>,
}

impl Bench<'_> {
    async fn rows(&self) -> Result<()> {
        self.reading("product by id", Goal::Ratio(0.7), |fixture, number| {
            get(&format!("/api/products/{}", fixture.products[number % fixture.products.len()]), None)
        })
        .await?;
        self.reading("list, limit=20", Goal::Ratio(0.219), |_, _| get("/api/products?limit=20", None)).await?;
        self.reading("search, many words", Goal::Ratio(0.0625), |fixture, number| {
            get(&format!("/api/products?q={}", fixture.words[number % fixture.words.len()]), None)
        })
        .await?;
        self.reading("search, each query only once", Goal::Ratio(0.0625), |fixture, number| {
            let word = &fixture.words[number % fixture.words.len()];
            get(&format!("/api/products?q={word}&maxprice={}", 1_000_000 + number), None)
        })
        .await?;
        self.carts().await?;
        self.orders().await?;
        self.me_while_logins().await
    }

    fn wanted(&self, name: &str) -> bool {
        self.run.only.is_empty() || self.run.only.iter().any(|part| name.contains(part))
    }

    fn pace(&self) -> Pace {
        let length = Duration::from_secs_f64(self.run.seconds);
        Pace { warm: Duration::from_secs(1), length, pause: Duration::ZERO }
    }

    async fn reading(
        &self,
        name: &str,
        goal: Goal,
        request: impl Fn(&Fixture, usize) -> Vec<u8> + Copy + Send + 'static,
    ) -> Result<()> {
        if !self.wanted(name) {
            return Ok(());
        }
        let bare = self.bare_rate(READERS).await?;
        let asked = Arc::new(AtomicUsize::new(0));
        let script = |_| -> Script {
            let (fixture, asked) = (Arc::clone(&self.fixture), Arc::clone(&asked));
            Box::new(move |out| {
                out.extend_from_slice(&request(&fixture, asked.fetch_add(1, Ordering::Relaxed)));
                true
            })
        };
        let outcome = run_load(&self.server, (0..READERS).map(script).collect(), self.pace()).await?;
        self.print_table(name, &outcome, Some(bare), goal)
    }

    /// The bare handler's current rate: measured before each row, because the machine's speed varies.
    async fn bare_rate(&self, connections: usize) -> Result<f64> {
        let request = get("/api/products/000000000000000000000000", None);
        let script = |_| -> Script {
            let request = request.clone();
            Box::new(move |out| {
                out.extend_from_slice(&request);
                true
            })
        };
        let pace = Pace { warm: Duration::from_millis(300), length: self.pace().length / 2, ..self.pace() };
        let outcome = run_load(&self.bare, (0..connections).map(script).collect(), pace).await?;
        if outcome.bad > 0 {
            bail!("the bare handler answered {}", outcome.bad_status);
        }
        report::row("  bare handler", &outcome, None, Goal::None, self.bare.resident_mib()?);
        Ok(outcome.rate())
    }

    fn print_table(&self, name: &str, outcome: &Outcome, bare: Option<f64>, goal: Goal) -> Result<()> {
        report::row(name, outcome, bare, goal, self.server.resident_mib()?);
        Ok(())
    }

    /// Each user adds to their cart repeatedly.
    async fn carts(&self) -> Result<()> {
        const NAME: &str = "cart, add an item, 200 users";
        if !self.wanted(NAME) {
            return Ok(());
        }
        let bare = self.bare_rate(READERS).await?;
        let script = |user: usize| -> Script {
            let fixture = Arc::clone(&self.fixture);
            let mut number = user;
            Box::new(move |out| {
                // A few different lines each, as in real carts.
                let product = &fixture.products[user * 4 % 900 + number % 4];
                number += 1;
                out.extend_from_slice(&add(&fixture.tokens[user], product));
                true
            })
        };
        let outcome = run_load(&self.server, (0..SHOPPERS).map(script).collect(), self.pace()).await?;
        self.print_table(NAME, &outcome, Some(bare), Goal::Ratio(0.069))
    }

    /// Carts of two lines are filled, which is not timed; then all are ordered.
    async fn orders(&self) -> Result<()> {
        const NAME: &str = "orders, of carts of two lines";
        if !self.wanted(NAME) {
            return Ok(());
        }
        let wanted = self.run.seconds * ORDERS_A_SECOND;
        let tokens = std::iter::repeat_with(fixture::mint).take(whole(wanted)).collect::<Result<Vec<_>>>()?;
        let tokens = Arc::new(tokens);
        let everything = Pace { warm: Duration::ZERO, length: Duration::from_mins(2), pause: Duration::ZERO };
        let fill = self.once_each(&tokens, |fixture, at, token| {
            let product = |line| &fixture.products[(at * 2 + line) % fixture.products.len()];
            let mut requests = vec![add(token, product(0))];
            requests.push(add(token, product(1)));
            requests
        });
        let filled = run_load(&self.server, fill, everything).await?;
        if filled.bad > 0 {
            bail!("a cart was answered with {}", filled.bad_status);
        }
        let bare = self.bare_rate(READERS).await?;
        let place = self.once_each(&tokens, |_, _, token| vec![post("/api/orders", Some(token), "{}")]);
        let outcome = run_load(&self.server, place, Pace { warm: Duration::ZERO, ..self.pace() }).await?;
        self.print_table(NAME, &outcome, Some(bare), Goal::Ratio(0.025))
    }

    /// Scripts that together make each token's requests once.
    fn once_each(
        &self,
        tokens: &Arc<Vec<String>>,
        requests: impl Fn(&Fixture, usize, &str) -> Vec<Vec<u8>> + Copy + Send + 'static,
    ) -> Vec<Script> {
        let next = Arc::new(AtomicUsize::new(0));
        let script = |_| -> Script {
            let (fixture, tokens, next) = (Arc::clone(&self.fixture), Arc::clone(tokens), Arc::clone(&next));
            let mut waiting: Vec<Vec<u8>> = vec![];
            Box::new(move |out| {
                if waiting.is_empty() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(token) = tokens.get(at) else { return false };
                    waiting = requests(&fixture, at, token);
                }
                out.extend_from_slice(&waiting.pop().unwrap_or_default());
                true
            })
        };
        (0..BUYERS).map(script).collect()
    }

    /// `GET /api/auth/me` at intervals while other connections only log in.
    async fn me_while_logins(&self) -> Result<()> {
        const NAME: &str = "who am I, while logins saturate";
        if !self.wanted(NAME) {
            return Ok(());
        }
        let again = |request: Vec<u8>| -> Script {
            Box::new(move |out| {
                out.extend_from_slice(&request);
                true
            })
        };
        let logins = (0..16).map(|at| again(self.fixture.logins[at % self.fixture.logins.len()].clone())).collect();
        let asks = self.fixture.registered.iter().map(|token| again(get("/api/auth/me", Some(token)))).collect();
        let asking = Pace { pause: Duration::from_millis(2), ..self.pace() };
        let (logins, asks) =
            tokio::try_join!(run_load(&self.server, logins, self.pace()), run_load(&self.server, asks, asking))?;
        self.print_table("  logins", &logins, None, Goal::None)?;
        self.print_table(NAME, &asks, None, Goal::P99(20.0))
    }
}

/// Adds one unit of a product to the cart.
pub fn add(token: &str, product: &str) -> Vec<u8> {
    post("/api/cart/items", Some(token), &format!(r#"{{"productId":"{product}","quantity":1}}"#))
}

/// The integer part of a small number.
pub fn whole(number: f64) -> usize {
    format!("{number:.0}").parse().unwrap_or(usize::MAX)
}
