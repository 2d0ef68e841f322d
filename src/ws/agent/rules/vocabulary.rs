//! The words that say something of a product, and those that do not.

use std::{collections::HashSet, sync::LazyLock};

use super::tokens::Token;
use crate::ws::agent::tools::singular_word;

/// Words that say nothing of what is looked for.
const EMPTY: &str = "\
    a an the some any of for to in on at with my me i im ill id ive pls plz please could can you u would \
    will do does did show find search look looking need want wanna get give have has is are am was be \
    there here this that these those it its them they buy purchase shop shopping something anything \
    thing things stuff item items product products goods good nice great best cool lovely one ones and \
    or kind kinds type types what whats which how about also just now today us we our your yours from by \
    like love see browse let lets go ok okay hi hello hey well so then maybe really very too as into put \
    add cart basket trolley price priced prices cost costs costing rupee rupees rs inr usd dollars \
    budget suggest recommend suggestion recommendation suggestions recommendations got sell selling \
    available more other same both all tell out up list who number option if but not instead again \
    another last latter former top everything sir madam bro buddy friend no than their his her him she \
    he thanks thank take order only each details kindly cheap affordable cheapest cheaper lowest dearest \
    costliest priciest highest most expensive costly less stock newest latest sort sorted lot bit quite \
    must should wish help nr yes yeah yep sure were when where why been being much many left";

static EMPTY_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| EMPTY.split(' ').collect());

/// Marks that are no words.
const MARKS: &[&str] = &[",", "-", "#", "+", "=", "<", ">", "~", "₹", "$"];

pub(super) fn is_empty(token: &Token) -> bool {
    EMPTY_WORDS.contains(token.text.as_str()) || token.is_any(MARKS)
}

/// The words of `tokens` that say something of a product.
pub(super) fn content(tokens: &[Token]) -> Vec<String> {
    let kept = tokens.iter().filter(|token| !is_empty(token) && token.position.is_none());
    kept.flat_map(|token| token.text.split(' ')).map(str::to_owned).collect()
}

/// The words of a title, to be compared with.
pub(super) fn stems(title: &str) -> Vec<String> {
    let lower = title.to_lowercase().replace(['\'', '\u{2019}'], "");
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(singular_word).collect()
}

/// How many of `words` are in a title, the beginnings of its words among them.
pub(super) fn matching(words: &[String], title: &str) -> usize {
    let stems = stems(title);
    let within = |word: &String| {
        let word = singular_word(word);
        stems.iter().any(|stem| *stem == word || (word.chars().count() >= 3 && stem.starts_with(&word)))
    };
    words.iter().filter(|word| within(word)).count()
}
