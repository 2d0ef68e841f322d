//! Whether a shopper's message tells the assistant to change something.
//!
//! A cart changes on a plain, affirmative, present instruction or on a yes to the question just
//! asked, and on nothing else. Here a message is split into sentences and their parts, each part
//! is judged by itself, and what may be acted on is handed out. The rules act on that alone; a
//! model may change nothing unless there is some of it.
//!
//! **Invariant:** what cannot be told apart counts as no instruction: asking once more does no
//! harm.

mod clause;
#[cfg(test)]
pub(in crate::ws::agent) mod tests;
mod text;
// Lists of words are read best with many on a line.
#[rustfmt::skip]
mod words;

use self::clause::Clause;

/// How a message, or a part of it, is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::ws::agent) enum Mood {
    /// It tells to do something now.
    Instruction,
    /// It says yes and nothing else.
    Yes,
    /// It says no and nothing else.
    No,
    /// It names or points at something and says nothing of it: "the second one".
    Naming,
    /// A question by which something is asked for: "can you add two lamps?".
    Request,
    /// Any other question, and a wish to be shown or told something.
    Question,
    /// Something is not wanted, or taken back.
    Negated,
    /// What might be, or is to be at another time.
    Hypothetical,
    /// What was done.
    Past,
    /// What somebody else said, wrote or wants.
    Quoted,
    /// Anything else.
    Other,
}

/// What a message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ws::agent) struct Reading {
    /// How it is meant: [`Mood::Instruction`] where there is something to act on.
    pub(in crate::ws::agent) mood: Mood,
    /// The instructions in it, in their order; of a message that only names something, what it
    /// names.
    pub(in crate::ws::agent) told: Vec<String>,
}

/// Moods by which a message without an instruction is answered, the first first.
const BY_WEIGHT: [Mood; 9] = [
    Mood::Negated,
    Mood::Quoted,
    Mood::Request,
    Mood::Question,
    Mood::Hypothetical,
    Mood::Past,
    Mood::Naming,
    Mood::No,
    Mood::Other,
];

/// Judges a message.
pub(in crate::ws::agent) fn judge(message: &str) -> Reading {
    if message.chars().nth(text::CHARS_MAX).is_some() {
        return Reading { mood: Mood::Other, told: vec![] };
    }
    let text = text::prepare(message);
    let sentences = text::sentences(&text);
    let clauses: Vec<Clause> = sentences.iter().flat_map(clause::clauses).collect();
    let told = told(&text, &clauses);
    if !told.is_empty() {
        return Reading { mood: Mood::Instruction, told };
    }
    let said: Vec<&Clause> = clauses.iter().filter(|clause| clause.says).collect();
    let yes = !said.is_empty()
        && said.iter().all(|clause| clause.mood == Mood::Yes)
        && !sentences.iter().any(|sentence| sentence.asks);
    let instructs = |clause: &&&Clause| clause.mood == Mood::Instruction;
    let mood = if yes {
        Mood::Yes
    } else if said.iter().any(|clause| instructs(&clause)) {
        // There was an instruction, and it was taken back or left open.
        Mood::Negated
    } else {
        BY_WEIGHT.into_iter().find(|mood| said.iter().any(|clause| clause.mood == *mood)).unwrap_or(Mood::Other)
    };
    let names = if mood == Mood::Naming { named(&text, &clauses) } else { None };
    Reading { mood, told: names.into_iter().collect() }
}

/// What is named at last, where that is clear.
fn named(text: &str, clauses: &[Clause]) -> Option<String> {
    let named: Vec<usize> = (0..clauses.len()).filter(|at| clauses[*at].mood == Mood::Naming).collect();
    let last = *named.last()?;
    let clear = named.len() == 1 || corrected(clauses, last);
    clear.then(|| core(text, &clauses[last]))
}

/// A part's own words.
fn core(text: &str, clause: &Clause) -> String {
    text.get(clause.core.clone()).unwrap_or_default().trim_matches([',', ' ']).to_owned()
}

/// The instructions that stand at the message's end.
fn told(text: &str, clauses: &[Clause]) -> Vec<String> {
    let mut told: Vec<(String, &Clause)> = vec![];
    let mut bare_negation = false;
    for (at, clause) in clauses.iter().enumerate() {
        let said = || core(text, clause);
        match clause.mood {
            Mood::Instruction if bare_negation => return vec![],
            Mood::Instruction => {
                if clause.corrects && clause.has(words::POINTERS) && !told.is_empty() {
                    return vec![];
                }
                if corrected(clauses, at) {
                    told.clear();
                }
                match with_name(&said(), clause, &clauses[..at], text, !told.is_empty()) {
                    Some(text) => told.push((text, clause)),
                    None => return vec![],
                }
            }
            // "Add the first one, no, the second."
            Mood::Naming if corrected(clauses, at) => {
                if let Some((_, before)) = told.pop() {
                    match verb_of(before) {
                        Some(verb) if told.is_empty() => told.push((format!("{verb} {}", said()), before)),
                        _ => return vec![],
                    }
                }
            }
            Mood::No if !told.is_empty() && !corrected_next(clauses, at) => told.clear(),
            Mood::Negated if !told.is_empty() && !is_of_another(clause, &told) => return vec![],
            Mood::Negated => bare_negation |= is_bare(clause),
            Mood::Question | Mood::Request if !told.is_empty() && clause.has(&["should", "shall", "or", "sure"]) => {
                return vec![];
            }
            Mood::Hypothetical if !told.is_empty() && leaves_open(clause) => return vec![],
            _ => {}
        }
    }
    told.into_iter().map(|(text, _)| text).collect()
}

/// Whether the part at `at` is put in the place of what was said before.
fn corrected(clauses: &[Clause], at: usize) -> bool {
    clauses[at].corrects
        || at.checked_sub(1).is_some_and(|before| {
            clauses[before].mood == Mood::No || (clauses[before].corrects && !clauses[before].says_more())
        })
}

/// Whether what follows the part at `at` goes on after it.
fn corrected_next(clauses: &[Clause], at: usize) -> bool {
    clauses.get(at + 1).is_some_and(|next| matches!(next.mood, Mood::Naming | Mood::Instruction))
}

impl Clause {
    /// Whether it has more than a word that puts something right.
    fn says_more(&self) -> bool {
        !self
            .words
            .iter()
            .all(|word| words::CORRECTS.contains(&word.as_str()) || words::FILLERS.contains(&word.as_str()))
    }

    /// The words of a product in it.
    fn names(&self) -> Vec<&str> {
        let empty = |word: &str| {
            [
                words::VERBS,
                words::NOUN_VERBS,
                words::NEGATIONS,
                words::FILLERS,
                words::OBJECTS,
                words::CLAUSE_WORDS,
                words::POINTERS,
                words::YES,
                words::NO,
                words::CORRECTS,
            ]
            .iter()
            .any(|words| words.contains(&word))
                || matches!(
                    word,
                    "of" | "to"
                        | "in"
                        | "into"
                        | "from"
                        | "for"
                        | "with"
                        | "on"
                        | "checkout"
                        | "check"
                        | "like"
                        | "yet"
                        | "stop"
                        | "ever"
                        | "at"
                        | "longer"
                        | "more"
                        | "should"
                        | "must"
                        | ","
                )
        };
        self.words.iter().map(String::as_str).filter(|word| !empty(word)).collect()
    }
}

/// Whether a negation speaks of other goods than the instructions before it.
fn is_of_another(negated: &Clause, told: &[(String, &Clause)]) -> bool {
    let act = negated.has(words::VERBS) || negated.has(&["want", "need", "not"]);
    let taken_back = negated.has(&["actually", "wait", "sorry", "kidding", "mind"]) || negated.has(words::POINTERS);
    let names = negated.names();
    let others = |(_, clause): &(String, &Clause)| {
        clause.names().iter().any(|name| !names.contains(name) && !clause.names().is_empty())
    };
    let apart = |(_, clause): &(String, &Clause)| clause.names().iter().all(|name| !names.contains(name));
    act && !taken_back && !names.is_empty() && told.iter().all(|told| others(told) && apart(told))
}

/// Whether a negation says neither what it is about nor anything else: "don't".
fn is_bare(clause: &Clause) -> bool {
    clause.names().is_empty() && !clause.has(words::POINTERS)
}

/// Whether a part about what might be leaves open what was told before it: "if it is in stock".
fn leaves_open(clause: &Clause) -> bool {
    clause.has(words::VERBS)
        || clause.has(&["if", "unless", "when", "once", "maybe", "perhaps", "or", "later", "tomorrow"])
}

/// The verb of an instruction, to be said of something else.
fn verb_of(clause: &Clause) -> Option<&str> {
    let words: Vec<&str> = clause.words.iter().map(String::as_str).collect();
    (0..words.len()).find(|at| clause::imperative(&words[*at..])).map(|at| words[at]).or_else(|| {
        let wishes = (0..words.len()).any(|at| clause::wishes(&words[at..]));
        wishes.then_some("add")
    })
}

/// An instruction with what its "it" stands for, where the message itself names that. `None` when
/// it stays open.
fn with_name(said: &str, clause: &Clause, before: &[Clause], text: &str, follows: bool) -> Option<String> {
    let points = clause.has(words::POINTERS) && clause.names().is_empty();
    if !points || follows {
        return Some(said.to_owned());
    }
    let named = before.iter().rev().find(|clause| {
        clause.says && clause.has(&["the", "a", "an"]) && (clause.mood == Mood::Naming || !clause.names().is_empty())
    });
    let Some(named) = named else {
        return Some(said.to_owned());
    };
    if matches!(named.mood, Mood::Negated | Mood::Question | Mood::Request | Mood::Quoted | Mood::Hypothetical) {
        // "Find a mug and add it": what is found is known to whoever looks for it.
        let looks = named.has(&["find", "show", "search", "list", "get"]);
        return looks.then(|| said.to_owned());
    }
    let from = named.words.iter().rposition(|word| matches!(word.as_str(), "the" | "a" | "an"))?;
    if named.words.len() - from > 7 {
        return None;
    }
    let whole = text.get(named.at.clone()).unwrap_or_default();
    let name =
        named.words[from..].iter().filter(|word| word.as_str() != text::PAUSE).cloned().collect::<Vec<_>>().join(" ");
    let name = if from == 0 { whole.trim_matches([',', ' ']).to_owned() } else { name };
    let mut done = false;
    let put: Vec<String> = said
        .split(' ')
        .map(|word| {
            let plain: String = word.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
            if !done && words::POINTERS.contains(&plain.as_str()) {
                done = true;
                return name.clone();
            }
            word.to_owned()
        })
        .collect();
    Some(put.join(" "))
}
