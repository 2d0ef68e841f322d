//! A conversation in the small shop.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value as Json;

use super::TestShop;
use crate::{
    domain::{
        Timestamp,
        conversation::{KnownProducts, Line, Speaker},
        ids::UserId,
        user::Role,
    },
    ws::agent::{
        Assistant, ReplySink, RuleAssistant, Shopper, Turn, TurnEvent,
        tools::{ToolContext, ToolRefusal},
    },
};

/// Records the events of a turn.
#[derive(Default)]
pub(in crate::ws::agent) struct RecordedEvents(pub Mutex<Vec<TurnEvent>>);

impl ReplySink for RecordedEvents {
    fn send(&self, event: TurnEvent) {
        self.0.lock().push(event);
    }
}

/// A conversation of one user.
pub(in crate::ws::agent) struct TestChat {
    pub shop: Arc<TestShop>,
    pub shopper: Shopper,
    pub known: KnownProducts,
    pub history: Vec<Line>,
    pub events: RecordedEvents,
}

impl TestChat {
    pub(in crate::ws::agent) fn new(shop: &Arc<TestShop>) -> Self {
        let shopper = Shopper { id: UserId::generate(), role: Role::User };
        Self {
            shop: Arc::clone(shop),
            shopper,
            known: KnownProducts::default(),
            history: vec![],
            events: RecordedEvents::default(),
        }
    }

    /// Calls a tool.
    pub(in crate::ws::agent) async fn call(&mut self, tool: &str, arguments: Json) -> Result<Json, ToolRefusal> {
        let context = ToolContext { shopper: self.shopper, known: &mut self.known, sink: &self.events };
        self.shop.tools().call(tool, arguments, context).await
    }

    /// Sends a message and returns the reply of the rules.
    pub(in crate::ws::agent) async fn say(&mut self, text: &str) -> String {
        let assistant = RuleAssistant::new(self.shop.tools());
        self.events.0.lock().clear();
        let turn =
            Turn { shopper: self.shopper, text, history: &self.history, known: &mut self.known, sink: &self.events };
        let reply = assistant.answer(turn).await;
        let deltas: String = self
            .events
            .0
            .lock()
            .iter()
            .filter_map(|event| match event {
                TurnEvent::Delta(piece) => Some(piece.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(deltas, reply.text, "the deltas are the reply");
        let line = |by, text: &str, products| Line { by, text: text.to_owned(), products, at: Timestamp::UNIX_EPOCH };
        self.history.push(line(Speaker::User, text, vec![]));
        self.history.push(line(Speaker::Assistant, &reply.text, reply.products));
        reply.text
    }

    pub(in crate::ws::agent) fn cart(&self) -> Vec<(String, u32)> {
        self.shop.cart_of(self.shopper.id)
    }
}
