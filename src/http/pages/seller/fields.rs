//! A product's fields as people write them, in a form or in a row of a file.
//!
//! A field that is not there says nothing, which is something else than an empty one.
//!
//! **Invariant:** what passes here passes the product's own rules.

use crate::{
    domain::{
        cart::QUANTITY_MAX,
        money::{Currency, Money},
        product::{CATEGORY_MAX, DESCRIPTION_MAX, STOCK_MAX, TITLE_MAX},
        text::trim_invisible,
    },
    http::pages::{
        format,
        numbers::{self, Price},
    },
};

/// A product's fields, read; `None` where nothing was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// What it is called.
    pub title: Option<String>,
    /// What is said of it.
    pub description: Option<String>,
    /// Of one unit.
    pub price: Option<Price>,
    /// Of the price.
    pub currency: Option<Currency>,
    /// Units available.
    pub stock: Option<u32>,
    /// Category.
    pub category: Option<String>,
    /// The most that an order may have; `Some(None)` for no such bound.
    pub max_per_order: Option<Option<u32>>,
}

/// The fields of a product that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFields {
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
    /// The most that an order may have.
    pub max_per_order: Option<u32>,
}

/// What is wrong: a field and why.
pub type Wrong = Vec<(&'static str, String)>;

/// What is wrong with one field.
fn wrong(field: &'static str, why: impl Into<String>) -> Wrong {
    vec![(field, why.into())]
}

/// Reads the fields that `text` gives by their names.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Result<Fields, Wrong> {
    let mut all = Wrong::new();
    let mut note = |field, problem: Option<String>| all.extend(problem.map(|problem| (field, problem)));
    let title = text("title").map(|title| trim_invisible(title).to_owned());
    note("title", title.as_deref().and_then(title_problem));
    // Browsers send line ends in two characters.
    let description = text("description").map(clean);
    note("description", description.as_deref().and_then(|text| too_long(text, DESCRIPTION_MAX)));
    let category = text("category").map(|category| trim_invisible(category).to_owned());
    let unseen = |kept: &str| kept.is_empty() && text("category").is_some_and(|text| !text.trim().is_empty());
    note(
        "category",
        category.as_deref().and_then(|kept| {
            let told = || "use something that can be seen, or leave it empty".to_owned();
            too_long(kept, CATEGORY_MAX).or_else(|| unseen(kept).then(told))
        }),
    );
    let currency = text("currency").map(str::trim).filter(|code| !code.is_empty()).map(Currency::from_code);
    note("currency", (currency == Some(None)).then(|| "choose INR or USD".into()));
    let price = text("price").map(numbers::price).transpose();
    let stock = text("stock").map(|stock| numbers::count(stock, STOCK_MAX)).transpose();
    let max_per_order = text("maxPerOrder").map(bound).transpose();
    note("price", price.as_ref().err().cloned());
    note("stock", stock.as_ref().err().cloned());
    note("maxPerOrder", max_per_order.as_ref().err().cloned());
    match (price, stock, max_per_order) {
        (Ok(price), Ok(stock), Ok(max_per_order)) if all.is_empty() => {
            Ok(Fields { title, description, price, currency: currency.flatten(), stock, category, max_per_order })
        }
        _ => Err(all),
    }
}

/// A text of several lines as it is kept.
pub(super) fn clean(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// A field's text in one form for all ways to write the same: amounts and numbers as they are exported, texts
/// without outer white space. `currency` is the one whose sign says nothing beside the price.
pub(super) fn plain(name: &str, text: &str, currency: &str) -> String {
    let read = match name {
        "price" => numbers::price(text).ok().map(|price| {
            let sign = price.sign.map(Currency::code).filter(|sign| *sign != currency).unwrap_or_default();
            format!("{sign}{}", format::plain(price.minor))
        }),
        "stock" | "maxPerOrder" => numbers::count(text, STOCK_MAX).ok().map(|number| number.to_string()),
        _ => None,
    };
    read.unwrap_or_else(|| clean(text))
}

fn title_problem(title: &str) -> Option<String> {
    if title.is_empty() { Some("say what it is called".into()) } else { too_long(title, TITLE_MAX) }
}

fn too_long(text: &str, most: usize) -> Option<String> {
    (text.chars().count() > most).then(|| format!("use at most {most} characters"))
}

fn bound(text: &str) -> Result<Option<u32>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let bound = numbers::count(text, QUANTITY_MAX).ok().filter(|bound| *bound > 0);
    bound.map(Some).ok_or_else(|| format!("enter a whole number from 1 to {QUANTITY_MAX}, or leave it empty"))
}

impl Fields {
    /// The price with its currency, of a product that has a price in `known` until now.
    ///
    /// # Errors
    /// A sign of another currency, or another currency without a price in it.
    pub fn money(&self, known: Option<Currency>) -> Result<Option<Money>, Wrong> {
        let Some(Price { minor, sign }) = self.price else {
            return match (self.currency, known) {
                (Some(currency), Some(known)) if currency != known => {
                    Err(wrong("price", format!("give the price in {} as well", currency.code())))
                }
                _ => Ok(None),
            };
        };
        // A new product has no currency yet: the sign may say which.
        let currency = self.currency.or(known).or(sign).unwrap_or(Currency::Inr);
        match sign {
            Some(sign) if sign != currency => {
                Err(wrong("price", format!("is written in {}, but the currency is {}", sign.code(), currency.code())))
            }
            _ => Ok(Some(Money::new(minor, currency))),
        }
    }

    /// As a product that is to be made, which needs a title and a price.
    ///
    /// # Errors
    /// What is missing.
    pub fn into_new(self) -> Result<NewFields, Wrong> {
        let (price, mut all) = match self.money(None) {
            Ok(price) => (price, vec![]),
            Err(wrong) => (None, wrong),
        };
        if self.title.is_none() {
            all.push(("title", "say what it is called".into()));
        }
        if self.price.is_none() {
            all.push(("price", "enter a price above zero with at most two decimals, like 499.50".into()));
        }
        match (self.title, price) {
            (Some(title), Some(price)) if all.is_empty() => Ok(NewFields {
                title,
                description: self.description.unwrap_or_default(),
                price,
                stock: self.stock.unwrap_or(0),
                category: self.category.unwrap_or_default(),
                max_per_order: self.max_per_order.flatten(),
            }),
            _ => Err(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_or_each_is_told() {
        let good = |name: &str| match name {
            "title" => Some(" Lamp "),
            "price" => Some("499.5"),
            "stock" => Some("3"),
            "currency" => Some(""),
            _ => None,
        };
        let fields = read(good).unwrap().into_new().unwrap();
        assert_eq!((fields.title.as_str(), fields.price.minor(), fields.stock), ("Lamp", 49_950, 3));
        assert_eq!((fields.price.currency(), fields.max_per_order), (Currency::Inr, None));
        let long = "x".repeat(201);
        let bad = |name: &str| match name {
            "title" => Some(long.as_str()),
            "price" => Some("1.234"),
            "stock" => Some("-1"),
            "currency" => Some("EUR"),
            "maxPerOrder" => Some("0"),
            _ => Some(""),
        };
        let wrong: Vec<_> = read(bad).unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(wrong, ["title", "currency", "price", "stock", "maxPerOrder"]);
        let blank = |name: &str| match name {
            "title" | "category" => Some("\u{200B}\u{3164}"),
            "currency" => Some("INR"),
            _ => Some("1"),
        };
        let wrong: Vec<_> = read(blank).unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(wrong, ["title", "category"]);
        for price in ["0", "-1", "", "x", "9".repeat(30).as_str()] {
            assert!(read(|name| Some(if name == "price" { price } else { "1" })).is_err(), "{price}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_the_same() {
        for (name, one, other) in [
            ("price", "100", "100.00"),
            ("price", "1299.5", "₹1,299.50"),
            ("price", "x", " x "),
            ("stock", "1299", "1,299"),
            ("maxPerOrder", "7", " 07"),
            ("maxPerOrder", "", " "),
            ("description", "a\nb", "a\r\nb\r\n"),
        ] {
            assert_eq!(plain(name, one, "INR"), plain(name, other, "INR"), "{name}: {other}");
        }
        for (name, one, other) in [("price", "100", "$100"), ("price", "100", "100.01"), ("title", "1", "1.0")] {
            assert_ne!(plain(name, one, "INR"), plain(name, other, "INR"), "{name}: {other}");
        }
    }

    #[test]
    fn what_is_not_there_says_nothing() {
        let nothing = read(|_| None).unwrap();
        assert_eq!(nothing, Fields::default());
        assert_eq!(nothing.money(Some(Currency::Usd)), Ok(None));
        let wrong: Vec<_> = nothing.into_new().unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(wrong, ["title", "price"]);
        let unbounded = read(|name| (name == "maxPerOrder").then_some(" ")).unwrap();
        assert_eq!(unbounded.max_per_order, Some(None));
    }

    #[test]
    fn a_price_keeps_the_currency_that_is_known_and_its_sign_must_not_speak_against_it() {
        let price = |text: &'static str, currency: &'static str| {
            let fields = read(|name| match name {
                "price" => Some(text).filter(|text| !text.is_empty()),
                "currency" => Some(currency),
                _ => None,
            });
            fields.unwrap()
        };
        let usd = |minor| Ok(Some(Money::new(minor, Currency::Usd)));
        assert_eq!(price("5", "").money(Some(Currency::Usd)), usd(500));
        assert_eq!(price("$5", "").money(None), usd(500));
        assert_eq!(price("5", "USD").money(Some(Currency::Inr)), usd(500));
        assert!(price("$5", "").money(Some(Currency::Inr)).is_err());
        assert!(price("₹5", "USD").money(None).is_err());
        assert!(price("", "USD").money(Some(Currency::Inr)).is_err());
        assert_eq!(price("", "USD").money(Some(Currency::Usd)), Ok(None));
    }
}
