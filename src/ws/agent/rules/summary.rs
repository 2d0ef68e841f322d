//! The content of the cart, and the summary for the checkout.

use serde_json::{Value as Json, json};

use super::{
    speech::{self, RuleReply},
    tool_results::{self, ToolCart, ToolProduct},
    turn::{Done, RuleTurn},
};
use crate::views::words;

impl RuleTurn<'_> {
    pub(super) async fn show_cart(&mut self) -> Done<RuleReply> {
        let answer = self.call("view_cart", json!({})).await?;
        let cart = ToolCart::of(&answer).unwrap_or_default();
        if cart.items.is_empty() {
            let empty = ["Your cart is empty. What may I find for you?", "There is nothing in your cart yet."];
            return Ok(RuleReply::of(speech::one_of(self.seed, &empty)));
        }
        self.known.listed = cart.items.iter().map(|item| item.id).collect();
        self.known.current = None;
        let lines = cart_lines(&cart);
        let total = cart.subtotal.map_or_else(
            || "It has prices in two currencies, so there is no one total.".to_owned(),
            |subtotal| format!("Together {}, before tax and shipping.", words::money(subtotal)),
        );
        Ok(RuleReply::with(format!("In your cart:\n{lines}\n{total} Say “check out” when you are ready."), &cart.items))
    }

    pub(super) async fn checkout(&mut self) -> Done<RuleReply> {
        let answer = match self.call("prepare_checkout", json!({})).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.code == "tool.empty_cart" => {
                return Ok(RuleReply::of("Your cart is empty, so there is nothing to check out yet."));
            }
            Err(refusal) => return Err(refusal),
        };
        let cart = ToolCart::of(&answer).unwrap_or_default();
        let totals = answer.get("totals").cloned().unwrap_or_default();
        let money = |field| tool_results::money(&totals, field).map(words::money).unwrap_or_default();
        let short: Vec<String> = answer
            .get("short")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(|row| {
                Some(format!("{} ({} left)", row.pointer("/untrusted/title")?.as_str()?, row.get("stock")?))
            })
            .collect();
        let warned = if short.is_empty() {
            String::new()
        } else {
            format!("\nBefore you order: there is not enough of {}.", speech::joined(&short))
        };
        let link = answer.get("link").and_then(Json::as_str).unwrap_or("/checkout");
        Ok(RuleReply::of(format!(
            "This is your order so far:\n{}\nSubtotal {}, tax {}, shipping {}: {} in all.{warned}\nI order and pay nothing \
             myself. Check it and confirm here, within 15 minutes: {link}",
            cart_lines(&cart),
            money("subtotal"),
            money("tax"),
            money("shipping"),
            money("total"),
        )))
    }
}

fn cart_lines(cart: &ToolCart) -> String {
    let line = |(position, item): (usize, &ToolProduct)| {
        let sum = item.price.times(item.quantity).map(words::money).unwrap_or_default();
        format!("{position}. {} × {} – {sum}", item.quantity, item.title)
    };
    (1..).zip(&cart.items).map(line).collect::<Vec<_>>().join("\n")
}
