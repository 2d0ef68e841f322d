//! The tool of `scripts/bench events`: measures how many events per second go from the outbox over a real RabbitMQ
//! into the seller dashboard, beside a bare lapin publisher in the same run.
//!
//! The bare publisher sends the same bodies with the same properties, persistent and mandatory, to one durable queue,
//! with as many messages in flight. Absolute numbers depend on the machine; the ratio depends on the program.

mod bare;
mod fill;
mod shop;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::Parser;
use microbazaar::{bus::rabbit::wire, domain::event::Envelope};

use bare::Broker;
use shop::Shop;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages that the bare publisher has in flight: as many as the server, with its four batches of
/// 256 events of two messages each.
const IN_FLIGHT: usize = 2_048;

#[derive(Parser)]
#[command(about = "Measures events from the outbox over a broker to an applied projection")]
struct Cli {
    /// The server's program
    #[arg(long)]
    server: PathBuf,
    /// The broker's address; its queues are emptied
    #[arg(long)]
    broker: String,
    /// How many events
    #[arg(long, default_value_t = 50_000)]
    events: usize,
    /// An empty folder for the server's data
    #[arg(long)]
    data: PathBuf,
}

/// One line of the table.
struct Row {
    what: &'static str,
    count: usize,
    took: Duration,
    note: String,
}

impl Row {
    fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.count).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run(&cli))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench_events: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<()> {
    let broker = Broker::connect(&cli.broker).await?;
    let (published, applied) = (cli.data.join("published"), cli.data.join("applied"));
    let events = fill::fill(&published, cli.events).await?;
    fill::copy(&published, &applied)?;
    let made = events.iter().map(|envelope| Ok(wire::outgoing(envelope)?)).collect::<Result<Vec<_>>>()?;
    let first: Vec<_> = made.iter().filter_map(|messages| messages.first()).collect();
    let bytes: usize = first.iter().map(|message| message.body.len()).sum();
    println!("{} events of {} bytes on average; {}", events.len(), bytes / events.len().max(1), machine());

    broker.purge().await?;
    let bare = broker.publish(&first, IN_FLIGHT).await?;
    broker.purge().await?;
    let sent = outbox_only(cli, &published, &events).await?;
    broker.purge().await?;
    let whole = to_projection(cli, &applied, &events).await?;
    broker.purge().await?;
    // Measured again, to notice a machine that is busy with other work.
    let again = broker.publish(&first, IN_FLIGHT).await?;
    broker.purge().await?;

    let rows = [
        Row { what: "bare publisher, before", count: first.len(), took: bare, note: "messages".to_owned() },
        Row { what: "bare publisher, after", count: first.len(), took: again, note: "messages".to_owned() },
        sent,
        whole,
    ];
    let bare = f64::midpoint(rows[0].rate(), rows[1].rate());
    println!("{:<34} {:>9} {:>9} {:>8}", "", "a second", "seconds", "of bare");
    for row in &rows {
        let (rate, seconds) = (row.rate(), row.took.as_secs_f64());
        println!("{:<34} {rate:>9.0} {seconds:>9.2} {:>7.0}%  {}", row.what, 100.0 * rate / bare, row.note);
    }
    println!("each event is two messages: one to its queue, one to the exchange");
    Ok(())
}

/// From the start of the process to an empty outbox, without consumers.
async fn outbox_only(cli: &Cli, data: &std::path::Path, events: &[Envelope]) -> Result<Row> {
    let shop = Shop::start(&cli.server, data, &cli.broker, "none")?;
    let took = shop.until_sent().await?;
    let note = shop.stop()?;
    Ok(Row { what: "outbox to confirm", count: events.len(), took, note })
}

/// From the start of the process to an empty outbox and every event applied.
async fn to_projection(cli: &Cli, data: &std::path::Path, events: &[Envelope]) -> Result<Row> {
    let shop = Shop::start(&cli.server, data, &cli.broker, "all")?;
    let took = shop.until_applied(events.len()).await?;
    let note = shop.stop()?;
    fill::check(data, events)?;
    Ok(Row { what: "outbox to applied projection", count: events.len(), took, note })
}

fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{processors} processors, shared with the broker")
}
