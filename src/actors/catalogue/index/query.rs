//! Queries of the index, and their canonical form.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::words::words;
use crate::domain::{ids::ProductId, text::fold};

/// The most words of a query that are used.
const QUERY_WORDS_MAX: usize = 12;
/// The most characters of a query that are used.
const QUERY_CHARS_MAX: usize = 1_000;
/// The most products to skip; beyond that, a page is empty.
pub const SKIP_MAX: usize = 100_000;
/// The most products of one answer.
pub const LIMIT_MAX: usize = 1_000;

/// The order of a list, by the words that callers use for it. Ties go to the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sort {
    /// Best match first; without a text the same as `Newest`.
    #[default]
    Relevance,
    /// Cheapest first.
    #[serde(rename = "price")]
    PriceAsc,
    /// Most expensive first.
    #[serde(rename = "-price")]
    PriceDesc,
    /// Newest first.
    Newest,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Relevance, Self::PriceAsc, Self::PriceDesc, Self::Newest];
}

/// A query for a page of products.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListQuery {
    /// The search words, all of which must match, except those that no product has. Any characters; blank means none.
    pub text: Option<String>,
    /// The lowest price in minor units.
    pub min_price: Option<i64>,
    /// The highest price in minor units.
    pub max_price: Option<i64>,
    /// The category, case-insensitive.
    pub category: Option<String>,
    /// The order.
    pub sort: Sort,
    /// How many to skip; see [`SKIP_MAX`].
    pub skip: usize,
    /// How many to return; see [`LIMIT_MAX`].
    pub limit: usize,
    /// Whether words that no product has must match as well: for callers that act on the result.
    pub every_word: bool,
    /// Whether to include products that are not on sale; for staff only, and never accepted from another process.
    #[serde(skip)]
    pub hidden: bool,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits {
    /// The products of the page, in order.
    pub ids: Arc<[ProductId]>,
    /// How many match in all.
    pub total: u64,
    /// Words that no product has, which were ignored.
    pub unknown: Arc<[String]>,
}

/// A canonical query: two queries with the same meaning are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    /// `None` matches everything, an empty list nothing: the text had no word in it.
    pub words: Option<Vec<String>>,
    pub prices: Option<(i64, i64)>,
    pub category: Option<String>,
    pub sort: Sort,
    pub skip: usize,
    pub limit: usize,
    pub every_word: bool,
    pub hidden: bool,
}

impl From<&ListQuery> for Plan {
    fn from(query: &ListQuery) -> Self {
        let text = query.text.as_deref().filter(|text| !text.trim().is_empty());
        let words = text.map(query_words);
        let prices = (query.min_price.is_some() || query.max_price.is_some())
            .then(|| (query.min_price.unwrap_or(i64::MIN), query.max_price.unwrap_or(i64::MAX)));
        let sort = match query.sort {
            Sort::Relevance if words.is_none() => Sort::Newest,
            sort => sort,
        };
        let category = query.category.as_deref().map(fold).filter(|category| !category.is_empty());
        Self {
            words,
            prices,
            category,
            sort,
            skip: query.skip,
            limit: query.limit.min(LIMIT_MAX),
            every_word: query.every_word,
            hidden: query.hidden,
        }
    }
}

fn query_words(text: &str) -> Vec<String> {
    let end = text.char_indices().nth(QUERY_CHARS_MAX).map_or(text.len(), |(at, _)| at);
    let mut distinct: Vec<String> = Vec::new();
    for word in words(&text[..end], QUERY_WORDS_MAX) {
        if !distinct.contains(&word) {
            distinct.push(word);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::from(&ListQuery { text: Some(text.into()), limit: 20, ..ListQuery::default() })
    }

    #[test]
    fn queries_that_mean_the_same_are_one_plan() {
        assert_eq!(plan("  Red   LAMP "), plan("red lamp red"));
        assert_eq!(plan("   "), Plan::from(&ListQuery { sort: Sort::Newest, limit: 20, ..ListQuery::default() }));
        assert_eq!(plan("\"\"((").words, Some(vec![]));
    }

    #[test]
    fn a_long_query_counts_up_to_its_bounds() {
        let long: String = (0..5_000).map(|n| format!("word{n} ")).collect();
        assert_eq!(plan(&long).words.map(|words| words.len()), Some(QUERY_WORDS_MAX));
        assert_eq!(plan(&"é".repeat(10_000)).words.map(|words| words.len()), Some(1));
    }
}
