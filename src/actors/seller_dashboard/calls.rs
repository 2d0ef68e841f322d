//! The calls of the seller dashboard. Each seller gets only their own lines and sums.

use serde::{Deserialize, Serialize};

use crate::{
    config::Service,
    domain::ids::UserId,
    runtime::calls::{Call, Never},
    store::{
        Page,
        dashboard::{Metrics, OrderRow, ProductRow, Range},
    },
};

/// Reads a seller's sales within a range of time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetSellerMetrics {
    pub seller: UserId,
    pub range: Range,
}

impl Call for GetSellerMetrics {
    type Reply = Metrics;
    type Error = Never;
    const SERVICE: Service = Service::SellerDashboard;
}

/// Reads orders with lines of a seller: all, newest first, or those that wait to be shipped, the oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetSellerOrders {
    pub seller: UserId,
    pub to_ship: bool,
    pub skip: u64,
    pub limit: u32,
}

impl Call for GetSellerOrders {
    type Reply = Page<OrderRow>;
    type Error = Never;
    const SERVICE: Service = Service::SellerDashboard;
}

/// Reads products of a seller with their sales, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetSellerProducts {
    pub seller: UserId,
    pub skip: u64,
    pub limit: u32,
}

impl Call for GetSellerProducts {
    type Reply = Page<ProductRow>;
    type Error = Never;
    const SERVICE: Service = Service::SellerDashboard;
}
