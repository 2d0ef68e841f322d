//! A conversation with the assistant, as its user sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{
    Timestamp,
    conversation::{Conversation, Line, Speaker, Summary},
    ids::{ConversationId, ProductId},
};

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationView {
    /// The id; a socket sends it as `auth.conversationId` to continue the conversation.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439019")]
    pub id: ConversationId,
    /// The user's first message, shortened.
    #[schema(example = "a desk lamp under 2000")]
    pub title: String,
    /// The last message, shortened.
    #[schema(example = "These three lamps cost less than ₹2,000.")]
    pub last_message: String,
    /// When it was started.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
    /// When the last message was sent.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub updated_at: Timestamp,
}

impl From<Summary> for ConversationView {
    fn from(summary: Summary) -> Self {
        let Summary { id, title, last_message, created_at, updated_at } = summary;
        Self { id, title, last_message, created_at, updated_at }
    }
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationMessageView {
    /// `user` or `assistant`.
    #[schema(value_type = String, example = "assistant")]
    pub role: Speaker,
    /// The text.
    #[schema(example = "These three lamps cost less than ₹2,000.")]
    pub text: String,
    /// Ids of the products shown with the message, in their order on the screen.
    #[schema(value_type = Vec<String>, example = json!(["665f1f77bcf86cd799439012"]))]
    pub products: Vec<ProductId>,
    /// When it was sent.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub at: Timestamp,
}

impl From<Line> for ConversationMessageView {
    fn from(line: Line) -> Self {
        Self { role: line.by, text: line.text, products: line.products, at: line.at }
    }
}

/// A conversation with its messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WholeConversationView {
    /// The conversation as in a list.
    #[serde(flatten)]
    pub conversation: ConversationView,
    /// The messages, oldest first.
    pub messages: Vec<ConversationMessageView>,
}

impl From<Conversation> for WholeConversationView {
    fn from(talk: Conversation) -> Self {
        let conversation = talk.summary().into();
        let messages = talk.lines.into_iter().map(ConversationMessageView::from).collect();
        Self { conversation, messages }
    }
}
