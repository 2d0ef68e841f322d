//! What is asked about the cart, orders and the shop itself.

use super::{
    intent::{Intent, PUT, Said},
    quantity,
    tokens::Token,
};
use crate::domain::order::OrderStatus;

const GET_RID: [&str; 6] = ["remove", "delete", "drop", "discard", "exclude", "uncart"];

/// Questions that no tool knows an answer to.
pub(super) fn about_shop(said: &Said) -> Option<Intent> {
    let people = said.has(&["human", "support", "complaint", "complain"]) || said.says("customer care");
    let rules = said.has(&[
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
    ]) || said.says_any(&[
        "do you ship",
        "do you deliver",
        "free shipping",
        "free delivery",
        "cash on delivery",
        "shipping cost",
    ]);
    (people || rules).then_some(Intent::AboutShop)
}

/// Orders and the way to one.
pub(super) fn orders(said: &Said, text: &str) -> Option<Intent> {
    let about_orders =
        said.has(&["order", "orders", "ordered", "package", "parcel", "delivery", "shipment", "refund", "purchases"]);
    if said.says_any(&[
        "place order",
        "place the order",
        "place my order",
        "place an order",
        "order now",
        "buy now",
        "pay now",
    ]) || said.has(&["checkout"])
        || said.says_any(&[
            "check out",
            "ready to pay",
            "want to pay",
            "like to pay",
            "complete my purchase",
            "proceed to payment",
        ]) && !said.says_any(&["check out the", "check out this", "check out that"])
        || (said.has(&["finish", "complete", "confirm"]) && said.has(&["order", "purchase"]))
        || (said.has(&["pay"]) && !about_orders)
        || said.says_any(&["buy my cart", "buy the cart", "buy everything in my cart", "buy all in my cart"])
    {
        return Some(Intent::Checkout);
    }
    let id =
        text.split(|c: char| !c.is_ascii_hexdigit()).filter(|part| part.len() == 24).find_map(|part| part.parse().ok());
    if about_orders && said.has(&["cancel", "refund", "return", "exchange"]) {
        return Some(Intent::AboutOrders);
    }
    if let Some(id) = id {
        return Some(Intent::OrderStatus(Some(id)));
    }
    let asked = said.has(&[
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
    if said.has(&["where", "wheres"]) && said.has(&["my"]) && !said.has(&["cart", "basket"]) && !said.has(&["orders"]) {
        return Some(Intent::OrderStatus(None));
    }
    if !about_orders || said.has(&PUT) || !(asked || said.has(&["orders"])) {
        return None;
    }
    let several = said.has(&["orders", "purchases", "history"]);
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
    Some(Intent::ListOrders(status.iter().find(|(words, _)| said.has(words)).map(|(_, status)| *status)))
}

/// The cart, but for adding to it.
pub(super) fn cart(said: &Said) -> Option<Intent> {
    let of_cart = said.has(&["cart", "basket", "trolley"]);
    let all = said.has(&["all", "everything", "it"]) || of_cart;
    if (said.has(&["empty", "clear"]) && of_cart && !said.says_any(&["is my cart empty", "cart is empty"]))
        || (said.has(&GET_RID) && said.has(&["everything"]))
        || (said.has(&["empty", "clear"]) && all && said.tokens.len() <= 3)
    {
        return Some(Intent::ClearCart);
    }
    if let Some(rest) = removed(said) {
        return Some(Intent::Remove(quantity::items(rest)));
    }
    if let Some((refer, quantity)) = quantity::change(said) {
        return Some(Intent::Change(refer, quantity));
    }
    let total = said.has(&["total", "subtotal"])
        || said.says_any(&[
            "how much do i owe",
            "how much is everything",
            "how much is it all",
            "do i have so far",
            "have i got so far",
        ]);
    let shown = of_cart && !said.has(&PUT) && !said.has(&["buy", "take"]);
    (shown || total).then_some(Intent::ShowCart)
}

/// What follows a wish to take something out.
fn removed(said: &Said) -> Option<&[Token]> {
    if let Some(rest) = said.after(&GET_RID) {
        return Some(rest);
    }
    if said.says("take out") || (said.has(&["take"]) && said.has(&["out"])) {
        return said.after(&["take"]);
    }
    for phrase in ["get rid of", "dont want", "no longer want", "do not want", "dont need", "leave out"] {
        if said.says(phrase) {
            let last = phrase.rsplit(' ').next().unwrap_or_default();
            return said.after(&[last]).filter(|rest| !rest.is_empty());
        }
    }
    None
}
