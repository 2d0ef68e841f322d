//! One turn: what a message asks for is done by tools.

use serde_json::{Value as Json, json};

use super::{
    goods::{self, Goods},
    intent::{self, Intent},
    speech::{self, Spoken},
    topics::{self, Topic},
};
use crate::{
    domain::conversation::{Known, Line},
    ws::agent::{
        Audience, Shopper, Told, Toolbox, Turn,
        instruction::{self, Mood},
        tools::{ToolContext, ToolRefusal},
    },
};

/// The most tools of one turn.
const CALLS_MAX: u32 = 16;
/// The most instructions of one message that are followed.
const ACTS_MAX: usize = 4;

/// A turn as it goes.
pub(super) struct Act<'a> {
    pub(super) tools: &'a Toolbox,
    shopper: Shopper,
    pub(super) text: &'a str,
    pub(super) history: &'a [Line],
    pub(super) known: &'a mut Known,
    audience: &'a dyn Audience,
    /// Tools that were called.
    pub(super) calls: u32,
    /// Which of several wordings is used.
    pub(super) seed: usize,
}

/// Passes on what is shown, and not what is being done.
struct Screen<'a>(&'a dyn Audience);

impl Audience for Screen<'_> {
    fn tell(&self, told: Told) {
        if matches!(told, Told::Products(_)) {
            self.0.tell(told);
        }
    }
}

/// What a tool gave.
pub(super) type Done<T> = Result<T, ToolRefusal>;

impl<'a> Act<'a> {
    pub(super) fn new(tools: &'a Toolbox, turn: Turn<'a>) -> Self {
        let Turn { shopper, text, history, known, audience } = turn;
        let seed = history.len() / 2 + text.len();
        Self { tools, shopper, text, history, known, audience, calls: 0, seed }
    }

    pub(super) async fn answer(&mut self) -> Spoken {
        self.respond().await.unwrap_or_else(|refusal| Spoken::of(refusal.message))
    }

    async fn respond(&mut self) -> Done<Spoken> {
        let reading = instruction::judge(self.text);
        if let Some(spoken) = self.follow_up(&reading).await? {
            return Ok(spoken);
        }
        let intent = intent::read(self.text);
        if reading.mood == Mood::Instruction {
            return self.obey(&reading.told, intent).await;
        }
        if let Some(topic) = topics::asked(self.text).filter(|_| topics::may_answer(&intent)) {
            return self.about(topic).await;
        }
        if intent.acts() {
            return self.not_told(reading.mood, intent).await;
        }
        let said_yes = reading.mood == Mood::Yes && matches!(intent, Intent::Unclear | Intent::Find(_));
        self.act(if said_yes { Intent::Yes } else { intent }).await
    }

    /// Does what the message's instructions say, one after the other, up to a question.
    async fn obey(&mut self, told: &[String], whole: Intent) -> Done<Spoken> {
        let acts: Vec<Intent> = told.iter().map(|told| intent::read(told)).filter(Intent::acts).collect();
        if acts.is_empty() {
            // What is told is to be shown or found something.
            return if whole.acts() { self.not_told(Mood::Other, whole).await } else { self.act(whole).await };
        }
        let mut done = Spoken::default();
        for act in acts.into_iter().take(ACTS_MAX) {
            let Spoken { text, products } = self.act(act).await?;
            let asks = text.contains(speech::WHICH) || text.trim_end().ends_with('?');
            done.text = if done.text.is_empty() { text } else { format!("{}\n{text}", done.text) };
            done.products.extend(products);
            if asks {
                return Ok(done);
            }
        }
        if let Some(topic) = topics::asked(self.text) {
            let answer = self.about(topic).await?;
            done.text = format!("{}\n{}", done.text, answer.text);
        }
        Ok(done)
    }

    /// Does what is wanted.
    pub(super) async fn act(&mut self, intent: Intent) -> Done<Spoken> {
        match intent {
            Intent::Find(wanted) => self.find(self.carried_on(wanted)).await,
            Intent::Add(items) => self.add(items).await,
            Intent::Change(refer, quantity) => self.change(&refer, quantity).await,
            Intent::Remove(items) => self.remove(items).await,
            Intent::ClearCart => self.ask_before_clearing().await,
            Intent::ShowCart => self.show_cart().await,
            Intent::Checkout => self.checkout().await,
            Intent::OrderStatus(id) => self.order_status(id).await,
            Intent::ListOrders(status) => self.list_orders(status).await,
            Intent::Compare(refers) => self.compare(&refers).await,
            Intent::Details(refer) => self.details(&refer).await,
            Intent::Recommend(refer) => self.recommend(&refer).await,
            Intent::Categories => self.categories().await,
            Intent::AboutOrders => Ok(Spoken::of(
                "I cannot cancel, return or refund orders from here. Open the order under /orders: you can cancel it there \
                 until it is shipped, and its money comes back by itself.",
            )),
            Intent::AboutShop => self.about(topics::asked(self.text).unwrap_or(Topic::Else)).await,
            Intent::More => Ok(Spoken::of(
                "Those were the best matches that I have. Another word or a price limit will show you others.",
            )),
            talk => Ok(Spoken::of(self.talk(&talk))),
        }
    }

    fn talk(&self, intent: &Intent) -> &'static str {
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

    /// Calls a tool with its status and what it shows told to the shopper.
    pub(super) async fn call(&mut self, tool: &str, arguments: Json) -> Done<Json> {
        let audience = self.audience;
        self.run(tool, arguments, audience).await
    }

    /// Calls a tool whose answer is not shown as it is.
    pub(super) async fn look(&mut self, tool: &str, arguments: Json) -> Done<Json> {
        let (listed, current) = (self.known.listed.clone(), self.known.current);
        let answer = self.run(tool, arguments, &()).await;
        (self.known.listed, self.known.current) = (listed, current);
        answer
    }

    async fn run(&mut self, tool: &str, arguments: Json, audience: &dyn Audience) -> Done<Json> {
        if self.calls >= CALLS_MAX {
            let message = "That is more than I can do at once. Please ask for one thing after the other.".to_owned();
            return Err(ToolRefusal { code: "turn.too_long", message });
        }
        self.calls += 1;
        let context = ToolContext { shopper: self.shopper, known: &mut *self.known, audience };
        self.tools.call(tool, arguments, context).await
    }

    /// Shows these products as the latest list.
    pub(super) async fn put_on_screen(&mut self, goods: &[Goods]) {
        let ids: Vec<_> = goods.iter().map(|goods| goods.id).collect();
        let screen = Screen(self.audience);
        // Without the cards the reply still names them.
        let _shown = self.run("compare_products", json!({ "productIds": ids }), &screen).await;
        self.known.listed = ids;
        self.known.current = None;
    }

    /// The products of the list that was shown last, as they are now.
    pub(super) async fn listed(&mut self) -> Done<Vec<Goods>> {
        let shown: Vec<_> = self.known.listed.iter().copied().filter(|id| self.known.has(*id)).take(8).collect();
        if shown.is_empty() {
            return Ok(vec![]);
        }
        match self.look("compare_products", json!({ "productIds": shown })).await {
            Ok(answer) => Ok(goods::products(&answer)),
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
