//! Hashing of passwords: argon2id on few threads of its own, at low priority.
//!
//! A hash costs 19 MiB and tens of milliseconds by intent. It never runs on a thread that
//! serves requests, as many run at once as there are threads here, and what waits is
//! bounded: a full queue is [`PasswordError::Busy`] at once. A job whose caller has gone
//! is skipped, one that panics costs only its own answer, and the working memory is given
//! back once the queue has been empty for a second.
//!
//! **Invariant:** a login that fails costs one job of the same price whether or not the user exists.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use crossbeam_channel::{Receiver, Sender, TrySendError};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use crate::domain::identity::{former_forms, opaque};

/// Jobs that wait at most.
const QUEUE: usize = 2_048;
/// From the call to its answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// A thread without work for this long gives its working memory back.
const IDLE: Duration = Duration::from_secs(1);
/// What a stored hash may ask for at most, so that no document can take the memory: 64 MiB.
const BLOCKS_MAX: usize = 65_536;
/// How much the threads let others go first: enough that a request is answered between two
/// hashes, and not so much that logins never end while the shop is busy.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 4;

/// A hash of no password, with the parameters of every other: what a login of an
/// unknown user is verified against.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8tdXNlci1oYXMtdGhpcw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password was neither hashed nor verified. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// As many wait as are let in.
    #[error("too many passwords wait to be checked")]
    Busy,
    /// It did not come to its turn in time.
    #[error("the password was not checked in time")]
    Deadline,
    /// The stored hash is unreadable, or the hashing broke.
    #[error("the password could not be checked")]
    Failed,
}

/// How a password compares with a stored hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// It is another.
    No,
    /// It is the one.
    Yes,
    /// It is the one, and the hash was made of a form that no longer counts: it should be replaced.
    Former,
}

/// The working memory of one thread, empty while there is no work.
type Memory = Vec<Block>;
type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// The hashing threads. They end when the last clone is dropped.
#[derive(Clone)]
pub struct Passwords {
    queue: Sender<Job>,
    begun: Arc<AtomicU64>,
}

impl Passwords {
    /// Starts so many threads, one at least.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(threads: usize) -> io::Result<Self> {
        Self::with_limits(threads, QUEUE, IDLE)
    }

    /// The same with a queue of so many jobs, and other idleness.
    pub(super) fn with_limits(threads: usize, queue: usize, idle: Duration) -> io::Result<Self> {
        let (queue, jobs) = crossbeam_channel::bounded(queue);
        for number in 0..threads.max(1) {
            let jobs = jobs.clone();
            thread::Builder::new().name(format!("passwords-{number}")).spawn(move || serve(&jobs, idle))?;
        }
        Ok(Self { queue, begun: Arc::default() })
    }

    /// Hashes a new password, in the form in which it counts, with a random salt, to a PHC string.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        self.run(move |memory| hash(&opaque(&password), memory)).await
    }

    /// Whether `password` is the one that `phc` was made of. Without a hash it costs the
    /// same as a wrong one, and is never right.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn verify(&self, password: SecretString, phc: Option<String>) -> Result<Verified, PasswordError> {
        self.run(move |memory| {
            let verified = verify_forms(&password, phc.as_deref().unwrap_or(DUMMY), memory)?;
            Ok(if phc.is_some() { verified } else { Verified::No })
        })
        .await
    }

    /// Whether the next job would be refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// How many jobs wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many jobs were begun since the start; skipped ones do not count.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Queues `work` for the threads and waits for what it gives.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let (answer, answered) = oneshot::channel();
        let begun = Arc::clone(&self.begun);
        let job = move |memory: &mut Memory| {
            if !answer.is_closed() {
                begun.fetch_add(1, Ordering::Relaxed);
                // The caller may go while it is worked on; then nobody needs the answer.
                let _ = answer.send(work(memory));
            }
        };
        self.queue.try_send(Box::new(job)).map_err(|refused| match refused {
            TrySendError::Full(_) => PasswordError::Busy,
            TrySendError::Disconnected(_) => PasswordError::Failed,
        })?;
        match tokio::time::timeout(DEADLINE, answered).await {
            Ok(answer) => answer.unwrap_or(Err(PasswordError::Failed)),
            Err(_) => Err(PasswordError::Deadline),
        }
    }
}

/// What each thread does.
fn serve(jobs: &Receiver<Job>, idle: Duration) {
    lower_priority();
    while let Ok(first) = jobs.recv() {
        let mut memory = Memory::new();
        let mut next = Some(first);
        while let Some(job) = next {
            if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
                tracing::error!("hashing a password panicked");
                memory = Memory::new();
            }
            next = jobs.recv_timeout(idle).ok();
        }
    }
}

/// Lets the threads that serve requests go first. Linux keeps a niceness for each thread;
/// elsewhere it is the process's, so nothing is done there.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "hashing runs at normal priority");
    }
}

/// Hashes a password as it is.
pub(super) fn hash(password: &SecretString, memory: &mut Memory) -> Result<String, PasswordError> {
    let params = Params::DEFAULT;
    let salt = Salt::new(&rand::random::<[u8; 16]>()).map_err(|_| PasswordError::Failed)?;
    let mut output = [0_u8; Params::DEFAULT_OUTPUT_LEN];
    derive(&params, password, &salt, &mut output, memory)?;
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|_| PasswordError::Failed)?,
        salt: Some(salt),
        hash: Some(Output::new(&output).map_err(|_| PasswordError::Failed)?),
    };
    Ok(phc.to_string())
}

/// Tries the form in which a password counts, and then those that a hash made before may be of.
fn verify_forms(password: &SecretString, phc: &str, memory: &mut Memory) -> Result<Verified, PasswordError> {
    if verify(&opaque(password), phc, memory)? {
        return Ok(Verified::Yes);
    }
    for former in former_forms(password) {
        if verify(&former, phc, memory)? {
            return Ok(Verified::Former);
        }
    }
    Ok(Verified::No)
}

fn verify(password: &SecretString, phc: &str, memory: &mut Memory) -> Result<bool, PasswordError> {
    let stored = PasswordHash::new(phc).map_err(|_| PasswordError::Failed)?;
    let ours = stored.algorithm == Algorithm::Argon2id.ident() && stored.version == Some(Version::V0x13.into());
    let params = Params::try_from(&stored).map_err(|_| PasswordError::Failed)?;
    let (Some(salt), Some(wanted), true) = (stored.salt, stored.hash, ours) else {
        return Err(PasswordError::Failed);
    };
    let mut output = vec![0_u8; wanted.len()];
    derive(&params, password, &salt, &mut output, memory)?;
    Ok(output.ct_eq(wanted.as_bytes()).into())
}

fn derive(
    params: &Params,
    password: &SecretString,
    salt: &Salt,
    output: &mut [u8],
    memory: &mut Memory,
) -> Result<(), PasswordError> {
    let blocks = params.block_count();
    if blocks > BLOCKS_MAX {
        return Err(PasswordError::Failed);
    }
    if memory.len() < blocks {
        *memory = vec![Block::new(); blocks];
    }
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(password.expose_secret().as_bytes(), salt, output, memory)
        .map_err(|_| PasswordError::Failed)
}

#[cfg(test)]
mod tests;
