//! Tools that read products.

use serde_json::{Value as Json, json};

use super::{
    PRODUCTS_MAX, Work, answer,
    arguments::Search,
    refusal::{Refused, gone},
};
use crate::{
    actors::catalogue::{
        calls::{GetCategories, GetOffers, SearchPage, SearchProducts},
        index::ListQuery,
    },
    domain::{ids::ProductId, product::Offer},
    views::money::Amount,
    ws::agent::TurnEvent,
};

/// How many products are checked for stock: the size of a page, and the number of pages.
const STOCK_PAGE: usize = 40;
const STOCK_PAGES: usize = 5;

impl Work<'_, '_> {
    pub(super) async fn search(&mut self, search: Search) -> Refused<Json> {
        let mut query = ListQuery {
            text: Some(search.query).filter(|text| !text.trim().is_empty()),
            min_price: search.min_price.map(Amount::minor),
            max_price: search.max_price.map(Amount::minor),
            category: search.category.filter(|category| !category.trim().is_empty()),
            sort: search.sort.unwrap_or_default(),
            skip: 0,
            limit: PRODUCTS_MAX,
            // A product for the cart must match all words, so none is ignored.
            every_word: true,
            hidden: false,
        };
        let in_stock = search.in_stock.unwrap_or(false);
        let mut found = self.page(&query, in_stock).await?;
        if found.rows.is_empty()
            && let Some(text) = query.text.as_deref().map(singular)
            && Some(&text) != query.text.as_ref()
        {
            query.text = Some(text);
            found = self.page(&query, in_stock).await?;
        }
        self.show(&found.rows);
        let products: Vec<Json> = found.rows.iter().map(|offer| answer::product(offer, answer::BRIEF)).collect();
        let mut data = json!({ "total": found.total, "products": products });
        if found.rows.is_empty() {
            data["note"] = json!("Nothing matches. Try fewer or other words, other prices, or another category.");
        }
        Ok(data)
    }

    /// The first results of a search; with `in_stock`, the first that can be bought.
    async fn page(&self, query: &ListQuery, in_stock: bool) -> Refused<SearchPage> {
        if !in_stock {
            return self.ask(SearchProducts { query: query.clone() }).await;
        }
        let (mut rows, mut query) = (vec![], ListQuery { limit: STOCK_PAGE, ..query.clone() });
        let mut all_seen = false;
        for page in 0..STOCK_PAGES {
            query.skip = page * STOCK_PAGE;
            let found = self.ask(SearchProducts { query: query.clone() }).await?;
            rows.extend(found.rows.into_iter().filter(|offer| offer.available > 0));
            all_seen = found.total <= u64::try_from(query.skip + STOCK_PAGE).unwrap_or(u64::MAX);
            if all_seen || rows.len() > PRODUCTS_MAX {
                break;
            }
        }
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        rows.truncate(PRODUCTS_MAX);
        // If not all were checked, it is only known that there are more.
        let total = if all_seen { count } else { count.max(u64::try_from(PRODUCTS_MAX + 1).unwrap_or(u64::MAX)) };
        Ok(SearchPage { rows, total, ..SearchPage::default() })
    }

    pub(super) async fn categories(&mut self) -> Refused<Json> {
        let found = self.ask(GetCategories {}).await?;
        let category = |(name, count): &(String, u64)| json!({ "products": count, "untrusted": { "category": answer::sanitize(name, 100) } });
        let named = found.iter().filter(|(name, _)| !name.is_empty());
        Ok(json!({ "categories": named.map(category).collect::<Vec<_>>() }))
    }

    pub(super) async fn get(&mut self, product: ProductId) -> Refused<Json> {
        let offer = self.offers(&[product]).await?.pop().ok_or_else(gone)?;
        self.note_product(product);
        self.context.sink.send(TurnEvent::Products(vec![answer::card(&offer)]));
        Ok(json!({ "product": answer::product(&offer, answer::FULL) }))
    }

    pub(super) async fn compare(&mut self, products: &[ProductId]) -> Refused<Json> {
        let offers = self.offers(products).await?;
        if offers.is_empty() {
            return Err(gone());
        }
        self.show(&offers);
        let cheapest = offers.iter().min_by_key(|offer| offer.product.price.minor()).map(|offer| offer.product.id);
        let data: Vec<Json> = offers.iter().map(|offer| answer::product(offer, answer::BRIEF)).collect();
        Ok(json!({ "products": data, "cheapestProductId": cheapest }))
    }

    /// The current offers of these products, in the order of `products`, without those that
    /// no longer exist or are not for sale.
    pub(super) async fn offers(&self, products: &[ProductId]) -> Refused<Vec<Offer>> {
        let mut offers = self.all_offers(products).await?;
        offers.retain(|offer| offer.for_sale);
        Ok(offers)
    }

    /// The same, including those that are not for sale.
    pub(super) async fn all_offers(&self, products: &[ProductId]) -> Refused<Vec<Offer>> {
        if products.is_empty() {
            return Ok(vec![]);
        }
        let mut offers = self.ask(GetOffers { products: products.to_vec() }).await?;
        offers.sort_by_key(|offer| products.iter().position(|product| *product == offer.product.id));
        Ok(offers)
    }

    /// Sends products for display, and stores them as the last list.
    pub(super) fn show(&mut self, offers: &[Offer]) {
        if offers.is_empty() {
            return;
        }
        let ids: Vec<ProductId> = offers.iter().map(|offer| offer.product.id).collect();
        self.listed(&ids);
        self.context.sink.send(TurnEvent::Products(offers.iter().map(answer::card).collect()));
    }
}

/// The words of `text` in the singular: "lamps" finds "lamp".
pub(super) fn singular(text: &str) -> String {
    text.split_whitespace().map(singular_word).collect::<Vec<_>>().join(" ")
}

/// A word without the ending of an English plural.
pub(in crate::ws::agent) fn singular_word(word: &str) -> String {
    let long = word.chars().count() > 3;
    let cut = |end: &str, instead: &str| word.strip_suffix(end).filter(|_| long).map(|stem| format!("{stem}{instead}"));
    if word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word.to_owned();
    }
    let hissing = ["ches", "shes", "sses", "xes", "zes"].iter().any(|end| word.ends_with(end));
    let found = if hissing { cut("es", "") } else { cut("ies", "y").or_else(|| cut("s", "")) };
    found.unwrap_or_else(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_become_singular_and_other_words_stay() {
        for (plural, one) in [
            ("lamps", "lamp"),
            ("brushes", "brush"),
            ("boxes", "box"),
            ("dresses", "dress"),
            ("torches", "torch"),
            ("batteries", "battery"),
            ("glass", "glass"),
            ("cactus", "cactus"),
            ("bus", "bus"),
            ("gas", "gas"),
            ("mugs", "mug"),
            ("cases", "case"),
            ("é", "é"),
            ("", ""),
        ] {
            assert_eq!(singular_word(plural), one, "{plural}");
        }
        assert_eq!(singular("brass desk lamps"), "brass desk lamp");
    }
}
