//! What is answered where a message speaks of a change and does not tell to make it.
//!
//! **Invariant:** nothing here changes a cart; an offer is done by a "yes" to it and by nothing
//! else.

use super::{
    act::{Act, Done},
    goods::Goods,
    intent::{self, Intent, Quantity},
    pick::Found,
    quantity::Item,
    refer::Refer,
    speech::{self, Spoken},
    topics::Topic,
    wishes,
};
use crate::ws::agent::instruction::Mood;

/// Words that ask what was done.
const DONE: [&str; 14] =
    ["did", "didnt", "have", "havent", "has", "hasnt", "had", "was", "were", "why", "who", "when", "is", "are"];
/// Words of a change in few words: "one more", "just 2".
const BRIEF: [&str; 10] = ["more", "less", "fewer", "another", "instead", "just", "only", "quantity", "qty", "twice"];
/// Says how to tell plainly.
const HOW: &str = "I change your cart only when you tell me to: say “add the kettle” or “add the second one” to put \
                   something in, “remove the kettle” to take it out, and “check out” for the summary.";
/// How to add what is shown.
const SAY_ADD: &str = "Say “add the second one”, and it is in your cart.";
/// Nothing was done, and what to do if that was wrong.
const LEFT: &str = "All right, I changed nothing. If I misunderstood you, tell me in one short sentence what to do, such \
                    as “add the kettle”.";

impl Act<'_> {
    /// The answer to a message that speaks of a change without telling to make it.
    pub(super) async fn not_told(&mut self, mood: Mood, intent: Intent) -> Done<Spoken> {
        match mood {
            Mood::Negated => self.left(intent).await,
            Mood::Request | Mood::Hypothetical | Mood::Quoted => self.offer(intent, mood == Mood::Request).await,
            Mood::Past => self.as_it_is().await,
            Mood::Question if intent == Intent::Checkout => self.about(Topic::Payment).await,
            Mood::Question if intent::said(self.text).has(&DONE) => self.as_it_is().await,
            Mood::Question => self.asked(intent).await,
            _ => self.in_few_words(intent, mood == Mood::Naming).await,
        }
    }

    /// "Which lamp should I buy?" looks for lamps; other questions about a change are told how.
    async fn asked(&mut self, intent: Intent) -> Done<Spoken> {
        let said = intent::said(self.text);
        let looks = matches!(intent, Intent::Add(_)) && said.has(&["which", "what", "whats", "any"]);
        match wishes::finding(&said) {
            Intent::Find(wanted) if looks && !wanted.words.is_empty() && !said.has(&["happens", "if", "did"]) => {
                self.find(wanted).await
            }
            _ => Ok(Spoken::of(HOW)),
        }
    }

    /// What is no longer wanted may be taken out, after a yes.
    async fn left(&mut self, intent: Intent) -> Done<Spoken> {
        let unwanted = intent::said(self.text).has(&["want", "need", "leave", "without"]);
        match intent {
            Intent::Remove(items) if unwanted => match self.taken_out(&items).await? {
                Some(offer) => Ok(Spoken::of(offer)),
                None => Ok(Spoken::of(LEFT)),
            },
            _ => Ok(Spoken::of(LEFT)),
        }
    }

    /// What is in the cart, where somebody asks or tells what was done.
    async fn as_it_is(&mut self) -> Done<Spoken> {
        let Spoken { text, products } = self.show_cart().await?;
        Ok(Spoken { text: format!("I have changed nothing just now.\n{text}"), products })
    }

    /// A message of a few words without a verb.
    async fn in_few_words(&mut self, intent: Intent, names: bool) -> Done<Spoken> {
        let said = intent::said(self.text);
        match intent {
            Intent::Change(refer, quantity)
                if names && said.has(&BRIEF) && !said.has(&["thing", "question", "time", "minute"]) =>
            {
                self.change(&refer, quantity).await
            }
            Intent::ClearCart => self.ask_before_clearing().await,
            Intent::Checkout => Ok(Spoken::of(HOW)),
            _ => match wishes::finding(&said) {
                Intent::Find(wanted) if !wanted.words.is_empty() => self.find(wanted).await,
                Intent::Add(_) | Intent::Change(..) | Intent::Remove(_) | Intent::Unclear | Intent::Find(_) => {
                    Ok(Spoken::of("What shall I look for? Tell me what it is, such as “a kettle under 2000”."))
                }
                other => Box::pin(self.act(other)).await,
            },
        }
    }

    /// Asks whether to do it, naming what would be done.
    async fn offer(&mut self, intent: Intent, asked_for: bool) -> Done<Spoken> {
        match intent {
            Intent::Add(items) => self.offer_to_add(&items, asked_for).await,
            Intent::Remove(items) => Ok(Spoken::of(self.taken_out(&items).await?.unwrap_or_else(|| HOW.to_owned()))),
            Intent::Change(refer, quantity) => self.offer_to_change(&refer, quantity).await,
            Intent::ClearCart => self.ask_before_clearing().await,
            _ => Ok(Spoken::of(HOW)),
        }
    }

    async fn offer_to_add(&mut self, items: &[Item], asked_for: bool) -> Done<Spoken> {
        let mut named = vec![];
        for item in items {
            let (refer, quantity) = self.place_or_count(item);
            match self.resolve(&refer).await? {
                Found::These(found) => named.extend(found.iter().map(|goods| format!("{quantity} × {}", goods.title))),
                Found::Which(choices) if asked_for => return Ok(self.ask_which(&choices).await),
                Found::Which(choices) => {
                    self.put_on_screen(&choices).await;
                    let text = format!("I have changed nothing. There is:\n{}\n{SAY_ADD}", speech::numbered(&choices));
                    return Ok(Spoken::with(text, &choices));
                }
                Found::Nothing { called, near } => return Ok(self.nothing_called(&called, &near).await),
                Found::Unsaid => return Ok(Spoken::of(HOW)),
            }
        }
        Ok(Spoken::of(format!("Shall I add {} to your cart? {}", speech::joined(&named), speech::SAY_YES)))
    }

    /// The offer to take these out, where all of them are in the cart.
    async fn taken_out(&mut self, items: &[Item]) -> Done<Option<String>> {
        let cart = self.cart_told().await?;
        let mut named = vec![];
        for item in items {
            let Found::These(found) = self.in_cart(&item.refer, &cart) else { return Ok(None) };
            named.extend(found.iter().map(|goods| goods.title.clone()));
        }
        let offer = || format!("Shall I take {} out of your cart? {}", speech::joined(&named), speech::SAY_YES);
        Ok((!named.is_empty()).then(offer))
    }

    async fn offer_to_change(&mut self, refer: &Refer, quantity: Quantity) -> Done<Spoken> {
        let cart = self.cart_told().await?;
        let Found::These(found) = self.in_cart(refer, &cart) else { return Ok(Spoken::of(HOW)) };
        let [Goods { title, quantity: now, .. }] = &found[..] else { return Ok(Spoken::of(HOW)) };
        let to = match quantity {
            Quantity::To(count) => count,
            Quantity::More(count) => now.saturating_add(count),
            Quantity::Less(count) => now.saturating_sub(count),
            Quantity::Twice => now.saturating_mul(2),
        };
        Ok(Spoken::of(format!("Shall I change {title} from {now} to {to}? {}", speech::SAY_YES)))
    }
}
