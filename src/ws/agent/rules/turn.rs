//! One turn: carries out a message with the tools.

use serde_json::{Value as Json, json};

use super::{
    intent::{self, Intent},
    speech::{self, RuleReply},
    tool_results::{self, ToolProduct},
    topics::{self, Topic},
};
use crate::{
    domain::conversation::{KnownProducts, Line},
    ws::agent::{
        ReplySink, Shopper, Toolbox, Turn, TurnEvent,
        instruction::{self, Mood},
        tools::{ToolContext, ToolRefusal},
    },
};

/// The maximum number of tool calls per turn.
const CALLS_MAX: u32 = 16;
/// The maximum number of instructions per message.
const ACTS_MAX: usize = 4;

/// The state of a turn.
pub(super) struct RuleTurn<'a> {
    pub(super) tools: &'a Toolbox,
    shopper: Shopper,
    pub(super) text: &'a str,
    pub(super) history: &'a [Line],
    pub(super) known: &'a mut KnownProducts,
    sink: &'a dyn ReplySink,
    /// The number of tool calls so far.
    pub(super) calls: u32,
    /// Selects one of several wordings.
    pub(super) seed: usize,
}

/// Forwards only the products that are shown.
struct ProductSink<'a>(&'a dyn ReplySink);

impl ReplySink for ProductSink<'_> {
    fn send(&self, event: TurnEvent) {
        if matches!(event, TurnEvent::Products(_)) {
            self.0.send(event);
        }
    }
}

/// The result of a step.
pub(super) type Done<T> = Result<T, ToolRefusal>;

impl<'a> RuleTurn<'a> {
    pub(super) fn new(tools: &'a Toolbox, turn: Turn<'a>) -> Self {
        let Turn { shopper, text, history, known, sink } = turn;
        let seed = history.len() / 2 + text.len();
        Self { tools, shopper, text, history, known, sink, calls: 0, seed }
    }

    pub(super) async fn answer(&mut self) -> RuleReply {
        self.respond().await.unwrap_or_else(|refusal| RuleReply::of(refusal.message))
    }

    async fn respond(&mut self) -> Done<RuleReply> {
        let reading = instruction::judge(self.text);
        if let Some(reply) = self.follow_up(&reading).await? {
            return Ok(reply);
        }
        let intent = intent::read(self.text);
        if reading.mood == Mood::Instruction {
            return self.follow_instructions(&reading.instructions, intent).await;
        }
        if let Some(topic) = topics::asked(self.text).filter(|_| topics::may_answer(&intent)) {
            return self.about(topic).await;
        }
        if intent.acts() {
            return self.without_instruction(reading.mood, intent).await;
        }
        let said_yes = reading.mood == Mood::Yes && matches!(intent, Intent::Unclear | Intent::Find(_));
        self.perform(if said_yes { Intent::Yes } else { intent }).await
    }

    /// Carries out the instructions of a message one after the other, until one of them needs an answer.
    async fn follow_instructions(&mut self, instructions: &[String], whole: Intent) -> Done<RuleReply> {
        let acts: Vec<Intent> = instructions.iter().map(|text| intent::read(text)).filter(Intent::acts).collect();
        if acts.is_empty() {
            // The instruction asks to show or find something.
            return if whole.acts() {
                self.without_instruction(Mood::Other, whole).await
            } else {
                self.perform(whole).await
            };
        }
        let mut done = RuleReply::default();
        for intent in acts.into_iter().take(ACTS_MAX) {
            let RuleReply { text, products } = self.perform(intent).await?;
            let is_question = text.contains(speech::WHICH) || text.trim_end().ends_with('?');
            done.text = if done.text.is_empty() { text } else { format!("{}\n{text}", done.text) };
            done.products.extend(products);
            if is_question {
                return Ok(done);
            }
        }
        if let Some(topic) = topics::asked(self.text) {
            let answer = self.about(topic).await?;
            done.text = format!("{}\n{}", done.text, answer.text);
        }
        Ok(done)
    }

    /// Carries out an intent.
    pub(super) async fn perform(&mut self, intent: Intent) -> Done<RuleReply> {
        match intent {
            Intent::Find(wanted) => self.find(self.carried_on(wanted)).await,
            Intent::Add(items) => self.add(items).await,
            Intent::Change(reference, quantity) => self.change(&reference, quantity).await,
            Intent::Remove(items) => self.remove(items).await,
            Intent::ClearCart => self.ask_before_clearing().await,
            Intent::ShowCart => self.show_cart().await,
            Intent::Checkout => self.checkout().await,
            Intent::OrderStatus(id) => self.order_status(id).await,
            Intent::ListOrders(status) => self.list_orders(status).await,
            Intent::Compare(references) => self.compare(&references).await,
            Intent::Details(reference) => self.details(&reference).await,
            Intent::Recommend(reference) => self.recommend(&reference).await,
            Intent::Categories => self.categories().await,
            Intent::AboutOrders => Ok(RuleReply::of(
                "I cannot cancel, return or refund orders from here. Open the order under /orders: you can cancel it there \
                 until it is shipped, and its money comes back by itself.",
            )),
            Intent::AboutShop => self.about(topics::asked(self.text).unwrap_or(Topic::Else)).await,
            Intent::More => Ok(RuleReply::of(
                "Those were the best matches that I have. Another word or a price limit will show you others.",
            )),
            small_talk => Ok(RuleReply::of(self.small_talk(&small_talk))),
        }
    }

    fn small_talk(&self, intent: &Intent) -> &'static str {
        let wordings: &[&str] = match intent {
            Intent::Hello => &[
                "Hello! What are you looking for? You can say “show me lamps under 2000”, for example.",
                "Hi there! Tell me what you need and roughly what it may cost, and I will look through the shop.",
                "Hello, nice to see you. What can I find for you today?",
            ],
            Intent::Thanks => &[
                "You are welcome! Is there anything else you need?",
                "My pleasure. Just ask if something else comes to mind.",
                "Any time!",
            ],
            Intent::Bye => &["Goodbye! Your cart stays as it is until you come back.", "See you soon!", "Take care!"],
            Intent::WhoAreYou => &[
                "I am the shop's assistant, a program. I find products, compare them, keep your cart and look after your \
                 orders – and I never order or pay anything myself.",
            ],
            Intent::Yes => &[
                "Happy to. What shall I do: find something, or put something in your cart?",
                "Sure – tell me which product you mean, or what you are looking for.",
            ],
            Intent::No => &["All right, nothing was changed.", "No problem, I left everything as it was."],
            Intent::Help => &[HELP],
            _ => &[
                "I am not sure what you mean. Tell me what you are looking for, such as “a kettle under 2000”, or say “help”.",
                "Sorry, I did not get that. You can search (“gifts under 500”), add (“the second one”), or ask “where is my \
                 order?”.",
            ],
        };
        speech::one_of(self.seed, wordings)
    }

    /// Calls a tool and sends its events to the user.
    pub(super) async fn call(&mut self, tool: &str, arguments: Json) -> Done<Json> {
        let sink = self.sink;
        self.run(tool, arguments, sink).await
    }

    /// Calls a tool whose answer is not shown as it is.
    pub(super) async fn call_quietly(&mut self, tool: &str, arguments: Json) -> Done<Json> {
        let (listed, current) = (self.known.listed.clone(), self.known.current);
        let answer = self.run(tool, arguments, &()).await;
        (self.known.listed, self.known.current) = (listed, current);
        answer
    }

    async fn run(&mut self, tool: &str, arguments: Json, sink: &dyn ReplySink) -> Done<Json> {
        if self.calls >= CALLS_MAX {
            let message = "That is more than I can do at once. Please ask for one thing after the other.".to_owned();
            return Err(ToolRefusal { code: "turn.too_long", message });
        }
        self.calls += 1;
        let context = ToolContext { shopper: self.shopper, known: &mut *self.known, sink };
        self.tools.call(tool, arguments, context).await
    }

    /// Shows these products as the latest list.
    pub(super) async fn show_products(&mut self, products: &[ToolProduct]) {
        let ids: Vec<_> = products.iter().map(|product| product.id).collect();
        let sink = ProductSink(self.sink);
        // Without the cards the reply still names them.
        let _shown = self.run("compare_products", json!({ "productIds": ids }), &sink).await;
        self.known.listed = ids;
        self.known.current = None;
    }

    /// The products of the list that was shown last, as they are now.
    pub(super) async fn listed(&mut self) -> Done<Vec<ToolProduct>> {
        let shown: Vec<_> = self.known.listed.iter().copied().filter(|id| self.known.has(*id)).take(8).collect();
        if shown.is_empty() {
            return Ok(vec![]);
        }
        match self.call_quietly("compare_products", json!({ "productIds": shown })).await {
            Ok(answer) => Ok(tool_results::products(&answer)),
            Err(refusal) if refusal.code == "tool.product_gone" => Ok(vec![]),
            Err(refusal) => Err(refusal),
        }
    }
}

const HELP: &str = "Here is what I can do:\n\
    • find things: “lamps under 2000”, “cheapest kettle”, “something for the kitchen”\n\
    • tell more, compare and recommend: “tell me about the second one”, “compare the first two”, “what is similar?”\n\
    • keep your cart: “add two of the first”, “make it 3”, “remove the kettle”, “show my cart”\n\
    • get you to the checkout: “check out”\n\
    • look after your orders: “where is my order?”";
