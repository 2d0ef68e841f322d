//! An assistant that says what it heard.

use async_trait::async_trait;

use crate::ws::agent::{Assistant, Reply, Told, Turn};

/// Says what it heard.
pub struct Echo;

#[async_trait]
impl Assistant for Echo {
    async fn answer(&self, turn: Turn<'_>) -> Reply {
        let text = format!("You said: {}", turn.text);
        turn.audience.tell(Told::Status("Thinking…"));
        turn.audience.tell(Told::Delta(text.clone()));
        Reply { text, ..Reply::default() }
    }
}
