//! Replies to messages that mention a change without instructing it.
//!
//! **Invariant:** nothing here changes a cart; an offer is carried out only after a "yes".

use super::{
    intent::{self, Intent, Quantity},
    quantity::Item,
    reference::Reference,
    resolution::Resolution,
    search_intent,
    speech::{self, RuleReply},
    tool_results::ToolProduct,
    topics::Topic,
    turn::{Done, RuleTurn},
};
use crate::ws::agent::instruction::Mood;

/// Words of questions about what was done.
const DONE: [&str; 14] =
    ["did", "didnt", "have", "havent", "has", "hasnt", "had", "was", "were", "why", "who", "when", "is", "are"];
/// Words of a short request for a change: "one more", "just 2".
const BRIEF: [&str; 10] = ["more", "less", "fewer", "another", "instead", "just", "only", "quantity", "qty", "twice"];
/// Explains how to give instructions.
const HOW: &str = "I change your cart only when you tell me to: say “add the kettle” or “add the second one” to put \
                   something in, “remove the kettle” to take it out, and “check out” for the summary.";
/// Explains how to add one of the listed products.
const SAY_ADD: &str = "Say “add the second one”, and it is in your cart.";
/// Says that nothing was changed, and what to do if that was wrong.
const LEFT: &str = "All right, I changed nothing. If I misunderstood you, tell me in one short sentence what to do, such \
                    as “add the kettle”.";

impl RuleTurn<'_> {
    /// Replies to a message that mentions a change without instructing it.
    pub(super) async fn without_instruction(&mut self, mood: Mood, intent: Intent) -> Done<RuleReply> {
        match mood {
            Mood::Negated => self.left(intent).await,
            Mood::Request | Mood::Hypothetical | Mood::Quoted => self.offer(intent, mood == Mood::Request).await,
            Mood::Past => self.as_it_is().await,
            Mood::Question if intent == Intent::Checkout => self.about(Topic::Payment).await,
            Mood::Question if intent::tokenize(self.text).has(&DONE) => self.as_it_is().await,
            Mood::Question => self.asked(intent).await,
            _ => self.in_few_words(intent, mood == Mood::Naming).await,
        }
    }

    /// "Which lamp should I buy?" is a search for lamps; other questions about a change get an explanation.
    async fn asked(&mut self, intent: Intent) -> Done<RuleReply> {
        let message = intent::tokenize(self.text);
        let looks = matches!(intent, Intent::Add(_)) && message.has(&["which", "what", "whats", "any"]);
        match search_intent::finding(&message) {
            Intent::Find(wanted) if looks && !wanted.words.is_empty() && !message.has(&["happens", "if", "did"]) => {
                self.find(wanted).await
            }
            _ => Ok(RuleReply::of(HOW)),
        }
    }

    /// Offers to remove what is no longer wanted.
    async fn left(&mut self, intent: Intent) -> Done<RuleReply> {
        let unwanted = intent::tokenize(self.text).has(&["want", "need", "leave", "without"]);
        match intent {
            Intent::Remove(items) if unwanted => match self.taken_out(&items).await? {
                Some(offer) => Ok(RuleReply::of(offer)),
                None => Ok(RuleReply::of(LEFT)),
            },
            _ => Ok(RuleReply::of(LEFT)),
        }
    }

    /// Shows the cart in reply to a question or statement about what was done.
    async fn as_it_is(&mut self) -> Done<RuleReply> {
        let RuleReply { text, products } = self.show_cart().await?;
        Ok(RuleReply { text: format!("I have changed nothing just now.\n{text}"), products })
    }

    /// Replies to a message of a few words without a verb.
    async fn in_few_words(&mut self, intent: Intent, names: bool) -> Done<RuleReply> {
        let message = intent::tokenize(self.text);
        match intent {
            Intent::Change(reference, quantity)
                if names && message.has(&BRIEF) && !message.has(&["thing", "question", "time", "minute"]) =>
            {
                self.change(&reference, quantity).await
            }
            Intent::ClearCart => self.ask_before_clearing().await,
            Intent::Checkout => Ok(RuleReply::of(HOW)),
            _ => match search_intent::finding(&message) {
                Intent::Find(wanted) if !wanted.words.is_empty() => self.find(wanted).await,
                Intent::Add(_) | Intent::Change(..) | Intent::Remove(_) | Intent::Unclear | Intent::Find(_) => {
                    Ok(RuleReply::of("What shall I look for? Tell me what it is, such as “a kettle under 2000”."))
                }
                other => Box::pin(self.perform(other)).await,
            },
        }
    }

    /// Asks for confirmation, naming the change.
    async fn offer(&mut self, intent: Intent, asked_for: bool) -> Done<RuleReply> {
        match intent {
            Intent::Add(items) => self.offer_to_add(&items, asked_for).await,
            Intent::Remove(items) => Ok(RuleReply::of(self.taken_out(&items).await?.unwrap_or_else(|| HOW.to_owned()))),
            Intent::Change(reference, quantity) => self.offer_to_change(&reference, quantity).await,
            Intent::ClearCart => self.ask_before_clearing().await,
            _ => Ok(RuleReply::of(HOW)),
        }
    }

    async fn offer_to_add(&mut self, items: &[Item], asked_for: bool) -> Done<RuleReply> {
        let mut named = vec![];
        for item in items {
            let (reference, quantity) = self.position_or_count(item);
            match self.resolve(&reference).await? {
                Resolution::These(found) => {
                    named.extend(found.iter().map(|product| format!("{quantity} × {}", product.title)));
                }
                Resolution::Ambiguous(choices) if asked_for => return Ok(self.ask_which(&choices).await),
                Resolution::Ambiguous(choices) => {
                    self.show_products(&choices).await;
                    let text = format!("I have changed nothing. There is:\n{}\n{SAY_ADD}", speech::numbered(&choices));
                    return Ok(RuleReply::with(text, &choices));
                }
                Resolution::NotFound { called, near } => return Ok(self.nothing_called(&called, &near).await),
                Resolution::Unspecified => return Ok(RuleReply::of(HOW)),
            }
        }
        Ok(RuleReply::of(format!("Shall I add {} to your cart? {}", speech::joined(&named), speech::SAY_YES)))
    }

    /// The offer to remove these items, if all of them are in the cart.
    async fn taken_out(&mut self, items: &[Item]) -> Done<Option<String>> {
        let cart = self.current_cart().await?;
        let mut named = vec![];
        for item in items {
            let Resolution::These(found) = self.in_cart(&item.reference, &cart) else { return Ok(None) };
            named.extend(found.iter().map(|product| product.title.clone()));
        }
        let offer = || format!("Shall I take {} out of your cart? {}", speech::joined(&named), speech::SAY_YES);
        Ok((!named.is_empty()).then(offer))
    }

    async fn offer_to_change(&mut self, reference: &Reference, quantity: Quantity) -> Done<RuleReply> {
        let cart = self.current_cart().await?;
        let Resolution::These(found) = self.in_cart(reference, &cart) else { return Ok(RuleReply::of(HOW)) };
        let [ToolProduct { title, quantity: now, .. }] = &found[..] else { return Ok(RuleReply::of(HOW)) };
        let to = match quantity {
            Quantity::To(count) => count,
            Quantity::More(count) => now.saturating_add(count),
            Quantity::Less(count) => now.saturating_sub(count),
            Quantity::Twice => now.saturating_mul(2),
        };
        Ok(RuleReply::of(format!("Shall I change {title} from {now} to {to}? {}", speech::SAY_YES)))
    }
}
