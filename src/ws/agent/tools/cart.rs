//! Tools that show and change the user's cart.
//!
//! The cart service makes the changes by its rules; after each, the cart is sent for display.

use serde_json::{Value as Json, json};

use super::{Work, answer, refusal::Refused};
use crate::{
    actors::cart::calls::{AddToCart, GetCart, RemoveFromCart, SetQuantity},
    domain::{cart::Cart, ids::ProductId, product::Offer},
    views::cart::CartAnswer,
    ws::agent::TurnEvent,
};

impl Work<'_, '_> {
    pub(super) async fn view_cart(&mut self) -> Refused<Json> {
        let (cart, offers) = self.priced_cart().await?;
        let products: Vec<ProductId> = offers.iter().map(|offer| offer.product.id).collect();
        self.context.known.note(&products);
        Ok(json!({ "cart": answer::cart(&CartAnswer::new(&cart, &offers)) }))
    }

    pub(super) async fn add(&mut self, product: ProductId, quantity: u32) -> Refused<Json> {
        let user = self.context.shopper.id;
        let cart = self.ask(AddToCart { user, product, quantity }).await?;
        Ok(self.changed(product, &cart).await)
    }

    pub(super) async fn change(&mut self, product: ProductId, quantity: u32) -> Refused<Json> {
        let user = self.context.shopper.id;
        let cart = self.ask(SetQuantity { user, product, quantity }).await?;
        Ok(self.changed(product, &cart).await)
    }

    pub(super) async fn remove(&mut self, product: ProductId) -> Refused<Json> {
        let user = self.context.shopper.id;
        let cart = self.ask(RemoveFromCart { user, product }).await?;
        Ok(self.changed(product, &cart).await)
    }

    /// The cart and the current offers of its products.
    pub(super) async fn priced_cart(&self) -> Refused<(Cart, Vec<Offer>)> {
        let cart = self.ask(GetCart { user: self.context.shopper.id }).await?;
        let products: Vec<ProductId> = cart.lines.iter().map(|line| line.product).collect();
        let offers = self.all_offers(&products).await?;
        Ok((cart, offers))
    }

    /// Reports a change, even if the cart cannot be priced now.
    async fn changed(&mut self, product: ProductId, cart: &Cart) -> Json {
        self.note_product(product);
        let products: Vec<ProductId> = cart.lines.iter().map(|line| line.product).collect();
        let Ok(offers) = self.all_offers(&products).await else {
            return json!({ "done": true, "note": "It was done; the cart cannot be shown right now." });
        };
        let shown = CartAnswer::new(cart, &offers);
        self.context.sink.send(TurnEvent::Cart(answer::shown_cart(&shown)));
        json!({ "done": true, "cart": answer::cart(&shown) })
    }
}
