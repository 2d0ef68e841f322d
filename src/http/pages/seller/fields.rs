//! Parsing of a product's fields from a form or from a row of a file.
//!
//! An absent field keeps its value, which differs from an empty field.
//!
//! **Invariant:** parsed fields obey the product's own rules.

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

/// A product's parsed fields; `None` for absent ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    pub title: Option<String>,
    pub description: Option<String>,
    pub price: Option<Price>,
    pub currency: Option<Currency>,
    /// Units available.
    pub stock: Option<u32>,
    pub category: Option<String>,
    /// The most units of one order; `Some(None)` for no limit.
    pub max_per_order: Option<Option<u32>>,
}

/// The fields of a new product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFields {
    pub title: String,
    pub description: String,
    pub price: Money,
    /// Units available.
    pub stock: u32,
    pub category: String,
    /// The most units of one order.
    pub max_per_order: Option<u32>,
}

/// Errors: a field and what is wrong with it.
pub type FieldErrors = Vec<(&'static str, String)>;

fn wrong(field: &'static str, why: impl Into<String>) -> FieldErrors {
    vec![(field, why.into())]
}

/// Parses the fields that `text` returns by name.
///
/// # Errors
///
/// The errors of all fields.
pub fn read<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Result<Fields, FieldErrors> {
    let mut all = FieldErrors::new();
    let mut note = |field, problem: Option<String>| all.extend(problem.map(|problem| (field, problem)));
    let title = text("title").map(|title| trim_invisible(title).to_owned());
    note("title", title.as_deref().and_then(title_problem));
    // Browsers send line breaks as two characters.
    let description = text("description").map(clean);
    note("description", description.as_deref().and_then(|text| too_long(text, DESCRIPTION_MAX)));
    let category = text("category").map(|category| trim_invisible(category).to_owned());
    let unseen = |kept: &str| kept.is_empty() && text("category").is_some_and(|text| !text.trim().is_empty());
    note(
        "category",
        category.as_deref().and_then(|kept| {
            let message = || "use something that can be seen, or leave it empty".to_owned();
            too_long(kept, CATEGORY_MAX).or_else(|| unseen(kept).then(message))
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

/// A text of several lines as it is stored.
pub(super) fn clean(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// A field's text, normalised: amounts and numbers as they are exported, texts without outer white space. `currency`
/// is the one whose sign may be left out beside the price.
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
    /// The price with its currency; `known` is the product's current currency.
    ///
    /// # Errors
    ///
    /// A sign of another currency, or another currency without a price.
    pub fn money(&self, known: Option<Currency>) -> Result<Option<Money>, FieldErrors> {
        let Some(Price { minor, sign }) = self.price else {
            return match (self.currency, known) {
                (Some(currency), Some(known)) if currency != known => {
                    Err(wrong("price", format!("give the price in {} as well", currency.code())))
                }
                _ => Ok(None),
            };
        };
        // A new product has no currency yet, so that the sign decides.
        let currency = self.currency.or(known).or(sign).unwrap_or(Currency::Inr);
        match sign {
            Some(sign) if sign != currency => {
                Err(wrong("price", format!("is written in {}, but the currency is {}", sign.code(), currency.code())))
            }
            _ => Ok(Some(Money::new(minor, currency))),
        }
    }

    /// The fields of a new product, which needs a title and a price.
    ///
    /// # Errors
    ///
    /// The missing fields.
    pub fn into_new(self) -> Result<NewFields, FieldErrors> {
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
    fn fields_are_parsed_or_their_errors_reported() {
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
    fn other_notations_are_equal() {
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
    fn absent_fields_are_none() {
        let nothing = read(|_| None).unwrap();
        assert_eq!(nothing, Fields::default());
        assert_eq!(nothing.money(Some(Currency::Usd)), Ok(None));
        let wrong: Vec<_> = nothing.into_new().unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(wrong, ["title", "price"]);
        let unbounded = read(|name| (name == "maxPerOrder").then_some(" ")).unwrap();
        assert_eq!(unbounded.max_per_order, Some(None));
    }

    #[test]
    fn a_price_keeps_the_known_currency_and_its_sign_must_match() {
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
