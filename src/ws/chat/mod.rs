//! The chat: conversations of shoppers with the assistant, over sockets.
//!
//! A `ChatSession` is an actor for each conversation that somebody speaks in.
//! It takes messages one after the other, keeps each line before it is acknowledged, and runs the
//! assistant on threads of its own, with a deadline. What a turn tells goes to a room: the sockets
//! that the conversation has now, whichever they were when the turn began.
//!
//! An assistant that fails, panics or stalls ends its turn in a polite reply; a session that dies
//! ends its turns in an `error`, and a fresh one goes on from the store.
//!
//! **Invariant:** a message that was taken ends in exactly one `message` or `error`, which comes last,
//! and what was acknowledged is stored.

mod audience;
mod budget;
pub mod calls;
mod gate;
mod namespace;
mod rooms;
mod session;
mod sweeper;
mod turn;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use tokio::sync::Notify;

pub use self::{
    budget::StoredBudget,
    gate::{Doors, Gate},
    namespace::ChatNamespace,
    sweeper::Expiry,
};
use self::{
    calls::{ChatRefusal, DeleteConversation, GetConversation, GetConversations},
    rooms::Rooms,
    session::{ChatSession, Forget, Say},
};
use super::{agent::Assistant, socket::Room};
use crate::{
    domain::ids::{ConversationId, UserId},
    runtime::calls::{CallError, Handles, Outcome, Registry},
    runtime::{AskError, Keyed, KeyedLimits, Limits, Runtime},
    store::{ConversationStore, StoreError},
};

/// Threads that assistants run on.
const THREADS: usize = 2;

/// Times and bounds of the chat.
#[derive(Debug, Clone, Copy)]
pub struct ChatSettings {
    /// How long the assistant may take for one reply.
    pub answer_within: Duration,
    /// Messages of one conversation that wait for an earlier one's reply.
    pub waiting: usize,
    /// How long a conversation is kept in which nothing is said.
    pub keep: SignedDuration,
    /// Conversations that are kept of a user.
    pub per_user: u32,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            answer_within: Duration::from_secs(27),
            waiting: 8,
            keep: SignedDuration::from_hours(30 * 24),
            per_user: 100,
        }
    }
}

/// A user's conversation, as its sockets and its session know it.
pub(super) type Key = (UserId, ConversationId);

/// What sessions share.
pub(super) struct Shared {
    store: ConversationStore,
    assistant: Arc<dyn Assistant>,
    settings: ChatSettings,
    /// `None` once it is being dropped.
    threads: Option<tokio::runtime::Runtime>,
    running: AtomicUsize,
    ending: AtomicBool,
    turn_ended: Notify,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A runtime must not be waited for where others are being driven.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// The chat service.
#[derive(Clone)]
pub struct Chats {
    shared: Arc<Shared>,
    rooms: Arc<Rooms>,
    /// The sockets of pages, which are shown what the user's other pages said.
    pages: Arc<Rooms>,
    sessions: Keyed<Key, ChatSession>,
}

impl Chats {
    /// Makes the registry of sessions.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        runtime: &Runtime,
        store: ConversationStore,
        assistant: Arc<dyn Assistant>,
        settings: ChatSettings,
    ) -> std::io::Result<Self> {
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("assistant")
            .enable_all()
            .build()?;
        let shared = Arc::new(Shared {
            store,
            assistant,
            settings,
            threads: Some(threads),
            running: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            turn_ended: Notify::new(),
        });
        // A session must not be put to sleep while it works off what waits.
        let turns = u32::try_from(settings.waiting).unwrap_or(u32::MAX).saturating_add(3);
        let limits = KeyedLimits {
            all: Limits::default(),
            per_key: turns.saturating_mul(4),
            idle: settings.answer_within.saturating_mul(turns),
            ..KeyedLimits::default()
        };
        let of_sessions = Arc::clone(&shared);
        let sessions =
            runtime.keyed("chat_session", limits, move |key| ChatSession::new(*key, Arc::clone(&of_sessions)));
        Ok(Self { shared, rooms: Arc::default(), pages: Arc::default(), sessions })
    }

    /// Which conversation a user's socket is in: the one it wishes, else her newest, else a new one.
    async fn choose(&self, user: UserId, wish: Wish) -> Result<ConversationId, CallError<ChatRefusal>> {
        let known = match wish {
            Wish::New => None,
            Wish::Newest => self.shared.store.newest(user).await?,
            Wish::This(id) => match self.shared.store.owner_of(id).await? {
                Some(owner) if owner != user => return Err(ChatRefusal::NotYours.into()),
                // One that is over, or in which nothing was ever said.
                None => None,
                Some(_) => Some(id),
            },
        };
        Ok(known.unwrap_or_else(|| match wish {
            // The first one of a user has her own id, so that her sockets meet in it, on whichever
            // node, before anything is said.
            Wish::Newest => ConversationId::from_bytes(user.bytes()),
            Wish::New | Wish::This(_) => ConversationId::generate(),
        }))
    }

    /// The sockets of a conversation.
    fn room(&self, key: Key) -> Arc<Room> {
        self.rooms.of(key)
    }

    /// The sockets of a conversation that are told what is said on others of it.
    fn pages(&self, key: Key) -> Arc<Room> {
        self.pages.of(key)
    }

    async fn say(&self, key: Key, say: Say) -> Result<(), AskError<session::NotTaken>> {
        if self.shared.ending.load(Ordering::SeqCst) {
            return Err(AskError::Restarting);
        }
        self.sessions.ask(&key, say).await
    }

    /// Registers the calls.
    pub fn register(&self, registry: &mut Registry) {
        let chats = Arc::new(self.clone());
        registry.serve::<GetConversations>(&chats).serve::<GetConversation>(&chats).serve::<DeleteConversation>(&chats);
    }

    /// Takes no more messages, and waits until what is being answered is answered, or the deadline.
    pub async fn drain(&self, within: Duration) {
        self.shared.ending.store(true, Ordering::SeqCst);
        let idle = async {
            loop {
                let ended = self.shared.turn_ended.notified();
                tokio::pin!(ended);
                // Enrolled before the count is read, so that no end is missed.
                ended.as_mut().enable();
                if self.shared.running.load(Ordering::SeqCst) == 0 {
                    return;
                }
                ended.await;
            }
        };
        let _late = tokio::time::timeout(within, idle).await;
    }
}

/// Which conversation a socket wishes to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// A new one.
    New,
    /// Her newest, or a new one.
    Newest,
    /// This one.
    This(ConversationId),
}

impl Handles<GetConversations> for Chats {
    async fn handle(&self, GetConversations { user, skip, limit }: GetConversations) -> Outcome<GetConversations> {
        Ok(self.shared.store.of_user(user, skip, limit).await?)
    }
}

impl Handles<GetConversation> for Chats {
    async fn handle(&self, GetConversation { user, conversation }: GetConversation) -> Outcome<GetConversation> {
        let found = self.shared.store.get(conversation).await?.ok_or(ChatRefusal::NotFound)?;
        if found.user == user { Ok(found) } else { Err(ChatRefusal::NotYours.into()) }
    }
}

impl Handles<DeleteConversation> for Chats {
    async fn handle(
        &self,
        DeleteConversation { user, conversation: id }: DeleteConversation,
    ) -> Outcome<DeleteConversation> {
        if !self.shared.store.delete(user, id).await? {
            return match self.shared.store.owner_of(id).await? {
                Some(owner) if owner != user => Err(ChatRefusal::NotYours.into()),
                _ => Err(ChatRefusal::NotFound.into()),
            };
        }
        // A session that cannot be asked keeps nothing of a conversation that is not stored.
        let _forgotten: Result<(), AskError<StoreError>> = self.sessions.ask(&(user, id), Forget).await;
        Ok(())
    }
}
