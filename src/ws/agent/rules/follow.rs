//! Answers to what the assistant asked back. What it asked is read from its last line.

use super::{
    act::{Act, Done},
    goods::Goods,
    intent::{self, Intent},
    pick::{self, Found},
    price,
    quantity::Item,
    refer::Refer,
    speech::{self, Spoken},
    tokens, vocabulary,
};
use crate::{
    domain::conversation::{Line, Speaker},
    ws::agent::instruction::{Mood, Reading},
};

/// How many questions in a row are followed back to what they were about.
const QUESTIONS_MAX: usize = 6;

impl<'a> Act<'a> {
    /// What the message does as an answer to the last question; `None` where it is none.
    pub(super) async fn follow_up(&mut self, reading: &Reading) -> Done<Option<Spoken>> {
        let Some(last) = self.history.last().filter(|line| line.by == Speaker::Assistant) else { return Ok(None) };
        let asked = last.text.trim_end();
        if reading.mood == Mood::Yes {
            if asked.ends_with(speech::SHALL_EMPTY) {
                return self.clear().await.map(Some);
            }
            if let Some(fewer) = offered_fewer(asked) {
                return self.add(vec![Item { quantity: Some(fewer), refer: Refer::It }]).await.map(Some);
            }
            if asked.ends_with(speech::SHALL_ADD) {
                return self.add(vec![Item { quantity: None, refer: Refer::It }]).await.map(Some);
            }
            let wish = self.history.iter().rev().nth(1).filter(|line| line.by == Speaker::User);
            if let Some(wish) = wish.filter(|_| asked.ends_with(speech::SAY_YES)) {
                let intent = intent::read(&wish.text);
                return if intent.acts() { Box::pin(self.act(intent)).await.map(Some) } else { Ok(None) };
            }
        }
        let asks_which = last.text.lines().any(|line| line == speech::WHICH) && !last.products.is_empty();
        match (&reading.told[..], reading.mood) {
            ([only], Mood::Naming | Mood::Instruction) if asks_which => self.chosen(&intent::read(only), only).await,
            _ => Ok(None),
        }
    }

    /// Which of the products that were asked about is named, and what was to be done with it.
    async fn chosen(&mut self, intent: &Intent, text: &str) -> Done<Option<Spoken>> {
        let may_choose = match intent {
            Intent::Find(_) | Intent::Unclear | Intent::Details(_) => true,
            Intent::Add(items) => items.len() == 1,
            _ => false,
        };
        if !may_choose {
            return Ok(None);
        }
        let choices = self.listed().await?;
        let Some(goods) = choose(intent, text, &choices) else { return Ok(None) };
        let Some(base) = asked_about(self.history) else { return Ok(None) };
        let refer = |goods: &Goods| {
            let place = self.known.listed.iter().position(|id| *id == goods.id).map_or(0, |at| at + 1);
            Refer::Places(vec![place])
        };
        let refers: Vec<Refer> = goods.iter().map(refer).collect();
        let Some(first) = refers.first().cloned() else { return Ok(None) };
        let said = match intent {
            Intent::Add(items) => items.first().and_then(|item| item.quantity),
            _ => None,
        };
        let act = match base {
            Intent::Add(items) => Intent::Add(again(&items, &goods, &refers, said)),
            Intent::Remove(items) => Intent::Remove(again(&items, &goods, &refers, said)),
            Intent::Change(_, quantity) => Intent::Change(first, quantity),
            Intent::Recommend(_) => Intent::Recommend(first),
            Intent::Compare(_) | Intent::Details(_) => Intent::Details(first),
            _ => return Ok(None),
        };
        Box::pin(self.act(act)).await.map(Some)
    }

    pub(super) const fn text(&self) -> &'a str {
        self.text
    }
}

/// The choices that are named by an answer.
fn choose(intent: &Intent, text: &str, choices: &[Goods]) -> Option<Vec<Goods>> {
    let mut said = tokens::tokens(text);
    price::take(&mut said);
    let number = match &said[..] {
        [only] => only.count().and_then(|count| usize::try_from(count).ok()),
        _ => None,
    };
    let refer = match intent {
        Intent::Add(items) => items.first().map(|item| item.refer.clone())?,
        _ => Refer::read(&said),
    };
    let refer = number.map_or(refer, |place| Refer::Places(vec![place]));
    let found = match &refer {
        Refer::Named(words) => pick::named(words, choices).or_else(|| one_with_any(words, choices)),
        Refer::Cheapest(_) => pick::pointed(&Refer::Cheapest(vec![]), choices, None),
        Refer::Dearest(_) => pick::pointed(&Refer::Dearest(vec![]), choices, None),
        Refer::Nothing | Refer::It => None,
        refer => pick::pointed(refer, choices, None),
    };
    match found {
        Some(Found::These(goods)) => Some(goods),
        _ => None,
    }
}

/// The only choice that has one of the words.
fn one_with_any(words: &[String], choices: &[Goods]) -> Option<Found> {
    let mut with = choices.iter().filter(|goods| vocabulary::matching(words, &goods.title) > 0);
    let only = with.next().cloned()?;
    with.next().is_none().then(|| Found::These(vec![only]))
}

/// The wish with what was chosen in place of what was unclear.
fn again(items: &[Item], goods: &[Goods], refers: &[Refer], said: Option<u32>) -> Vec<Item> {
    // Of several wishes the unclear one is done now; the others were done at once.
    let about = |item: &&Item| match &item.refer {
        Refer::Named(words) => goods.iter().any(|goods| vocabulary::matching(words, &goods.title) == words.len()),
        _ => true,
    };
    let quantity = said.or_else(|| items.iter().find(about).or(items.first()).and_then(|item| item.quantity));
    refers.iter().map(|refer| Item { quantity, refer: refer.clone() }).collect()
}

/// What the shopper wanted when she was asked back, however often.
fn asked_about(history: &[Line]) -> Option<Intent> {
    let mut lines = history.iter().rev();
    for _ in 0..QUESTIONS_MAX {
        let question = lines.next()?;
        let wish = lines.next()?;
        if question.by != Speaker::Assistant || wish.by != Speaker::User {
            return None;
        }
        let before = lines.clone().next();
        if before.is_none_or(|line| line.by != Speaker::Assistant || !follows_back(&line.text)) {
            return Some(intent::read(&wish.text));
        }
        let wanted = intent::read(&wish.text);
        if matches!(wanted, Intent::Add(_) | Intent::Remove(_) | Intent::Change(..)) {
            return Some(wanted);
        }
    }
    None
}

/// Whether the answer to this is about the wish before it.
fn follows_back(question: &str) -> bool {
    question.contains(speech::WHICH) || question.trim_end().ends_with(speech::SAY_YES)
}

/// How many fewer were offered.
fn offered_fewer(text: &str) -> Option<u32> {
    let text = text.strip_suffix(" instead?")?;
    let rest = text.rsplit_once(speech::SHALL_ADD_FEWER)?.1;
    rest.split(' ').next()?.parse().ok()
}
