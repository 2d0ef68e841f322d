//! `microbazaar dead`: dead letters.

use clap::{Args, Subcommand};

use crate::{
    app::dead::{self, Filter},
    config::Config,
    domain::queues::{self, Queue},
};

/// Commands about dead letters.
#[derive(Debug, Subcommand)]
pub enum Dead {
    /// List dead letters
    List {
        /// Only those of this queue
        #[arg(long, value_parser = queue)]
        queue: Option<&'static Queue>,
        /// The most to list
        #[arg(long, default_value_t = 100, value_parser = limit)]
        limit: usize,
    },
    /// Show a dead letter with its payload
    Show {
        /// Its id, or its event's
        id: String,
    },
    /// Retry dead letters as if they were new
    Replay(Replay),
}

/// Filter dead letters to replay: exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Replay {
    /// The one with this id, or of this event
    pub id: Option<String>,
    /// Those of this queue
    #[arg(long, value_parser = queue)]
    pub queue: Option<&'static Queue>,
    /// All
    #[arg(long)]
    pub all: bool,
}

impl Replay {
    fn filter(self) -> Filter {
        match (self.id, self.queue) {
            (Some(id), _) => Filter::Id(id),
            (None, queue) => of_queue(queue),
        }
    }
}

/// Runs the command; returns the text to print.
///
/// # Errors
///
/// When nothing is found, or the store or the broker is unavailable.
pub fn run(config: &Config, command: Dead) -> anyhow::Result<String> {
    match command {
        Dead::List { queue, limit } => dead::list(config, &of_queue(queue), limit),
        Dead::Show { id } => dead::show(config, &id),
        Dead::Replay(replay) => dead::replay(config, &replay.filter()),
    }
}

/// The dead letters of this queue, or all.
fn of_queue(queue: Option<&'static Queue>) -> Filter {
    queue.map_or(Filter::All, Filter::Queue)
}

fn queue(text: &str) -> Result<&'static Queue, String> {
    let name = text.strip_suffix(".dead").unwrap_or(text);
    queues::queue(name).ok_or_else(|| "it is not a queue; docs/events.md lists them".into())
}

fn limit(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=10_000).contains(count));
    count.ok_or_else(|| "write a whole number between 1 and 10000".into())
}
