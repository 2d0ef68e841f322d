//! Tools that show and change the shopper's cart.
//!
//! A change is the cart service's, with its rules; the screen gets the cart after each.

use serde_json::{Value as Json, json};

use super::{Work, answer, refusal::Refused};
use crate::{
    actors::cart::calls::{AddToCart, GetCart, RemoveFromCart, SetQuantity},
    domain::{cart::Cart, ids::ProductId, product::Offer},
    views::cart::CartAnswer,
    ws::agent::Told,
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

    /// The cart and what is in it as it is offered now.
    pub(super) async fn priced_cart(&self) -> Refused<(Cart, Vec<Offer>)> {
        let cart = self.ask(GetCart { user: self.context.shopper.id }).await?;
        let products: Vec<ProductId> = cart.lines.iter().map(|line| line.product).collect();
        let offers = self.all_offers(&products).await?;
        Ok((cart, offers))
    }

    /// Tells of a change that was made, also where what is in the cart cannot be priced now.
    async fn changed(&mut self, product: ProductId, cart: &Cart) -> Json {
        self.spoke_of(product);
        let products: Vec<ProductId> = cart.lines.iter().map(|line| line.product).collect();
        let Ok(offers) = self.all_offers(&products).await else {
            return json!({ "done": true, "note": "It was done; the cart cannot be shown right now." });
        };
        let shown = CartAnswer::new(cart, &offers);
        self.context.audience.tell(Told::Cart(answer::shown_cart(&shown)));
        json!({ "done": true, "cart": answer::cart(&shown) })
    }
}
