//! The user's cart: adding, changing, removing, showing, and the checkout.

use serde_json::json;

use super::{
    intent::Quantity,
    quantity::Item,
    reference::Reference,
    resolution::{self, Resolution},
    speech::{self, RuleReply},
    tool_results::{self, ToolCart, ToolProduct},
    turn::{Done, RuleTurn},
};
use crate::{domain::ids::ProductId, views::words, ws::agent::tools::ToolRefusal};

impl RuleTurn<'_> {
    pub(super) async fn add(&mut self, items: Vec<Item>) -> Done<RuleReply> {
        let (mut added, mut sentences, mut cart, mut asked) = (vec![], vec![], None, None);
        for item in items {
            let (reference, quantity) = self.position_or_count(&item);
            match self.resolve(&reference).await? {
                Resolution::These(found) => {
                    for product in found {
                        match self.put(&product, quantity).await {
                            Ok(after) => {
                                self.known.current = Some(product.id);
                                added.push(format!("{quantity} × {}", product.title));
                                cart = after.or(cart);
                            }
                            Err(refusal) => sentences.push(self.not_added(&product, quantity, refusal).await?),
                        }
                    }
                }
                Resolution::Ambiguous(choices) => asked = Some(self.ask_which(&choices).await),
                Resolution::NotFound { called, near } => asked = Some(self.nothing_called(&called, &near).await),
                Resolution::Unspecified => {
                    let ask = "Which product shall I put in your cart? Tell me its name, or search for it first.";
                    asked = asked.or(Some(RuleReply::of(ask)));
                }
            }
        }
        if !added.is_empty() {
            let done = speech::one_of(self.seed, &["Done: I put", "I put", "There you go: I put"]);
            sentences.insert(0, format!("{done} {} in your cart.{}", speech::joined(&added), so_far(cart.as_ref())));
        }
        let RuleReply { text, products } = asked.unwrap_or_default();
        sentences.extend(Some(text).filter(|text| !text.is_empty()));
        Ok(RuleReply { text: sentences.join("\n"), products })
    }

    /// "Add 2" means two of the current product, or else the second product of the list.
    pub(super) fn position_or_count(&self, item: &Item) -> (Reference, u32) {
        let position = item.quantity.and_then(|count| usize::try_from(count).ok());
        match (&item.reference, position) {
            (Reference::Nothing, Some(position))
                if self.known.current.is_none()
                    && (1..=self.known.listed.len()).contains(&position)
                    && self.known.listed.len() > 1 =>
            {
                (Reference::Positions(vec![position]), 1)
            }
            (Reference::Nothing, _) => (Reference::It, item.quantity.unwrap_or(1)),
            (reference, _) => (reference.clone(), item.quantity.unwrap_or(1)),
        }
    }

    async fn put(&mut self, product: &ToolProduct, quantity: u32) -> Done<Option<ToolCart>> {
        let answer = self.call("add_to_cart", json!({ "productId": product.id, "quantity": quantity })).await?;
        Ok(ToolCart::of(&answer))
    }

    /// Explains why a product was not added, and offers what is possible.
    async fn not_added(&mut self, product: &ToolProduct, quantity: u32, refusal: ToolRefusal) -> Done<String> {
        let text = about(&refusal, &product.title);
        if refusal.code == "tool.bad_arguments" {
            return Ok(format!("I can add 1 to 999 of one product, not {quantity}."));
        }
        if refusal.code != "tool.insufficient_stock" || product.stock <= 0 {
            return Ok(text);
        }
        self.known.current = Some(product.id);
        let in_cart = self.current_cart().await?.quantity_of(product.id);
        let left = product.stock - i64::from(in_cart);
        Ok(if left > 0 {
            format!("{text} {}{left} instead?", speech::SHALL_ADD_FEWER)
        } else {
            format!("{text} All of them are in your cart already.")
        })
    }

    pub(super) async fn current_cart(&mut self) -> Done<ToolCart> {
        let answer = self.call_quietly("view_cart", json!({})).await?;
        Ok(ToolCart::of(&answer).unwrap_or_default())
    }

    /// Resolves a reference to lines of the cart.
    pub(super) fn in_cart(&self, reference: &Reference, cart: &ToolCart) -> Resolution {
        let listed: Vec<ToolProduct> =
            self.known.listed.iter().filter_map(|id| cart.items.iter().find(|item| item.id == *id).cloned()).collect();
        let shown = |position: usize| -> Option<ToolProduct> {
            let id: ProductId = *self.known.listed.get(position.checked_sub(1)?)?;
            cart.items.iter().find(|item| item.id == id).cloned()
        };
        match reference {
            Reference::Named(words) => resolution::named(words, &cart.items)
                .unwrap_or_else(|| Resolution::NotFound { called: words.join(" "), near: vec![] }),
            Reference::Positions(positions) => {
                match positions.iter().filter_map(|position| shown(*position)).collect::<Vec<_>>() {
                    found if found.is_empty() => {
                        resolution::pointed(reference, &cart.items, None).unwrap_or(Resolution::Unspecified)
                    }
                    found => Resolution::These(found),
                }
            }
            Reference::It | Reference::Nothing => {
                resolution::pointed(&Reference::It, &cart.items, self.known.current).unwrap_or(Resolution::Unspecified)
            }
            Reference::All | Reference::FirstOf(_) | Reference::Other if !listed.is_empty() => {
                resolution::pointed(reference, &listed, self.known.current).unwrap_or(Resolution::Unspecified)
            }
            Reference::Cheapest(_) => {
                resolution::pointed(&Reference::Cheapest(vec![]), &cart.items, None).unwrap_or(Resolution::Unspecified)
            }
            Reference::Dearest(_) => {
                resolution::pointed(&Reference::Dearest(vec![]), &cart.items, None).unwrap_or(Resolution::Unspecified)
            }
            other => resolution::pointed(other, &cart.items, self.known.current).unwrap_or(Resolution::Unspecified),
        }
    }

    pub(super) async fn change(&mut self, reference: &Reference, quantity: Quantity) -> Done<RuleReply> {
        let cart = self.current_cart().await?;
        let spoken_of = matches!(reference, Reference::It | Reference::Nothing).then_some(self.known.current).flatten();
        if let Some(current) = spoken_of.filter(|current| cart.quantity_of(*current) == 0 && self.known.has(*current)) {
            return self.change_of_what_is_not_there(current, quantity).await;
        }
        let products = match self.in_cart(reference, &cart) {
            Resolution::These(found) => found,
            Resolution::Ambiguous(choices) => return Ok(self.ask_which(&choices).await),
            Resolution::NotFound { called, .. } => {
                return Ok(RuleReply::of(format!("There is no “{called}” in your cart.")));
            }
            Resolution::Unspecified if cart.items.is_empty() => {
                return Ok(RuleReply::of("Your cart is empty, so there is nothing to change."));
            }
            Resolution::Unspecified => return Ok(RuleReply::of("Which line of your cart do you mean?")),
        };
        let mut sentences = vec![];
        for product in products {
            let to = match quantity {
                Quantity::To(count) => count,
                Quantity::More(count) => product.quantity.saturating_add(count),
                Quantity::Less(count) => product.quantity.saturating_sub(count),
                Quantity::Twice => product.quantity.saturating_mul(2),
            };
            sentences.push(self.set(&product, to).await?);
        }
        Ok(RuleReply::of(sentences.join("\n")))
    }

    async fn change_of_what_is_not_there(&mut self, product: ProductId, quantity: Quantity) -> Done<RuleReply> {
        if let Quantity::More(count) = quantity {
            return Box::pin(self.add(vec![Item { quantity: Some(count), reference: Reference::It }])).await;
        }
        let answer = self.call_quietly("get_product", json!({ "productId": product })).await?;
        let title = tool_results::product(&answer).map(|product| product.title).unwrap_or_default();
        Ok(RuleReply::of(format!("{title} is not in your cart yet. {}", speech::SHALL_ADD)))
    }

    async fn set(&mut self, product: &ToolProduct, to: u32) -> Done<String> {
        if to == 0 {
            return self.take_out(product).await;
        }
        let arguments = json!({ "productId": product.id, "quantity": to });
        Ok(match self.call("change_quantity", arguments).await {
            Ok(answer) => {
                self.known.current = Some(product.id);
                format!("Your cart now has {to} × {}.{}", product.title, so_far(ToolCart::of(&answer).as_ref()))
            }
            Err(refusal) if refusal.code == "tool.bad_arguments" => {
                format!("A cart takes 1 to 999 of one product, not {to}.")
            }
            Err(refusal) => about(&refusal, &product.title),
        })
    }

    async fn take_out(&mut self, product: &ToolProduct) -> Done<String> {
        let answer = match self.call("remove_from_cart", json!({ "productId": product.id })).await {
            Ok(answer) => answer,
            Err(refusal) => return Ok(about(&refusal, &product.title)),
        };
        let left = ToolCart::of(&answer);
        let empty = left.as_ref().is_some_and(|cart| cart.items.is_empty());
        let rest = if empty { " Your cart is empty now.".to_owned() } else { so_far(left.as_ref()) };
        Ok(format!("I took {} out of your cart.{rest}", product.title))
    }

    pub(super) async fn remove(&mut self, items: Vec<Item>) -> Done<RuleReply> {
        let cart = self.current_cart().await?;
        if cart.items.is_empty() {
            return Ok(RuleReply::of("Your cart is empty already."));
        }
        let (mut sentences, mut asked) = (vec![], None);
        for item in items {
            let (reference, quantity) = match item {
                Item { quantity: Some(_), reference: Reference::Nothing } => {
                    (self.position_or_count(&item).0, item.quantity.filter(|_| self.known.current.is_some()))
                }
                Item { quantity, reference } => (reference, quantity),
            };
            match self.in_cart(&reference, &cart) {
                Resolution::These(found) => {
                    for product in found {
                        let left = quantity.map_or(0, |count| product.quantity.saturating_sub(count));
                        sentences.push(self.set(&product, left).await?);
                    }
                }
                Resolution::Ambiguous(choices) => asked = Some(self.ask_which(&choices).await),
                Resolution::NotFound { called, .. } => sentences.push(format!("There is no “{called}” in your cart.")),
                Resolution::Unspecified => sentences.push("Which line of your cart shall I take out?".to_owned()),
            }
        }
        let RuleReply { text, products } = asked.unwrap_or_default();
        sentences.extend(Some(text).filter(|text| !text.is_empty()));
        Ok(RuleReply { text: sentences.join("\n"), products })
    }

    pub(super) async fn ask_before_clearing(&mut self) -> Done<RuleReply> {
        let cart = self.current_cart().await?;
        if cart.items.is_empty() {
            return Ok(RuleReply::of("Your cart is empty already."));
        }
        let lines = speech::count(cart.items.len(), "product is", "products are");
        Ok(RuleReply::of(format!("{lines} in it. {}", speech::SHALL_EMPTY)))
    }

    pub(super) async fn clear(&mut self) -> Done<RuleReply> {
        let cart = self.current_cart().await?;
        for product in cart.items.iter().take(12) {
            self.call("remove_from_cart", json!({ "productId": product.id })).await?;
        }
        let left = cart.items.len().saturating_sub(12);
        Ok(RuleReply::of(match left {
            0 => "Done, your cart is empty.".to_owned(),
            left => format!(
                "I took twelve products out; {left} are still there. Say “empty my cart” once more for the rest."
            ),
        }))
    }
}

/// The current content of the cart in a few words.
fn so_far(cart: Option<&ToolCart>) -> String {
    let Some(cart) = cart else { return String::new() };
    let units = speech::count(usize::try_from(cart.units).unwrap_or(usize::MAX), "item", "items");
    cart.subtotal
        .map_or_else(String::new, |subtotal| format!(" That makes {units}, {} so far.", words::money(subtotal)))
}

/// Replaces "this product" in a refusal by the title.
fn about(refusal: &ToolRefusal, title: &str) -> String {
    refusal.message.replace("this product", title).replace("This product", title)
}
