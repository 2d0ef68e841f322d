//! The representation of products and carts in the results of tools.
//!
//! **Invariant:** text of sellers is under `untrusted`, on one line and truncated.

use serde_json::{Value as Json, json};

use crate::{
    domain::{money::Money, product::Offer},
    views::{cart::CartAnswer, money::MoneyView, product::ProductView},
};

/// The maximum length of a description in a list and on a card.
pub(super) const BRIEF: usize = 300;
/// The maximum length of a description of a single product.
pub(super) const FULL: usize = 1_200;

/// Sanitizes untrusted text: without control and invisible characters, on one line, truncated to
/// `limit` characters.
pub(super) fn sanitize(text: &str, limit: usize) -> String {
    let mut sanitized = String::new();
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let mut visible = word.chars().filter(|c| !is_invisible(*c)).peekable();
        if visible.peek().is_none() {
            continue;
        }
        if count > 0 {
            sanitized.push(' ');
            count += 1;
        }
        for c in visible {
            if count >= limit {
                sanitized.truncate(sanitized.trim_end().len());
                sanitized.push('…');
                return sanitized;
            }
            sanitized.push(c);
            count += 1;
        }
    }
    sanitized
}

/// Directional marks, zero-width characters and tags, which can hide text.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// An amount of money in a result.
pub(super) fn money(money: Money) -> Json {
    json!(MoneyView::from(money))
}

/// A product in a result.
pub(super) fn product(offer: &Offer, description: usize) -> Json {
    let product = &offer.product;
    let mut data = json!({
        "productId": product.id,
        "price": money(product.price),
        "stock": offer.available.max(0),
        "untrusted": { "title": sanitize(&product.title, 200), "category": sanitize(&product.category, 100) },
    });
    if let Some(max) = product.max_per_order {
        data["maxPerOrder"] = json!(max);
    }
    if description > 0 {
        data["untrusted"]["description"] = json!(sanitize(&product.description, description));
    }
    data
}

/// A product as a card for display.
pub(super) fn card(offer: &Offer) -> ProductView {
    let mut card = ProductView::from(offer);
    card.description = sanitize(&card.description, BRIEF);
    card
}

/// A cart in a result.
pub(super) fn cart(answer: &CartAnswer) -> Json {
    let lines: Vec<Json> = answer
        .cart
        .items
        .iter()
        .map(|item| {
            let total = Money::from(item.price).times(item.quantity).ok().map(money);
            json!({
                "productId": item.product_id,
                "quantity": item.quantity,
                "price": item.price,
                "lineTotal": total,
                "forSale": item.for_sale,
                "untrusted": { "title": sanitize(&item.title, 200) },
            })
        })
        .collect();
    json!({
        "items": lines,
        "itemCount": answer.totals.item_count,
        "totalQuantity": answer.totals.total_quantity,
        "subtotal": answer.totals.subtotal,
    })
}

/// A cart for display, including its totals.
pub(super) fn shown_cart(answer: &CartAnswer) -> Json {
    let mut shown = json!(answer.cart);
    shown["totals"] = json!(answer.totals);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_becomes_one_short_line() {
        assert_eq!(sanitize("  A\tlamp\r\n\u{0}of \u{1b}[31mbrass\u{7f} ", 100), "A lamp of [31mbrass");
        assert_eq!(sanitize("ad\u{200b}min \u{202e}txet\u{e0041}", 100), "admin txet");
        assert_eq!(sanitize("\u{200b} \u{feff}", 10), "");
        assert_eq!(sanitize("a lamp of brass", 7), "a lamp…");
        assert_eq!(sanitize("a lamp", 6), "a lamp");
        assert_eq!(sanitize("ééééé", 3), "ééé…");
    }
}
