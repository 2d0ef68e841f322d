//! Small talk, which has nothing to do with the shop.

use super::{
    intent::{Intent, TokenizedMessage},
    tokens::Token,
};

const HELLO: &[&str] =
    &["hi", "hello", "hey", "hiya", "howdy", "yo", "namaste", "hola", "greetings", "morning", "evening", "afternoon"];
const THANKS: &[&str] = &["thanks", "thank", "thankyou", "thx", "ty", "cheers", "dhanyavad", "appreciated"];
const BYE: &[&str] = &["bye", "goodbye", "cya", "farewell", "goodnight"];
const YES: &[&str] =
    &["yes", "yeah", "yep", "yup", "sure", "ok", "okay", "haan", "absolutely", "definitely", "correct", "right"];
const NO: &[&str] = &["no", "nope", "nah", "never", "nevermind", "none", "neither", "stop"];
/// Words that may accompany these without adding meaning.
const BESIDE: &[&str] = &[
    "good", "very", "much", "so", "a", "lot", "there", "you", "to", "for", "the", "help", "buddy", "ai", "please",
    "do", "it", "that", "is", "are", "how", "and", "day", "now", "one", "of", "them", "mind", "all", "my", "friend",
    "great", "perfect", "nice", "awesome", "cool", "see", "later", "dear", "sir", "madam", "again", "go", "ahead",
    "thats", "fine", "not", "i", "am", "done", "night",
];

/// The kind of small talk, if the message is nothing else.
pub(super) fn read(message: &TokenizedMessage) -> Option<Intent> {
    let words: Vec<&Token> = message.tokens.iter().filter(|token| !token.is(",")).collect();
    if words.is_empty() {
        return Some(Intent::Unclear);
    }
    if asks_who(message) {
        return Some(Intent::WhoAreYou);
    }
    let only = |kind: &[&str]| {
        let of_kind = words.iter().filter(|token| token.is_any(kind)).count();
        let plain = words.iter().all(|token| token.is_any(kind) || token.is_any(BESIDE));
        of_kind > 0 && plain
    };
    let kinds =
        [(THANKS, Intent::Thanks), (BYE, Intent::Bye), (NO, Intent::No), (YES, Intent::Yes), (HELLO, Intent::Hello)];
    let mixed = |kind: &[&str]| {
        let all: Vec<&str> = kinds.iter().flat_map(|(words, _)| words.iter().copied()).collect();
        words.iter().any(|token| token.is_any(kind))
            && words.iter().all(|token| token.is_any(&all) || token.is_any(BESIDE))
    };
    if let Some((_, intent)) = kinds.iter().find(|(kind, _)| only(kind)) {
        return Some(intent.clone());
    }
    if let Some((_, intent)) = kinds.iter().find(|(kind, _)| mixed(kind)) {
        return Some(intent.clone());
    }
    if message.has_any_phrase(&["how are you", "how is it going", "hows it going", "whats up"]) && words.len() <= 6 {
        return Some(Intent::Hello);
    }
    if message.has_any_phrase(&["see you", "talk to you later"]) && words.len() <= 5 {
        return Some(Intent::Bye);
    }
    asks_help(message, words.len()).then_some(Intent::Help)
}

fn asks_who(message: &TokenizedMessage) -> bool {
    message.has_any_phrase(&[
        "who are you",
        "are you a robot",
        "are you human",
        "are you a bot",
        "are you real",
        "what are you",
        "your name",
        "are you an ai",
    ])
}

fn asks_help(message: &TokenizedMessage, words: usize) -> bool {
    message.has_any_phrase(&[
        "what can you do",
        "how does this work",
        "how do you work",
        "how do i use",
        "what can i ask",
        "how can you help",
        "can you help me",
    ]) && words <= 8
        || (message.has(&["help", "commands", "options", "menu"]) && words <= 3)
}
