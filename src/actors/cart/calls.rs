//! The calls of the cart service.

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

/// Returns a user's cart, or an empty one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetCart {
    pub user: UserId,
}

impl Call for GetCart {
    type Reply = Cart;
    type Error = Never;
    const SERVICE: Service = Service::Cart;
}

/// Adds units of a product to a cart. A repeated call would add them twice.
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

/// Sets the quantity of a product in a cart.
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

/// Removes a product from a cart. A repeated call would find nothing to remove.
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

/// Removes everything from a cart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClearCart {
    pub user: UserId,
}

impl Call for ClearCart {
    type Reply = Cart;
    type Error = Never;
    const SERVICE: Service = Service::Cart;
}

/// Removes what an order bought from a cart, once per order.
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

/// Restores in a cart what an order had removed, once per order.
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
