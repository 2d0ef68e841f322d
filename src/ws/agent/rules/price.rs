//! Price limits in a message: "under 500", "between 200 and 800", "₹1k or less".

use super::tokens::Token;

/// Price limits, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    pub min: Option<i64>,
    pub max: Option<i64>,
}

impl Limits {
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Words that may stand between "under" and its number.
const FILLERS: [&str; 20] = [
    "of", "is", "about", "=", "rs", "inr", "₹", "$", "rupees", "only", "than", "a", "my", "price", "to", "the",
    "around", "budget", "say", "usd",
];
const CURRENCY: [&str; 10] = ["rs", "inr", "rupee", "rupees", "₹", "bucks", "usd", "dollar", "dollars", "$"];
const BELOW: [&str; 13] = [
    "under",
    "below",
    "beneath",
    "within",
    "upto",
    "<",
    "max",
    "maximum",
    "budget",
    "limit",
    "underneath",
    "atmost",
    "spend",
];
const ABOVE: [&str; 10] = ["over", "above", "min", "minimum", ">", "beyond", "upwards", "atleast", "exceeding", "from"];
const NEAR: [&str; 7] = ["around", "about", "approximately", "roughly", "approx", "near", "~"];
/// Limits of two words: the second word, and whether it is an upper limit.
const PAIRS: [(&str, &str, bool); 26] = [
    ("up", "to", true),
    ("less", "than", true),
    ("lower", "than", true),
    ("cheaper", "than", true),
    ("smaller", "than", true),
    ("at", "most", true),
    ("at", "max", true),
    ("no", "more", true),
    ("not", "more", true),
    ("not", "over", true),
    ("not", "above", true),
    ("not", "exceeding", true),
    ("no", "over", true),
    ("more", "than", false),
    ("greater", "than", false),
    ("higher", "than", false),
    ("costlier", "than", false),
    ("dearer", "than", false),
    ("pricier", "than", false),
    ("at", "least", false),
    ("no", "less", false),
    ("not", "less", false),
    ("not", "under", false),
    ("not", "below", false),
    ("starting", "at", false),
    ("starting", "from", false),
];
/// Words after a number that make it a limit, and whether it is an upper one.
const AFTER: [(&[&str], bool); 14] = [
    (&["or", "less"], true),
    (&["or", "under"], true),
    (&["or", "below"], true),
    (&["or", "cheaper"], true),
    (&["and", "under"], true),
    (&["and", "below"], true),
    (&["max"], true),
    (&["maximum"], true),
    (&["budget"], true),
    (&["or", "more"], false),
    (&["or", "above"], false),
    (&["and", "above"], false),
    (&["and", "up"], false),
    (&["plus"], false),
];

/// Removes the price limits from `tokens` and returns them.
pub(super) fn take(tokens: &mut Vec<Token>) -> Limits {
    let mut limits = Limits::default();
    let mut at = 0;
    while at < tokens.len() {
        match limit_at(tokens, at) {
            Some((found, used)) => {
                limits.min = found.min.or(limits.min);
                limits.max = found.max.or(limits.max);
                tokens.drain(at..(at + used).min(tokens.len()));
            }
            None => at += 1,
        }
    }
    if let (Some(min), Some(max)) = (limits.min, limits.max)
        && min > max
    {
        limits = Limits { min: Some(max), max: Some(min) };
    }
    limits
}

/// A number at or soon after `at`, whether it is an amount of money, and the index after it.
fn number_from(tokens: &[Token], at: usize, fillers: usize) -> Option<(i64, bool, usize)> {
    let mut position = at;
    let mut money = false;
    while let Some(token) = tokens.get(position) {
        if let Some(value) = token.number {
            let mut end = position + 1;
            money |= token.money;
            while tokens.get(end).is_some_and(|next| next.is_any(&CURRENCY)) {
                money = true;
                end += 1;
            }
            return Some((value, money, end));
        }
        if position - at >= fillers || !token.is_any(&FILLERS) {
            return None;
        }
        money |= token.is_any(&CURRENCY);
        position += 1;
    }
    None
}

fn limit_at(tokens: &[Token], at: usize) -> Option<(Limits, usize)> {
    let is = |position: usize, words: &[&str]| tokens.get(position).is_some_and(|token| token.is_any(words));
    let only = |value: i64, upper: bool| if upper { (None, Some(value)) } else { (Some(value), None) };
    let answer = |(min, max): (Option<i64>, Option<i64>), end: usize| Some((Limits { min, max }, end - at));
    // between 200 and 800; from 200 to 800; 200-800
    let ranged = is(at, &["between", "from", "range"]);
    let start = if ranged { at + 1 } else { at };
    if let Some((low, low_money, end)) = number_from(tokens, start, if ranged { 3 } else { 0 })
        && is(end, &["and", "to", "-", "till", "until"])
        && let Some((high, high_money, end)) = number_from(tokens, end + 1, 2)
        && (ranged || low_money || high_money || low.min(high) >= 5_000)
    {
        return answer((Some(low.min(high)), Some(low.max(high))), end);
    }
    for (first, second, upper) in PAIRS {
        if is(at, &[first])
            && is(at + 1, &[second])
            && let Some((value, _, end)) = number_from(tokens, at + 2, 4)
        {
            return answer(only(value, upper), end);
        }
    }
    for (words, upper) in [(&BELOW[..], true), (&ABOVE[..], false)] {
        if is(at, words)
            && let Some((value, _, end)) = number_from(tokens, at + 1, 4)
        {
            return answer(only(value, upper), end);
        }
    }
    if is(at, &NEAR)
        && let Some((value, money, end)) = number_from(tokens, at + 1, 3)
        && (money || value >= 5_000)
    {
        return answer((Some(value - value / 4), Some(value.saturating_add(value / 4))), end);
    }
    let (value, mut money, end) = number_from(tokens, at, 2)?;
    let first_is_filler = tokens.get(at).is_some_and(|token| token.number.is_none() && !token.is_any(&CURRENCY));
    if first_is_filler {
        return None;
    }
    for (words, upper) in AFTER {
        if words.iter().enumerate().all(|(offset, word)| is(end + offset, &[word])) {
            return answer(only(value, upper), end + words.len());
        }
    }
    if is(end, &["+"]) && (money || value >= 5_000) {
        return answer(only(value, false), end + 1);
    }
    money |= is(at.wrapping_sub(1), &["for", "have"]) && value >= 10_000 && end >= tokens.len();
    if money { answer(only(value, true), end) } else { None }
}

#[cfg(test)]
mod tests {
    use super::{super::tokens::tokens, *};

    fn read(text: &str) -> (Option<i64>, Option<i64>, String) {
        let mut tokens = tokens(text);
        let limits = take(&mut tokens);
        let rest: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
        (limits.min.map(|minor| minor / 100), limits.max.map(|minor| minor / 100), rest.join(" "))
    }

    #[test]
    fn limits_are_understood_in_many_wordings() {
        for (text, min, max, rest) in [
            ("lamps under 500", None, Some(500), "lamps"),
            ("lamps below rs. 500", None, Some(500), "lamps"),
            ("lamps under ₹1,500", None, Some(1500), "lamps"),
            ("lamps under 1k", None, Some(1000), "lamps"),
            ("lamps less than 500 rupees", None, Some(500), "lamps"),
            ("lamps cheaper than five hundred", None, Some(500), "lamps"),
            ("lamps up to 500 inr", None, Some(500), "lamps"),
            ("lamps upto 500/-", None, Some(500), "lamps"),
            ("lamps for not more than 500", None, Some(500), "lamps for"),
            ("lamps no more than 500", None, Some(500), "lamps"),
            ("lamps at most 500", None, Some(500), "lamps"),
            ("lamps, max 500", None, Some(500), "lamps ,"),
            ("lamps with a budget of 500", None, Some(500), "lamps with a"),
            ("lamps, my budget is 500", None, Some(500), "lamps , my"),
            ("lamps within 500", None, Some(500), "lamps"),
            ("lamps 500 or less", None, Some(500), "lamps"),
            ("lamps ₹500 or under", None, Some(500), "lamps"),
            ("lamps < 500", None, Some(500), "lamps"),
            ("a 500 rupee lamp", None, Some(500), "a lamp"),
            ("i have 500 rupees for a lamp", None, Some(500), "i have for a lamp"),
            ("lamps over 2000", Some(2000), None, "lamps"),
            ("lamps above 2000", Some(2000), None, "lamps"),
            ("lamps more than two thousand", Some(2000), None, "lamps"),
            ("lamps at least 2000", Some(2000), None, "lamps"),
            ("lamps from 2000", Some(2000), None, "lamps"),
            ("lamps starting at 2000", Some(2000), None, "lamps"),
            ("lamps 2000 or more", Some(2000), None, "lamps"),
            ("lamps 2000+", Some(2000), None, "lamps"),
            ("lamps > 2000", Some(2000), None, "lamps"),
            ("lamps between 200 and 800", Some(200), Some(800), "lamps"),
            ("lamps between ₹800 and ₹200", Some(200), Some(800), "lamps"),
            ("lamps from 200 to 800", Some(200), Some(800), "lamps"),
            ("lamps 200-800", Some(200), Some(800), "lamps"),
            ("lamps 200 to 800", Some(200), Some(800), "lamps"),
            ("lamps over 200 under 800", Some(200), Some(800), "lamps"),
            ("lamps around 1000", Some(750), Some(1250), "lamps"),
            ("two lamps", None, None, "two lamps"),
            ("add 2 and 3", None, None, "add 2 and 3"),
            ("make it 3", None, None, "make it 3"),
            ("pour-over coffee dripper", None, None, "pour - over coffee dripper"),
            ("tell me about 2", None, None, "tell me about 2"),
        ] {
            assert_eq!(read(text), (min, max, rest.to_owned()), "{text}");
        }
    }
}
