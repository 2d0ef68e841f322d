//! A product's fields as people write them, in a form or in a row of a file.
//!
//! **Invariant:** what passes here passes the product's own rules.

use crate::domain::{
    money::{Currency, Money},
    product::{CATEGORY_MAX, DESCRIPTION_MAX, STOCK_MAX, TITLE_MAX},
    text::{trim_invisible, visible_or_empty},
};

/// A product's fields, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// What it is called.
    pub title: String,
    /// What is said of it.
    pub description: String,
    /// Of one unit.
    pub price: Money,
    /// Units available.
    pub stock: u32,
    /// Category.
    pub category: String,
}

/// What is wrong: a field and why.
pub type Wrong = Vec<(&'static str, String)>;

/// The largest price in minor units; JSON numbers carry it exactly.
const PRICE_MAX_MINOR: i64 = 100_000_000_000;

/// Reads the fields that `text` gives by their names.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read<'a>(text: impl Fn(&str) -> &'a str) -> Result<Fields, Wrong> {
    let mut wrong = Wrong::new();
    let title = trim_invisible(text("title")).to_owned();
    match title.chars().count() {
        0 => wrong.push(("title", "say what it is called".into())),
        n if n > TITLE_MAX => wrong.push(("title", format!("use at most {TITLE_MAX} characters"))),
        _ => {}
    }
    // Browsers send line ends in two characters.
    let description = text("description").replace("\r\n", "\n").trim().to_owned();
    if description.chars().count() > DESCRIPTION_MAX {
        wrong.push(("description", format!("use at most {DESCRIPTION_MAX} characters")));
    }
    let category = visible_or_empty(text("category").trim()).unwrap_or_default().to_owned();
    if category.is_empty() && !text("category").trim().is_empty() {
        wrong.push(("category", "use something that can be seen, or leave it empty".into()));
    }
    if category.chars().count() > CATEGORY_MAX {
        wrong.push(("category", format!("use at most {CATEGORY_MAX} characters")));
    }
    let currency = match text("currency").trim() {
        "" => Some(Currency::Inr),
        code => Currency::from_code(code),
    };
    if currency.is_none() {
        wrong.push(("currency", "choose INR or USD".into()));
    }
    let price = Money::parse_major(text("price").trim(), currency.unwrap_or(Currency::Inr));
    let price = price.ok().filter(|price| (1..=PRICE_MAX_MINOR).contains(&price.minor()));
    if price.is_none() {
        wrong.push(("price", "enter a price above zero with at most two decimals, like 499.50".into()));
    }
    let stock = match text("stock").trim() {
        "" => Some(0),
        number => number.parse::<u32>().ok().filter(|stock| *stock <= STOCK_MAX),
    };
    if stock.is_none() {
        wrong.push(("stock", "enter a whole number, 0 or more".into()));
    }
    match (price, stock) {
        (Some(price), Some(stock)) if wrong.is_empty() => Ok(Fields { title, description, price, stock, category }),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_or_each_is_told() {
        let good = |name: &str| match name {
            "title" => " Lamp ",
            "price" => "499.5",
            "stock" => "3",
            _ => "",
        };
        let fields = read(good).unwrap();
        assert_eq!((fields.title.as_str(), fields.price.minor(), fields.stock), ("Lamp", 49_950, 3));
        let long = "x".repeat(201);
        let bad = |name: &str| match name {
            "title" => long.as_str(),
            "price" => "1.234",
            "stock" => "-1",
            "currency" => "EUR",
            _ => "",
        };
        let wrong: Vec<_> = read(bad).unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(wrong, ["title", "currency", "price", "stock"]);
        let blank = |name: &str| match name {
            "title" | "category" => "\u{200B}\u{3164}",
            _ => "1",
        };
        let wrong: Vec<_> = read(blank).unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(wrong, ["title", "category", "currency"]);
        for price in ["0", "-1", "", "x", "9".repeat(30).as_str()] {
            assert!(read(|name| if name == "price" { price } else { "1" }).is_err(), "{price}");
        }
    }
}
