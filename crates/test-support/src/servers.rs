//! The servers and programs that `scripts/test` names. Where one is missing a test is left out, and says so;
//! in CI (`CI=true`) it fails.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// The server of MongoDB's protocol.
pub fn mongo() -> Option<String> {
    named("TEST_MONGO_URI")
}

/// The broker. Its queues are shared: see [`crate::rabbit::Broker::empty`].
pub fn rabbit() -> Option<String> {
    named("TEST_RABBIT_URL")
}

/// The shared Redis, where each test has keys of its own by a prefix.
pub fn redis() -> Option<String> {
    named("TEST_REDIS_URL")
}

/// What runs `rabbitmqctl` on the broker.
pub fn rabbitmqctl() -> Option<String> {
    named("TEST_RABBIT_CTL")
}

/// The server of MongoDB's protocol, as a program.
pub fn mongo_program() -> Option<String> {
    named("MONGO_PROGRAM")
}

/// The file of the authority that a server with TLS has its certificate from, named by this variable.
pub fn authority(variable: &str) -> Option<PathBuf> {
    let file = named(variable).map(PathBuf::from)?;
    if file.exists() {
        return Some(file);
    }
    missing(&format!("the server that {variable} belongs to has no TLS"));
    None
}

/// Node with one of the programs in `tests/programs` or in this file, if there are the packages that they need.
pub fn node(program: impl AsRef<Path>) -> Option<Command> {
    let mut command = node_with_packages()?;
    command.arg(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/programs")).join(program));
    Some(command)
}

/// Node, if there are the packages of `tests/programs`.
pub fn node_with_packages() -> Option<Command> {
    named("NODE_PATH").map(|_| Command::new("node"))
}

fn named(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok();
    if value.is_none() {
        missing(&format!("{variable} is not set, which scripts/test does"));
    }
    value
}

/// Says that a test, or a part of it, is left out.
pub fn missing(what: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI leaves no test out: {what}");
    eprintln!("left out: {what}");
}

/// The turn to use something that tests share, also with those of other processes; it ends with this value.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "it is locked as long as it is open")] File);

impl Turn {
    fn file(shared: &str) -> File {
        let mut name = DefaultHasher::new();
        shared.hash(&mut name);
        File::create(std::env::temp_dir().join(format!("microbazaar-turn-{:016x}", name.finish()))).unwrap()
    }

    /// Waits for it.
    pub async fn at(shared: &str) -> Self {
        let file = Self::file(shared);
        let waiting = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
        Self(waiting.await.unwrap().unwrap())
    }

    /// Takes it if nobody else has it.
    pub fn now_at(shared: &str) -> Option<Self> {
        let file = Self::file(shared);
        file.try_lock().is_ok().then_some(Self(file))
    }
}
