//! The tool of `scripts/bench`: loads a real server over loopback, and beside it a bare actix-web handler with the
//! same response, and prints a comparison.
//!
//! Absolute numbers depend on the machine; the ratios depend on the program, because the same generator loads both
//! servers in the same run.

mod bare;
mod client;
mod fixture;
mod generator;
mod nodes;
mod process;
mod report;
mod rows;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Measures a microBazaar server against a bare handler")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a server, load it, print the table
    Run(Run),
    /// Load the shop embedded, as one node on MongoDB, and as two nodes; print them side by side
    Nodes(Nodes),
    /// Answer every GET with a file's bytes, until killed
    Bare(Bare),
}

/// What to measure.
#[derive(Debug, Args)]
pub struct Run {
    /// The server's program
    #[arg(long)]
    server: PathBuf,
    /// Products in the shop
    #[arg(long, default_value_t = 100_000)]
    products: u32,
    /// Seconds each row is measured, after one of warming up
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Only rows whose name has this in it; again for more
    #[arg(long)]
    only: Vec<String>,
    /// A filled data directory of an earlier run, or where to keep this one's
    #[arg(long)]
    data: Option<PathBuf>,
}

/// What nodes are to use.
#[derive(Debug, Args)]
pub struct Nodes {
    #[command(flatten)]
    run: Run,
    /// A MongoDB that may be filled
    #[arg(long)]
    mongo: String,
    /// A RabbitMQ with a vhost to itself
    #[arg(long)]
    rabbit: String,
    /// A Redis
    #[arg(long)]
    redis: String,
}

/// How to be bare.
#[derive(Debug, Args)]
pub struct Bare {
    /// The port to listen on
    #[arg(long)]
    port: u16,
    /// What to answer
    #[arg(long)]
    body_file: PathBuf,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => rows::run(&run),
        Command::Nodes(nodes) => nodes::run(&nodes),
        Command::Bare(bare) => bare::serve(&bare),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench_load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
