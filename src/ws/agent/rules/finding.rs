//! Finding products: as asked, and what comes nearest where there is nothing.

use serde_json::{Value as Json, json};

use super::{
    act::{Act, Done},
    goods::{self, Goods},
    intent::{self, Intent, Wanted, Wish},
    price::Limits,
    speech::{self, Spoken},
    tokens, vocabulary,
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
/// The most words of a message that adds to the search before it.
const ADDITION_MAX: usize = 6;
/// The most words that are said to be unknown.
const UNKNOWN_MAX: usize = 3;
/// Words that ask for a present: they are not what it is called.
const PRESENTS: [&str; 6] = ["gift", "gifts", "present", "presents", "idea", "ideas"];

impl Act<'_> {
    pub(super) async fn find(&mut self, wanted: Wanted) -> Done<Spoken> {
        let searched = self.search(&wanted.words, &wanted, wanted.limits, true).await?;
        if searched.is_empty() {
            return self.nearest(&wanted).await;
        }
        let unknown = self.passed_over(&wanted.words, &searched).await?;
        if unknown.is_empty() {
            return Ok(self.tell_found(&wanted, &searched));
        }
        let known: Vec<&str> = wanted.words.iter().filter(|word| !unknown.contains(word)).map(String::as_str).collect();
        let (called, known) = (wanted.words.join(" "), known.join(" "));
        let text = format!("I found nothing for “{called}” as a whole. For “{known}” there is:");
        Ok(self.tell(&text, &searched))
    }

    /// The words that no product has: a search passes over them where others match.
    async fn passed_over(&mut self, words: &[String], found: &[Goods]) -> Done<Vec<String>> {
        let mut unknown = vec![];
        for word in words.iter().filter(|_| words.len() > 1) {
            let one = std::slice::from_ref(word);
            let told =
                |goods: &Goods| [&goods.title, &goods.category].iter().any(|text| vocabulary::matching(one, text) > 0);
            if unknown.len() >= UNKNOWN_MAX || found.iter().any(told) {
                continue;
            }
            let answer = self.look("search_products", json!({ "query": word })).await?;
            if goods::products(&answer).is_empty() {
                unknown.push(word.clone());
            }
        }
        // When nothing is left, the words were read in another way, as two for one.
        Ok(if unknown.len() < words.len() { unknown } else { vec![] })
    }

    /// What a search gives, on the screen where there is something.
    async fn search(&mut self, words: &[String], wanted: &Wanted, limits: Limits, first: bool) -> Done<Vec<Goods>> {
        // Whoever names a category alone wants what is in it, not what is called so.
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
        Ok(goods::products(&self.call("search_products", arguments).await?))
    }

    async fn in_category(&mut self, category: &str, wanted: &Wanted) -> Done<Vec<Goods>> {
        let arguments = arguments("", Some(category), wanted, wanted.limits);
        Ok(goods::products(&self.call("search_products", arguments).await?))
    }

    /// What comes nearest, where nothing is as asked.
    async fn nearest(&mut self, wanted: &Wanted) -> Done<Spoken> {
        let (limits, any_price) = (wanted.limits, Limits::default());
        let called = wanted.words.join(" ");
        if wanted.in_stock {
            let also_sold_out = Wanted { in_stock: false, ..wanted.clone() };
            let found = self.search(&wanted.words, &also_sold_out, limits, false).await?;
            if !found.is_empty() {
                return Ok(self.tell(&format!("I have {called}, but nothing of it is in stock right now:"), &found));
            }
        }
        let present = wanted.words.iter().all(|word| PRESENTS.contains(&word.as_str()));
        if !limits.is_none() && !present {
            let wish = if limits.max.is_some() { Wish::Cheapest } else { Wish::Dearest };
            let nearest = Wanted { wish, in_stock: wanted.in_stock, ..Wanted::default() };
            let found = self.search(&wanted.words, &nearest, any_price, false).await?;
            if !found.is_empty() {
                let text = format!("There is no {called} {}. The nearest in price:", priced(limits));
                return Ok(self.tell(&text, &found));
            }
        }
        if wanted.words.len() > 1 {
            let mut words = wanted.words.clone();
            words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
            for word in words.iter().take(4) {
                let found = self.search(std::slice::from_ref(word), wanted, limits, false).await?;
                if !found.is_empty() {
                    let text = format!("I found nothing for “{called}” as a whole. For “{word}” there is:");
                    return Ok(self.tell(&text, &found));
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
                return Ok(self.tell(&text, &found));
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
        Ok(Spoken::of(match self.category_names().await? {
            names if names.is_empty() => sorry,
            names => format!("{sorry} You could look through {}.", speech::joined(&names)),
        }))
    }

    fn tell(&self, intro: &str, found: &[Goods]) -> Spoken {
        Spoken::with(format!("{intro}\n{}", speech::numbered(found)), found)
    }

    fn tell_found(&mut self, wanted: &Wanted, found: &[Goods]) -> Spoken {
        let wish = matches!(wanted.wish, Wish::Cheapest | Wish::Dearest);
        if wish && let [first, ..] = found {
            self.known.current = Some(first.id);
            let extreme = if wanted.wish == Wish::Cheapest { "cheapest" } else { "most expensive" };
            let intro = format!("The {extreme} I have is {}.", first.line());
            return match found {
                [_] => Spoken::with(format!("{intro} {}", speech::SHALL_ADD), found),
                _ => Spoken::with(format!("{intro} In order of price:\n{}", speech::numbered(found)), found),
            };
        }
        if let [only] = found {
            let intro =
                speech::one_of(self.seed, &["I found one:", "There is exactly one:", "This is the one I have:"]);
            let ends = if only.stock > 0 { format!(" {}", speech::SHALL_ADD) } else { String::new() };
            return Spoken::with(format!("{intro} {}.{ends}", only.line()), found);
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
        Spoken::with(format!("{intro}\n{}\n{ends}", speech::numbered(found)), found)
    }

    /// The category that is called so, if there is one.
    async fn category_of(&mut self, words: &[String]) -> Done<Option<String>> {
        if words.is_empty() || words.len() > 4 {
            return Ok(None);
        }
        let answer = self.look("list_categories", json!({})).await?;
        let called = |name: &String| {
            let stems = vocabulary::stems(name);
            stems.len() == words.len() && vocabulary::matching(words, name) == words.len()
        };
        Ok(categories(&answer).into_iter().find(called))
    }

    async fn category_names(&mut self) -> Done<Vec<String>> {
        let answer = self.look("list_categories", json!({})).await?;
        Ok(categories(&answer).into_iter().take(CATEGORIES_NAMED).collect())
    }

    pub(super) async fn categories(&mut self) -> Done<Spoken> {
        let names = self.category_names().await?;
        if names.is_empty() {
            return Ok(Spoken::of("Tell me what you are looking for, and I will see what the shop has."));
        }
        Ok(Spoken::of(format!("The shop has {}. What may I show you?", speech::joined(&names))))
    }

    /// The search with what the one before it had, where it only adds to that: "under 1000?".
    pub(super) fn carried_on(&self, wanted: Wanted) -> Wanted {
        let Some(before) = self.history.iter().rev().find(|line| line.by == Speaker::User) else { return wanted };
        let said = tokens::tokens(self.text());
        let anew =
            said.iter().any(|token| token.is_any(&["anything", "everything", "products", "all", "things", "stuff"]));
        if !wanted.words.is_empty() || anew || said.len() > ADDITION_MAX {
            return wanted;
        }
        match intent::read(&before.text) {
            Intent::Find(found) if !found.words.is_empty() => {
                let limits = if wanted.limits.is_none() { found.limits } else { wanted.limits };
                let wish = if wanted.wish == Wish::Best { found.wish } else { wanted.wish };
                Wanted { words: found.words, limits, in_stock: wanted.in_stock || found.in_stock, wish }
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
    let sort = match wanted.wish {
        Wish::Best => "relevance",
        Wish::Cheapest => "price",
        Wish::Dearest => "-price",
        Wish::Newest => "newest",
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

/// Limits in words: "under ₹500.00".
fn priced(limits: Limits) -> String {
    let money = |minor| words::money(Money::new(minor, Currency::Inr));
    match (limits.min, limits.max) {
        (Some(min), Some(max)) => format!("between {} and {}", money(min), money(max)),
        (None, Some(max)) => format!("up to {}", money(max)),
        (Some(min), None) => format!("from {}", money(min)),
        (None, None) => "like that".to_owned(),
    }
}
