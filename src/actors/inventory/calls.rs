//! The inventory's calls; see [`crate::store::StockStore`] for what each call promises.

use serde::{Deserialize, Serialize};

use crate::{
    config::Service,
    domain::{
        ids::{OrderId, ProductId},
        inventory::{Reservation, StockError, StockLevel, StockLine},
    },
    runtime::calls::{Call, Never, Refusal},
    store::inventory::Fence,
};

impl Refusal for StockError {}

/// Reads the stock of a product.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetStock {
    pub product: ProductId,
}

impl Call for GetStock {
    type Reply = Option<StockLevel>;
    type Error = Never;
    const SERVICE: Service = Service::Inventory;
}

/// Reads the stock of many products: of those that exist, in no order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetStockOfMany {
    pub products: Vec<ProductId>,
}

impl Call for GetStockOfMany {
    type Reply = Vec<StockLevel>;
    type Error = Never;
    const SERVICE: Service = Service::Inventory;
}

/// Sets the available units of many products. Not repeatable: it would restore what was sold meanwhile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetStock {
    pub levels: Vec<(ProductId, u32)>,
}

impl Call for SetStock {
    type Reply = Vec<StockLevel>;
    type Error = Never;
    const SERVICE: Service = Service::Inventory;
    const REPEATABLE: bool = false;
}

/// Sets the available units of a product if they are `seen` now, and is refused with [`StockError::Moved`] otherwise.
/// Not repeatable: it would find its own number and be refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetStockIfSeen {
    pub product: ProductId,
    pub seen: i64,
    pub available: u32,
}

impl Call for SetStockIfSeen {
    type Reply = StockLevel;
    type Error = StockError;
    const SERVICE: Service = Service::Inventory;
    const REPEATABLE: bool = false;
}

/// Holds stock for an order for the payment window and a little more: all lines or none, once for each order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReserveStock {
    pub order: OrderId,
    pub lines: Vec<StockLine>,
}

impl Call for ReserveStock {
    type Reply = Reservation;
    type Error = StockError;
    const SERVICE: Service = Service::Inventory;
}

/// Sells what is held.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommitStock {
    pub order: OrderId,
    pub fence: Fence,
}

impl Call for CommitStock {
    type Reply = Reservation;
    type Error = StockError;
    const SERVICE: Service = Service::Inventory;
}

/// Takes released stock again, if it is there, and sells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RetakeStock {
    pub order: OrderId,
    pub lines: Vec<StockLine>,
    pub fence: Fence,
}

impl Call for RetakeStock {
    type Reply = Reservation;
    type Error = StockError;
    const SERVICE: Service = Service::Inventory;
}

/// Gives stock back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReleaseStock {
    pub order: OrderId,
    pub fence: Fence,
}

impl Call for ReleaseStock {
    type Reply = Reservation;
    type Error = Never;
    const SERVICE: Service = Service::Inventory;
}
