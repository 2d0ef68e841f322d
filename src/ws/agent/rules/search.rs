//! Product searches, with the nearest matches if there is no exact one.

use serde_json::{Value as Json, json};

use super::{
    intent::{self, Intent, Preference, Wanted},
    price::Limits,
    speech::{self, RuleReply},
    tokens,
    tool_results::{self, ToolProduct},
    turn::{Done, RuleTurn},
    vocabulary,
};
use crate::{
    domain::{
        conversation::Speaker,
        money::{Currency, Money},
    },
    views::{money::Amount, words},
};

/// How many categories are named.
const CATEGORIES_NAMED: usize = 8;
/// The maximum number of words of a message that refines the previous search.
const ADDITION_MAX: usize = 6;
/// The maximum number of words that are reported as unknown.
const UNKNOWN_MAX: usize = 3;
/// Words that ask for a gift; they are not part of a product's name.
const PRESENTS: [&str; 6] = ["gift", "gifts", "present", "presents", "idea", "ideas"];

impl RuleTurn<'_> {
    pub(super) async fn find(&mut self, wanted: Wanted) -> Done<RuleReply> {
        let searched = self.search(&wanted.words, &wanted, wanted.limits, true).await?;
        if searched.is_empty() {
            return self.nearest(&wanted).await;
        }
        let unknown = self.passed_over(&wanted.words, &searched).await?;
        if unknown.is_empty() {
            return Ok(self.report_found(&wanted, &searched));
        }
        let known: Vec<&str> = wanted.words.iter().filter(|word| !unknown.contains(word)).map(String::as_str).collect();
        let (called, known) = (wanted.words.join(" "), known.join(" "));
        let text = format!("I found nothing for “{called}” as a whole. For “{known}” there is:");
        Ok(self.report(&text, &searched))
    }

    /// The words that no product has; they are ignored if the other words match.
    async fn passed_over(&mut self, words: &[String], found: &[ToolProduct]) -> Done<Vec<String>> {
        let mut unknown = vec![];
        for word in words.iter().filter(|_| words.len() > 1) {
            let one = std::slice::from_ref(word);
            let matches_word = |product: &ToolProduct| {
                [&product.title, &product.category].iter().any(|text| vocabulary::matching(one, text) > 0)
            };
            if unknown.len() >= UNKNOWN_MAX || found.iter().any(matches_word) {
                continue;
            }
            let answer = self.call_quietly("search_products", json!({ "query": word })).await?;
            if tool_results::products(&answer).is_empty() {
                unknown.push(word.clone());
            }
        }
        // If no word is left, the index matched them in another form, such as two words for one.
        Ok(if unknown.len() < words.len() { unknown } else { vec![] })
    }

    /// Searches, and shows the results if there are any.
    async fn search(
        &mut self,
        words: &[String],
        wanted: &Wanted,
        limits: Limits,
        first: bool,
    ) -> Done<Vec<ToolProduct>> {
        // The name of a category alone means the category, not products with that name.
        if first
            && !words.is_empty()
            && let Some(category) = self.category_of(words).await?
        {
            let found = self.in_category(&category, wanted).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let arguments = arguments(&words.join(" "), None, wanted, limits);
        Ok(tool_results::products(&self.call("search_products", arguments).await?))
    }

    async fn in_category(&mut self, category: &str, wanted: &Wanted) -> Done<Vec<ToolProduct>> {
        let arguments = arguments("", Some(category), wanted, wanted.limits);
        Ok(tool_results::products(&self.call("search_products", arguments).await?))
    }

    /// Replies with the nearest matches if there is no exact one.
    async fn nearest(&mut self, wanted: &Wanted) -> Done<RuleReply> {
        let (limits, any_price) = (wanted.limits, Limits::default());
        let called = wanted.words.join(" ");
        if wanted.in_stock {
            let also_sold_out = Wanted { in_stock: false, ..wanted.clone() };
            let found = self.search(&wanted.words, &also_sold_out, limits, false).await?;
            if !found.is_empty() {
                return Ok(self.report(&format!("I have {called}, but nothing of it is in stock right now:"), &found));
            }
        }
        let present = wanted.words.iter().all(|word| PRESENTS.contains(&word.as_str()));
        if !limits.is_none() && !present {
            let preference = if limits.max.is_some() { Preference::Cheapest } else { Preference::Dearest };
            let nearest = Wanted { preference, in_stock: wanted.in_stock, ..Wanted::default() };
            let found = self.search(&wanted.words, &nearest, any_price, false).await?;
            if !found.is_empty() {
                let text = format!("There is no {called} {}. The nearest in price:", priced(limits));
                return Ok(self.report(&text, &found));
            }
        }
        if wanted.words.len() > 1 {
            let mut words = wanted.words.clone();
            words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
            for word in words.iter().take(4) {
                let found = self.search(std::slice::from_ref(word), wanted, limits, false).await?;
                if !found.is_empty() {
                    let text = format!("I found nothing for “{called}” as a whole. For “{word}” there is:");
                    return Ok(self.report(&text, &found));
                }
            }
        }
        if !limits.is_none() {
            let found = self.search(&[], wanted, limits, false).await?;
            if !found.is_empty() {
                let text = if present {
                    format!("Here are some ideas {}:", priced(limits))
                } else {
                    format!("I found nothing for “{called}”, but this is what there is {}:", priced(limits))
                };
                return Ok(self.report(&text, &found));
            }
        }
        let sorry = if called.is_empty() {
            format!("I found nothing {}.", priced(limits))
        } else {
            format!(
                "I am sorry, I found nothing for “{called}”{}.",
                if limits.is_none() { String::new() } else { format!(" {}", priced(limits)) }
            )
        };
        Ok(RuleReply::of(match self.category_names().await? {
            names if names.is_empty() => sorry,
            names => format!("{sorry} You could look through {}.", speech::joined(&names)),
        }))
    }

    fn report(&self, intro: &str, found: &[ToolProduct]) -> RuleReply {
        RuleReply::with(format!("{intro}\n{}", speech::numbered(found)), found)
    }

    fn report_found(&mut self, wanted: &Wanted, found: &[ToolProduct]) -> RuleReply {
        let preference = matches!(wanted.preference, Preference::Cheapest | Preference::Dearest);
        if preference && let [first, ..] = found {
            self.known.current = Some(first.id);
            let extreme = if wanted.preference == Preference::Cheapest { "cheapest" } else { "most expensive" };
            let intro = format!("The {extreme} I have is {}.", first.line());
            return match found {
                [_] => RuleReply::with(format!("{intro} {}", speech::SHALL_ADD), found),
                _ => RuleReply::with(format!("{intro} In order of price:\n{}", speech::numbered(found)), found),
            };
        }
        if let [only] = found {
            let intro =
                speech::one_of(self.seed, &["I found one:", "There is exactly one:", "This is the one I have:"]);
            let ends = if only.stock > 0 { format!(" {}", speech::SHALL_ADD) } else { String::new() };
            return RuleReply::with(format!("{intro} {}.{ends}", only.line()), found);
        }
        let limits = if wanted.limits.is_none() { String::new() } else { format!(" {}", priced(wanted.limits)) };
        let stock = if wanted.in_stock { " in stock" } else { "" };
        let count = found.len();
        let intro = match self.seed % 3 {
            0 => format!("Here is what I found{stock}{limits}:"),
            1 => format!("These {count} look right{stock}{limits}:"),
            _ => format!("I found these{stock}{limits}:"),
        };
        let ends = speech::one_of(
            self.seed,
            &[
                "Shall I tell you more about one of them?",
                "Say “add the second one”, and it is in your cart.",
                "Does one of them suit you?",
            ],
        );
        RuleReply::with(format!("{intro}\n{}\n{ends}", speech::numbered(found)), found)
    }

    /// The category with this name, if there is one.
    async fn category_of(&mut self, words: &[String]) -> Done<Option<String>> {
        if words.is_empty() || words.len() > 4 {
            return Ok(None);
        }
        let answer = self.call_quietly("list_categories", json!({})).await?;
        let called = |name: &String| {
            let stems = vocabulary::stems(name);
            stems.len() == words.len() && vocabulary::matching(words, name) == words.len()
        };
        Ok(categories(&answer).into_iter().find(called))
    }

    async fn category_names(&mut self) -> Done<Vec<String>> {
        let answer = self.call_quietly("list_categories", json!({})).await?;
        Ok(categories(&answer).into_iter().take(CATEGORIES_NAMED).collect())
    }

    pub(super) async fn categories(&mut self) -> Done<RuleReply> {
        let names = self.category_names().await?;
        if names.is_empty() {
            return Ok(RuleReply::of("Tell me what you are looking for, and I will see what the shop has."));
        }
        Ok(RuleReply::of(format!("The shop has {}. What may I show you?", speech::joined(&names))))
    }

    /// Combines the search with the previous one if it only refines it: "under 1000?".
    pub(super) fn carried_on(&self, wanted: Wanted) -> Wanted {
        let Some(before) = self.history.iter().rev().find(|line| line.by == Speaker::User) else { return wanted };
        let tokens = tokens::tokens(self.text());
        let anew =
            tokens.iter().any(|token| token.is_any(&["anything", "everything", "products", "all", "things", "stuff"]));
        if !wanted.words.is_empty() || anew || tokens.len() > ADDITION_MAX {
            return wanted;
        }
        match intent::read(&before.text) {
            Intent::Find(found) if !found.words.is_empty() => {
                let limits = if wanted.limits.is_none() { found.limits } else { wanted.limits };
                let preference =
                    if wanted.preference == Preference::Best { found.preference } else { wanted.preference };
                Wanted { words: found.words, limits, in_stock: wanted.in_stock || found.in_stock, preference }
            }
            _ => wanted,
        }
    }
}

fn categories(answer: &Json) -> Vec<String> {
    let rows = answer.get("categories").and_then(Json::as_array).into_iter().flatten();
    rows.filter_map(|row| row.pointer("/untrusted/category")?.as_str().map(str::to_owned)).collect()
}

fn arguments(query: &str, category: Option<&str>, wanted: &Wanted, limits: Limits) -> Json {
    let sort = match wanted.preference {
        Preference::Best => "relevance",
        Preference::Cheapest => "price",
        Preference::Dearest => "-price",
        Preference::Newest => "newest",
    };
    json!({
        "query": query,
        "category": category,
        "minPrice": limits.min.map(Amount::from_minor),
        "maxPrice": limits.max.map(Amount::from_minor),
        "inStock": wanted.in_stock.then_some(true),
        "sort": sort,
    })
}

/// Price limits as text: "under ₹500.00".
fn priced(limits: Limits) -> String {
    let money = |minor| words::money(Money::new(minor, Currency::Inr));
    match (limits.min, limits.max) {
        (Some(min), Some(max)) => format!("between {} and {}", money(min), money(max)),
        (None, Some(max)) => format!("up to {}", money(max)),
        (Some(min), None) => format!("from {}", money(min)),
        (None, None) => "like that".to_owned(),
    }
}
