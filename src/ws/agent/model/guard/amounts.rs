//! Finds amounts of money in the text of a model.
//!
//! **Invariant:** a number next to a currency sign or word is found regardless of its formatting; one that
//! cannot be parsed exactly is reported as unreadable, never skipped.

/// Currency signs and words, in lower case.
const MARKERS: [&str; 22] = [
    "₹", "$", "€", "£", "¥", "rs.", "rs", "inr", "usd", "eur", "gbp", "us$", "rupees", "rupee", "rupay", "dollars",
    "dollar", "bucks", "euros", "euro", "paise", "cents",
];
/// Multipliers after a number.
const SCALES: [(&str, u64); 8] = [
    ("k", 1_000),
    ("thousand", 1_000),
    ("lakh", 100_000),
    ("lakhs", 100_000),
    ("lac", 100_000),
    ("crore", 10_000_000),
    ("million", 1_000_000),
    ("hundred", 100),
];
/// Words after which a number is a price even without a currency sign.
const PRICE_WORDS: [&str; 11] =
    ["price", "prices", "priced", "cost", "costs", "costing", "total", "totals", "subtotal", "totalling", "payable"];
/// Words that may stand between these and the number.
const FILLERS: [&str; 14] =
    ["is", "are", "at", "of", "just", "only", "about", "now", "around", "was", "you", "comes", "to", "be"];
/// Words that show that a number counts something else.
const COUNTED: [&str; 20] = [
    "item", "items", "product", "products", "piece", "pieces", "unit", "units", "result", "results", "order", "orders",
    "star", "stars", "percent", "lines", "things", "options", "x", "pcs",
];
/// Numbers as words.
const WORDS: [&str; 32] = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
    "lakh",
    "crore",
    "million",
];

/// An amount in hundredths; `None` if it cannot be parsed exactly.
pub(super) type Amount = Option<u64>;

struct Number {
    start: usize,
    end: usize,
    hundredths: Amount,
    money: bool,
}

/// All amounts of money in `text`, which is in lower case.
pub(super) fn amounts(text: &str) -> Vec<Amount> {
    let mut numbers = numbers(text);
    for number in &mut numbers {
        let (left, right) = (bare_end(&text[..number.start]), bare_start(&text[number.end..]));
        let (scale, after) = scale(right);
        let marked = ends_with_marker(left) || starts_with_marker(right) || starts_with_marker(bare_start(after));
        number.money = marked || (priced(left) && !counts(right));
        if let Some(scale) = scale
            && number.money
        {
            number.hundredths = number.hundredths.and_then(|value| value.checked_mul(scale));
        }
    }
    // In "₹200–500" and "200 to 500 rupees" both numbers are amounts.
    for at in 1..numbers.len() {
        let between =
            text[numbers[at - 1].end..numbers[at].start].trim_matches(|char: char| !is_word(char) && !is_dash(char));
        let range = between == "to" || (!between.is_empty() && between.chars().all(is_dash));
        if range && (numbers[at - 1].money || numbers[at].money) {
            numbers[at - 1].money = true;
            numbers[at].money = true;
        }
    }
    let mut found: Vec<Amount> = numbers.iter().filter(|number| number.money).map(|number| number.hundredths).collect();
    if in_letters(text) {
        found.push(None);
    }
    found
}

/// The counts in "3 left", "3 pieces in stock", "stock: 3".
pub(super) fn stocks(text: &str) -> Vec<Amount> {
    let is_amount = |number: &Number| {
        let right = bare_start(&text[number.end..]);
        let right = ["pieces", "units", "items", "pcs", "more", "of them", "are", "is"]
            .iter()
            .fold(right, |right, word| bare_start(right.strip_prefix(word).unwrap_or(right)));
        let left = bare_end(&text[..number.start]);
        ["left", "in stock", "available", "remaining"].iter().any(|words| right.starts_with(words))
            || ["stock", "stock of", "stock is"].iter().any(|words| left.ends_with(words))
    };
    numbers(text).iter().filter(|number| is_amount(number)).map(|number| number.hundredths).collect()
}

/// A number in JSON or in common notation, in hundredths.
pub(super) fn hundredths(text: &str) -> Amount {
    let text = text.replace(',', "");
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = part.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 15 || part.len() > 2 || !digits(whole) || !digits(part) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<2}").parse().ok()?;
    whole.checked_mul(100)?.checked_add(part)
}

fn numbers(text: &str) -> Vec<Number> {
    let mut found: Vec<Number> = vec![];
    let mut chars = text.char_indices().peekable();
    while let Some((start, char)) = chars.next() {
        if !char.is_numeric() {
            continue;
        }
        let mut end = start + char.len_utf8();
        while let Some((at, next)) = chars.peek().copied() {
            let separates = matches!(next, '.' | ',') && text[at + 1..].starts_with(char::is_numeric);
            if !next.is_numeric() && !separates {
                break;
            }
            end = at + next.len_utf8();
            chars.next();
        }
        // A letter before the number makes it a name such as "mp3" or an id, unless it is a currency word.
        let glued = text[..start].ends_with(|before: char| before.is_alphanumeric() && !before.is_numeric());
        if !glued || ends_with_marker(&text[..start]) {
            found.push(Number { start, end, hundredths: hundredths(&text[start..end]), money: false });
        }
    }
    found
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric()
}

fn is_dash(char: char) -> bool {
    matches!(char, '-' | '–' | '—' | '~' | '−')
}

fn is_decoration(char: char) -> bool {
    char.is_whitespace() || matches!(char, '*' | '_' | '`' | '~' | '(' | '[' | ')' | ']' | '"' | '\'' | '\u{200b}')
}

fn bare_end(text: &str) -> &str {
    text.trim_end_matches(|char| is_decoration(char) || is_dash(char) || char == ':' || char == '=')
}

fn bare_start(text: &str) -> &str {
    text.trim_start_matches(is_decoration).trim_start_matches("/-").trim_start_matches(is_decoration)
}

fn ends_with_marker(text: &str) -> bool {
    MARKERS.iter().any(|marker| {
        text.strip_suffix(marker).is_some_and(|before| {
            let sign = !marker.starts_with(|first: char| first.is_ascii_alphabetic());
            sign || !before.ends_with(|last: char| last.is_alphabetic())
        })
    })
}

fn starts_with_marker(text: &str) -> bool {
    MARKERS.iter().any(|marker| {
        text.strip_prefix(marker).is_some_and(|after| {
            let sign = !marker.ends_with(|last: char| last.is_ascii_alphabetic());
            sign || !after.starts_with(is_word)
        })
    })
}

fn first_word(text: &str) -> &str {
    text.split(|char: char| !is_word(char)).next().unwrap_or_default()
}

fn scale(right: &str) -> (Option<u64>, &str) {
    let word = first_word(right);
    match SCALES.iter().find(|(name, _)| *name == word) {
        Some((name, factor)) => (Some(*factor), &right[name.len()..]),
        None => (None, right),
    }
}

fn counts(right: &str) -> bool {
    right.starts_with('%') || COUNTED.contains(&first_word(right))
}

/// Whether the words before a number make it a price.
fn priced(left: &str) -> bool {
    let words = left.rsplit(|char: char| !is_word(char)).filter(|word| !word.is_empty());
    words.take(5).find(|word| !FILLERS.contains(word)).is_some_and(|word| PRICE_WORDS.contains(&word))
}

/// Whether an amount is written as words, such as "five hundred rupees".
fn in_letters(text: &str) -> bool {
    let words: Vec<&str> = text.split(|char: char| !is_word(char)).filter(|word| !word.is_empty()).collect();
    let money = |word: &str| MARKERS.contains(&word);
    let digits = |at: usize| words.get(at).is_some_and(|word| word.starts_with(char::is_numeric));
    words.windows(2).enumerate().any(|(at, pair)| {
        // "2 lakh rupees" is parsed as a number.
        let scaled = at > 0 && digits(at - 1);
        (WORDS.contains(&pair[0]) && money(pair[1]) && !scaled) || (money(pair[0]) && WORDS.contains(&pair[1]))
    })
}

#[cfg(test)]
mod tests;
