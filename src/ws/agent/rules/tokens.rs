//! Splits a message into words and numbers.
//!
//! **Invariant:** any text yields tokens, at most [`TOKENS_MAX`].

use super::numbers;

/// The maximum number of tokens.
pub(super) const TOKENS_MAX: usize = 120;
/// The largest number in hundredths; no price is higher.
pub(super) const NUMBER_MAX: i64 = 1_000_000_000_000;

/// A word, a number or a sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Lower case, without apostrophes.
    pub text: String,
    /// The value in hundredths, if it is a number.
    pub number: Option<i64>,
    /// The position in a list, from 1, if it names one: `2nd`, `second`, `#2`.
    pub position: Option<usize>,
    /// Whether it has a currency sign.
    pub money: bool,
}

impl Token {
    fn word(text: String) -> Self {
        let position = ORDINALS.iter().find(|(word, _)| *word == text).map(|(_, position)| *position);
        Self { text, number: None, position, money: false }
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.text == word
    }

    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        words.contains(&self.text.as_str())
    }

    /// The value as a whole number.
    pub(super) fn count(&self) -> Option<u32> {
        let hundredths = self.number.filter(|number| number % 100 == 0)?;
        u32::try_from(hundredths / 100).ok()
    }
}

const ORDINALS: [(&str, usize); 10] = [
    ("first", 1),
    ("second", 2),
    ("third", 3),
    ("fourth", 4),
    ("fifth", 5),
    ("sixth", 6),
    ("seventh", 7),
    ("eighth", 8),
    ("ninth", 9),
    ("tenth", 10),
];

/// The tokens of `text`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let text = text.to_lowercase().replace(['\'', '\u{2019}', '`'], "").replace("/-", " ").replace("rs.", "rs ");
    let chars: Vec<char> = text.chars().take(2_000).collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < chars.len() && tokens.len() < TOKENS_MAX {
        let c = chars[at];
        if c.is_ascii_digit() {
            let (token, used) = number(&chars[at..]);
            let signed = tokens.last().is_some_and(|last: &Token| last.is_any(&["₹", "$"]));
            if signed {
                tokens.pop();
            }
            let hash = tokens.last().is_some_and(|last: &Token| last.is("#"));
            if hash {
                tokens.pop();
            }
            let position = if hash { token.count().and_then(|n| usize::try_from(n).ok()) } else { token.position };
            tokens.push(Token { money: token.money || signed, position, ..token });
            at += used;
        } else if c.is_alphanumeric() {
            let word: String = chars[at..].iter().take_while(|c| c.is_alphanumeric()).collect();
            at += word.chars().count();
            tokens.push(Token::word(word));
        } else {
            if "₹$<>+-–=#,;.?!&~:".contains(c) {
                let text = match c {
                    '&' => "and".to_owned(),
                    ';' | '.' | '?' | '!' | ':' => ",".to_owned(),
                    '–' => "-".to_owned(),
                    other => other.to_string(),
                };
                tokens.push(Token::word(text));
            }
            at += 1;
        }
    }
    numbers::joined(tokens)
}

/// A number with its suffix: `1,200.50`, `2nd`, `1.5k`, `500rs`, `2x`.
fn number(chars: &[char]) -> (Token, usize) {
    let (mut digits, mut at) = (String::new(), 0);
    while let Some(c) = chars.get(at) {
        let digit_follows = chars.get(at + 1).is_some_and(char::is_ascii_digit);
        match c {
            '0'..='9' => digits.push(*c),
            ',' if digit_follows && !digits.contains('.') => {}
            '.' if digit_follows && !digits.contains('.') => digits.push('.'),
            _ => break,
        }
        at += 1;
    }
    let suffix: String = chars[at..].iter().take_while(|c| c.is_alphanumeric()).collect();
    let whole: String = chars[..at].iter().collect();
    let plain = |text: String, number, position, money| Token { text, number, position, money };
    let value = hundredths(&digits);
    let used = at + suffix.chars().count();
    let token = match suffix.as_str() {
        "" | "x" | "pcs" | "nos" => plain(whole, value, None, false),
        "rs" | "inr" | "usd" => plain(whole, value, None, true),
        "k" => plain(whole, value.and_then(|value| times(value, 1_000)), None, false),
        "l" | "lakh" => plain(whole, value.and_then(|value| times(value, 100_000)), None, true),
        "st" | "nd" | "rd" | "th" => plain(whole, None, digits.parse().ok(), false),
        // A name such as "4kd" of 4k-display is a word.
        _ => plain(format!("{whole}{suffix}"), None, None, false),
    };
    (token, used)
}

fn hundredths(digits: &str) -> Option<i64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: i64 = whole.parse().ok()?;
    let cents: i64 = format!("{:0<2}", fraction.chars().take(2).collect::<String>()).parse().ok()?;
    times(whole, 100)?.checked_add(cents)
}

fn times(value: i64, by: i64) -> Option<i64> {
    value.checked_mul(by).filter(|value| *value <= NUMBER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<i64> {
        tokens(text).iter().filter_map(|token| token.number).collect()
    }

    #[test]
    fn numbers_are_read_in_common_notations() {
        for (text, hundredths) in [
            ("₹1,200.50", 120_050),
            ("rs 500", 50_000),
            ("500rs", 50_000),
            ("1.5k", 150_000),
            ("2 thousand", 200_000),
            ("two thousand five hundred", 250_000),
            ("five hundred", 50_000),
            ("twenty five", 2_500),
            ("a dozen", 1_200),
            ("dozen", 1_200),
            ("a couple", 200),
            ("two", 200),
            ("3x", 300),
            ("2 lakh", 20_000_000),
            ("500/-", 50_000),
        ] {
            assert_eq!(numbers(text), [hundredths], "{text}");
        }
        assert_eq!(numbers("two hundred and three"), [20_000, 300]);
        assert_eq!(numbers("no number, 99999999999999999999 either"), Vec::<i64>::new());
    }

    #[test]
    fn positions_are_not_counts() {
        for text in ["#2", "2nd", "second"] {
            assert_eq!(tokens(text)[0].position, Some(2), "{text}");
        }
        assert_eq!(tokens("x200")[0].text, "x200");
        assert!(tokens("$5")[0].money);
    }
}
