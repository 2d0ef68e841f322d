//! The tool that recommends products: those bought together with a product, and those similar to it or
//! to the cart.
//!
//! Similar products are in the same category, share words of the title and have a similar price. The order service
//! counts which products are bought together; if it is unavailable, only similar products are returned.

use std::collections::HashSet;

use serde_json::{Value as Json, json};

use super::{
    Work, answer,
    products::singular_word,
    refusal::{Refused, gone},
};
use crate::{
    actors::order_saga::calls::GetBoughtTogether,
    actors::{
        cart::calls::GetCart,
        catalogue::{calls::SearchProducts, index::ListQuery},
    },
    domain::{ids::ProductId, product::Offer, user::Role},
};

/// How many products are compared.
const LOOKED_AT: usize = 60;
/// How many are recommended.
const RECOMMENDED: usize = 5;
/// How many of them are bought together.
const TOGETHER: u32 = 3;
/// The minimum length of a word that is compared.
const WORD_MIN: usize = 3;

impl Work<'_, '_> {
    pub(super) async fn recommend(&mut self, product: Option<ProductId>) -> Refused<Json> {
        let mut not_these: Vec<ProductId> = product.into_iter().collect();
        let (like, basis) = match product {
            Some(id) => (Some(self.offers(&[id]).await?.pop().ok_or_else(gone)?), "similar to the product"),
            None => {
                let in_cart = self.in_cart().await?;
                not_these.extend(in_cart.iter().map(|offer| offer.product.id));
                match in_cart.into_iter().last() {
                    Some(last) => (Some(last), "similar to what is in the cart"),
                    None => (None, "new in the shop"),
                }
            }
        };
        let category = like.as_ref().map(|offer| offer.product.category.clone()).filter(|name| !name.is_empty());
        let query = ListQuery { category, limit: LOOKED_AT, ..ListQuery::default() };
        let found = self.ask(SearchProducts { query }).await?;
        let mut offers: Vec<Offer> = found.rows;
        offers.retain(|offer| offer.available > 0 && !not_these.contains(&offer.product.id));
        if let Some(like) = &like {
            offers.sort_by_cached_key(|offer| std::cmp::Reverse(likeness(like, offer)));
        }
        let together = match &like {
            Some(like) => self.bought_with(like.product.id, &not_these).await,
            None => vec![],
        };
        let bought: Vec<ProductId> = together.iter().map(|offer| offer.product.id).collect();
        offers.retain(|offer| !bought.contains(&offer.product.id));
        offers.splice(0..0, together);
        offers.truncate(RECOMMENDED);
        self.show(&offers);
        let rows = offers.iter().map(|offer| {
            let mut row = answer::product(offer, answer::BRIEF);
            row["boughtTogether"] = json!(bought.contains(&offer.product.id));
            row
        });
        let rows: Vec<Json> = rows.collect();
        Ok(json!({ "basis": basis, "products": rows }))
    }

    /// Products bought together with a product that can be bought now; none if the order service is unavailable.
    async fn bought_with(&self, product: ProductId, not_these: &[ProductId]) -> Vec<Offer> {
        let bought = self.ask(GetBoughtTogether { product, limit: TOGETHER }).await;
        let Ok(mut found) = bought else { return vec![] };
        found.retain(|product| !not_these.contains(product));
        let mut offers = self.offers(&found).await.unwrap_or_default();
        offers.retain(|offer| offer.available > 0);
        offers
    }

    /// The offers in the user's cart; none for other roles.
    async fn in_cart(&self) -> Refused<Vec<Offer>> {
        if self.context.shopper.role != Role::User {
            return Ok(vec![]);
        }
        let cart = self.ask(GetCart { user: self.context.shopper.id }).await?;
        let products: Vec<ProductId> = cart.lines.iter().map(|line| line.product).collect();
        self.offers(&products).await
    }
}

/// The similarity: first the number of common words, then the difference of the prices.
fn likeness(one: &Offer, other: &Offer) -> (usize, i64) {
    let common = words(&one.product.title).intersection(&words(&other.product.title)).count();
    let (price, others) = (one.product.price.minor().max(1), other.product.price.minor());
    (common, -(others.saturating_sub(price)).saturating_abs())
}

fn words(title: &str) -> HashSet<String> {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= WORD_MIN);
    words.map(|word| singular_word(&word.to_lowercase())).collect()
}
