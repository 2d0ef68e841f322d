//! How products and carts look in a tool's answer.
//!
//! **Invariant:** what sellers wrote stands under `untrusted`, on one line and cut short.

use serde_json::{Value as Json, json};

use crate::{
    domain::{money::Money, product::Offer},
    views::{cart::CartAnswer, money::MoneyView, product::ProductView},
};

/// The most characters of a description in a list, and on a card.
pub(super) const BRIEF: usize = 300;
/// The most characters of a description where one product is told of.
pub(super) const FULL: usize = 1_200;

/// Text of strangers: without control characters and what is not seen, on one line, cut to
/// `limit` characters.
pub(super) fn tame(text: &str, limit: usize) -> String {
    let mut tamed = String::new();
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let mut seen = word.chars().filter(|c| !is_unseen(*c)).peekable();
        if seen.peek().is_none() {
            continue;
        }
        if count > 0 {
            tamed.push(' ');
            count += 1;
        }
        for c in seen {
            if count >= limit {
                tamed.truncate(tamed.trim_end().len());
                tamed.push('…');
                return tamed;
            }
            tamed.push(c);
            count += 1;
        }
    }
    tamed
}

/// Marks of direction, of width nothing, and tags: text hides behind them.
const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Money as tools tell it.
pub(super) fn money(money: Money) -> Json {
    json!(MoneyView::from(money))
}

/// A product as tools tell it.
pub(super) fn product(offer: &Offer, description: usize) -> Json {
    let product = &offer.product;
    let mut told = json!({
        "productId": product.id,
        "price": money(product.price),
        "stock": offer.available.max(0),
        "untrusted": { "title": tame(&product.title, 200), "category": tame(&product.category, 100) },
    });
    if let Some(max) = product.max_per_order {
        told["maxPerOrder"] = json!(max);
    }
    if description > 0 {
        told["untrusted"]["description"] = json!(tame(&product.description, description));
    }
    told
}

/// A product as a card on the screen.
pub(super) fn card(offer: &Offer) -> ProductView {
    let mut card = ProductView::from(offer);
    card.description = tame(&card.description, BRIEF);
    card
}

/// A cart as tools tell it.
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
                "untrusted": { "title": tame(&item.title, 200) },
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

/// A cart as the screen shows it: its fields with its sums inside.
pub(super) fn shown_cart(answer: &CartAnswer) -> Json {
    let mut shown = json!(answer.cart);
    shown["totals"] = json!(answer.totals);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_is_one_short_line() {
        assert_eq!(tame("  A\tlamp\r\n\u{0}of \u{1b}[31mbrass\u{7f} ", 100), "A lamp of [31mbrass");
        assert_eq!(tame("ad\u{200b}min \u{202e}txet\u{e0041}", 100), "admin txet");
        assert_eq!(tame("\u{200b} \u{feff}", 10), "");
        assert_eq!(tame("a lamp of brass", 7), "a lamp…");
        assert_eq!(tame("a lamp", 6), "a lamp");
        assert_eq!(tame("ééééé", 3), "ééé…");
    }
}
