//! A conversation with the assistant, as the user who has it sees it.

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
    /// Id; `auth.conversationId` of a socket that is to go on with it.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439019")]
    pub id: ConversationId,
    /// What the user said first, cut.
    #[schema(example = "a desk lamp under 2000")]
    pub title: String,
    /// What was said last, cut.
    #[schema(example = "These three lamps cost less than ₹2,000.")]
    pub last_message: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
    /// When something was last said.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub updated_at: Timestamp,
}

impl From<Summary> for ConversationView {
    fn from(summary: Summary) -> Self {
        let Summary { id, title, last_message, created_at, updated_at } = summary;
        Self { id, title, last_message, created_at, updated_at }
    }
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationMessageView {
    /// `user` or `assistant`.
    #[schema(value_type = String, example = "assistant")]
    pub role: Speaker,
    /// What.
    #[schema(example = "These three lamps cost less than ₹2,000.")]
    pub text: String,
    /// Ids of the products that it was shown with, in their order on the screen.
    #[schema(value_type = Vec<String>, example = json!(["665f1f77bcf86cd799439012"]))]
    pub products: Vec<ProductId>,
    /// When.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub at: Timestamp,
}

impl From<Line> for ConversationMessageView {
    fn from(line: Line) -> Self {
        Self { role: line.by, text: line.text, products: line.products, at: line.at }
    }
}

/// A conversation with what was said in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WholeConversationView {
    /// What a list shows of it.
    #[serde(flatten)]
    pub conversation: ConversationView,
    /// What was said, the oldest first.
    pub messages: Vec<ConversationMessageView>,
}

impl From<Conversation> for WholeConversationView {
    fn from(talk: Conversation) -> Self {
        let conversation = talk.summary().into();
        let messages = talk.lines.into_iter().map(ConversationMessageView::from).collect();
        Self { conversation, messages }
    }
}
