//! For tests: everything that is nearly a signature. Whoever compares all of it but one
//! character takes one of these.

/// The letters of a signature in hex.
pub const HEX: &str = "0123456789abcdef";
/// The letters of a token in base64 for addresses, with the dot between its parts.
pub const BASE64_URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
/// The letters of plain base64.
pub const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `text` with another letter of `letters` at one place, each place by each letter; cut at either
/// end; and longer at either end.
pub fn altered(text: &str, letters: &str) -> Vec<String> {
    let changed = places(text).flat_map(|at| {
        let others = letters.chars().filter(move |letter| !text[at..].starts_with(*letter));
        others.map(move |letter| with(text, at, letter))
    });
    changed.chain(cut_or_longer(text, letters)).collect()
}

/// The same with one other letter at each place: for what takes a request each.
pub fn altered_once(text: &str, letters: &str) -> Vec<String> {
    let changed = places(text).map(|at| {
        let other = letters.chars().find(|letter| !text[at..].starts_with(*letter));
        with(text, at, other.unwrap())
    });
    let ends = cut_or_longer(text, letters).filter(|other| other.len().abs_diff(text.len()) <= 2 || other.is_empty());
    changed.chain(ends.take(8)).collect()
}

fn places(text: &str) -> impl Iterator<Item = usize> {
    assert!(text.is_ascii() && !text.is_empty(), "{text}");
    0..text.len()
}

fn with(text: &str, at: usize, letter: char) -> String {
    format!("{}{letter}{}", &text[..at], &text[at + 1..])
}

fn cut_or_longer(text: &str, letters: &str) -> impl Iterator<Item = String> {
    let longer = letters.chars().flat_map(move |letter| [format!("{text}{letter}"), format!("{letter}{text}")]);
    let cut = (1..text.len()).flat_map(move |at| [text[..text.len() - at].to_owned(), text[at..].to_owned()]);
    cut.chain([String::new(), format!("{text}{text}")]).chain(longer)
}
