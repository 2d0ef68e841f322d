//! Replies about the status of the user's orders.

use serde_json::{Value as Json, json};

use super::{
    speech::{self, RuleReply},
    tool_results,
    turn::{Done, RuleTurn},
};
use crate::{
    domain::{Timestamp, ids::OrderId, order::OrderStatus},
    views::words,
};

/// How many orders are listed.
const LISTED: usize = 5;

impl RuleTurn<'_> {
    pub(super) async fn order_status(&mut self, id: Option<OrderId>) -> Done<RuleReply> {
        let answer = match self.call("order_status", json!({ "orderId": id })).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.code == "tool.no_orders" => {
                return Ok(RuleReply::of("You have no orders yet. When you have, I will tell you where they are."));
            }
            Err(refusal) if refusal.code == "tool.unknown_order" => {
                return Ok(RuleReply::of("I find no order with this number among yours."));
            }
            Err(refusal) => return Err(refusal),
        };
        let order = answer.get("order").cloned().unwrap_or_default();
        let which = if id.is_some() { "The order" } else { "Your latest order" };
        let id = order.get("orderId").and_then(Json::as_str).unwrap_or_default();
        Ok(RuleReply::of(format!("{which}, {}, {}\nMore under /orders/{id}", brief(&order), standing(&order))))
    }

    pub(super) async fn list_orders(&mut self, status: Option<OrderStatus>) -> Done<RuleReply> {
        let answer = self.call("list_orders", json!({ "status": status })).await?;
        let orders = answer.get("orders").and_then(Json::as_array).cloned().unwrap_or_default();
        if orders.is_empty() {
            return Ok(RuleReply::of(match status {
                Some(status) => format!("You have no orders that are {}.", status.as_str().to_lowercase()),
                None => "You have no orders yet.".to_owned(),
            }));
        }
        let line = |(position, order): (usize, &Json)| {
            let status = order.get("status").and_then(Json::as_str).unwrap_or_default().to_lowercase();
            format!("{position}. {} – {status}", brief(order))
        };
        let lines: Vec<String> = (1..).zip(&orders).take(LISTED).map(line).collect();
        let total = answer
            .get("total")
            .and_then(Json::as_u64)
            .and_then(|total| usize::try_from(total).ok())
            .unwrap_or(orders.len());
        let intro = match status {
            Some(status) => format!("Your orders that are {}:", status.as_str().to_lowercase()),
            None => format!("You have {}:", speech::count(total, "order", "orders")),
        };
        let rest = if total > LISTED { "\nAll of them are under /orders." } else { "" };
        Ok(RuleReply::of(format!("{intro}\n{}{rest}", lines.join("\n"))))
    }
}

/// An order in a few words: date, items, total.
fn brief(order: &Json) -> String {
    let items: Vec<&Json> = order.get("items").and_then(Json::as_array).into_iter().flatten().collect();
    let named = items.iter().take(2).filter_map(|item| {
        Some(format!("{} × {}", item.get("quantity")?, item.pointer("/untrusted/title")?.as_str()?))
    });
    let mut named: Vec<String> = named.collect();
    if items.len() > 2 {
        named.push(format!("{} more", items.len() - 2));
    }
    let total = tool_results::money(order, "total").map(words::money).unwrap_or_default();
    format!("{}: {} for {total}", day(order.get("placedAt")), speech::joined(&named))
}

fn day(at: Option<&Json>) -> String {
    let at: Option<Timestamp> = at.and_then(Json::as_str).and_then(|text| text.parse().ok());
    at.map(|at| format!("of {}", at.strftime("%-d %B %Y"))).unwrap_or_default()
}

/// The status of an order, as the end of a sentence.
fn standing(order: &Json) -> String {
    let status = order.get("status").and_then(Json::as_str).and_then(OrderStatus::from_word);
    let tracking: Vec<String> = order
        .get("items")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| item.pointer("/untrusted/trackingNumber")?.as_str().map(str::to_owned))
        .collect();
    let tracked =
        if tracking.is_empty() { String::new() } else { format!(", with the tracking number {}", tracking[0]) };
    match status {
        Some(OrderStatus::Pending) => "waits for your payment. You can pay it on its page.".to_owned(),
        Some(OrderStatus::Confirmed) => "is paid and confirmed; it is being made ready to be sent.".to_owned(),
        Some(OrderStatus::Shipped) => format!("is on its way to you{tracked}."),
        Some(OrderStatus::Delivered) => format!("was delivered{tracked}."),
        Some(OrderStatus::Cancelled) => "was cancelled.".to_owned(),
        None => "is known, but I cannot tell how it stands.".to_owned(),
    }
}
