//! References to products: "the second one", "it", "both", "the brass desk lamp".

use super::{tokens::Token, vocabulary};

/// The maximum number of words of a name that are used.
const NAME_MAX: usize = 12;

/// How a message refers to a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// By positions in the list, from 1.
    Positions(Vec<usize>),
    /// The first products of the list.
    FirstOf(usize),
    /// The last product of the list.
    Last,
    /// The whole list.
    All,
    /// The product that was mentioned last.
    It,
    /// The other one of two products.
    Other,
    /// The cheapest product of the list, or of those with these words.
    Cheapest(Vec<String>),
    /// The most expensive product, likewise.
    Dearest(Vec<String>),
    /// By words of the title.
    Named(Vec<String>),
    /// No reference.
    Nothing,
}

impl Reference {
    /// Whether it refers to products that were shown, rather than naming one.
    pub(super) const fn points(&self) -> bool {
        match self {
            Self::Positions(_) | Self::FirstOf(_) | Self::Last | Self::All | Self::It | Self::Other => true,
            Self::Cheapest(words) | Self::Dearest(words) => words.is_empty(),
            Self::Named(_) | Self::Nothing => false,
        }
    }

    /// The reference in `tokens`, which contain neither the verb nor the quantity.
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
        let positions = positions(tokens);
        if !positions.is_empty() && words.len() <= 1 {
            return Self::Positions(positions);
        }
        if words.is_empty() {
            if has(&["last", "latter"]) {
                return Self::Last;
            }
            if has(&["former"]) {
                return Self::Positions(vec![1]);
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
        if !positions.is_empty() && tokens.iter().any(|token| token.is("#")) {
            return Self::Positions(positions);
        }
        Self::Named(words.into_iter().take(NAME_MAX).collect())
    }
}

/// The positions in a list that are named: `second`, `#2`, `number 2`, `item 2`.
fn positions(tokens: &[Token]) -> Vec<usize> {
    const BEFORE: [&str; 6] = ["number", "no", "item", "option", "product", "nr"];
    let mut positions = vec![];
    for (at, token) in tokens.iter().enumerate() {
        let named = at > 0 && tokens[at - 1].is_any(&BEFORE);
        let counted = token.count().filter(|_| named).and_then(|count| usize::try_from(count).ok());
        if let Some(position) = token.position.or(counted)
            && !positions.contains(&position)
        {
            positions.push(position);
        }
    }
    positions
}
