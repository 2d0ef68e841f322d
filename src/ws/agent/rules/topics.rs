//! Questions about the shop itself: delivery, payment, returns, tax.
//!
//! **Invariant:** replies state only what is in the shop's settings, and say so if an answer is not known.

use super::{
    intent::{self, Intent},
    speech::RuleReply,
    tool_results::ToolCart,
    turn::{Done, RuleTurn},
};
use crate::{
    domain::money::{Currency, Money},
    views::words,
};

/// The topic of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Delivery,
    Payment,
    Returns,
    Tax,
    /// Discounts, support, and other topics without an answer.
    Else,
}

/// Words that show that a message is a question and not the name of a product.
const ASKING: [&str; 30] = [
    "how",
    "when",
    "what",
    "whats",
    "do",
    "does",
    "can",
    "is",
    "are",
    "will",
    "cost",
    "costs",
    "charge",
    "charges",
    "fee",
    "fees",
    "free",
    "policy",
    "days",
    "about",
    "long",
    "much",
    "tell",
    "explain",
    "want",
    "accept",
    "abroad",
    "international",
    "know",
    "which",
];

/// The topic of a question about the shop, if the message is one.
pub(super) fn asked(text: &str) -> Option<Topic> {
    let message = intent::tokenize(text);
    if !message.has(&ASKING) {
        return None;
    }
    let of_order = message.has(&["my", "order", "orders", "ordered", "parcel", "package", "cancel"]);
    let takes = message.has_phrase("how long") && message.has(&["take", "takes", "arrive", "wait"]);
    let sent = message.has(&[
        "delivery",
        "deliver",
        "deliveries",
        "delivered",
        "shipping",
        "ship",
        "shipped",
        "postage",
        "dispatch",
        "courier",
    ]);
    if message.has(&["tax", "taxes", "gst", "vat"]) && !message.has(&["show", "find"]) {
        return Some(Topic::Tax);
    }
    let pays = message.has_any_phrase(&[
        "can i pay",
        "do i pay",
        "i can pay",
        "to pay",
        "payment method",
        "payment methods",
        "payment options",
        "payment option",
        "ways to pay",
        "pay by",
        "pay with",
        "pay on",
        "pay in",
        "cash on delivery",
        "is payment",
        "are payments",
        "payment work",
        "accept cards",
        "take cards",
        "take cash",
        "accept cash",
        "about payment",
        "paying by",
        "paying with",
        "pay cash",
    ]);
    let card = message.has_any_phrase(&["credit card", "credit cards", "debit card", "debit cards", "net banking"])
        || message.has(&["upi", "cod", "emi", "paypal"]);
    if pays
        || (card
            && message.has(&["take", "accept", "pay", "use", "have", "by", "with", "support", "offer", "available"]))
    {
        return Some(Topic::Payment);
    }
    if (sent || takes) && !of_order && !message.has(&["show", "find", "sell"]) {
        return Some(Topic::Delivery);
    }
    let back =
        message.has(&[
            "return",
            "returns",
            "returning",
            "refund",
            "refunds",
            "refunded",
            "exchange",
            "warranty",
            "guarantee",
        ]) || message.has_any_phrase(&["take it back", "take them back", "send it back", "give it back", "money back"]);
    (back && !of_order).then_some(Topic::Returns)
}

/// Whether a message with this intent may be a question about the shop.
pub(super) const fn may_answer(intent: &Intent) -> bool {
    intent.acts()
        || matches!(
            intent,
            Intent::Find(_) | Intent::Unclear | Intent::AboutShop | Intent::Details(_) | Intent::ShowCart
        )
}

impl RuleTurn<'_> {
    /// Replies with what is known about the topic.
    pub(super) async fn about(&mut self, topic: Topic) -> Done<RuleReply> {
        let (shipping, tax) = (self.shipping().await, self.tax());
        Ok(RuleReply::of(match topic {
            Topic::Delivery => format!(
                "{shipping} How long the delivery takes depends on the seller who sends your parcel; I know no dates. Once \
                 it is sent, its state and tracking number are on the order's page under /orders."
            ),
            Topic::Payment => format!(
                "You pay on the order's page after you have placed the order, never in this chat; that page shows the ways \
                 to pay.{} Say “check out”, and I sum up your cart.",
                self.window()
            ),
            Topic::Returns => {
                "You can cancel an order on its page under /orders until it is shipped, and what you paid for it \
                               is refunded. About returns after that I know nothing; please ask the shop's people."
                    .to_owned()
            }
            Topic::Tax => format!(
                "{tax} {shipping} Both are in the summary that you get with “check out”, before you confirm anything."
            ),
            Topic::Else => format!(
                "I only know the shop's products, your cart and your orders. {shipping} {tax} Both are in the summary that \
                 you get with “check out”, before you confirm anything."
            ),
        }))
    }

    /// The shipping costs, in the currency of the cart.
    async fn shipping(&mut self) -> String {
        let cart =
            self.call_quietly("view_cart", serde_json::json!({})).await.ok().and_then(|answer| ToolCart::of(&answer));
        let currency = cart.and_then(|cart| cart.subtotal).map_or(Currency::Inr, Money::currency);
        match self.tools.pricing().shipping_minor {
            0 => "Shipping is free.".to_owned(),
            minor => {
                format!("Shipping costs {} an order, whatever is in it.", words::money(Money::new(minor, currency)))
            }
        }
    }

    fn tax(&self) -> String {
        match self.tools.pricing().tax_basis_points {
            0 => "No tax is added to the prices.".to_owned(),
            points if points % 100 == 0 => format!("Tax is {} % of the price of the goods.", points / 100),
            points => format!("Tax is {}.{:02} % of the price of the goods.", points / 100, points % 100),
        }
    }

    fn window(&self) -> String {
        let Some(window) = self.tools.payment_window() else { return String::new() };
        let seconds = window.as_secs();
        let (count, unit) = if seconds >= 60 { (seconds / 60, "minute") } else { (seconds, "second") };
        let plural = if count == 1 { "" } else { "s" };
        format!(" An order waits {count} {unit}{plural} for its payment and is cancelled then.")
    }
}
