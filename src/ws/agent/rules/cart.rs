//! The shopper's cart: adding, changing, removing, showing, and the way to the checkout.

use serde_json::json;

use super::{
    act::{Act, Done},
    goods::{self, CartTold, Goods},
    intent::Quantity,
    pick::{self, Found},
    quantity::Item,
    refer::Refer,
    speech::{self, Spoken},
};
use crate::{domain::ids::ProductId, views::words, ws::agent::tools::ToolRefusal};

impl Act<'_> {
    pub(super) async fn add(&mut self, items: Vec<Item>) -> Done<Spoken> {
        let (mut added, mut said, mut cart, mut asked) = (vec![], vec![], None, None);
        for item in items {
            let (refer, quantity) = self.place_or_count(&item);
            match self.resolve(&refer).await? {
                Found::These(found) => {
                    for goods in found {
                        match self.put(&goods, quantity).await {
                            Ok(after) => {
                                self.known.current = Some(goods.id);
                                added.push(format!("{quantity} × {}", goods.title));
                                cart = after.or(cart);
                            }
                            Err(refusal) => said.push(self.not_added(&goods, quantity, refusal).await?),
                        }
                    }
                }
                Found::Which(choices) => asked = Some(self.ask_which(&choices).await),
                Found::Nothing { called, near } => asked = Some(self.nothing_called(&called, &near).await),
                Found::Unsaid => {
                    let ask = "Which product shall I put in your cart? Tell me its name, or search for it first.";
                    asked = asked.or(Some(Spoken::of(ask)));
                }
            }
        }
        if !added.is_empty() {
            let done = speech::one_of(self.seed, &["Done: I put", "I put", "There you go: I put"]);
            said.insert(0, format!("{done} {} in your cart.{}", speech::joined(&added), so_far(cart.as_ref())));
        }
        let Spoken { text, products } = asked.unwrap_or_default();
        said.extend(Some(text).filter(|text| !text.is_empty()));
        Ok(Spoken { text: said.join("\n"), products })
    }

    /// "Add 2" is two of what was spoken of, or else the second of the list.
    pub(super) fn place_or_count(&self, item: &Item) -> (Refer, u32) {
        let place = item.quantity.and_then(|count| usize::try_from(count).ok());
        match (&item.refer, place) {
            (Refer::Nothing, Some(place))
                if self.known.current.is_none()
                    && (1..=self.known.listed.len()).contains(&place)
                    && self.known.listed.len() > 1 =>
            {
                (Refer::Places(vec![place]), 1)
            }
            (Refer::Nothing, _) => (Refer::It, item.quantity.unwrap_or(1)),
            (refer, _) => (refer.clone(), item.quantity.unwrap_or(1)),
        }
    }

    async fn put(&mut self, goods: &Goods, quantity: u32) -> Done<Option<CartTold>> {
        let answer = self.call("add_to_cart", json!({ "productId": goods.id, "quantity": quantity })).await?;
        Ok(CartTold::of(&answer))
    }

    /// Why it was not added, with what can be.
    async fn not_added(&mut self, goods: &Goods, quantity: u32, refusal: ToolRefusal) -> Done<String> {
        let text = about(&refusal, &goods.title);
        if refusal.code == "tool.bad_arguments" {
            return Ok(format!("I can add 1 to 999 of one product, not {quantity}."));
        }
        if refusal.code != "tool.insufficient_stock" || goods.stock <= 0 {
            return Ok(text);
        }
        self.known.current = Some(goods.id);
        let in_cart = self.cart_told().await?.quantity_of(goods.id);
        let left = goods.stock - i64::from(in_cart);
        Ok(if left > 0 {
            format!("{text} {}{left} instead?", speech::SHALL_ADD_FEWER)
        } else {
            format!("{text} All of them are in your cart already.")
        })
    }

    pub(super) async fn cart_told(&mut self) -> Done<CartTold> {
        let answer = self.look("view_cart", json!({})).await?;
        Ok(CartTold::of(&answer).unwrap_or_default())
    }

    /// Which line of the cart is meant.
    pub(super) fn in_cart(&self, refer: &Refer, cart: &CartTold) -> Found {
        let listed: Vec<Goods> =
            self.known.listed.iter().filter_map(|id| cart.items.iter().find(|item| item.id == *id).cloned()).collect();
        let shown = |place: usize| -> Option<Goods> {
            let id: ProductId = *self.known.listed.get(place.checked_sub(1)?)?;
            cart.items.iter().find(|item| item.id == id).cloned()
        };
        match refer {
            Refer::Named(words) => pick::named(words, &cart.items)
                .unwrap_or_else(|| Found::Nothing { called: words.join(" "), near: vec![] }),
            Refer::Places(places) => match places.iter().filter_map(|place| shown(*place)).collect::<Vec<_>>() {
                found if found.is_empty() => pick::pointed(refer, &cart.items, None).unwrap_or(Found::Unsaid),
                found => Found::These(found),
            },
            Refer::It | Refer::Nothing => {
                pick::pointed(&Refer::It, &cart.items, self.known.current).unwrap_or(Found::Unsaid)
            }
            Refer::All | Refer::FirstOf(_) | Refer::Other if !listed.is_empty() => {
                pick::pointed(refer, &listed, self.known.current).unwrap_or(Found::Unsaid)
            }
            Refer::Cheapest(_) => pick::pointed(&Refer::Cheapest(vec![]), &cart.items, None).unwrap_or(Found::Unsaid),
            Refer::Dearest(_) => pick::pointed(&Refer::Dearest(vec![]), &cart.items, None).unwrap_or(Found::Unsaid),
            other => pick::pointed(other, &cart.items, self.known.current).unwrap_or(Found::Unsaid),
        }
    }

    pub(super) async fn change(&mut self, refer: &Refer, quantity: Quantity) -> Done<Spoken> {
        let cart = self.cart_told().await?;
        let spoken_of = matches!(refer, Refer::It | Refer::Nothing).then_some(self.known.current).flatten();
        if let Some(current) = spoken_of.filter(|current| cart.quantity_of(*current) == 0 && self.known.has(*current)) {
            return self.change_of_what_is_not_there(current, quantity).await;
        }
        let goods = match self.in_cart(refer, &cart) {
            Found::These(found) => found,
            Found::Which(choices) => return Ok(self.ask_which(&choices).await),
            Found::Nothing { called, .. } => return Ok(Spoken::of(format!("There is no “{called}” in your cart."))),
            Found::Unsaid if cart.items.is_empty() => {
                return Ok(Spoken::of("Your cart is empty, so there is nothing to change."));
            }
            Found::Unsaid => return Ok(Spoken::of("Which line of your cart do you mean?")),
        };
        let mut said = vec![];
        for goods in goods {
            let to = match quantity {
                Quantity::To(count) => count,
                Quantity::More(count) => goods.quantity.saturating_add(count),
                Quantity::Less(count) => goods.quantity.saturating_sub(count),
                Quantity::Twice => goods.quantity.saturating_mul(2),
            };
            said.push(self.set(&goods, to).await?);
        }
        Ok(Spoken::of(said.join("\n")))
    }

    async fn change_of_what_is_not_there(&mut self, product: ProductId, quantity: Quantity) -> Done<Spoken> {
        if let Quantity::More(count) = quantity {
            return Box::pin(self.add(vec![Item { quantity: Some(count), refer: Refer::It }])).await;
        }
        let answer = self.look("get_product", json!({ "productId": product })).await?;
        let title = goods::product(&answer).map(|goods| goods.title).unwrap_or_default();
        Ok(Spoken::of(format!("{title} is not in your cart yet. {}", speech::SHALL_ADD)))
    }

    async fn set(&mut self, goods: &Goods, to: u32) -> Done<String> {
        if to == 0 {
            return self.take_out(goods).await;
        }
        let arguments = json!({ "productId": goods.id, "quantity": to });
        Ok(match self.call("change_quantity", arguments).await {
            Ok(answer) => {
                self.known.current = Some(goods.id);
                format!("Your cart now has {to} × {}.{}", goods.title, so_far(CartTold::of(&answer).as_ref()))
            }
            Err(refusal) if refusal.code == "tool.bad_arguments" => {
                format!("A cart takes 1 to 999 of one product, not {to}.")
            }
            Err(refusal) => about(&refusal, &goods.title),
        })
    }

    async fn take_out(&mut self, goods: &Goods) -> Done<String> {
        let answer = match self.call("remove_from_cart", json!({ "productId": goods.id })).await {
            Ok(answer) => answer,
            Err(refusal) => return Ok(about(&refusal, &goods.title)),
        };
        let left = CartTold::of(&answer);
        let empty = left.as_ref().is_some_and(|cart| cart.items.is_empty());
        let rest = if empty { " Your cart is empty now.".to_owned() } else { so_far(left.as_ref()) };
        Ok(format!("I took {} out of your cart.{rest}", goods.title))
    }

    pub(super) async fn remove(&mut self, items: Vec<Item>) -> Done<Spoken> {
        let cart = self.cart_told().await?;
        if cart.items.is_empty() {
            return Ok(Spoken::of("Your cart is empty already."));
        }
        let (mut said, mut asked) = (vec![], None);
        for item in items {
            let (refer, quantity) = match item {
                Item { quantity: Some(_), refer: Refer::Nothing } => {
                    (self.place_or_count(&item).0, item.quantity.filter(|_| self.known.current.is_some()))
                }
                Item { quantity, refer } => (refer, quantity),
            };
            match self.in_cart(&refer, &cart) {
                Found::These(found) => {
                    for goods in found {
                        let left = quantity.map_or(0, |count| goods.quantity.saturating_sub(count));
                        said.push(self.set(&goods, left).await?);
                    }
                }
                Found::Which(choices) => asked = Some(self.ask_which(&choices).await),
                Found::Nothing { called, .. } => said.push(format!("There is no “{called}” in your cart.")),
                Found::Unsaid => said.push("Which line of your cart shall I take out?".to_owned()),
            }
        }
        let Spoken { text, products } = asked.unwrap_or_default();
        said.extend(Some(text).filter(|text| !text.is_empty()));
        Ok(Spoken { text: said.join("\n"), products })
    }

    pub(super) async fn ask_before_clearing(&mut self) -> Done<Spoken> {
        let cart = self.cart_told().await?;
        if cart.items.is_empty() {
            return Ok(Spoken::of("Your cart is empty already."));
        }
        let lines = speech::count(cart.items.len(), "product is", "products are");
        Ok(Spoken::of(format!("{lines} in it. {}", speech::SHALL_EMPTY)))
    }

    pub(super) async fn clear(&mut self) -> Done<Spoken> {
        let cart = self.cart_told().await?;
        for goods in cart.items.iter().take(12) {
            self.call("remove_from_cart", json!({ "productId": goods.id })).await?;
        }
        let left = cart.items.len().saturating_sub(12);
        Ok(Spoken::of(match left {
            0 => "Done, your cart is empty.".to_owned(),
            left => format!(
                "I took twelve products out; {left} are still there. Say “empty my cart” once more for the rest."
            ),
        }))
    }
}

/// How much is in the cart now.
fn so_far(cart: Option<&CartTold>) -> String {
    let Some(cart) = cart else { return String::new() };
    let units = speech::count(usize::try_from(cart.units).unwrap_or(usize::MAX), "item", "items");
    cart.subtotal
        .map_or_else(String::new, |subtotal| format!(" That makes {units}, {} so far.", words::money(subtotal)))
}

/// A refusal about "this product", with its name.
fn about(refusal: &ToolRefusal, title: &str) -> String {
    refusal.message.replace("this product", title).replace("This product", title)
}
