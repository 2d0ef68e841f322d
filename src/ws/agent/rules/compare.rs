//! Product details, comparisons and recommendations.

use serde_json::{Value as Json, json};

use super::{
    intent::{Preference, Wanted},
    reference::Reference,
    resolution::Resolution,
    speech::{self, RuleReply},
    tool_results::{self, ToolProduct},
    turn::{Done, RuleTurn},
};
use crate::views::words;

/// The maximum number of products in a comparison.
const COMPARED_MAX: usize = 6;

impl RuleTurn<'_> {
    pub(super) async fn details(&mut self, reference: &Reference) -> Done<RuleReply> {
        let of_all = match reference {
            Reference::Cheapest(words) if words.is_empty() => Some(Preference::Cheapest),
            Reference::Dearest(words) if words.is_empty() => Some(Preference::Dearest),
            _ => None,
        };
        if let Some(preference) = of_all.filter(|_| self.known.listed.is_empty()) {
            return self.find(Wanted { preference, ..Wanted::default() }).await;
        }
        let found = match self.resolve(reference).await? {
            Resolution::These(found) => found,
            Resolution::Ambiguous(choices) => return Ok(self.ask_which(&choices).await),
            Resolution::NotFound { called, near } => return Ok(self.nothing_called(&called, &near).await),
            Resolution::Unspecified => {
                return Ok(RuleReply::of("Which product do you mean? Tell me its name, or search for it first."));
            }
        };
        let [product] = &found[..] else { return self.compare_these(&found).await };
        let answer = self.call("get_product", json!({ "productId": product.id })).await?;
        let product = tool_results::product(&answer).unwrap_or_else(|| product.clone());
        let stock = match product.stock {
            ..=0 => "It is sold out right now.".to_owned(),
            few @ 1..=5 => format!("Only {few} left."),
            many => format!("In stock, {many} of them."),
        };
        let category = if product.category.is_empty() {
            String::new()
        } else {
            format!(" You find it under {}.", product.category)
        };
        let written = if product.description.is_empty() {
            String::new()
        } else {
            format!("\nThe seller writes: “{}”", product.description)
        };
        let ends = if product.stock > 0 { format!("\n{}", speech::SHALL_ADD) } else { String::new() };
        let text = format!("{} costs {}. {stock}{category}{written}{ends}", product.title, words::money(product.price));
        Ok(RuleReply::with(text, &[product]))
    }

    pub(super) async fn compare(&mut self, references: &[Reference]) -> Done<RuleReply> {
        let mut chosen: Vec<ToolProduct> = vec![];
        for reference in references {
            match self.resolve(reference).await? {
                Resolution::These(found) => chosen.extend(found),
                // "compare kettles" means all of them.
                Resolution::Ambiguous(choices) if references.len() == 1 => chosen.extend(choices),
                Resolution::Ambiguous(choices) => return Ok(self.ask_which(&choices).await),
                Resolution::NotFound { called, near } => return Ok(self.nothing_called(&called, &near).await),
                Resolution::Unspecified => {}
            }
        }
        let mut seen = vec![];
        chosen.retain(|product| {
            !seen.contains(&product.id) && {
                seen.push(product.id);
                true
            }
        });
        if chosen.len() < 2 {
            let listed = self.listed().await?;
            if references.len() > 1 || listed.len() < 2 {
                return Ok(RuleReply::of(
                    "Which two shall I compare? Search first, then say “compare the first two”, for example.",
                ));
            }
            chosen = listed;
        }
        chosen.truncate(COMPARED_MAX);
        self.compare_these(&chosen).await
    }

    async fn compare_these(&mut self, chosen: &[ToolProduct]) -> Done<RuleReply> {
        let ids: Vec<_> = chosen.iter().take(COMPARED_MAX).map(|product| product.id).collect();
        let answer = self.call("compare_products", json!({ "productIds": ids })).await?;
        let products = tool_results::products(&answer);
        let mut by_price: Vec<&ToolProduct> = products.iter().collect();
        by_price.sort_by_key(|product| product.price.minor());
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
        let lines = (1..).zip(&products).map(|(position, product): (usize, _)| {
            let description = if product.description.is_empty() {
                String::new()
            } else {
                format!("\n   “{}”", short(&product.description))
            };
            let stock = if product.stock > 5 { format!(", {} in stock", product.stock) } else { String::new() };
            format!("{position}. {}{stock}{description}", product.line())
        });
        let text = format!("Side by side:\n{}{ends}", lines.collect::<Vec<_>>().join("\n"));
        Ok(RuleReply::with(text, &products))
    }

    pub(super) async fn recommend(&mut self, reference: &Reference) -> Done<RuleReply> {
        let like = match self.resolve(reference).await? {
            Resolution::These(found) => found.into_iter().next(),
            Resolution::Ambiguous(choices) => match reference {
                Reference::It | Reference::Nothing => choices.into_iter().next(),
                _ => return Ok(self.ask_which(&choices).await),
            },
            Resolution::NotFound { called, near } => return Ok(self.nothing_called(&called, &near).await),
            Resolution::Unspecified => None,
        };
        let arguments = like.as_ref().map_or_else(|| json!({}), |product| json!({ "productId": product.id }));
        let answer = self.call("recommend", arguments).await?;
        let products = tool_results::products(&answer);
        if products.is_empty() {
            let what = like.map_or_else(|| "that".to_owned(), |product| product.title);
            return Ok(RuleReply::of(format!("I have nothing else like {what} in stock right now.")));
        }
        let mut rows = answer.get("products").and_then(Json::as_array).into_iter().flatten();
        let together = rows.any(|row| row.get("boughtTogether") == Some(&json!(true)));
        let intro = match (&like, answer.get("basis").and_then(|basis| basis.as_str())) {
            (Some(like), _) if together => format!("Others bought with {}, or like it:", like.title),
            (Some(like), _) => format!("If you like {}, look at these:", like.title),
            (None, Some("similar to what is in the cart")) => "These go with what is in your cart:".to_owned(),
            (None, _) => "These are new in the shop:".to_owned(),
        };
        Ok(RuleReply::with(format!("{intro}\n{}", speech::numbered(&products)), &products))
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
