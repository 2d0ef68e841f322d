//! What a shopper wants, read from one message.
//!
//! **Invariant:** any text at all is one [`Intent`], without asking anybody.

use super::{
    price::{self, Limits},
    quantity::{self, Item},
    refer::Refer,
    small_talk,
    tokens::{Token, tokens},
    vocabulary,
};
use crate::domain::{ids::OrderId, order::OrderStatus};

/// The order in which products are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Wish {
    /// The best first.
    #[default]
    Best,
    Cheapest,
    Dearest,
    Newest,
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub words: Vec<String>,
    pub limits: Limits,
    pub in_stock: bool,
    pub wish: Wish,
}

/// How a quantity is to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    To(u32),
    More(u32),
    Less(u32),
    Twice,
}

/// What a shopper wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Intent {
    Find(Wanted),
    Add(Vec<Item>),
    Change(Refer, Quantity),
    Remove(Vec<Item>),
    ClearCart,
    ShowCart,
    Checkout,
    OrderStatus(Option<OrderId>),
    ListOrders(Option<OrderStatus>),
    /// Cancelling, refunds, returns: nothing that is done here.
    AboutOrders,
    Compare(Vec<Refer>),
    Details(Refer),
    Recommend(Refer),
    Categories,
    Hello,
    Thanks,
    Bye,
    Help,
    WhoAreYou,
    Yes,
    No,
    /// Nothing that is understood.
    Unclear,
}

/// A message, as the rules look at it.
pub(super) struct Said {
    pub tokens: Vec<Token>,
}

impl Said {
    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.tokens.iter().any(|token| token.is_any(words))
    }

    /// Whether these words follow one another.
    pub(super) fn says(&self, phrase: &str) -> bool {
        let words: Vec<&str> = phrase.split(' ').collect();
        self.tokens.windows(words.len()).any(|found| found.iter().zip(&words).all(|(token, word)| token.is(word)))
    }

    pub(super) fn says_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.says(phrase))
    }

    /// What stands after the first of these words.
    fn after(&self, words: &[&str]) -> Option<&[Token]> {
        let at = self.tokens.iter().position(|token| token.is_any(words))?;
        self.tokens.get(at + 1..)
    }
}

const PUT: [&str; 4] = ["add", "put", "include", "throw"];
const BUY: [&str; 6] = ["buy", "purchase", "order", "take", "get", "want"];
const GET_RID: [&str; 6] = ["remove", "delete", "drop", "discard", "exclude", "uncart"];

/// What `text` asks for.
pub(super) fn read(text: &str) -> Intent {
    let said = Said { tokens: tokens(text) };
    if let Some(intent) = small_talk::read(&said) {
        return intent;
    }
    let by_subject = orders(&said, text).or_else(|| cart(&said)).or_else(|| of_products(&said));
    by_subject.or_else(|| adding(&said)).unwrap_or_else(|| finding(&said))
}

fn orders(said: &Said, text: &str) -> Option<Intent> {
    let about_orders =
        said.has(&["order", "orders", "ordered", "package", "parcel", "delivery", "shipment", "refund", "purchases"]);
    if said.says_any(&[
        "place order",
        "place the order",
        "place my order",
        "place an order",
        "order now",
        "buy now",
        "pay now",
    ]) || said.has(&["checkout"])
        || said.says_any(&[
            "check out",
            "ready to pay",
            "want to pay",
            "like to pay",
            "complete my purchase",
            "proceed to payment",
        ]) && !said.says_any(&["check out the", "check out this", "check out that"])
        || (said.has(&["finish", "complete", "confirm"]) && said.has(&["order", "purchase"]))
        || (said.has(&["pay"]) && !about_orders)
    {
        return Some(Intent::Checkout);
    }
    let id =
        text.split(|c: char| !c.is_ascii_hexdigit()).filter(|part| part.len() == 24).find_map(|part| part.parse().ok());
    if about_orders && said.has(&["cancel", "refund", "return", "exchange"]) {
        return Some(Intent::AboutOrders);
    }
    if let Some(id) = id {
        return Some(Intent::OrderStatus(Some(id)));
    }
    let asked = said.has(&[
        "where",
        "wheres",
        "track",
        "tracking",
        "status",
        "when",
        "arrive",
        "arrived",
        "arriving",
        "shipped",
        "delivered",
        "my",
        "last",
        "latest",
        "recent",
        "history",
        "previous",
        "past",
        "placed",
        "update",
        "coming",
    ]);
    if !about_orders || said.has(&PUT) || !(asked || said.has(&["orders"])) {
        return None;
    }
    let several = said.has(&["orders", "purchases", "history"]);
    if !several {
        return Some(Intent::OrderStatus(None));
    }
    let status = [
        (&["pending", "unpaid", "waiting"][..], OrderStatus::Pending),
        (&["confirmed", "paid"][..], OrderStatus::Confirmed),
        (&["shipped", "sent"][..], OrderStatus::Shipped),
        (&["delivered", "arrived"][..], OrderStatus::Delivered),
        (&["cancelled", "canceled"][..], OrderStatus::Cancelled),
    ];
    Some(Intent::ListOrders(status.iter().find(|(words, _)| said.has(words)).map(|(_, status)| *status)))
}

fn cart(said: &Said) -> Option<Intent> {
    let of_cart = said.has(&["cart", "basket", "trolley"]);
    let all = said.has(&["all", "everything", "it"]) || of_cart;
    if (said.has(&["empty", "clear"]) && of_cart && !said.says_any(&["is my cart empty", "cart is empty"]))
        || (said.has(&GET_RID) && said.has(&["everything"]))
        || (said.has(&["empty", "clear"]) && all && said.tokens.len() <= 3)
    {
        return Some(Intent::ClearCart);
    }
    if let Some(rest) = removed(said) {
        return Some(Intent::Remove(quantity::items(rest)));
    }
    if let Some((refer, quantity)) = quantity::change(said) {
        return Some(Intent::Change(refer, quantity));
    }
    let total = said.has(&["total", "subtotal"])
        || said.says_any(&["how much do i owe", "how much is everything", "how much is it all"]);
    let shown = of_cart && !said.has(&PUT) && !said.has(&["buy", "take"]);
    (shown || total).then_some(Intent::ShowCart)
}

/// What follows a wish to take something out.
fn removed(said: &Said) -> Option<&[Token]> {
    if let Some(rest) = said.after(&GET_RID) {
        return Some(rest);
    }
    if said.says("take out") || (said.has(&["take"]) && said.has(&["out"])) {
        return said.after(&["take"]);
    }
    for phrase in ["get rid of", "dont want", "no longer want", "do not want", "dont need", "leave out"] {
        if said.says(phrase) {
            let last = phrase.rsplit(' ').next().unwrap_or_default();
            return said.after(&[last]).filter(|rest| !rest.is_empty());
        }
    }
    None
}

fn of_products(said: &Said) -> Option<Intent> {
    if said.has(&["compare", "comparison", "versus", "vs", "difference", "differences", "differ"]) {
        let kept = without(&said.tokens, &["compare", "comparison", "difference", "differences", "differ", "between"]);
        let parts = quantity::split_at(&kept, &["and", ",", "vs", "versus", "with", "to", "from"]);
        let refers: Vec<Refer> =
            parts.iter().map(|part| Refer::read(part)).filter(|refer| *refer != Refer::Nothing).collect();
        return Some(Intent::Compare(refers));
    }
    if said.says_any(&[
        "what do you sell",
        "what do you have",
        "what can i buy",
        "what is there",
        "whats there",
        "what all do you have",
    ]) || said.has(&["categories", "category", "departments", "department", "assortment"])
    {
        return Some(Intent::Categories);
    }
    let mut plain = said.tokens.clone();
    let limits = price::take(&mut plain);
    let refer = Refer::read(&plain);
    if let Some(intent) = recommending(said, &refer, limits) {
        return Some(intent);
    }
    let told = said.says_any(&[
        "tell me about",
        "tell me more",
        "more about",
        "more on",
        "info on",
        "information about",
        "know about",
        "check out the",
    ]) || said.has(&["details", "describe", "description", "specs"]);
    let asked = said.says_any(&["how much", "price of", "in stock", "how many"])
        || said.has(&["left", "available", "cost", "costs", "price"]);
    let shown = said.has(&["show", "see", "open", "what", "whats", "view", "about"]);
    if (told && refer != Refer::Nothing)
        || ((asked || shown) && refer.points() && limits.is_none() && !listing(said, &refer))
    {
        return Some(Intent::Details(refer));
    }
    if told || (asked && refer == Refer::Nothing && limits.is_none() && !said.has(&["show", "find"])) {
        return Some(Intent::Details(Refer::It));
    }
    let priced = said.says_any(&["how much is", "how much are", "how much does", "price of", "cost of"]);
    priced.then_some(Intent::Details(refer))
}

/// Whether "show me all" or "the cheapest" asks for a list rather than for one product.
fn listing(said: &Said, refer: &Refer) -> bool {
    matches!(refer, Refer::All) && !said.has(&["these", "those", "them"]) || said.has(&["something", "anything"])
}

fn recommending(said: &Said, refer: &Refer, limits: Limits) -> Option<Intent> {
    let like = said.has(&["similar", "alternative", "alternatives", "related", "goes"])
        || said.says_any(&[
            "like this",
            "like that",
            "like it",
            "like the",
            "more like",
            "what else",
            "anything else",
            "bought together",
        ]);
    let recommend = said.has(&["recommend", "suggest", "recommendation", "recommendations", "suggestions", "surprise"]);
    let named = without(
        &said.tokens,
        &["similar", "alternative", "alternatives", "related", "goes", "else", "together", "bought", "surprise"],
    );
    let refer_to = if matches!(refer, Refer::Named(_)) { Refer::read(&named) } else { refer.clone() };
    if like && limits.is_none() {
        return Some(Intent::Recommend(refer_to));
    }
    (recommend && limits.is_none() && !matches!(refer_to, Refer::Named(_))).then_some(Intent::Recommend(refer_to))
}

fn adding(said: &Said) -> Option<Intent> {
    let in_cart = said.has(&["cart", "basket", "trolley"]);
    if let Some(rest) = said.after(&PUT) {
        return Some(Intent::Add(quantity::items(rest)));
    }
    let rest = said.after(&BUY)?;
    // "I want a lamp" looks for one; "I want the second one" and "buy two of those" do not.
    let items = quantity::items(rest);
    let meant = in_cart || said.has(&["buy", "purchase", "order"]) || items.iter().any(|item| item.refer.points());
    let mut priced = rest.to_vec();
    let limited = !price::take(&mut priced).is_none();
    (meant && !limited && !items.is_empty()).then_some(Intent::Add(items))
}

fn finding(said: &Said) -> Intent {
    let mut tokens = said.tokens.clone();
    let limits = price::take(&mut tokens);
    // The best offers are told as they come, so that "show me 3 lamps" looks for lamps.
    if let Some(at) = tokens.iter().position(|token| token.count().is_some_and(|count| count <= 20))
        && tokens[..at].iter().all(vocabulary::is_empty)
        && tokens.len() > at + 1
    {
        tokens.remove(at);
    }
    let in_stock = said.says("in stock") || said.has(&["available"]);
    let wish = if said.has(&["cheapest", "cheap", "lowest", "cheaper", "affordable"]) {
        Wish::Cheapest
    } else if said.has(&["dearest", "costliest", "priciest", "premium", "luxury"])
        || said.says_any(&["most expensive", "highest price"])
    {
        Wish::Dearest
    } else if said.has(&["newest", "latest"]) || said.says_any(&["whats new", "what is new", "new arrivals"]) {
        Wish::Newest
    } else {
        Wish::Best
    };
    let drop: &[&str] = match wish {
        Wish::Newest => &["new", "arrivals", "whats"],
        Wish::Dearest => &["premium", "luxury"],
        Wish::Best | Wish::Cheapest => &[],
    };
    let words = vocabulary::content(&without(&tokens, drop));
    let wanted = Wanted { words, limits, in_stock, wish };
    let asked = said.has(&[
        "show",
        "find",
        "search",
        "browse",
        "need",
        "want",
        "looking",
        "something",
        "anything",
        "products",
        "things",
        "shop",
        "list",
    ]);
    if wanted.words.is_empty() && limits.is_none() && wish == Wish::Best && !in_stock && !asked {
        return Intent::Unclear;
    }
    Intent::Find(wanted)
}

fn without(tokens: &[Token], words: &[&str]) -> Vec<Token> {
    tokens.iter().filter(|token| !token.is_any(words)).cloned().collect()
}
