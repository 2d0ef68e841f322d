//! Connections, and what waits for clients that do not read.
//!
//! A client gets its next request worked on only after the one before ([`gate`]).
//!
//! **Invariant:** a client that takes less than [`LEAST`] in [`WITHIN`] of what is sent to it is let go. Large answers that
//! are being sent hold [`WAITING_MAX`] together; beyond that those are let go who hold much and have not read for long.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_rt::net::TcpStream;
use actix_web::http::header::HeaderMap;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use metrics::counter;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use self::gate::Gate;

mod gate;

/// How long a client may take less than [`LEAST`].
const WITHIN: Duration = Duration::from_secs(30);
/// Bytes: what the slowest line takes within that time.
const LEAST: usize = 8 * 1024;
/// What all large answers that are being sent may hold, in bytes.
const WAITING_MAX: usize = 48 * 1024 * 1024;

/// What is handed to the server before it works on it, in bytes.
const TURN: usize = 16 * 1024;
/// What a client may send ahead before it has to wait, in bytes.
const AHEAD_MAX: usize = 8 * 1024;

/// A connection that ends when its client does not read.
pub(super) struct Connection {
    io: TcpStream,
    reader: Arc<Reader>,
    /// What the client sent that is not handed to the server yet.
    ahead: BytesMut,
    /// What was handed to the server in this turn.
    turn: usize,
    /// Since the client did not take at once what was sent.
    slow: Option<Slow>,
}

struct Slow {
    taken: usize,
    until: Pin<Box<Sleep>>,
}

/// The client of a connection, who reads or does not.
#[derive(Default)]
pub(super) struct Reader {
    /// Since when nothing was taken.
    stalled: Mutex<Option<Instant>>,
    /// What is left of the answer that it is being sent, where that is large.
    answer: Mutex<Bytes>,
    /// How much is held for that, in bytes.
    held: AtomicUsize,
    let_go: AtomicBool,
    waker: AtomicWaker,
    gate: Mutex<Gate>,
    /// Of the server, which waits for the gate when the client has sent more.
    reads: AtomicWaker,
    is_ahead: AtomicBool,
}

impl Reader {
    /// The server has begun a request with these headers.
    pub(super) fn begin(&self, headers: &HeaderMap) {
        if self.gate.lock().begin(headers) && self.is_ahead.load(Ordering::Acquire) {
            self.reads.wake();
        }
    }

    /// The server has answered it, whether it has read its body or not.
    pub(super) fn end(&self) {
        self.gate.lock().end();
    }
}

/// All for whom something is held, and how much that is.
#[derive(Default)]
struct Waiting {
    readers: Mutex<HashMap<usize, Arc<Reader>>>,
    bytes: AtomicUsize,
}

static WAITING: LazyLock<Waiting> = LazyLock::new(Waiting::default);

impl Connection {
    pub(super) fn new(io: TcpStream) -> Self {
        Self { io, reader: Arc::default(), ahead: BytesMut::new(), turn: 0, slow: None }
    }

    pub(super) fn reader(&self) -> Arc<Reader> {
        Arc::clone(&self.reader)
    }

    /// Whether the client has had its time.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let slow = self.slow.get_or_insert_with(|| Slow { taken: 0, until: Box::pin(sleep(WITHIN)) });
        loop {
            ready!(slow.until.as_mut().poll(cx));
            if slow.taken < LEAST {
                return Poll::Ready(());
            }
            slow.taken = 0;
            slow.until.as_mut().reset(Instant::now() + WITHIN);
        }
    }
}

fn let_go() -> Poll<io::Result<usize>> {
    counter!("http_slow_readers_total").increment(1);
    Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.reader.let_go.load(Ordering::Acquire) {
            return let_go();
        }
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        match &written {
            Poll::Ready(Ok(written)) => {
                if let Some(slow) = &mut this.slow {
                    slow.taken += written;
                    *this.reader.stalled.lock() = None;
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                this.reader.waker.register(cx.waker());
                this.reader.stalled.lock().get_or_insert_with(Instant::now);
                if this.poll_deadline(cx).is_ready() || this.reader.let_go.load(Ordering::Acquire) {
                    return let_go();
                }
            }
        }
        written
    }

    /// Called once everything is written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.slow = None;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.reader.reads.register(cx.waker());
        // The server reads on until there is nothing more, and would hold all of it before anything is worked on.
        if this.turn >= TURN {
            this.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut gate = this.reader.gate.lock();
        while matches!(*gate, Gate::Discard(_)) {
            let discarded = gate.discard(this.ahead.len());
            this.ahead.advance(discarded);
            this.turn += discarded;
            if this.ahead.is_empty() && matches!(*gate, Gate::Discard(_)) {
                if this.turn >= TURN {
                    this.turn = 0;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let mut bytes = [0; 4096];
                let mut more = ReadBuf::new(&mut bytes);
                ready!(Pin::new(&mut this.io).poll_read(cx, &mut more))?;
                if more.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                this.ahead.extend_from_slice(more.filled());
            }
        }
        if this.ahead.is_empty() && *gate != Gate::Closed {
            let before = buffer.filled().len();
            let read = Pin::new(&mut this.io).poll_read(cx, buffer);
            if read.is_pending() {
                this.turn = 0;
            }
            ready!(read)?;
            let new = buffer.filled().get(before..).unwrap_or_default();
            let passed = gate.pass(new);
            this.ahead.extend_from_slice(new.get(passed..).unwrap_or_default());
            buffer.set_filled(before + passed);
            this.turn += passed;
            return Poll::Ready(Ok(()));
        }
        let room = this.ahead.get(..this.ahead.len().min(buffer.remaining())).unwrap_or_default();
        let passed = gate.pass(room);
        if passed > 0 {
            buffer.put_slice(&this.ahead.split_to(passed));
            return Poll::Ready(Ok(()));
        }
        drop(gate);
        this.turn = 0;
        this.reader.is_ahead.store(!this.ahead.is_empty(), Ordering::Release);
        // A client that goes is noticed also while it waits for its answer.
        let mut bytes = [0; 1024];
        while this.ahead.len() < AHEAD_MAX {
            let mut more = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut more))?;
            if more.filled().is_empty() {
                // What it asked for before is answered first.
                return if this.ahead.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            this.ahead.extend_from_slice(more.filled());
            this.reader.is_ahead.store(true, Ordering::Release);
        }
        Poll::Pending
    }
}

impl Waiting {
    /// Lets those go who hold much and have not read for long, until there is room again.
    fn make_room(&self) {
        let readers = self.readers.lock();
        let cost = |reader: &Reader| {
            let stalled = reader.stalled.lock().as_ref().map(Instant::elapsed)?.as_millis();
            // An ordinary answer that is read slowly stays where large ones are not read at all.
            let kilobytes = u128::try_from(reader.held.load(Ordering::Relaxed) / 1024).unwrap_or(u128::MAX);
            Some(kilobytes.saturating_mul(kilobytes).saturating_mul(stalled))
        };
        let mut stalled: Vec<_> = readers.values().filter_map(|reader| Some((cost(reader)?, reader))).collect();
        stalled.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        for (_, reader) in stalled {
            // More than is needed, so that this is not done for each answer.
            if self.bytes.load(Ordering::Relaxed) <= WAITING_MAX / 4 * 3 {
                break;
            }
            self.bytes.fetch_sub(reader.held.swap(0, Ordering::Relaxed), Ordering::Relaxed);
            // Not when its connection has its turn: many answers may be made before that.
            drop(std::mem::take(&mut *reader.answer.lock()));
            reader.let_go.store(true, Ordering::Release);
            reader.waker.wake();
        }
    }
}

/// A large answer that a client is being sent.
pub(super) struct Held {
    reader: Arc<Reader>,
    bytes: usize,
}

impl Held {
    pub(super) fn new(reader: Arc<Reader>, answer: Bytes) -> Self {
        let bytes = answer.len();
        *reader.answer.lock() = answer;
        reader.held.fetch_add(bytes, Ordering::Relaxed);
        WAITING.readers.lock().insert(Arc::as_ptr(&reader).addr(), Arc::clone(&reader));
        if WAITING.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > WAITING_MAX {
            WAITING.make_room();
        }
        Self { reader, bytes }
    }

    /// How much is left.
    pub(super) fn len(&self) -> usize {
        self.reader.answer.lock().len()
    }

    /// The next piece, of at most so many bytes; nothing once all is sent, and when the client was let go.
    pub(super) fn next(&self, most: usize) -> Option<Bytes> {
        let mut answer = self.reader.answer.lock();
        let length = answer.len().min(most);
        (length > 0).then(|| answer.split_to(length))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(std::mem::take(&mut *self.reader.answer.lock()));
        let mut left = 0;
        // Nothing is left to give back when the client was let go.
        let _held = self.reader.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            left = self.bytes.min(held);
            Some(held - left)
        });
        WAITING.bytes.fetch_sub(left, Ordering::Relaxed);
        // A connection sends one answer at a time.
        WAITING.readers.lock().remove(&Arc::as_ptr(&self.reader).addr());
    }
}
