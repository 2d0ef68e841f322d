//! A shopper's conversation with the assistant.
//!
//! **Invariant:** a conversation is bounded: its lines, each line's length, and its known products.

use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    ids::{ConversationId, ProductId, UserId},
};

/// The most lines that are kept; the oldest are dropped first.
pub const LINES_MAX: usize = 200;
/// The most characters of one line.
pub const LINE_MAX: usize = 8_000;
/// The most products that a conversation remembers having shown.
pub const KNOWN_MAX: usize = 200;
/// The most characters of a title, and of the last message in a list.
const EXCERPT_MAX: usize = 80;

/// The speaker of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Speaker {
    /// The shopper.
    User,
    Assistant,
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The speaker.
    pub by: Speaker,
    /// What.
    pub text: String,
    /// The products that were shown with it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<ProductId>,
    pub at: Timestamp,
}

/// The products that tools have returned in a conversation.
///
/// **Invariant:** only a tool's result adds an id here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KnownProducts {
    /// Every product that a tool returned, the latest last.
    products: Vec<ProductId>,
    /// The products of the latest list, in its order: what "the second one" means.
    pub listed: Vec<ProductId>,
    /// The product that was mentioned last: what "it" means.
    pub current: Option<ProductId>,
}

impl KnownProducts {
    /// Records that a tool returned these products.
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    #[serde(rename = "_id")]
    pub id: ConversationId,
    pub user: UserId,
    /// What was said, the oldest first.
    pub lines: Vec<Line>,
    /// The products that tools have returned in it.
    pub known: KnownProducts,
    /// When it began.
    pub created_at: Timestamp,
    /// When something was last said.
    pub updated_at: Timestamp,
    /// Counts writes.
    pub version: u64,
}

impl Conversation {
    /// An empty conversation.
    #[must_use]
    pub fn new(id: ConversationId, user: UserId, now: Timestamp) -> Self {
        Self { id, user, lines: vec![], known: KnownProducts::default(), created_at: now, updated_at: now, version: 0 }
    }

    /// Adds a line, truncated to the limit; the oldest lines are dropped if there are too many.
    pub fn say(&mut self, mut line: Line) {
        if let Some((end, _)) = line.text.char_indices().nth(LINE_MAX) {
            line.text.truncate(end);
        }
        self.updated_at = line.at;
        self.lines.push(line);
        let surplus = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..surplus);
    }

    /// Adds the assistant's reply to the user's line of the time `to`: directly after it, before later lines.
    pub fn reply(&mut self, to: Timestamp, reply: Line) {
        let asked = self.lines.iter().rposition(|line| line.by == Speaker::User && line.at == to);
        self.say(reply);
        if let Some(place) = asked
            && let Some(reply) = self.lines.pop()
        {
            // The oldest lines may have been dropped.
            let place = (place + 1).min(self.lines.len());
            self.lines.insert(place, reply);
        }
    }

    /// The lines before the user's line of the time `to`.
    #[must_use]
    pub fn before(&self, to: Timestamp) -> &[Line] {
        let asked = self.lines.iter().rposition(|line| line.by == Speaker::User && line.at == to);
        &self.lines[..asked.unwrap_or(self.lines.len())]
    }

    /// What a list shows of it.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let text = |line: Option<&Line>| line.map(|line| excerpt(&line.text)).unwrap_or_default();
        Summary {
            id: self.id,
            title: text(self.lines.iter().find(|line| line.by == Speaker::User)),
            last_message: text(self.lines.last()),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// What a list shows of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub id: ConversationId,
    /// The user's first message, truncated.
    pub title: String,
    /// The last message, truncated.
    pub last_message: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When something was last said.
    pub updated_at: Timestamp,
}

/// The beginning of a text, on one line.
fn excerpt(text: &str) -> String {
    let mut words = String::new();
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if let Some((end, _)) = words.char_indices().nth(EXCERPT_MAX) {
            words.truncate(end);
            words.push('…');
            break;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_750_000_000 + second).unwrap()
    }

    fn line(by: Speaker, text: &str, second: i64) -> Line {
        Line { by, text: text.into(), products: vec![], at: at(second) }
    }

    fn conversation() -> Conversation {
        Conversation::new(ConversationId::generate(), UserId::generate(), at(0))
    }

    #[test]
    fn a_reply_stands_behind_its_question() {
        let mut talk = conversation();
        talk.say(line(Speaker::User, "one", 1));
        talk.say(line(Speaker::User, "two", 2));
        assert_eq!(talk.before(at(1)).len(), 0);
        talk.reply(at(1), line(Speaker::Assistant, "first", 3));
        let said: Vec<&str> = talk.before(at(2)).iter().map(|line| line.text.as_str()).collect();
        assert_eq!(said, ["one", "first"]);
        talk.reply(at(2), line(Speaker::Assistant, "second", 4));
        talk.reply(at(99), line(Speaker::Assistant, "to nothing", 5));
        let said: Vec<&str> = talk.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(said, ["one", "first", "two", "second", "to nothing"]);
    }

    #[test]
    fn it_stays_bounded() {
        let mut talk = conversation();
        for second in 0..500 {
            talk.say(line(Speaker::User, &"é".repeat(LINE_MAX + 1), second));
            talk.reply(at(second), line(Speaker::Assistant, "yes", second));
        }
        assert_eq!(talk.lines.len(), LINES_MAX);
        assert_eq!(talk.lines.last().unwrap().text, "yes");
        assert!(talk.lines.iter().all(|line| line.text.chars().count() <= LINE_MAX));
        let mut known = KnownProducts::default();
        let shown: Vec<ProductId> = (0..KNOWN_MAX + 5).map(|_| ProductId::generate()).collect();
        known.note(&shown);
        assert!(!known.has(shown[0]) && known.has(shown[KNOWN_MAX]));
    }

    #[test]
    fn a_list_shows_its_first_and_its_last_words() {
        let mut talk = conversation();
        assert_eq!(talk.summary().title, "");
        talk.say(line(Speaker::User, &format!("a\n  lamp {}", "x".repeat(200)), 1));
        talk.say(line(Speaker::Assistant, "Here.", 2));
        let summary = talk.summary();
        assert!(summary.title.starts_with("a lamp xx") && summary.title.chars().count() == EXCERPT_MAX + 1);
        assert_eq!((summary.last_message.as_str(), summary.updated_at), ("Here.", at(2)));
    }
}
