use proptest::prelude::*;

use super::{Mood, judge};

const PHRASES: &str = include_str!("phrases.txt");

/// The phrases of the table, each with its kind.
pub(in crate::ws::agent) fn phrases() -> Vec<(Mood, &'static str)> {
    let mut mood = Mood::Other;
    let mut phrases = vec![];
    for line in PHRASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) else {
            phrases.push((mood, line));
            continue;
        };
        mood = match name {
            "instruction" => Mood::Instruction,
            "negated" => Mood::Negated,
            "question" => Mood::Question,
            "request" => Mood::Request,
            "hypothetical" => Mood::Hypothetical,
            "past" => Mood::Past,
            "quoted" => Mood::Quoted,
            "naming" => Mood::Naming,
            "yes" => Mood::Yes,
            "no" => Mood::No,
            "other" => Mood::Other,
            other => panic!("{other}"),
        };
    }
    phrases
}

#[test]
fn phrases_are_classified_as_in_the_table() {
    let phrases = phrases();
    assert!(phrases.len() > 300, "{}", phrases.len());
    let acts = |mood| matches!(mood, Mood::Instruction | Mood::Yes | Mood::Naming);
    let mut wrong = vec![];
    for (mood, phrase) in phrases {
        let judged = judge(phrase).mood;
        // For messages that change nothing, the kind only affects the reply.
        let same = judged == mood || (!acts(mood) && !acts(judged)) || (mood == Mood::Other && judged == Mood::Naming);
        if !same {
            wrong.push(format!("{phrase}: {mood:?}, not {judged:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_instructions_are_returned() {
    for (said, instructions) in [
        ("Hello! Add the kettle, please. Thanks.", &["Add the kettle, please"][..]),
        ("Don't add the lamp. Add the kettle.", &["Add the kettle"]),
        ("add the lamp but not the kettle", &["add the lamp"]),
        ("add the lamp and remove the kettle", &["add the lamp", "remove the kettle"]),
        ("add two lamps and check out", &["add two lamps", "check out"]),
        ("add the first one, no, the second", &["add the second"]),
        ("add the kettle, no, add the lamp", &["add the lamp"]),
        ("add the kettle, I mean the lamp", &["add the lamp"]),
        ("the second one: add it", &["add the second one"]),
        ("My choice is the second one. Add it.", &["Add the second one"]),
        (
            "add the salt and pepper mill, two notebooks and a box",
            &["add the salt and pepper mill, two notebooks and a box"],
        ),
        ("Add the kettle. Don't add the kettle.", &[]),
        ("Add the kettle. Don't add it.", &[]),
        ("Add the kettle. If it is in stock.", &[]),
    ] {
        assert_eq!(judge(said).instructions, instructions, "{said}");
    }
}

/// Words that negate an instruction.
const AGAINST: [&str; 22] = [
    "don't ",
    "Don’t ",
    "dont ",
    "DON'T ",
    "do not ",
    "do'nt ",
    "donot ",
    "never ",
    "please don't ",
    "please do not ",
    "no, don't ",
    "no, do not ",
    "I don't want you to ",
    "I do not want to ",
    "you must not ",
    "you should not ",
    "stop! don't ",
    "not yet: ",
    "don't! ",
    "never, ever ",
    "without asking me, never ",
    "let's not ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn a_negation_before_an_instruction_leaves_none(at in any::<prop::sample::Index>(), against in prop::sample::select(&AGAINST[..]), loud in any::<bool>()) {
        let all: Vec<&str> = phrases().into_iter().filter(|(mood, _)| *mood == Mood::Instruction).map(|(_, phrase)| phrase).collect();
        // In a message of several sentences or clauses only the first one is negated.
        let plain: Vec<&str> = all.into_iter().filter(|phrase| !phrase.trim_end_matches('.').contains(['.', ',', '!', ':', '…']) && !phrase.contains(" and ") && !phrase.contains(" but ")).collect();
        let said = format!("{against}{}", at.get(&plain));
        let said = if loud { said.to_uppercase() } else { said };
        let reading = judge(&said);
        prop_assert!(reading.instructions.is_empty() && reading.mood != Mood::Yes, "{said}: {reading:?}");
    }

    #[test]
    fn any_text_can_be_classified(text in "\\PC{0,200}", letters in proptest::collection::vec(any::<char>(), 0..60)) {
        let _reading = judge(&text);
        let _reading = judge(&letters.into_iter().collect::<String>());
    }
}
