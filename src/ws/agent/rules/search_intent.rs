//! Intents about products: details, comparison, purchase and search.

use super::{
    intent::{Intent, PUT, Preference, TokenizedMessage, Wanted},
    price::{self, Limits},
    quantity,
    reference::Reference,
    tokens::Token,
    vocabulary,
};

const BUY: [&str; 3] = ["buy", "purchase", "order"];
const WANT: [&str; 6] = ["take", "get", "want", "give", "grab", "need"];

/// Intents about products other than adding and searching.
pub(super) fn of_products(message: &TokenizedMessage) -> Option<Intent> {
    if message.has(&["compare", "comparison", "versus", "vs", "difference", "differences", "differ"]) {
        let kept =
            without(&message.tokens, &["compare", "comparison", "difference", "differences", "differ", "between"]);
        let parts = quantity::split_at(&kept, &["and", ",", "vs", "versus", "with", "to", "from"]);
        let position = |part: &[Token]| match part {
            [only] => only.count().and_then(|count| usize::try_from(count).ok()),
            _ => None,
        };
        let reference = |part: &Vec<Token>| {
            position(part).map_or_else(|| Reference::read(part), |at| Reference::Positions(vec![at]))
        };
        return Some(Intent::Compare(
            parts.iter().map(reference).filter(|reference| *reference != Reference::Nothing).collect(),
        ));
    }
    let better =
        message.has(&["which"]) && message.has(&["better", "best", "cheaper", "cheapest", "costlier", "dearest"]);
    if better
        && matches!(Reference::read(&without(&message.tokens, &["better"])), Reference::Positions(positions) if positions.len() > 1)
    {
        let positions = Reference::read(&without(&message.tokens, &["better"]));
        return Some(Intent::Compare(vec![positions]));
    }
    if message.has_any_phrase(&[
        "what do you sell",
        "what do you have",
        "what can i buy",
        "what is there",
        "whats there",
        "what all do you have",
    ]) || message.has(&["categories", "category", "departments", "department", "assortment"])
    {
        return Some(Intent::Categories);
    }
    let mut plain = message.tokens.clone();
    let limits = price::take(&mut plain);
    let reference = Reference::read(&plain);
    if let Some(intent) = recommending(message, &reference, limits) {
        return Some(intent);
    }
    let asks_for_details = message.has_any_phrase(&[
        "tell me about",
        "tell me more",
        "more about",
        "more on",
        "info on",
        "information about",
        "know about",
        "check out the",
    ]) || message.has(&["details", "describe", "description", "specs"]);
    let sorted = message.has(&["sort", "sorted"]);
    if better && reference.points() && limits.is_none() && !sorted {
        return Some(Intent::Details(reference));
    }
    let asked = !sorted
        && (message.has_any_phrase(&["how much", "price of", "in stock", "how many"])
            || message.has(&["left", "available", "cost", "costs", "price"]));
    let shown = message.has(&["show", "see", "open", "what", "whats", "view", "about"]);
    if (asks_for_details && reference != Reference::Nothing)
        || ((asked || shown) && reference.points() && limits.is_none() && !listing(message, &reference))
    {
        return Some(Intent::Details(reference));
    }
    if asks_for_details
        || (asked && reference == Reference::Nothing && limits.is_none() && !message.has(&["show", "find"]))
    {
        return Some(Intent::Details(Reference::It));
    }
    let priced = message.has_any_phrase(&["how much is", "how much are", "how much does", "price of", "cost of"]);
    priced.then_some(Intent::Details(reference))
}

/// Whether "show me all" or "the cheapest" asks for a list rather than for one product.
fn listing(message: &TokenizedMessage, reference: &Reference) -> bool {
    matches!(reference, Reference::All) && !message.has(&["these", "those", "them"])
        || message.has(&["something", "anything"])
}

fn recommending(message: &TokenizedMessage, reference: &Reference, limits: Limits) -> Option<Intent> {
    let like = message.has(&["similar", "alternative", "alternatives", "related", "goes"])
        || message.has_any_phrase(&[
            "like this",
            "like that",
            "like it",
            "like the",
            "more like",
            "what else",
            "anything else",
            "bought together",
        ]);
    let recommend =
        message.has(&["recommend", "suggest", "recommendation", "recommendations", "suggestions", "surprise"]);
    let named = without(
        &message.tokens,
        &["similar", "alternative", "alternatives", "related", "goes", "else", "together", "bought", "surprise"],
    );
    let reference_to =
        if matches!(reference, Reference::Named(_)) { Reference::read(&named) } else { reference.clone() };
    if like && limits.is_none() {
        return Some(Intent::Recommend(reference_to));
    }
    (recommend && limits.is_none() && !matches!(reference_to, Reference::Named(_)))
        .then_some(Intent::Recommend(reference_to))
}

/// An intent to add to the cart.
pub(super) fn adding(message: &TokenizedMessage) -> Option<Intent> {
    if let Some(rest) = message.after(&PUT) {
        return Some(Intent::Add(quantity::items(rest)));
    }
    let in_cart = message.has(&["cart", "basket", "trolley"]);
    let bought = message.after(&BUY).filter(|rest| !rest.is_empty());
    let wanted = message.after(&WANT).filter(|rest| !rest.is_empty() && !message.has(&["like", "have"]));
    let polite = message
        .has_any_phrase(&["id like", "would like", "ill have"])
        .then(|| message.after(&["like", "have"]))
        .flatten();
    let rest = bought.or(polite).or(wanted).filter(|rest| !rest.is_empty())?;
    // "I want a lamp" looks for one; "I want the second one" and "buy two of those" do not.
    let items = quantity::items(rest);
    let decided =
        message.has_any_phrase(&["ill take", "i will take", "ill have", "i will have", "well take", "we will take"]);
    let meant = in_cart || decided || bought.is_some() || items.iter().any(|item| item.reference.points());
    let mut priced = rest.to_vec();
    let limited = !price::take(&mut priced).is_none();
    (meant && !limited && !items.is_empty()).then_some(Intent::Add(items))
}

/// A search; every message without another intent is one.
pub(super) fn finding(message: &TokenizedMessage) -> Intent {
    let mut tokens = message.tokens.clone();
    let limits = price::take(&mut tokens);
    // The number of results is not an intent of its own: "show me 3 lamps" is a search for lamps.
    if let Some(at) = tokens.iter().position(|token| token.count().is_some_and(|count| count <= 20))
        && tokens[..at].iter().all(vocabulary::is_empty)
        && tokens.len() > at + 1
    {
        tokens.remove(at);
    }
    let in_stock = message.has_phrase("in stock") || message.has(&["available"]);
    let preference =
        if message.has(&["cheapest", "cheap", "lowest", "cheaper", "affordable"]) || message.has_phrase("by price") {
            Preference::Cheapest
        } else if message.has(&["dearest", "costliest", "priciest", "premium", "luxury"])
            || message.has_any_phrase(&["most expensive", "highest price"])
        {
            Preference::Dearest
        } else if message.has(&["newest", "latest"])
            || message.has_any_phrase(&["whats new", "what is new", "new arrivals"])
        {
            Preference::Newest
        } else {
            Preference::Best
        };
    let drop: &[&str] = match preference {
        Preference::Newest => &["new", "arrivals", "whats"],
        Preference::Dearest => &["premium", "luxury"],
        Preference::Best | Preference::Cheapest => &[],
    };
    let words = vocabulary::content(&without(&tokens, drop));
    let wanted = Wanted { words, limits, in_stock, preference };
    let asked = message.has(&[
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
    let plain = limits.is_none() && preference == Preference::Best && !in_stock;
    let number = match &tokens[..] {
        [only] => only.count().filter(|count| (1..=20).contains(count)),
        _ => None,
    };
    if let Some(position) = number.and_then(|count| usize::try_from(count).ok()).filter(|_| plain) {
        return Intent::Details(Reference::Positions(vec![position]));
    }
    if wanted.words.is_empty() && plain {
        if message.has(&["more", "next", "others"]) {
            return Intent::More;
        }
        match Reference::read(&tokens) {
            reference @ (Reference::Positions(_) | Reference::Last | Reference::Other) => {
                return Intent::Details(reference);
            }
            _ if !asked => return Intent::Unclear,
            _ => {}
        }
    }
    Intent::Find(wanted)
}

fn without(tokens: &[Token], words: &[&str]) -> Vec<Token> {
    tokens.iter().filter(|token| !token.is_any(words)).cloned().collect()
}
