//! A shopper's conversation with the assistant.
//!
//! **Invariant:** a conversation is bounded: its lines, each line and what it knows of.

use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    ids::{ConversationId, ProductId, UserId},
};

/// The most lines that are kept; the oldest go first.
pub const LINES_MAX: usize = 200;
/// The most characters of one line.
pub const LINE_MAX: usize = 8_000;
/// The most products that a conversation remembers having shown.
pub const KNOWN_MAX: usize = 200;

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Speaker {
    /// The shopper.
    User,
    /// The assistant.
    Assistant,
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// By whom.
    pub by: Speaker,
    /// What.
    pub text: String,
    /// The products that it was shown with, in their order on the screen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<ProductId>,
    /// When.
    pub at: Timestamp,
}

/// What tools have told the assistant in a conversation.
///
/// **Invariant:** an id gets in here by a tool's answer alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Known {
    /// Every product that a tool returned, the latest last.
    products: Vec<ProductId>,
    /// The products of the latest list, in its order: what "the second one" means.
    pub listed: Vec<ProductId>,
    /// The product that was spoken of last: what "it" means.
    pub current: Option<ProductId>,
}

impl Known {
    /// Remembers that a tool returned these.
    pub fn note(&mut self, products: &[ProductId]) {
        self.products.retain(|known| !products.contains(known));
        self.products.extend_from_slice(products);
        let surplus = self.products.len().saturating_sub(KNOWN_MAX);
        self.products.drain(..surplus);
    }

    /// Whether a tool returned this one.
    #[must_use]
    pub fn has(&self, product: ProductId) -> bool {
        self.products.contains(&product)
    }
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: ConversationId,
    /// Whose.
    pub user: UserId,
    /// What was said, the oldest first.
    pub lines: Vec<Line>,
    /// What tools have told in it.
    pub known: Known,
    /// When it began.
    pub created_at: Timestamp,
    /// When something was last said.
    pub updated_at: Timestamp,
    /// Counts writes.
    pub version: u64,
}

impl Conversation {
    /// One in which nothing was said yet.
    #[must_use]
    pub fn new(id: ConversationId, user: UserId, now: Timestamp) -> Self {
        Self { id, user, lines: vec![], known: Known::default(), created_at: now, updated_at: now, version: 0 }
    }

    /// Adds a line, cut to what a line may have; the oldest make room.
    pub fn say(&mut self, mut line: Line) {
        if let Some((end, _)) = line.text.char_indices().nth(LINE_MAX) {
            line.text.truncate(end);
        }
        self.updated_at = line.at;
        self.lines.push(line);
        let surplus = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..surplus);
    }
}
