//! Telling of products: details, comparisons and what is similar.

use serde_json::{Value as Json, json};

use super::{
    act::{Act, Done},
    goods::{self, Goods},
    intent::{Wanted, Wish},
    pick::Found,
    refer::Refer,
    speech::{self, Spoken},
};
use crate::views::words;

/// How many products are compared at most.
const COMPARED_MAX: usize = 6;

impl Act<'_> {
    pub(super) async fn details(&mut self, refer: &Refer) -> Done<Spoken> {
        let of_all = match refer {
            Refer::Cheapest(words) if words.is_empty() => Some(Wish::Cheapest),
            Refer::Dearest(words) if words.is_empty() => Some(Wish::Dearest),
            _ => None,
        };
        if let Some(wish) = of_all.filter(|_| self.known.listed.is_empty()) {
            return self.find(Wanted { wish, ..Wanted::default() }).await;
        }
        let found = match self.resolve(refer).await? {
            Found::These(found) => found,
            Found::Which(choices) => return Ok(self.ask_which(&choices).await),
            Found::Nothing { called, near } => return Ok(self.nothing_called(&called, &near).await),
            Found::Unsaid => {
                return Ok(Spoken::of("Which product do you mean? Tell me its name, or search for it first."));
            }
        };
        let [goods] = &found[..] else { return self.compare_these(&found).await };
        let answer = self.call("get_product", json!({ "productId": goods.id })).await?;
        let goods = goods::product(&answer).unwrap_or_else(|| goods.clone());
        let stock = match goods.stock {
            ..=0 => "It is sold out right now.".to_owned(),
            few @ 1..=5 => format!("Only {few} left."),
            many => format!("In stock, {many} of them."),
        };
        let category =
            if goods.category.is_empty() { String::new() } else { format!(" You find it under {}.", goods.category) };
        let written = if goods.description.is_empty() {
            String::new()
        } else {
            format!("\nThe seller writes: “{}”", goods.description)
        };
        let ends = if goods.stock > 0 { format!("\n{}", speech::SHALL_ADD) } else { String::new() };
        let text = format!("{} costs {}. {stock}{category}{written}{ends}", goods.title, words::money(goods.price));
        Ok(Spoken::with(text, &[goods]))
    }

    pub(super) async fn compare(&mut self, refers: &[Refer]) -> Done<Spoken> {
        let mut chosen: Vec<Goods> = vec![];
        for refer in refers {
            match self.resolve(refer).await? {
                Found::These(found) => chosen.extend(found),
                // "compare kettles" means all of them.
                Found::Which(choices) if refers.len() == 1 => chosen.extend(choices),
                Found::Which(choices) => return Ok(self.ask_which(&choices).await),
                Found::Nothing { called, near } => return Ok(self.nothing_called(&called, &near).await),
                Found::Unsaid => {}
            }
        }
        let mut seen = vec![];
        chosen.retain(|goods| {
            !seen.contains(&goods.id) && {
                seen.push(goods.id);
                true
            }
        });
        if chosen.len() < 2 {
            let listed = self.listed().await?;
            if refers.len() > 1 || listed.len() < 2 {
                return Ok(Spoken::of(
                    "Which two shall I compare? Search first, then say “compare the first two”, for example.",
                ));
            }
            chosen = listed;
        }
        chosen.truncate(COMPARED_MAX);
        self.compare_these(&chosen).await
    }

    async fn compare_these(&mut self, chosen: &[Goods]) -> Done<Spoken> {
        let ids: Vec<_> = chosen.iter().take(COMPARED_MAX).map(|goods| goods.id).collect();
        let answer = self.call("compare_products", json!({ "productIds": ids })).await?;
        let goods = goods::products(&answer);
        let mut by_price: Vec<&Goods> = goods.iter().collect();
        by_price.sort_by_key(|goods| goods.price.minor());
        let ends = match &by_price[..] {
            [cheapest, .., dearest] if cheapest.price.currency() == dearest.price.currency() => {
                match dearest.price.checked_sub(cheapest.price).ok().filter(|apart| apart.minor() > 0) {
                    Some(apart) => {
                        format!(
                            "\n{} is the cheapest, {} less than {}.",
                            cheapest.title,
                            words::money(apart),
                            dearest.title
                        )
                    }
                    None => "\nThey cost the same.".to_owned(),
                }
            }
            _ => String::new(),
        };
        let lines = (1..).zip(&goods).map(|(place, goods): (usize, _)| {
            let said = if goods.description.is_empty() {
                String::new()
            } else {
                format!("\n   “{}”", short(&goods.description))
            };
            let stock = if goods.stock > 5 { format!(", {} in stock", goods.stock) } else { String::new() };
            format!("{place}. {}{stock}{said}", goods.line())
        });
        let text = format!("Side by side:\n{}{ends}", lines.collect::<Vec<_>>().join("\n"));
        Ok(Spoken::with(text, &goods))
    }

    pub(super) async fn recommend(&mut self, refer: &Refer) -> Done<Spoken> {
        let like = match self.resolve(refer).await? {
            Found::These(found) => found.into_iter().next(),
            Found::Which(choices) => match refer {
                Refer::It | Refer::Nothing => choices.into_iter().next(),
                _ => return Ok(self.ask_which(&choices).await),
            },
            Found::Nothing { called, near } => return Ok(self.nothing_called(&called, &near).await),
            Found::Unsaid => None,
        };
        let arguments = like.as_ref().map_or_else(|| json!({}), |goods| json!({ "productId": goods.id }));
        let answer = self.call("recommend", arguments).await?;
        let goods = goods::products(&answer);
        if goods.is_empty() {
            let what = like.map_or_else(|| "that".to_owned(), |goods| goods.title);
            return Ok(Spoken::of(format!("I have nothing else like {what} in stock right now.")));
        }
        let mut rows = answer.get("products").and_then(Json::as_array).into_iter().flatten();
        let together = rows.any(|row| row.get("boughtTogether") == Some(&json!(true)));
        let intro = match (&like, answer.get("basis").and_then(|basis| basis.as_str())) {
            (Some(like), _) if together => format!("Others bought with {}, or like it:", like.title),
            (Some(like), _) => format!("If you like {}, look at these:", like.title),
            (None, Some("similar to what is in the cart")) => "These go with what is in your cart:".to_owned(),
            (None, _) => "These are new in the shop:".to_owned(),
        };
        Ok(Spoken::with(format!("{intro}\n{}", speech::numbered(&goods)), &goods))
    }
}

/// The first words of a description.
fn short(text: &str) -> String {
    const SHORT: usize = 120;
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}
