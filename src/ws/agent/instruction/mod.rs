//! Decides whether a user's message instructs the assistant to change something.
//!
//! A cart is changed only by a plain, affirmative instruction in the present or by a yes to the question just
//! asked. This module splits a message into sentences and clauses, classifies each
//! clause, and returns the instructions. The rules act only on these; a
//! model may change something only if there is one.
//!
//! **Invariant:** an ambiguous message does not count as an instruction, because asking once more does no
//! harm.

mod clause;
#[cfg(test)]
pub(in crate::ws::agent) mod tests;
mod text;
// The word lists are more readable with many words per line.
#[rustfmt::skip]
mod words;

use self::clause::Clause;

/// The kind of a message or of a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::ws::agent) enum Mood {
    /// An instruction to do something now.
    Instruction,
    /// Only a yes.
    Yes,
    /// Only a no.
    No,
    /// Only names or points at something: "the second one".
    Naming,
    /// A question that asks for an action: "can you add two lamps?".
    Request,
    /// Any other question, or a wish to see or know something.
    Question,
    /// Something that is not wanted, or a withdrawal.
    Negated,
    /// Something hypothetical, or at another time.
    Hypothetical,
    /// Something in the past.
    Past,
    /// What another person said, wrote or wants.
    Quoted,
    /// Anything else.
    Other,
}

/// The classification of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ws::agent) struct Reading {
    /// The kind of the message: [`Mood::Instruction`] if it contains an instruction.
    pub(in crate::ws::agent) mood: Mood,
    /// The instructions of the message, in order; for a message that only names something, the
    /// name.
    pub(in crate::ws::agent) instructions: Vec<String>,
}

/// The kinds that determine the reply to a message without an instruction, by priority.
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

/// Classifies a message.
pub(in crate::ws::agent) fn judge(message: &str) -> Reading {
    if message.chars().nth(text::CHARS_MAX).is_some() {
        return Reading { mood: Mood::Other, instructions: vec![] };
    }
    let text = text::prepare(message);
    let sentences = text::sentences(&text);
    let clauses: Vec<Clause> = sentences.iter().flat_map(clause::clauses).collect();
    let instructions = instructions(&text, &clauses);
    if !instructions.is_empty() {
        return Reading { mood: Mood::Instruction, instructions };
    }
    let said: Vec<&Clause> = clauses.iter().filter(|clause| clause.has_own_words).collect();
    let yes = !said.is_empty()
        && said.iter().all(|clause| clause.mood == Mood::Yes)
        && !sentences.iter().any(|sentence| sentence.is_question);
    let instructs = |clause: &&&Clause| clause.mood == Mood::Instruction;
    let mood = if yes {
        Mood::Yes
    } else if said.iter().any(|clause| instructs(&clause)) {
        // There was an instruction, but it was withdrawn or left open.
        Mood::Negated
    } else {
        BY_WEIGHT.into_iter().find(|mood| said.iter().any(|clause| clause.mood == *mood)).unwrap_or(Mood::Other)
    };
    let names = if mood == Mood::Naming { named(&text, &clauses) } else { None };
    Reading { mood, instructions: names.into_iter().collect() }
}

/// The last name in the message, if it is unambiguous.
fn named(text: &str, clauses: &[Clause]) -> Option<String> {
    let named: Vec<usize> = (0..clauses.len()).filter(|at| clauses[*at].mood == Mood::Naming).collect();
    let last = *named.last()?;
    let clear = named.len() == 1 || corrected(clauses, last);
    clear.then(|| core(text, &clauses[last]))
}

/// The text of a clause without fillers.
fn core(text: &str, clause: &Clause) -> String {
    text.get(clause.core.clone()).unwrap_or_default().trim_matches([',', ' ']).to_owned()
}

/// The instructions that remain at the end of the message.
fn instructions(text: &str, clauses: &[Clause]) -> Vec<String> {
    let mut instructions: Vec<(String, &Clause)> = vec![];
    let mut bare_negation = false;
    for (at, clause) in clauses.iter().enumerate() {
        let said = || core(text, clause);
        match clause.mood {
            Mood::Instruction if bare_negation => return vec![],
            Mood::Instruction => {
                if clause.corrects && clause.has(words::POINTERS) && !instructions.is_empty() {
                    return vec![];
                }
                if corrected(clauses, at) {
                    instructions.clear();
                }
                match with_name(&said(), clause, &clauses[..at], text, !instructions.is_empty()) {
                    Some(text) => instructions.push((text, clause)),
                    None => return vec![],
                }
            }
            // "Add the first one, no, the second."
            Mood::Naming if corrected(clauses, at) => {
                if let Some((_, before)) = instructions.pop() {
                    match verb_of(before) {
                        Some(verb) if instructions.is_empty() => {
                            instructions.push((format!("{verb} {}", said()), before));
                        }
                        _ => return vec![],
                    }
                }
            }
            Mood::No if !instructions.is_empty() && !corrected_next(clauses, at) => instructions.clear(),
            Mood::Negated if !instructions.is_empty() && !is_of_another(clause, &instructions) => return vec![],
            Mood::Negated => bare_negation |= is_bare(clause),
            Mood::Question | Mood::Request
                if !instructions.is_empty() && clause.has(&["should", "shall", "or", "sure"]) =>
            {
                return vec![];
            }
            Mood::Hypothetical if !instructions.is_empty() && leaves_open(clause) => return vec![],
            _ => {}
        }
    }
    instructions.into_iter().map(|(text, _)| text).collect()
}

/// Whether the clause at `at` replaces what was said before.
fn corrected(clauses: &[Clause], at: usize) -> bool {
    clauses[at].corrects
        || at.checked_sub(1).is_some_and(|before| {
            clauses[before].mood == Mood::No || (clauses[before].corrects && !clauses[before].says_more())
        })
}

/// Whether the clause after `at` continues the correction.
fn corrected_next(clauses: &[Clause], at: usize) -> bool {
    clauses.get(at + 1).is_some_and(|next| matches!(next.mood, Mood::Naming | Mood::Instruction))
}

impl Clause {
    /// Whether it has more than words of correction.
    fn says_more(&self) -> bool {
        !self
            .words
            .iter()
            .all(|word| words::CORRECTS.contains(&word.as_str()) || words::FILLERS.contains(&word.as_str()))
    }

    /// The words that may name a product.
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

/// Whether a negation concerns other products than the instructions before it.
fn is_of_another(negated: &Clause, instructions: &[(String, &Clause)]) -> bool {
    let act = negated.has(words::VERBS) || negated.has(&["want", "need", "not"]);
    let taken_back = negated.has(&["actually", "wait", "sorry", "kidding", "mind"]) || negated.has(words::POINTERS);
    let names = negated.names();
    let others = |(_, clause): &(String, &Clause)| {
        clause.names().iter().any(|name| !names.contains(name) && !clause.names().is_empty())
    };
    let apart = |(_, clause): &(String, &Clause)| clause.names().iter().all(|name| !names.contains(name));
    act && !taken_back
        && !names.is_empty()
        && instructions.iter().all(|instructions| others(instructions) && apart(instructions))
}

/// Whether a negation has no object: "don't".
fn is_bare(clause: &Clause) -> bool {
    clause.names().is_empty() && !clause.has(words::POINTERS)
}

/// Whether a hypothetical clause makes the earlier instruction conditional: "if it is in stock".
fn leaves_open(clause: &Clause) -> bool {
    clause.has(words::VERBS)
        || clause.has(&["if", "unless", "when", "once", "maybe", "perhaps", "or", "later", "tomorrow"])
}

/// The verb of an instruction, to be used with another object.
fn verb_of(clause: &Clause) -> Option<&str> {
    let words: Vec<&str> = clause.words.iter().map(String::as_str).collect();
    (0..words.len()).find(|at| clause::imperative(&words[*at..])).map(|at| words[at]).or_else(|| {
        let is_wish = (0..words.len()).any(|at| clause::is_wish(&words[at..]));
        is_wish.then_some("add")
    })
}

/// An instruction whose "it" is replaced by what the message itself names. `None` if
/// that is ambiguous.
fn with_name(said: &str, clause: &Clause, before: &[Clause], text: &str, follows: bool) -> Option<String> {
    let points = clause.has(words::POINTERS) && clause.names().is_empty();
    if !points || follows {
        return Some(said.to_owned());
    }
    let named = before.iter().rev().find(|clause| {
        clause.has_own_words
            && clause.has(&["the", "a", "an"])
            && (clause.mood == Mood::Naming || !clause.names().is_empty())
    });
    let Some(named) = named else {
        return Some(said.to_owned());
    };
    if matches!(named.mood, Mood::Negated | Mood::Question | Mood::Request | Mood::Quoted | Mood::Hypothetical) {
        // "Find a mug and add it": the search determines the product.
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
