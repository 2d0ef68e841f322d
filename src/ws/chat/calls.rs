//! What users ask of their conversations past the socket.

use serde::{Deserialize, Serialize};

use crate::{
    config::Service,
    domain::{
        conversation::{Conversation, Summary},
        ids::{ConversationId, UserId},
    },
    runtime::calls::{Call, Never, Refusal},
    store::Page,
};

/// Why there is no conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ChatRefusal {
    /// There is no such conversation.
    #[error("there is no such conversation")]
    NotFound,
    /// It is somebody else's.
    #[error("this conversation is not yours")]
    NotYours,
}

impl Refusal for ChatRefusal {}

/// Reads a user's conversations, the one of the latest message first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetConversations {
    pub user: UserId,
    pub skip: u64,
    pub limit: u32,
}

impl Call for GetConversations {
    type Reply = Page<Summary>;
    type Error = Never;
    const SERVICE: Service = Service::AiBuddy;
}

/// Reads a conversation of a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetConversation {
    pub user: UserId,
    pub conversation: ConversationId,
}

impl Call for GetConversation {
    type Reply = Conversation;
    type Error = ChatRefusal;
    const SERVICE: Service = Service::AiBuddy;
}

/// Deletes a conversation of a user; what is being answered in it ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteConversation {
    pub user: UserId,
    pub conversation: ConversationId,
}

impl Call for DeleteConversation {
    type Reply = ();
    type Error = ChatRefusal;
    const SERVICE: Service = Service::AiBuddy;
    const REPEATABLE: bool = false;
}
