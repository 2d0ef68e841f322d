//! The chat: conversations between users and the assistant, over sockets.
//!
//! Each conversation with a recent message has a `ChatSession` actor. It handles messages one at a time, stores each
//! message before it acknowledges it, and runs the assistant with a deadline on separate threads. The events of a turn
//! go to a room: the sockets that the conversation has when the event is sent, not those that it had when the turn
//! began.
//!
//! If the assistant fails, panics or stalls, the turn ends with an apology as its reply. If a session dies, its turns
//! end with an `error`, and a new session continues from the store.
//!
//! **Invariant:** an accepted message ends in exactly one `message` or `error`, which is the last event of its turn,
//! and an acknowledged message is stored.

mod budget;
pub mod calls;
mod namespace;
mod room_sink;
mod rooms;
mod session;
mod socket_auth;
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
    namespace::ChatNamespace,
    socket_auth::{Registrations, SocketAuth},
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

/// Number of threads for assistants.
const THREADS: usize = 2;

/// Time limits and bounds of the chat.
#[derive(Debug, Clone, Copy)]
pub struct ChatSettings {
    /// Time limit for one reply of the assistant.
    pub answer_within: Duration,
    /// How many messages of one conversation may wait for a reply.
    pub waiting: usize,
    /// How long a conversation is kept after its last message.
    pub keep: SignedDuration,
    /// How many conversations are kept per user.
    pub per_user: u32,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            answer_within: Duration::from_secs(27),
            // One message of each of a user's sockets, and some more.
            waiting: 32,
            keep: SignedDuration::from_hours(30 * 24),
            per_user: 100,
        }
    }
}

/// Identifies a conversation together with its user.
pub(super) type Key = (UserId, ConversationId);

/// The state that all sessions share.
pub(super) struct ChatState {
    store: ConversationStore,
    assistant: Arc<dyn Assistant>,
    settings: ChatSettings,
    /// `None` only while it is being dropped.
    threads: Option<tokio::runtime::Runtime>,
    running: AtomicUsize,
    ending: AtomicBool,
    turn_ended: Notify,
}

impl Drop for ChatState {
    fn drop(&mut self) {
        // A Tokio runtime must not be dropped with a blocking wait inside another runtime.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

#[derive(Clone)]
pub struct Chats {
    state: Arc<ChatState>,
    rooms: Arc<Rooms>,
    /// The sockets of web pages, which also receive the messages that the user sends from other pages.
    pages: Arc<Rooms>,
    sessions: Keyed<Key, ChatSession>,
}

impl Chats {
    /// Starts the assistant threads and creates the registry of sessions.
    ///
    /// # Errors
    /// When a thread cannot be started.
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
        let state = Arc::new(ChatState {
            store,
            assistant,
            settings,
            threads: Some(threads),
            running: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            turn_ended: Notify::new(),
        });
        // A session must not be stopped as idle while messages wait in it.
        let turns = u32::try_from(settings.waiting).unwrap_or(u32::MAX).saturating_add(3);
        let limits = KeyedLimits {
            all: Limits::default(),
            per_key: turns.saturating_mul(4),
            idle: settings.answer_within.saturating_mul(turns),
            ..KeyedLimits::default()
        };
        let session_state = Arc::clone(&state);
        let sessions =
            runtime.keyed("chat_session", limits, move |key| ChatSession::new(*key, Arc::clone(&session_state)));
        Ok(Self { state, rooms: Arc::default(), pages: Arc::default(), sessions })
    }

    /// Chooses the conversation of a user's socket: the requested one, else the newest one, else a new one.
    async fn choose(
        &self,
        user: UserId,
        conversation_choice: ConversationChoice,
    ) -> Result<ConversationId, CallError<ChatRefusal>> {
        let known = match conversation_choice {
            ConversationChoice::New => None,
            ConversationChoice::Newest => self.state.store.newest(user).await?,
            ConversationChoice::This(id) => match self.state.store.owner_of(id).await? {
                Some(owner) if owner != user => return Err(ChatRefusal::NotYours.into()),
                // It expired, or it never had a message.
                None => None,
                Some(_) => Some(id),
            },
        };
        Ok(known.unwrap_or_else(|| match conversation_choice {
            // A user's first conversation has the user's id, so that all of the user's sockets join the same one, on
            // every node, before the first message.
            ConversationChoice::Newest => ConversationId::from_bytes(user.bytes()),
            ConversationChoice::New | ConversationChoice::This(_) => ConversationId::generate(),
        }))
    }

    /// The sockets of a conversation.
    fn room(&self, key: Key) -> Arc<Room> {
        self.rooms.of(key)
    }

    /// The sockets of a conversation that also receive the user's messages from other sockets.
    fn pages(&self, key: Key) -> Arc<Room> {
        self.pages.of(key)
    }

    async fn say(&self, key: Key, say: Say) -> Result<(), AskError<session::NotAccepted>> {
        if self.state.ending.load(Ordering::SeqCst) {
            return Err(AskError::Restarting);
        }
        self.sessions.ask(&key, say).await
    }

    /// Registers the handlers of the calls.
    pub fn register(&self, registry: &mut Registry) {
        let chats = Arc::new(self.clone());
        registry.serve::<GetConversations>(&chats).serve::<GetConversation>(&chats).serve::<DeleteConversation>(&chats);
    }

    /// Accepts no more messages and waits until the turns in progress end, or for `within`.
    pub async fn drain(&self, within: Duration) {
        self.state.ending.store(true, Ordering::SeqCst);
        let idle = async {
            loop {
                let ended = self.state.turn_ended.notified();
                tokio::pin!(ended);
                // Registered before the count is read, so that no notification is missed.
                ended.as_mut().enable();
                if self.state.running.load(Ordering::SeqCst) == 0 {
                    return;
                }
                ended.await;
            }
        };
        let _late = tokio::time::timeout(within, idle).await;
    }
}

/// Which conversation a socket asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConversationChoice {
    New,
    /// The user's newest one, or a new one.
    Newest,
    This(ConversationId),
}

impl Handles<GetConversations> for Chats {
    async fn handle(&self, GetConversations { user, skip, limit }: GetConversations) -> Outcome<GetConversations> {
        Ok(self.state.store.of_user(user, skip, limit).await?)
    }
}

impl Handles<GetConversation> for Chats {
    async fn handle(&self, GetConversation { user, conversation }: GetConversation) -> Outcome<GetConversation> {
        let found = self.state.store.get(conversation).await?.ok_or(ChatRefusal::NotFound)?;
        if found.user == user { Ok(found) } else { Err(ChatRefusal::NotYours.into()) }
    }
}

impl Handles<DeleteConversation> for Chats {
    async fn handle(
        &self,
        DeleteConversation { user, conversation: id }: DeleteConversation,
    ) -> Outcome<DeleteConversation> {
        if !self.state.store.delete(user, id).await? {
            return match self.state.store.owner_of(id).await? {
                Some(owner) if owner != user => Err(ChatRefusal::NotYours.into()),
                _ => Err(ChatRefusal::NotFound.into()),
            };
        }
        // If the session does not answer, no cleanup is needed: it keeps nothing of a conversation that is not stored.
        let _forgotten: Result<(), AskError<StoreError>> = self.sessions.ask(&(user, id), Forget).await;
        Ok(())
    }
}
