//! Answers to the assistant's questions. The question is read from the last line of the conversation.

use super::{
    intent::{self, Intent},
    price,
    quantity::Item,
    reference::Reference,
    resolution::{self, Resolution},
    speech::{self, RuleReply},
    tokens,
    tool_results::ToolProduct,
    turn::{Done, RuleTurn},
    vocabulary,
};
use crate::{
    domain::conversation::{Line, Speaker},
    ws::agent::instruction::{Mood, Reading},
};

/// The maximum number of consecutive questions that are traced back to the request.
const QUESTIONS_MAX: usize = 6;

impl<'a> RuleTurn<'a> {
    /// Handles the message as an answer to the last question; `None` if it is not one.
    pub(super) async fn follow_up(&mut self, reading: &Reading) -> Done<Option<RuleReply>> {
        let Some(last) = self.history.last().filter(|line| line.by == Speaker::Assistant) else { return Ok(None) };
        let asked = last.text.trim_end();
        if reading.mood == Mood::Yes {
            if asked.ends_with(speech::SHALL_EMPTY) {
                return self.clear().await.map(Some);
            }
            if let Some(fewer) = offered_fewer(asked) {
                return self.add(vec![Item { quantity: Some(fewer), reference: Reference::It }]).await.map(Some);
            }
            if asked.ends_with(speech::SHALL_ADD) {
                return self.add(vec![Item { quantity: None, reference: Reference::It }]).await.map(Some);
            }
            let request = self.history.iter().rev().nth(1).filter(|line| line.by == Speaker::User);
            if let Some(request) = request.filter(|_| asked.ends_with(speech::SAY_YES)) {
                let intent = intent::read(&request.text);
                return if intent.acts() { Box::pin(self.perform(intent)).await.map(Some) } else { Ok(None) };
            }
        }
        let asks_which = last.text.lines().any(|line| line == speech::WHICH) && !last.products.is_empty();
        match (&reading.instructions[..], reading.mood) {
            ([only], Mood::Naming | Mood::Instruction) if asks_which => self.chosen(&intent::read(only), only).await,
            _ => Ok(None),
        }
    }

    /// Continues the earlier request with the product that was chosen.
    async fn chosen(&mut self, intent: &Intent, text: &str) -> Done<Option<RuleReply>> {
        let may_choose = match intent {
            Intent::Find(_) | Intent::Unclear | Intent::Details(_) => true,
            Intent::Add(items) => items.len() == 1,
            _ => false,
        };
        if !may_choose {
            return Ok(None);
        }
        let choices = self.listed().await?;
        let Some(products) = choose(intent, text, &choices) else { return Ok(None) };
        let Some(base) = asked_about(self.history) else { return Ok(None) };
        let reference = |product: &ToolProduct| {
            let position = self.known.listed.iter().position(|id| *id == product.id).map_or(0, |at| at + 1);
            Reference::Positions(vec![position])
        };
        let references: Vec<Reference> = products.iter().map(reference).collect();
        let Some(first) = references.first().cloned() else { return Ok(None) };
        let stated = match intent {
            Intent::Add(items) => items.first().and_then(|item| item.quantity),
            _ => None,
        };
        let intent = match base {
            Intent::Add(items) => Intent::Add(again(&items, &products, &references, stated)),
            Intent::Remove(items) => Intent::Remove(again(&items, &products, &references, stated)),
            Intent::Change(_, quantity) => Intent::Change(first, quantity),
            Intent::Recommend(_) => Intent::Recommend(first),
            Intent::Compare(_) | Intent::Details(_) => Intent::Details(first),
            _ => return Ok(None),
        };
        Box::pin(self.perform(intent)).await.map(Some)
    }

    pub(super) const fn text(&self) -> &'a str {
        self.text
    }
}

/// The choices that an answer names.
fn choose(intent: &Intent, text: &str, choices: &[ToolProduct]) -> Option<Vec<ToolProduct>> {
    let mut tokens = tokens::tokens(text);
    price::take(&mut tokens);
    let number = match &tokens[..] {
        [only] => only.count().and_then(|count| usize::try_from(count).ok()),
        _ => None,
    };
    let reference = match intent {
        Intent::Add(items) => items.first().map(|item| item.reference.clone())?,
        _ => Reference::read(&tokens),
    };
    let reference = number.map_or(reference, |position| Reference::Positions(vec![position]));
    let found = match &reference {
        Reference::Named(words) => resolution::named(words, choices).or_else(|| one_with_any(words, choices)),
        Reference::Cheapest(_) => resolution::pointed(&Reference::Cheapest(vec![]), choices, None),
        Reference::Dearest(_) => resolution::pointed(&Reference::Dearest(vec![]), choices, None),
        Reference::Nothing | Reference::It => None,
        reference => resolution::pointed(reference, choices, None),
    };
    match found {
        Some(Resolution::These(products)) => Some(products),
        _ => None,
    }
}

/// The only choice that contains one of the words.
fn one_with_any(words: &[String], choices: &[ToolProduct]) -> Option<Resolution> {
    let mut with = choices.iter().filter(|product| vocabulary::matching(words, &product.title) > 0);
    let only = with.next().cloned()?;
    with.next().is_none().then(|| Resolution::These(vec![only]))
}

/// The earlier request, with the chosen products in place of the ambiguous ones.
fn again(items: &[Item], products: &[ToolProduct], references: &[Reference], stated: Option<u32>) -> Vec<Item> {
    // Of several items only the ambiguous one is done now; the others were done at once.
    let about = |item: &&Item| match &item.reference {
        Reference::Named(words) => {
            products.iter().any(|product| vocabulary::matching(words, &product.title) == words.len())
        }
        _ => true,
    };
    let quantity = stated.or_else(|| items.iter().find(about).or(items.first()).and_then(|item| item.quantity));
    references.iter().map(|reference| Item { quantity, reference: reference.clone() }).collect()
}

/// The request before the assistant's questions.
fn asked_about(history: &[Line]) -> Option<Intent> {
    let mut lines = history.iter().rev();
    for _ in 0..QUESTIONS_MAX {
        let question = lines.next()?;
        let request = lines.next()?;
        if question.by != Speaker::Assistant || request.by != Speaker::User {
            return None;
        }
        let before = lines.clone().next();
        if before.is_none_or(|line| line.by != Speaker::Assistant || !continues(&line.text)) {
            return Some(intent::read(&request.text));
        }
        let wanted = intent::read(&request.text);
        if matches!(wanted, Intent::Add(_) | Intent::Remove(_) | Intent::Change(..)) {
            return Some(wanted);
        }
    }
    None
}

/// Whether the answer to this question continues the request before it.
fn continues(question: &str) -> bool {
    question.contains(speech::WHICH) || question.trim_end().ends_with(speech::SAY_YES)
}

/// The smaller quantity that was offered.
fn offered_fewer(text: &str) -> Option<u32> {
    let text = text.strip_suffix(" instead?")?;
    let rest = text.rsplit_once(speech::SHALL_ADD_FEWER)?.1;
    rest.split(' ').next()?.parse().ok()
}
