//! Password hashing: argon2id on a few separate threads with low priority.
//!
//! A hash intentionally costs 19 MiB and tens of milliseconds. It never runs on a thread that
//! serves requests, the number of concurrent hashes equals the number of threads here, and the queue
//! is bounded and fair (module `queue`): a full queue is [`PasswordError::Busy`] at once. A job whose caller has gone
//! is skipped, a job that panics fails alone, and the working memory is released
//! after the queue has been empty for a second.
//!
//! **Invariant:** a failed login costs one job of the same price, whether or not the user exists.

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
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use self::queue::Queue;
use super::calls::Source;
use crate::domain::identity::{former_forms, opaque};

mod queue;

/// The capacity of the queue.
const QUEUE: usize = 2_048;
/// The capacity of the queue of one source: what an office may send at once.
const FLOW_MAX: usize = 512;
/// The time from the call to its answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// A thread without work for this long releases its working memory.
const IDLE: Duration = Duration::from_secs(1);
/// The maximum memory that a stored hash may ask for: 64 MiB.
const BLOCKS_MAX: usize = 65_536;
/// The niceness of the threads: high enough that a request is answered between two
/// hashes, and low enough that logins finish while the shop is busy.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 4;

/// A hash of no password, with the usual parameters; the login of an unknown user is verified against it.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8tdXNlci1oYXMtdGhpcw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password was neither hashed nor verified. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The queue is full.
    #[error("too many passwords wait to be checked")]
    Busy,
    /// The job did not start in time.
    #[error("the password was not checked in time")]
    Deadline,
    /// The stored hash is unreadable, or the hashing failed.
    #[error("the password could not be checked")]
    Failed,
}

/// The result of comparing a password with a stored hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// Another password.
    No,
    /// The right password.
    Yes,
    /// The right password, but the hash has a form that is no longer used and should be replaced.
    Former,
}

/// The working memory of one thread; empty while there is no work.
type Memory = Vec<Block>;
type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// The hashing threads. They end when the last clone is dropped.
#[derive(Clone)]
pub struct Passwords {
    queue: Arc<Handle>,
    begun: Arc<AtomicU64>,
}

/// Ends the threads when it is dropped.
struct Handle(Arc<Queue>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Passwords {
    /// Starts `threads` threads, at least one.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(threads: usize) -> io::Result<Self> {
        Self::with_limits(threads, QUEUE, IDLE)
    }

    /// The same with another queue length and idle time.
    pub(super) fn with_limits(threads: usize, queue: usize, idle: Duration) -> io::Result<Self> {
        let jobs = Arc::new(Queue::new(queue, FLOW_MAX));
        let queue = Arc::new(Handle(Arc::clone(&jobs)));
        for number in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name(format!("passwords-{number}")).spawn(move || serve(&jobs, idle))?;
        }
        Ok(Self { queue, begun: Arc::default() })
    }

    /// Hashes a new password in its normalized form, with a random salt, to a PHC string.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn hash(&self, password: SecretString, source: Source) -> Result<String, PasswordError> {
        self.run(source, move |memory| hash(&opaque(&password), memory)).await
    }

    /// Whether `phc` is the hash of `password`. Without a hash it costs the same as a wrong password and is never
    /// true.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn verify(
        &self,
        password: SecretString,
        phc: Option<String>,
        source: Source,
    ) -> Result<Verified, PasswordError> {
        self.run(source, move |memory| {
            let verified = verify_forms(&password, phc.as_deref().unwrap_or(DUMMY), memory)?;
            Ok(if phc.is_some() { verified } else { Verified::No })
        })
        .await
    }

    /// Whether the next job of this source would be refused.
    #[must_use]
    pub fn is_full(&self, source: Source) -> bool {
        self.queue.0.is_full(source)
    }

    /// The number of queued jobs.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.0.len()
    }

    /// The number of jobs begun since the start; skipped ones do not count.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Queues `work` for the threads and waits for its result.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        source: Source,
        work: impl FnOnce(&mut Memory) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let (answer, answered) = oneshot::channel();
        let begun = Arc::clone(&self.begun);
        let job = move |memory: &mut Memory| {
            if !answer.is_closed() {
                begun.fetch_add(1, Ordering::Relaxed);
                // The caller may have stopped waiting; then the answer is not needed.
                let _ = answer.send(work(memory));
            }
        };
        self.queue.0.push(source, Box::new(job))?;
        match tokio::time::timeout(DEADLINE, answered).await {
            Ok(answer) => answer.unwrap_or(Err(PasswordError::Failed)),
            Err(_) => Err(PasswordError::Deadline),
        }
    }
}

/// The loop of each thread.
fn serve(jobs: &Queue, idle: Duration) {
    lower_priority();
    while let Some(first) = jobs.pop(None) {
        let mut memory = Memory::new();
        let mut next = Some(first);
        while let Some(job) = next {
            if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
                tracing::error!("hashing a password panicked");
                memory = Memory::new();
            }
            next = jobs.pop(Some(idle));
        }
    }
}

/// Gives priority to the threads that serve requests. Linux has a niceness per thread; elsewhere it applies to the
/// whole process, so nothing is done there.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "hashing runs at normal priority");
    }
}

/// Hashes a password without normalizing it.
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

/// Tries the normalized form, and then the forms that older hashes may have.
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
