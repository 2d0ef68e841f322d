//! What is wanted of products: to be told of, compared, bought or found.

use super::{
    intent::{Intent, PUT, Said, Wanted, Wish},
    price::{self, Limits},
    quantity,
    refer::Refer,
    tokens::Token,
    vocabulary,
};

const BUY: [&str; 3] = ["buy", "purchase", "order"];
const WISH: [&str; 6] = ["take", "get", "want", "give", "grab", "need"];

/// What is told of products.
pub(super) fn of_products(said: &Said) -> Option<Intent> {
    if said.has(&["compare", "comparison", "versus", "vs", "difference", "differences", "differ"]) {
        let kept = without(&said.tokens, &["compare", "comparison", "difference", "differences", "differ", "between"]);
        let parts = quantity::split_at(&kept, &["and", ",", "vs", "versus", "with", "to", "from"]);
        let place = |part: &[Token]| match part {
            [only] => only.count().and_then(|count| usize::try_from(count).ok()),
            _ => None,
        };
        let refer = |part: &Vec<Token>| place(part).map_or_else(|| Refer::read(part), |at| Refer::Places(vec![at]));
        return Some(Intent::Compare(parts.iter().map(refer).filter(|refer| *refer != Refer::Nothing).collect()));
    }
    let better = said.has(&["which"]) && said.has(&["better", "best", "cheaper", "cheapest", "costlier", "dearest"]);
    if better && matches!(Refer::read(&without(&said.tokens, &["better"])), Refer::Places(places) if places.len() > 1) {
        let places = Refer::read(&without(&said.tokens, &["better"]));
        return Some(Intent::Compare(vec![places]));
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
    let sorted = said.has(&["sort", "sorted"]);
    if better && refer.points() && limits.is_none() && !sorted {
        return Some(Intent::Details(refer));
    }
    let asked = !sorted
        && (said.says_any(&["how much", "price of", "in stock", "how many"])
            || said.has(&["left", "available", "cost", "costs", "price"]));
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

/// What is to be put into the cart.
pub(super) fn adding(said: &Said) -> Option<Intent> {
    if let Some(rest) = said.after(&PUT) {
        return Some(Intent::Add(quantity::items(rest)));
    }
    let in_cart = said.has(&["cart", "basket", "trolley"]);
    let bought = said.after(&BUY).filter(|rest| !rest.is_empty());
    let wished = said.after(&WISH).filter(|rest| !rest.is_empty() && !said.has(&["like", "have"]));
    let polite = said.says_any(&["id like", "would like", "ill have"]).then(|| said.after(&["like", "have"])).flatten();
    let rest = bought.or(polite).or(wished).filter(|rest| !rest.is_empty())?;
    // "I want a lamp" looks for one; "I want the second one" and "buy two of those" do not.
    let items = quantity::items(rest);
    let decided = said.says_any(&["ill take", "i will take", "ill have", "i will have", "well take", "we will take"]);
    let meant = in_cart || decided || bought.is_some() || items.iter().any(|item| item.refer.points());
    let mut priced = rest.to_vec();
    let limited = !price::take(&mut priced).is_none();
    (meant && !limited && !items.is_empty()).then_some(Intent::Add(items))
}

/// What is looked for: whatever is nothing else.
pub(super) fn finding(said: &Said) -> Intent {
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
    let wish = if said.has(&["cheapest", "cheap", "lowest", "cheaper", "affordable"]) || said.says("by price") {
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
    let plain = limits.is_none() && wish == Wish::Best && !in_stock;
    let number = match &tokens[..] {
        [only] => only.count().filter(|count| (1..=20).contains(count)),
        _ => None,
    };
    if let Some(place) = number.and_then(|count| usize::try_from(count).ok()).filter(|_| plain) {
        return Intent::Details(Refer::Places(vec![place]));
    }
    if wanted.words.is_empty() && plain {
        if said.has(&["more", "next", "others"]) {
            return Intent::More;
        }
        match Refer::read(&tokens) {
            refer @ (Refer::Places(_) | Refer::Last | Refer::Other) => return Intent::Details(refer),
            _ if !asked => return Intent::Unclear,
            _ => {}
        }
    }
    Intent::Find(wanted)
}

fn without(tokens: &[Token], words: &[&str]) -> Vec<Token> {
    tokens.iter().filter(|token| !token.is_any(words)).cloned().collect()
}
