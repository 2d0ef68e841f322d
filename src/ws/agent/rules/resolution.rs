//! Resolves references to products: in the last list, in the cart, or in the shop.

use serde_json::json;

use super::{
    reference::Reference,
    speech::{self, RuleReply},
    tool_results::{self, ToolProduct},
    turn::{Done, RuleTurn},
    vocabulary,
};

/// The maximum number of products to choose from.
const CHOICES_MAX: usize = 4;

/// The result of resolving a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolution {
    /// One or more products.
    These(Vec<ToolProduct>),
    /// Several candidates; the user has to choose.
    Ambiguous(Vec<ToolProduct>),
    /// No product of this name; `near` are similar ones.
    NotFound { called: String, near: Vec<ToolProduct> },
    /// The message does not say which product, and no list was shown.
    Unspecified,
}

impl Resolution {
    fn one(product: ToolProduct) -> Self {
        Self::These(vec![product])
    }

    fn some(products: Vec<ToolProduct>) -> Self {
        if products.is_empty() { Self::Unspecified } else { Self::These(products) }
    }
}

/// Resolves a reference that points into `products`; `None` for one that names a product.
pub(super) fn pointed(
    reference: &Reference,
    products: &[ToolProduct],
    current: Option<crate::domain::ids::ProductId>,
) -> Option<Resolution> {
    let at = |position: usize| products.get(position.checked_sub(1)?).cloned();
    Some(match reference {
        Reference::Positions(positions) => {
            Resolution::some(positions.iter().filter_map(|position| at(*position)).collect())
        }
        Reference::FirstOf(count) => Resolution::some(products.iter().take(*count).cloned().collect()),
        Reference::Last => Resolution::some(products.last().cloned().into_iter().collect()),
        Reference::All => Resolution::some(products.to_vec()),
        Reference::Cheapest(words) if words.is_empty() => {
            Resolution::some(products.iter().min_by_key(|product| product.price.minor()).cloned().into_iter().collect())
        }
        Reference::Dearest(words) if words.is_empty() => {
            Resolution::some(products.iter().max_by_key(|product| product.price.minor()).cloned().into_iter().collect())
        }
        Reference::Other => match products {
            [one, other] if current == Some(other.id) => Resolution::one(one.clone()),
            [_, other] => Resolution::one(other.clone()),
            _ => Resolution::Unspecified,
        },
        Reference::It | Reference::Nothing => {
            match (products, products.iter().find(|product| Some(product.id) == current)) {
                (_, Some(product)) => Resolution::one(product.clone()),
                ([only], None) => Resolution::one(only.clone()),
                (products, None) if products.len() > 1 && products.len() <= CHOICES_MAX => {
                    Resolution::Ambiguous(products.to_vec())
                }
                _ => Resolution::Unspecified,
            }
        }
        Reference::Named(_) | Reference::Cheapest(_) | Reference::Dearest(_) => return None,
    })
}

/// The products with all `words` in their title; `None` if there is none.
pub(super) fn named(words: &[String], products: &[ToolProduct]) -> Option<Resolution> {
    let mut all: Vec<ToolProduct> =
        products.iter().filter(|product| vocabulary::matching(words, &product.title) == words.len()).cloned().collect();
    // A title that consists of exactly these words is preferred over longer titles.
    let exact: Vec<ToolProduct> =
        all.iter().filter(|product| vocabulary::stems(&product.title).len() == words.len()).cloned().collect();
    if let [only] = &exact[..] {
        return Some(Resolution::one(only.clone()));
    }
    match &all[..] {
        [] => None,
        [only] => Some(Resolution::one(only.clone())),
        _ => {
            all.truncate(CHOICES_MAX);
            Some(Resolution::Ambiguous(all))
        }
    }
}

impl RuleTurn<'_> {
    /// Resolves `reference` in the last list, or else in the shop.
    pub(super) async fn resolve(&mut self, reference: &Reference) -> Done<Resolution> {
        let listed = self.listed().await?;
        if matches!(reference, Reference::It | Reference::Nothing)
            && let Some(current) = self.known.current.filter(|current| self.known.has(*current))
        {
            let answer = self.call_quietly("get_product", json!({ "productId": current })).await?;
            return Ok(tool_results::product(&answer).map_or(Resolution::Unspecified, Resolution::one));
        }
        if let Some(found) = pointed(reference, &listed, self.known.current) {
            return Ok(found);
        }
        match reference {
            Reference::Named(words) => match named(words, &listed) {
                Some(found) => Ok(found),
                None => self.in_shop(words, "relevance").await,
            },
            Reference::Cheapest(words) => self.first_in_shop(words, "price").await,
            Reference::Dearest(words) => self.first_in_shop(words, "-price").await,
            _ => Ok(Resolution::Unspecified),
        }
    }

    async fn in_shop(&mut self, words: &[String], sort: &str) -> Done<Resolution> {
        let query = words.join(" ");
        let answer = self.call_quietly("search_products", json!({ "query": query, "sort": sort })).await?;
        let near = tool_results::products(&answer);
        Ok(named(words, &near).unwrap_or(Resolution::NotFound { called: query, near }))
    }

    /// The first search result that has all the words.
    async fn first_in_shop(&mut self, words: &[String], sort: &str) -> Done<Resolution> {
        let query = words.join(" ");
        let answer =
            self.call_quietly("search_products", json!({ "query": query, "sort": sort, "inStock": true })).await?;
        let near = tool_results::products(&answer);
        let first = near.iter().find(|product| vocabulary::matching(words, &product.title) == words.len()).cloned();
        Ok(first.map_or(Resolution::NotFound { called: query, near }, Resolution::one))
    }

    /// Asks the user to choose; the answer is resolved in this list.
    pub(super) async fn ask_which(&mut self, products: &[ToolProduct]) -> RuleReply {
        self.show_products(products).await;
        RuleReply::with(format!("{}\n{}", speech::WHICH, speech::numbered(products)), products)
    }

    /// Says that no product has this name, and shows similar ones.
    pub(super) async fn nothing_called(&mut self, called: &str, near: &[ToolProduct]) -> RuleReply {
        if near.is_empty() {
            return RuleReply::of(format!(
                "I found nothing called “{called}” in the shop. Could you put it in other words?"
            ));
        }
        let near = &near[..near.len().min(CHOICES_MAX)];
        self.show_products(near).await;
        let text = format!("I found nothing called just “{called}”. The nearest I have:\n{}", speech::numbered(near));
        RuleReply::with(text, near)
    }
}
