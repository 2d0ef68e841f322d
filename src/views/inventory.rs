//! Stock and reservations as clients see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;
use crate::domain::{
    Timestamp,
    ids::{OrderId, ProductId},
    inventory::{Reservation, ReservationState, Shortage, StockLevel, StockLine},
};

/// A product's stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockView {
    /// The product.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439012")]
    pub product_id: ProductId,
    /// Units on hand, including reserved ones.
    #[schema(example = 12)]
    pub on_hand: i64,
    /// Units reserved for unpaid orders.
    #[schema(example = 2)]
    pub reserved: i64,
    /// Units that can be bought now.
    #[schema(example = 10)]
    pub available: i64,
}

impl From<&StockLevel> for StockView {
    fn from(level: &StockLevel) -> Self {
        Self {
            product_id: level.product,
            on_hand: level.on_hand,
            reserved: level.reserved,
            available: level.available(),
        }
    }
}

/// A quantity of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockLineView {
    /// The product.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439012")]
    pub product_id: ProductId,
    /// The quantity.
    #[schema(example = 2)]
    pub quantity: u32,
}

impl From<&StockLine> for StockLineView {
    fn from(line: &StockLine) -> Self {
        Self { product_id: line.product, quantity: line.quantity }
    }
}

impl From<StockLineView> for StockLine {
    fn from(view: StockLineView) -> Self {
        Self { product: view.product_id, quantity: view.quantity }
    }
}

/// The units that are reserved for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationView {
    /// The reservation's id, which equals the order's.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439016")]
    pub reservation_id: OrderId,
    /// The order.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439016")]
    pub order_id: OrderId,
    /// `held`, `committed` or `released`.
    #[schema(schema_with = words::reservation_state)]
    pub state: ReservationState,
    /// The items, one for each product.
    pub items: Vec<StockLineView>,
    /// When an uncommitted reservation expires.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub expires_at: Timestamp,
}

impl From<&Reservation> for ReservationView {
    fn from(reservation: &Reservation) -> Self {
        Self {
            reservation_id: reservation.order,
            order_id: reservation.order,
            state: reservation.state,
            items: reservation.lines.iter().map(StockLineView::from).collect(),
            expires_at: reservation.expires_at,
        }
    }
}

/// An item with too little stock; in the error's body under `items`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShortageView {
    /// The product.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439012")]
    pub product_id: ProductId,
    /// The requested quantity.
    #[schema(example = 3)]
    pub requested: u32,
    /// The available quantity.
    #[schema(example = 1)]
    pub available: i64,
}

impl From<&Shortage> for ShortageView {
    fn from(shortage: &Shortage) -> Self {
        Self { product_id: shortage.product, requested: shortage.requested, available: shortage.available }
    }
}
