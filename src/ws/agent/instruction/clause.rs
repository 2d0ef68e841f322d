//! Splits a sentence into clauses and classifies each of them.

use std::ops::Range;

use super::{
    Mood,
    text::{PAUSE, QUOTED, Sentence},
    words::{
        BESIDE_YES, CLAUSE_WORDS, CORRECTS, ELSEWHERE, FAULTS, FIGURES, FILLERS, HEDGES, HINDI_MARKS, HINDI_VERBS,
        HYPOTHETICAL, HYPOTHETICAL_PHRASES, LOOKS, NEGATION_PHRASES, NEGATIONS, NO, NOUN_VERBS, OBJECTS, OTHER_USE,
        PAST, QUESTIONS, REPORTS, SUBJECTS, VAGUE, VERBS, YES, YES_PHRASES,
    },
};

/// The maximum number of words of a clause that only names a product.
const NAMING_MAX: usize = 8;
/// Words that may stand between "I" and the verb.
const ADVERBS: [&str; 10] =
    ["just", "also", "really", "definitely", "now", "then", "please", "only", "still", "gladly"];
/// The beginnings of a wish.
const WISH_BEGINNINGS: [&[&str]; 24] = [
    &["i", "want"],
    &["we", "want"],
    &["i", "need"],
    &["we", "need"],
    &["i", "wish"],
    &["i", "choose"],
    &["i", "pick"],
    &["i", "would", "like"],
    &["i", "would", "love"],
    &["we", "would", "like"],
    &["id", "like"],
    &["id", "love"],
    &["wed", "like"],
    &["i", "will"],
    &["we", "will"],
    &["ill"],
    &["im"],
    &["i", "am"],
    &["want"],
    &["need"],
    &["wanna"],
    &["i", "wanna"],
    &["would", "like"],
    &["let", "me"],
];
/// Verbs that may follow "I'll" and "let me".
const DECIDED: [&str; 12] =
    ["take", "have", "get", "buy", "order", "grab", "add", "purchase", "choose", "pick", "go", "need"];
/// Words that may follow "I am".
const DOING: [&str; 5] = ["taking", "buying", "getting", "ordering", "ready"];

/// Words that may follow a "no" that corrects something.
const NAMED_AFTER_NO: [&str; 12] =
    ["the", "that", "this", "these", "those", "it", "just", "only", "both", "two", "three", "no"];

/// A clause of a sentence.
#[derive(Debug, Clone)]
pub(super) struct Clause {
    pub(super) mood: Mood,
    pub(super) words: Vec<String>,
    /// Its byte range in the prepared text.
    pub(super) at: Range<usize>,
    /// The byte range without leading greetings and other fillers.
    pub(super) core: Range<usize>,
    /// Whether it begins with a word that corrects what was said before.
    pub(super) corrects: bool,
    /// Whether it has words other than greetings, thanks and other fillers.
    pub(super) has_own_words: bool,
}

impl Clause {
    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.words.iter().any(|word| words.contains(&word.as_str()))
    }
}

/// The clauses of a sentence, in order.
pub(super) fn clauses(sentence: &Sentence) -> Vec<Clause> {
    let all: Vec<&str> = sentence.words.iter().map(|word| word.text.as_str()).collect();
    let context = SentenceContext {
        is_question: sentence.is_question,
        is_hypothetical: has_phrase(&all, HYPOTHETICAL_PHRASES) || all.iter().any(|word| HYPOTHETICAL.contains(word)),
        hedges: (0..all.len())
            .any(|at| HEDGES.contains(&all[at]) && !(at + 1..all.len()).any(|later| imperative(&all[later..]))),
        quotes: quotes(&all) || sentence.label.is_some_and(|label| speaks(&all[..label.min(all.len())])),
    };
    parts(&all)
        .into_iter()
        .map(|part| {
            let words = &all[part.clone()];
            let (clause, left) = clause(words, &context);
            let bytes = |from: usize| sentence.words[from].at.start..sentence.words[part.end - 1].at.end;
            let core = bytes(part.end - left.clamp(1, words.len()));
            Clause { at: bytes(part.start), core, ..clause }
        })
        .collect()
}

/// Properties of the whole sentence that affect its clauses.
struct SentenceContext {
    is_question: bool,
    is_hypothetical: bool,
    quotes: bool,
    /// Whether a "but" is not followed by an instruction: "yes, nice, but expensive".
    hedges: bool,
}

/// Whether the sentence reports what another person said, wants or wrote.
fn quotes(all: &[&str]) -> bool {
    let quoted = all.iter().any(|word| word.contains(QUOTED));
    let Some(at) = all.iter().position(|word| REPORTS.contains(word)) else { return quoted };
    quoted || !(0..at).any(|at| imperative(&all[at..]))
}

/// Whether the words before a colon name a speaker: "my wife: add the kettle".
fn speaks(label: &[&str]) -> bool {
    let plain =
        |word: &&str| FILLERS.contains(word) || YES.contains(word) || NO.contains(word) || CORRECTS.contains(word);
    let [first, ..] = label else { return false };
    label.len() <= 2
        && !matches!(*first, "the" | "a" | "for" | "number" | "item")
        && !label.iter().any(plain)
        && !negates(label)
}

/// The index ranges of the clauses.
fn parts(all: &[&str]) -> Vec<Range<usize>> {
    let (mut parts, mut start) = (vec![], 0);
    for at in 0..all.len() {
        let before = &all[start..at];
        let splits = match all[at] {
            PAUSE => opens(&all[at + 1..]) || is_answer(before),
            "but" | "however" => {
                !before.last().is_some_and(|word| matches!(*word, "all" | "everything" | "anything" | "nothing"))
            }
            "and" | "then" | "also" | "plus" | "so" | "please" | "pls" | "plz" => {
                imperative(after_fillers(&all[at..])) && !is_bare_negation(before) && !is_question(before)
            }
            _ => false,
        };
        if splits && at > start {
            parts.push(start..at);
            start = at;
        }
    }
    if start < all.len() {
        parts.push(start..all.len());
    }
    parts.retain(|part| all[part.clone()].iter().any(|word| *word != PAUSE));
    parts
}

/// Whether these words are only an answer or the beginning of a correction.
fn is_answer(words: &[&str]) -> bool {
    let left = after_fillers(words);
    left.iter().all(|word| {
        NO.contains(word) || YES.contains(word) || CORRECTS.contains(word) || FILLERS.contains(word) || *word == "i"
    })
}

/// Whether these words negate the words that follow: "let's not".
fn is_bare_negation(words: &[&str]) -> bool {
    const AROUND: [&str; 12] = ["lets", "let", "us", "do", "i", "you", "to", "want", "ever", "must", "should", "me"];
    let beside =
        |word: &&str| [NEGATIONS, FILLERS, YES, NO, CORRECTS, &AROUND[..]].iter().any(|words| words.contains(word));
    negates(words) && words.iter().all(|word| beside(word) || *word == PAUSE)
}

/// Whether a new clause begins here.
fn opens(words: &[&str]) -> bool {
    let left = after_fillers(words);
    let Some(first) = left.first() else { return false };
    let subject = matches!(
        *first,
        "i" | "im" | "ill" | "id" | "ive" | "you" | "u" | "he" | "she" | "we" | "they" | "lets" | "let"
    ) || (matches!(*first, "it" | "this" | "that")
        && left
            .get(1)
            .is_some_and(|next| matches!(*next, "is" | "was" | "looks" | "seems" | "will" | "would" | "has")));
    subject
        || imperative(left)
        || begins_question(left)
        || NEGATIONS.contains(first)
        || NO.contains(first)
        || YES.contains(first)
        || CORRECTS.contains(first)
}

/// The words without leading greetings, thanks and other fillers.
fn after_fillers<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    let mut left = words;
    loop {
        left = match left {
            ["thank" | "thanks", "you", rest @ ..] => rest,
            ["go", "ahead", "and", rest @ ..]
            | ["feel", "free", "to", rest @ ..]
            | ["be", "so", "kind", "and", rest @ ..] => rest,
            ["first" | "do", rest @ ..] if imperative(rest) => rest,
            ["lets" | "gonna", rest @ ..] | ["let", "us", rest @ ..] if imperative(rest) => rest,
            [first, rest @ ..] if FILLERS.contains(first) => rest,
            _ => return left,
        };
    }
}

/// Classifies a clause; also returns the number of words that are left without leading greetings and other
/// fillers.
fn clause(all: &[&str], context: &SentenceContext) -> (Clause, usize) {
    let mut left = after_fillers(all);
    let (mut yes, mut no, mut corrects, mut denied) = (false, false, false, false);
    loop {
        left = match left {
            ["no", "problem" | "problems" | "worries" | "doubt" | "rush" | "hurry" | "issue", rest @ ..] => rest,
            ["i", "mean" | "meant", rest @ ..] => {
                corrects = true;
                rest
            }
            [first, rest @ ..] if NO.contains(first) && !has_phrase(&left[..left.len().min(3)], NEGATION_PHRASES) => {
                no = true;
                denied = rest.first().is_some_and(|next| !NAMED_AFTER_NO.contains(next) && !FILLERS.contains(next));
                rest
            }
            [first, rest @ ..] if CORRECTS.contains(first) => {
                corrects = true;
                rest
            }
            [first, rest @ ..] if YES.contains(first) => {
                yes = true;
                rest
            }
            _ => break,
        };
        left = after_fillers(left);
    }
    yes |= all
        .iter()
        .any(|word| YES.contains(word) && !matches!(*word, "right" | "fine" | "perfect" | "great" | "alright" | "k"));
    let mood = match mood(all, left, context, yes, no) {
        // "No lamps" is a negation, "no, the lamp" is a correction.
        Mood::Naming if denied => Mood::Negated,
        mood => mood,
    };
    let has_own_words = !left.is_empty() || yes || no || corrects;
    let words = all.iter().map(|word| (*word).to_owned()).collect();
    (Clause { mood, words, at: 0..0, core: 0..0, corrects: corrects || no, has_own_words }, left.len())
}

fn mood(all: &[&str], left: &[&str], context: &SentenceContext, yes: bool, no: bool) -> Mood {
    let negated = negates(all);
    if context.quotes {
        return Mood::Quoted;
    }
    if begins_question(left) {
        return if !negated && requests(left) { Mood::Request } else { Mood::Question };
    }
    if context.is_question {
        let wanted = imperative(left) || is_wish(left);
        return if wanted && !negated { Mood::Request } else { Mood::Question };
    }
    if negated {
        return Mood::Negated;
    }
    if no && left.is_empty() {
        return Mood::No;
    }
    if says_yes(all, left, yes) && !no && !context.hedges {
        return Mood::Yes;
    }
    if context.is_hypothetical {
        return Mood::Hypothetical;
    }
    let vague = left.iter().any(|word| VAGUE.contains(word) || FAULTS.contains(word))
        || has_phrase(left, &["a second", "a sec", "a moment", "a minute"])
        || (matches!(left, ["give" | "get" | "grab" | "gimme", ..]) && has_comparative(left) && !left.contains(&"the"));
    if imperative(left) || is_wish(left) {
        let bare = matches!(left, [verb] if !matches!(*verb, "checkout" | "pay" | "proceed"));
        let elsewhere = is_of_a_figure(left) || has_phrase(left, ELSEWHERE) || is_put_on(left) || is_sorted(left);
        return if vague || bare || elsewhere { Mood::Other } else { Mood::Instruction };
    }
    if names(left) && !vague {
        return Mood::Naming;
    }
    if left.iter().any(|word| PAST.contains(word)) {
        return Mood::Past;
    }
    if in_hindi(left) {
        return Mood::Instruction;
    }
    Mood::Other
}

/// Whether these words contain a negation or a withdrawal.
pub(super) fn negates(words: &[&str]) -> bool {
    let stops = |at: usize| {
        // "the door stop" is not a verb.
        let begins =
            words[..at].iter().all(|word| FILLERS.contains(word) || NO.contains(word) || CORRECTS.contains(word));
        let gerund =
            words.get(at + 1).is_some_and(|next| next.ends_with("ing") || matches!(*next, "it" | "that" | "this"));
        begins || gerund || (at > 0 && words[at - 1] == PAUSE)
    };
    has_phrase(words, NEGATION_PHRASES)
        || words.iter().enumerate().any(|(at, word)| {
            NEGATIONS.contains(word)
                || (matches!(*word, "stop" | "stopp" | "stahp") && stops(at))
                || (*word == "no" && at > 0 && denies(words, at))
        })
}

/// Whether a "no" inside a clause is a negation; that of "item no 2" is not, nor is one that is an
/// answer.
fn denies(words: &[&str], at: usize) -> bool {
    let numbers = words.get(at + 1).is_some_and(|next| next.starts_with(|c: char| c.is_ascii_digit()));
    let answers = words[..at]
        .iter()
        .all(|word| FILLERS.contains(word) || CORRECTS.contains(word) || NO.contains(word) || YES.contains(word));
    let harmless = words
        .get(at + 1)
        .is_some_and(|next| matches!(*next, "problem" | "problems" | "worries" | "doubt" | "rush" | "hurry"));
    !numbers && !answers && !harmless
}

/// Whether a question or a wish to see or know something begins here.
fn begins_question(words: &[&str]) -> bool {
    match words {
        ["do" | "dont" | "have", next, ..] if SUBJECTS.contains(next) && !matches!(*next, "it") => true,
        ["have", "it", ..] | ["do", "it", "have", ..] => true,
        ["would", "like", ..] | ["let", ..] => false,
        [first, ..] => QUESTIONS.contains(first) || LOOKS.contains(first),
        [] => false,
    }
}

/// Whether a question begins here, rather than a wish to see something.
fn is_question(words: &[&str]) -> bool {
    let left = after_fillers(words);
    begins_question(left) && !left.first().is_some_and(|first| LOOKS.contains(first))
}

/// Whether a question politely asks for an action: "can you add two lamps?".
fn requests(words: &[&str]) -> bool {
    let rest = match words {
        ["can" | "could" | "would" | "will", "you" | "u" | "ya", "mind", rest @ ..] => {
            return rest
                .first()
                .is_some_and(|verb| matches!(*verb, "adding" | "removing" | "putting" | "taking" | "including"));
        }
        ["can" | "could" | "would" | "will", "you" | "u" | "ya", rest @ ..]
        | ["can" | "could" | "may" | "shall" | "should", "i" | "we", rest @ ..] => rest,
        _ => return false,
    };
    let rest = after_adverbs(rest);
    // "Can you find a mug and add it?"
    let later = || (0..rest.len()).any(|at| matches!(rest[at], "and" | "then") && imperative(&rest[at + 1..]));
    imperative(rest) || matches!(rest, ["have", ..]) || later()
}

fn after_adverbs<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    let mut left = words;
    while let [first, rest @ ..] = left
        && ADVERBS.contains(first)
    {
        left = rest;
    }
    left
}

/// Whether these words begin with a verb in the imperative.
pub(super) fn imperative(words: &[&str]) -> bool {
    let [verb, rest @ ..] = words else { return false };
    let next = rest.first().copied().unwrap_or_default();
    let object = OBJECTS.contains(&next) || next.starts_with(|c: char| c.is_ascii_digit()) || is_number(next);
    let other = OTHER_USE.iter().any(|(of, uses)| of == verb && uses.iter().any(|usage| begins(rest, usage)));
    if other {
        return false;
    }
    match *verb {
        "check" => {
            next == "out"
                && !rest.get(1).is_some_and(|next| {
                    matches!(*next, "the" | "this" | "that" | "these" | "those" | "our" | "your" | "what" | "how")
                })
        }
        "checkout" => !matches!(
            next,
            "page" | "process" | "button" | "link" | "is" | "was" | "does" | "line" | "counter" | "total"
        ),
        "make" => object && !matches!(next, "a" | "an" | "me" | "us" | "some" | "up" | "out"),
        "complete" | "finish" | "confirm" | "place" => {
            object || matches!(next, "order" | "purchase" | "checkout" | "payment")
        }
        "go" if matches!(next, "with" | "for") => is_reference(&rest[1..]),
        "go" => begins(rest, "to checkout") || begins(rest, "to the checkout") || begins(rest, "to payment"),
        "ready" => {
            begins(rest, "to pay")
                || begins(rest, "to checkout")
                || begins(rest, "to check out")
                || begins(rest, "to order")
                || begins(rest, "to buy")
        }
        verb if NOUN_VERBS.contains(&verb) => object,
        verb => VERBS.contains(&verb),
    }
}

/// Whether the action concerns a price, the stock or another figure, which cannot be changed in the chat: "lower the
/// price to 5". A product may be described by one: "add the lamp with a price under 500".
fn is_of_a_figure(words: &[&str]) -> bool {
    let [verb, rest @ ..] = words else { return false };
    let Some(at) = rest.iter().position(|word| FIGURES.contains(word)) else { return false };
    match *verb {
        "add" | "put" | "buy" | "get" | "order" | "take" | "grab" | "give" | "purchase" | "include" | "choose"
        | "pick" => rest[..at]
            .iter()
            .all(|word| OBJECTS.contains(word) || is_number(word) || word.starts_with(|c: char| c.is_ascii_digit())),
        _ => true,
    }
}

/// Whether something is put somewhere else than into the cart: "put the kettle on".
fn is_put_on(words: &[&str]) -> bool {
    matches!(words, ["put", .., "on"])
}

/// Whether the words ask for a sort order: "order the lamps by price".
fn is_sorted(words: &[&str]) -> bool {
    const BY: [&str; 9] = [
        "by price",
        "by rating",
        "by name",
        "by date",
        "by newest",
        "by popularity",
        "by colour",
        "by color",
        "by size",
    ];
    matches!(words, ["order" | "sort" | "put" | "arrange", ..]) && has_phrase(words, &BY)
}

fn is_number(word: &str) -> bool {
    matches!(
        word,
        "two"
            | "three"
            | "four"
            | "five"
            | "six"
            | "seven"
            | "eight"
            | "nine"
            | "ten"
            | "eleven"
            | "twelve"
            | "fifteen"
            | "twenty"
            | "thirty"
            | "hundred"
            | "#"
            | "number"
            | "item"
            | "option"
    )
}

/// Whether these words begin with a wish that counts as an instruction: "I'll take two".
pub(super) fn is_wish(words: &[&str]) -> bool {
    let Some(opening) = WISH_BEGINNINGS.iter().find(|opening| words.starts_with(opening)) else { return false };
    let rest = after_adverbs(&words[opening.len()..]);
    let decided = match opening.last().copied().unwrap_or_default() {
        "will" | "ill" | "me" => Some(&DECIDED[..]),
        "im" | "am" => Some(&DOING[..]),
        _ => None,
    };
    if let Some(decided) = decided {
        return match rest {
            ["ready", ..] => imperative(rest),
            ["go", rest @ ..] => rest.first() == Some(&"with") && is_reference(&rest[1..]),
            ["get" | "take" | "give", ..] => imperative(rest) && is_reference(&rest[1..]),
            [_, "you" | "him" | "her" | "them", ..] => false,
            [first, rest @ ..] => decided.contains(first) && is_reference(rest),
            [] => false,
        };
    }
    match rest {
        ["to", "have", rest @ ..] | ["have", rest @ ..] => is_reference(rest),
        ["to", rest @ ..] | ["you", "to", rest @ ..] => {
            let rest = after_adverbs(rest);
            imperative(rest) && (rest.len() > 1 || matches!(rest, ["checkout" | "pay"]))
        }
        rest if words.first() == Some(&"wanna") || opening.last() == Some(&"wanna") => {
            imperative(rest) && is_reference(&rest[1..])
        }
        rest => is_reference(rest) && !rest.contains(&"be") && (rest.contains(&"the") || !has_comparative(rest)),
    }
}

/// Whether a comparative is used: "I want it cheaper" asks for another product.
fn has_comparative(words: &[&str]) -> bool {
    words.iter().any(|word| {
        matches!(
            *word,
            "cheaper" | "better" | "bigger" | "smaller" | "lighter" | "larger" | "cheap" | "different" | "new"
        )
    })
}

/// Whether these words name or point at something, and are not just "more".
fn is_reference(words: &[&str]) -> bool {
    words.iter().any(|word| {
        !FILLERS.contains(word)
            && !matches!(*word, "more" | "some" | "a" | "to" | "less" | "information" | "info" | "help" | "advice")
    })
}

/// Whether these words only name or point at something.
fn names(words: &[&str]) -> bool {
    !words.is_empty()
        && words.len() <= NAMING_MAX
        && !VERBS.contains(&words[0])
        && !words.iter().any(|word| CLAUSE_WORDS.contains(word) || REPORTS.contains(word))
        && !(0..words.len()).any(|at| imperative(&words[at..]) && !NOUN_VERBS.contains(&words[at]))
        && !in_hindi(words)
}

/// Whether a whole clause only says yes.
fn says_yes(all: &[&str], left: &[&str], yes: bool) -> bool {
    // "Sure it is nice" is a statement about the product.
    if matches!(left, ["it" | "its" | "this" | "that" | "thats" | "they" | "theyre" | "these" | "those", next, ..]
        if matches!(*next, "is" | "are" | "was" | "looks" | "seems" | "look" | "seem" | "nice" | "good" | "great" | "dear" | "lovely"))
        || matches!(left, ["it" | "they"])
    {
        return false;
    }
    // "Yeah, right" expresses doubt.
    if matches!(all, ["yeah", "right"] | ["yeah", PAUSE, "right"]) {
        return false;
    }
    let whole = all.iter().filter(|word| **word != PAUSE).copied().collect::<Vec<_>>().join(" ");
    let plain = |words: &[&str]| {
        words.iter().all(|word| YES.contains(word) || BESIDE_YES.contains(word) || FILLERS.contains(word))
    };
    let phrase = YES_PHRASES.contains(&whole.as_str()) || YES_PHRASES.contains(&left.join(" ").as_str());
    phrase || (yes && plain(left))
}

fn in_hindi(words: &[&str]) -> bool {
    let Some((last, before)) = words.split_last() else { return false };
    HINDI_VERBS.contains(last) && before.iter().any(|word| HINDI_MARKS.contains(word))
}

/// Whether `words` begin with the words of `phrase`.
fn begins(words: &[&str], phrase: &str) -> bool {
    let mut words = words.iter();
    phrase.split(' ').all(|part| words.next().is_some_and(|word| *word == part))
}

/// Whether these words contain one of the phrases.
pub(super) fn has_phrase(words: &[&str], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| (0..words.len()).any(|at| begins(&words[at..], phrase)))
}
