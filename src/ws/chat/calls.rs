//! The calls for conversations that do not use a socket.

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

/// Why a call for a conversation is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ChatRefusal {
    #[error("there is no such conversation")]
    NotFound,
    /// The conversation belongs to another user.
    #[error("this conversation is not yours")]
    NotYours,
}

impl Refusal for ChatRefusal {}

/// Lists a user's conversations, the one with the latest message first.
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

/// Returns one conversation of a user.
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

/// Deletes a conversation of a user and cancels the turn that is in progress in it.
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
