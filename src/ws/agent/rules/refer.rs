//! Which product a shopper means: "the second one", "it", "both", "the brass desk lamp".

use super::{tokens::Token, vocabulary};

/// The most words of a name that count.
const NAME_MAX: usize = 12;

/// What a shopper calls a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refer {
    /// These places of the list, from 1.
    Places(Vec<usize>),
    /// The first so many of the list.
    FirstOf(usize),
    /// The last of the list.
    Last,
    /// The whole list.
    All,
    /// What was spoken of last.
    It,
    /// The other one of two.
    Other,
    /// The cheapest of the list, or of those with these words.
    Cheapest(Vec<String>),
    /// The dearest, likewise.
    Dearest(Vec<String>),
    /// By words of its title.
    Named(Vec<String>),
    /// Not at all.
    Nothing,
}

impl Refer {
    /// Whether it points at what was shown, rather than naming something.
    pub(super) const fn points(&self) -> bool {
        match self {
            Self::Places(_) | Self::FirstOf(_) | Self::Last | Self::All | Self::It | Self::Other => true,
            Self::Cheapest(words) | Self::Dearest(words) => words.is_empty(),
            Self::Named(_) | Self::Nothing => false,
        }
    }

    /// What `tokens`, without a verb and a quantity, refer to.
    pub(super) fn read(tokens: &[Token]) -> Self {
        let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| token.is_any(words));
        let has = |words: &[&str]| tokens.iter().any(|token| token.is_any(words));
        let words = vocabulary::content(tokens);
        let first_of = |at: usize| {
            let count = tokens.get(at + 1).filter(|_| is(at, &["first", "top"])).and_then(Token::count);
            count.and_then(|count| usize::try_from(count).ok()).filter(|count| (2..=20).contains(count))
        };
        if let Some(count) = (0..tokens.len()).find_map(first_of) {
            return Self::FirstOf(count);
        }
        let cheapest = has(&["cheapest", "cheaper", "lowest"]);
        let dearest = has(&["dearest", "costliest", "priciest", "highest"])
            || tokens.windows(2).any(|pair| pair[0].is("most") && pair[1].is_any(&["expensive", "costly"]));
        if cheapest {
            return Self::Cheapest(words);
        }
        if dearest {
            return Self::Dearest(words);
        }
        let places = places(tokens);
        if !places.is_empty() && words.len() <= 1 {
            return Self::Places(places);
        }
        if words.is_empty() {
            if has(&["last", "latter"]) {
                return Self::Last;
            }
            if has(&["former"]) {
                return Self::Places(vec![1]);
            }
            if has(&["other"]) {
                return Self::Other;
            }
            if has(&["both"]) {
                return Self::FirstOf(2);
            }
            if has(&["all", "these", "those", "them", "everything", "each"]) {
                return Self::All;
            }
            if has(&["it", "this", "that", "same", "one"]) {
                return Self::It;
            }
            return Self::Nothing;
        }
        if !places.is_empty() && tokens.iter().any(|token| token.is("#")) {
            return Self::Places(places);
        }
        Self::Named(words.into_iter().take(NAME_MAX).collect())
    }
}

/// The places of a list that are named: `second`, `#2`, `number 2`, `item 2`.
fn places(tokens: &[Token]) -> Vec<usize> {
    const BEFORE: [&str; 6] = ["number", "no", "item", "option", "product", "nr"];
    let mut places = vec![];
    for (at, token) in tokens.iter().enumerate() {
        let named = at > 0 && tokens[at - 1].is_any(&BEFORE);
        let counted = token.count().filter(|_| named).and_then(|count| usize::try_from(count).ok());
        if let Some(place) = token.place.or(counted)
            && !places.contains(&place)
        {
            places.push(place);
        }
    }
    places
}
