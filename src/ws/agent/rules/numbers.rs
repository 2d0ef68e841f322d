//! Numbers as words: `two thousand five hundred`, `a dozen`.

use super::tokens::{NUMBER_MAX, Token};

/// The value of a number word, and whether it is a multiplier.
fn counted(word: &str) -> Option<i64> {
    const SMALL: [&str; 20] = [
        "zero",
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
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let small = (0..).zip(SMALL).find(|(_, name)| *name == word).map(|(value, _)| value);
    small.or_else(|| (2..).zip(TENS).find(|(_, name)| *name == word).map(|(tens, _)| tens * 10))
}

fn multiplier(word: &str) -> Option<i64> {
    match word {
        "hundred" => Some(100),
        "thousand" | "grand" => Some(1_000),
        "lakh" | "lakhs" | "lac" | "lacs" => Some(100_000),
        "dozen" => Some(12),
        "couple" => Some(2),
        _ => None,
    }
}

/// Joins the words of one number: `two thousand five hundred`, `5 hundred`, `a dozen`.
pub(super) fn joined(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let start = at;
        let (mut total, mut part, mut any) = (0_i64, 0_i64, false);
        while let Some(token) = tokens.get(at) {
            let follows = |words: &[&str]| tokens.get(at + 1).is_some_and(|next| next.is_any(words));
            if let Some(value) = counted(&token.text) {
                // "one" alone is a number only if it does not stand for a thing, as in "the second one".
                let tens = part % 100 >= 20 && part % 10 == 0 && value < 10;
                if any && part % 100 != 0 && !tens {
                    break;
                }
                part = part.saturating_add(value);
            } else if let Some(by) = multiplier(&token.text).filter(|_| any || token.is_any(&["dozen"])) {
                part = part.max(1).saturating_mul(by);
                if by >= 1_000 {
                    total = total.saturating_add(part);
                    part = 0;
                }
            } else if token.is("a") && !any && follows(&["hundred", "thousand", "lakh", "dozen", "couple"]) {
                part = 1;
            } else if let Some(number) = token.number.filter(|n| !any && n % 100 == 0 && by_word(tokens.get(at + 1))) {
                part = number / 100;
            } else {
                break;
            }
            any = true;
            at += 1;
        }
        let value = total.saturating_add(part).checked_mul(100).filter(|value| *value <= NUMBER_MAX);
        match value {
            Some(value) if any => {
                let text = tokens[start..at].iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ");
                let money = tokens[start..at].iter().any(|token| token.money);
                out.push(Token { text, number: Some(value), position: None, money });
            }
            _ => {
                at = start + 1;
                out.push(tokens[start].clone());
            }
        }
    }
    out
}

fn by_word(token: Option<&Token>) -> bool {
    token.is_some_and(|token| multiplier(&token.text).is_some())
}
