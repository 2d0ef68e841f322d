//! Intents about the cart, orders and the shop itself.

use super::{
    intent::{Intent, PUT, TokenizedMessage},
    quantity,
    tokens::Token,
};
use crate::domain::order::OrderStatus;

const GET_RID: [&str; 6] = ["remove", "delete", "drop", "discard", "exclude", "uncart"];

/// Questions that no tool can answer.
pub(super) fn about_shop(message: &TokenizedMessage) -> Option<Intent> {
    let people = message.has(&["human", "support", "complaint", "complain"]) || message.has_phrase("customer care");
    let rules = message.has(&[
        "policy",
        "policies",
        "warranty",
        "coupon",
        "coupons",
        "discount",
        "discounts",
        "promo",
        "cod",
        "emi",
    ]) || message.has_any_phrase(&[
        "do you ship",
        "do you deliver",
        "free shipping",
        "free delivery",
        "cash on delivery",
        "shipping cost",
    ]);
    (people || rules).then_some(Intent::AboutShop)
}

/// Orders and the checkout.
pub(super) fn orders(message: &TokenizedMessage, text: &str) -> Option<Intent> {
    let about_orders = message.has(&[
        "order",
        "orders",
        "ordered",
        "package",
        "parcel",
        "delivery",
        "shipment",
        "refund",
        "purchases",
    ]);
    if message.has_any_phrase(&[
        "place order",
        "place the order",
        "place my order",
        "place an order",
        "order now",
        "buy now",
        "pay now",
    ]) || message.has(&["checkout"])
        || message.has_any_phrase(&[
            "check out",
            "ready to pay",
            "want to pay",
            "like to pay",
            "complete my purchase",
            "proceed to payment",
        ]) && !message.has_any_phrase(&["check out the", "check out this", "check out that"])
        || (message.has(&["finish", "complete", "confirm"]) && message.has(&["order", "purchase"]))
        || (message.has(&["pay"]) && !about_orders)
        || message.has_any_phrase(&["buy my cart", "buy the cart", "buy everything in my cart", "buy all in my cart"])
    {
        return Some(Intent::Checkout);
    }
    let id =
        text.split(|c: char| !c.is_ascii_hexdigit()).filter(|part| part.len() == 24).find_map(|part| part.parse().ok());
    if about_orders && message.has(&["cancel", "refund", "return", "exchange"]) {
        return Some(Intent::AboutOrders);
    }
    if let Some(id) = id {
        return Some(Intent::OrderStatus(Some(id)));
    }
    let asked = message.has(&[
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
    if message.has(&["where", "wheres"])
        && message.has(&["my"])
        && !message.has(&["cart", "basket"])
        && !message.has(&["orders"])
    {
        return Some(Intent::OrderStatus(None));
    }
    if !about_orders || message.has(&PUT) || !(asked || message.has(&["orders"])) {
        return None;
    }
    let several = message.has(&["orders", "purchases", "history"]);
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
    Some(Intent::ListOrders(status.iter().find(|(words, _)| message.has(words)).map(|(_, status)| *status)))
}

/// The cart, except for adding to it.
pub(super) fn cart(message: &TokenizedMessage) -> Option<Intent> {
    let of_cart = message.has(&["cart", "basket", "trolley"]);
    let all = message.has(&["all", "everything", "it"]) || of_cart;
    if (message.has(&["empty", "clear"]) && of_cart && !message.has_any_phrase(&["is my cart empty", "cart is empty"]))
        || (message.has(&GET_RID) && message.has(&["everything"]))
        || (message.has(&["empty", "clear"]) && all && message.tokens.len() <= 3)
    {
        return Some(Intent::ClearCart);
    }
    if let Some(rest) = removed(message) {
        return Some(Intent::Remove(quantity::items(rest)));
    }
    if let Some((reference, quantity)) = quantity::change(message) {
        return Some(Intent::Change(reference, quantity));
    }
    let total = message.has(&["total", "subtotal"])
        || message.has_any_phrase(&[
            "how much do i owe",
            "how much is everything",
            "how much is it all",
            "do i have so far",
            "have i got so far",
        ]);
    let shown = of_cart && !message.has(&PUT) && !message.has(&["buy", "take"]);
    (shown || total).then_some(Intent::ShowCart)
}

/// The tokens after a phrase that asks to remove something.
fn removed(message: &TokenizedMessage) -> Option<&[Token]> {
    if let Some(rest) = message.after(&GET_RID) {
        return Some(rest);
    }
    if message.has_phrase("take out") || (message.has(&["take"]) && message.has(&["out"])) {
        return message.after(&["take"]);
    }
    for phrase in ["get rid of", "dont want", "no longer want", "do not want", "dont need", "leave out"] {
        if message.has_phrase(phrase) {
            let last = phrase.rsplit(' ').next().unwrap_or_default();
            return message.after(&[last]).filter(|rest| !rest.is_empty());
        }
    }
    None
}
