//! What other services and the shop's pages ask of carts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    config::Service,
    domain::{
        cart::{Cart, CartError},
        ids::{OrderId, ProductId, UserId},
        inventory::StockLine,
    },
    runtime::calls::{Call, Never, Refusal, WITHIN_NESTED},
};

impl Refusal for CartError {}

/// Reads a user's cart, an empty one where there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetCart {
    pub user: UserId,
}

impl Call for GetCart {
    type Reply = Cart;
    type Error = Never;
    const SERVICE: Service = Service::Cart;
}

/// Adds to what is in a cart. Done again it would add twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddToCart {
    pub user: UserId,
    pub product: ProductId,
    pub quantity: u32,
}

impl Call for AddToCart {
    type Reply = Cart;
    type Error = CartError;
    const SERVICE: Service = Service::Cart;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Sets how many of a product are in a cart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetQuantity {
    pub user: UserId,
    pub product: ProductId,
    pub quantity: u32,
}

impl Call for SetQuantity {
    type Reply = Cart;
    type Error = CartError;
    const SERVICE: Service = Service::Cart;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Takes a product out of a cart. Done again it would find nothing to remove.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveFromCart {
    pub user: UserId,
    pub product: ProductId,
}

impl Call for RemoveFromCart {
    type Reply = Cart;
    type Error = CartError;
    const SERVICE: Service = Service::Cart;
    const REPEATABLE: bool = false;
}

/// Takes everything out of a cart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClearCart {
    pub user: UserId,
}

impl Call for ClearCart {
    type Reply = Cart;
    type Error = Never;
    const SERVICE: Service = Service::Cart;
}

/// Takes what an order bought out of a cart, once for each order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckOutCart {
    pub user: UserId,
    pub order: OrderId,
    pub bought: Vec<StockLine>,
}

impl Call for CheckOutCart {
    type Reply = Cart;
    type Error = Never;
    const SERVICE: Service = Service::Cart;
}

/// Puts back into a cart what an order had taken out, once for each order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RestoreCart {
    pub user: UserId,
    pub order: OrderId,
    pub bought: Vec<StockLine>,
}

impl Call for RestoreCart {
    type Reply = Cart;
    type Error = Never;
    const SERVICE: Service = Service::Cart;
}
