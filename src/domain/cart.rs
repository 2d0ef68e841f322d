//! Carts: which products a user is about to buy, and how many. Prices are not stored here; a displayed price is the
//! product's current price.

use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    ids::{CartId, OrderId, ProductId, UserId},
    inventory::StockLine,
};

/// The most units of one product in a cart.
pub const QUANTITY_MAX: u32 = 999;
/// The most products in a cart.
pub const LINES_MAX: usize = 100;
/// How many past checkouts a cart remembers, so that none is removed from it twice.
const CHECKOUTS_KEPT: usize = 8;
/// How many restored orders a cart remembers, so that none is restored twice.
const RESTORED_KEPT: usize = 32;

/// A user's cart, as stored. It is kept when emptied, so that its version only grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cart {
    pub id: CartId,
    pub user: UserId,
    /// One line for each product, in the order in which they were first added.
    pub lines: Vec<StockLine>,
    /// The last orders whose quantities were removed.
    pub checkouts: Vec<OrderId>,
    /// The last orders whose quantities were restored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restored: Vec<OrderId>,
    /// When last changed.
    pub updated_at: Timestamp,
    /// Counts writes; an order names the version it was made from.
    pub version: u64,
}

/// Why a change of a cart is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CartError {
    /// There is no such product.
    #[error("there is no such product")]
    NoSuchProduct,
    /// The product is not in the cart.
    #[error("this product is not in the cart")]
    NotInCart,
    /// The line would exceed the available stock.
    #[error("only {available} of this product can be bought now")]
    InsufficientStock {
        /// The units that can be bought now.
        available: i64,
    },
    /// The line would exceed the seller's limit for one order.
    #[error("at most {max} of this product can be in one order")]
    MaxPerOrder {
        /// That many.
        max: u32,
    },
    /// The line would have more than [`QUANTITY_MAX`].
    #[error("a cart has at most 999 of one product")]
    QuantityTooLarge,
    /// The product is taken down, or its seller is blocked.
    #[error("this product is not for sale now")]
    NotForSale { product: ProductId },
    /// There would be more than [`LINES_MAX`] lines.
    #[error("a cart has at most 100 different products")]
    TooManyLines,
}

/// How many units of a product can be bought in one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buyable {
    /// The units that can be bought now.
    pub available: i64,
    /// The most that one order may have, where there is a bound.
    pub max_per_order: Option<u32>,
}

impl From<i64> for Buyable {
    fn from(available: i64) -> Self {
        Self { available, max_per_order: None }
    }
}

impl Buyable {
    /// Whether a line of a cart may have `wanted` units.
    ///
    /// # Errors
    /// `InsufficientStock`, `MaxPerOrder` or `QuantityTooLarge`.
    pub fn check(self, wanted: u32) -> Result<(), CartError> {
        if i64::from(wanted) > self.available {
            return Err(CartError::InsufficientStock { available: self.available });
        }
        match self.max_per_order {
            Some(max) if wanted > max => Err(CartError::MaxPerOrder { max }),
            _ if wanted > QUANTITY_MAX => Err(CartError::QuantityTooLarge),
            _ => Ok(()),
        }
    }
}

impl Cart {
    /// An empty cart that is not stored yet.
    #[must_use]
    pub fn empty(id: CartId, user: UserId, now: Timestamp) -> Self {
        Self { id, user, lines: vec![], checkouts: vec![], restored: vec![], updated_at: now, version: 0 }
    }

    /// How many of `product` are in the cart.
    #[must_use]
    pub fn quantity_of(&self, product: ProductId) -> u32 {
        self.lines.iter().find(|line| line.product == product).map_or(0, |line| line.quantity)
    }

    /// Units of all products in the cart.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }

    /// Adds `quantity` to a line, within what can be bought.
    ///
    /// # Errors
    /// Every [`CartError`] except `NoSuchProduct` and `NotInCart`; the cart is then unchanged.
    pub fn add(
        &mut self,
        product: ProductId,
        quantity: u32,
        offered: impl Into<Buyable>,
        now: Timestamp,
    ) -> Result<(), CartError> {
        let wanted = self.quantity_of(product).saturating_add(quantity);
        offered.into().check(wanted)?;
        match self.lines.iter().position(|line| line.product == product) {
            Some(at) => self.lines[at].quantity = wanted,
            None if self.lines.len() >= LINES_MAX => return Err(CartError::TooManyLines),
            None => self.lines.push(StockLine { product, quantity: wanted }),
        }
        self.updated_at = now;
        Ok(())
    }

    /// Sets a line's quantity, within what can be bought.
    ///
    /// # Errors
    /// [`CartError::NotInCart`], or those of [`Buyable::check`].
    pub fn set(
        &mut self,
        product: ProductId,
        quantity: u32,
        offered: impl Into<Buyable>,
        now: Timestamp,
    ) -> Result<(), CartError> {
        let line = self.lines.iter_mut().find(|line| line.product == product).ok_or(CartError::NotInCart)?;
        offered.into().check(quantity)?;
        line.quantity = quantity;
        self.updated_at = now;
        Ok(())
    }

    /// Removes a line.
    ///
    /// # Errors
    /// [`CartError::NotInCart`].
    pub fn remove(&mut self, product: ProductId, now: Timestamp) -> Result<(), CartError> {
        let before = self.lines.len();
        self.lines.retain(|line| line.product != product);
        if self.lines.len() == before {
            return Err(CartError::NotInCart);
        }
        self.updated_at = now;
        Ok(())
    }

    /// Removes all lines.
    pub fn clear(&mut self, now: Timestamp) {
        self.lines.clear();
        self.updated_at = now;
    }

    /// Removes what `order` bought, once for each order; units added since stay. Returns whether anything changed.
    pub fn check_out(&mut self, order: OrderId, bought: &[StockLine], now: Timestamp) -> bool {
        // A later order took the whole cart, so an order older than all remembered ones has nothing left in it.
        let forgotten = self.checkouts.len() >= CHECKOUTS_KEPT && self.checkouts.iter().all(|later| *later > order);
        if forgotten || self.checkouts.contains(&order) {
            return false;
        }
        for line in &mut self.lines {
            let taken = bought.iter().filter(|bought| bought.product == line.product).map(|bought| bought.quantity);
            line.quantity = line.quantity.saturating_sub(taken.sum());
        }
        self.lines.retain(|line| line.quantity > 0);
        if self.checkouts.len() >= CHECKOUTS_KEPT {
            self.checkouts.remove(0);
        }
        self.checkouts.push(order);
        self.updated_at = now;
        true
    }

    /// Restores what `order` had removed, added to the current lines, once for each order and within the cart's
    /// limits. Returns whether anything changed.
    pub fn restore(&mut self, order: OrderId, bought: &[StockLine], now: Timestamp) -> bool {
        // An order older than all remembered ones may have been restored before.
        let forgotten = self.restored.len() >= RESTORED_KEPT && self.restored.iter().all(|later| *later > order);
        if forgotten || self.restored.contains(&order) {
            return false;
        }
        for back in bought {
            let is_full = self.lines.len() >= LINES_MAX;
            match self.lines.iter_mut().find(|line| line.product == back.product) {
                Some(line) => line.quantity = line.quantity.saturating_add(back.quantity).min(QUANTITY_MAX),
                None if is_full => {}
                None => self.lines.push(StockLine { quantity: back.quantity.min(QUANTITY_MAX), ..*back }),
            }
        }
        if self.restored.len() >= RESTORED_KEPT {
            self.restored.remove(0);
        }
        self.restored.push(order);
        self.updated_at = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Act {
        Add(usize, u32, i64),
        Set(usize, u32, i64),
        Remove(usize),
        Clear,
        CheckOut { again: bool },
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..4_usize, 1..1100_u32, 0..1200_i64).prop_map(|(p, q, a)| Act::Add(p, q, a)),
            (0..4_usize, 1..1100_u32, 0..1200_i64).prop_map(|(p, q, a)| Act::Set(p, q, a)),
            (0..4_usize).prop_map(Act::Remove),
            Just(Act::Clear),
            any::<bool>().prop_map(|again| Act::CheckOut { again }),
        ]
    }

    proptest! {
        /// Compares a cart with a map from product to quantity.
        #[test]
        fn a_cart_is_a_map_with_bounds(acts in proptest::collection::vec(act(), 1..120)) {
            let now = Timestamp::UNIX_EPOCH;
            let products: Vec<_> = (0..4).map(|_| ProductId::generate()).collect();
            let mut cart = Cart::empty(CartId::generate(), UserId::generate(), now);
            let mut model: BTreeMap<ProductId, u32> = BTreeMap::new();
            let mut last_order = OrderId::generate();
            for act in acts {
                match act {
                    Act::Add(p, q, available) => {
                        let wanted = model.get(&products[p]).unwrap_or(&0) + q;
                        let fits = i64::from(wanted) <= available && wanted <= QUANTITY_MAX;
                        prop_assert_eq!(cart.add(products[p], q, available, now).is_ok(), fits);
                        if fits { model.insert(products[p], wanted); }
                    }
                    Act::Set(p, q, available) => {
                        let fits = model.contains_key(&products[p]) && i64::from(q) <= available && q <= QUANTITY_MAX;
                        prop_assert_eq!(cart.set(products[p], q, available, now).is_ok(), fits);
                        if fits { model.insert(products[p], q); }
                    }
                    Act::Remove(p) => {
                        prop_assert_eq!(cart.remove(products[p], now).is_ok(), model.remove(&products[p]).is_some());
                    }
                    Act::Clear => { cart.clear(now); model.clear(); }
                    Act::CheckOut { again: true } => {
                        let known = cart.checkouts.contains(&last_order);
                        let lines = cart.lines.clone();
                        if known { prop_assert!(!cart.check_out(last_order, &lines, now)); }
                    }
                    Act::CheckOut { again: false } => {
                        last_order = OrderId::generate();
                        let lines = cart.lines.clone();
                        prop_assert!(cart.check_out(last_order, &lines, now));
                        model.clear();
                    }
                }
                let seen: BTreeMap<_, _> = cart.lines.iter().map(|line| (line.product, line.quantity)).collect();
                prop_assert_eq!(&seen, &model);
            }
        }
    }

    #[test]
    fn what_was_added_after_the_order_was_made_stays() {
        let (now, product) = (Timestamp::UNIX_EPOCH, ProductId::generate());
        let mut cart = Cart::empty(CartId::generate(), UserId::generate(), now);
        cart.add(product, 2, 10, now).unwrap();
        let bought = cart.lines.clone();
        cart.add(product, 3, 10, now).unwrap();
        let order = OrderId::generate();
        assert!(cart.check_out(order, &bought, now));
        assert!(!cart.check_out(order, &bought, now));
        assert_eq!(cart.quantity_of(product), 3);
    }

    #[test]
    fn an_order_that_comes_back_is_added_once_and_within_the_bounds() {
        let (now, order) = (Timestamp::UNIX_EPOCH, OrderId::generate());
        let [kept, other] = [ProductId::generate(), ProductId::generate()];
        let mut cart = Cart::empty(CartId::generate(), UserId::generate(), now);
        cart.add(kept, 998, 1_000, now).unwrap();
        let bought = [StockLine { product: kept, quantity: 5 }, StockLine { product: other, quantity: 7 }];
        assert!(cart.restore(order, &bought, now));
        assert!(!cart.restore(order, &bought, now));
        assert_eq!((cart.quantity_of(kept), cart.quantity_of(other)), (QUANTITY_MAX, 7));
        for _ in 0..RESTORED_KEPT {
            assert!(cart.restore(OrderId::generate(), &[], now));
        }
        assert!(!cart.restore(order, &bought, now), "it is forgotten, and not put back again");
        assert_eq!(cart.restored.len(), RESTORED_KEPT);
        let many: Vec<_> =
            (0..LINES_MAX).map(|_| StockLine { product: ProductId::generate(), quantity: 2_000 }).collect();
        assert!(cart.restore(OrderId::generate(), &many, now));
        assert_eq!(cart.lines.len(), LINES_MAX);
        assert!(cart.lines.iter().all(|line| line.quantity <= QUANTITY_MAX));
    }

    #[test]
    fn a_cart_from_before_orders_came_back_is_read() {
        let cart = Cart::empty(CartId::generate(), UserId::generate(), Timestamp::UNIX_EPOCH);
        let stored = serde_json::to_value(&cart).unwrap();
        assert!(stored.get("restored").is_none());
        assert_eq!(serde_json::from_value::<Cart>(stored).unwrap(), cart);
    }

    #[test]
    fn an_order_that_the_cart_has_forgotten_takes_nothing_out_a_second_time() {
        let (now, product) = (Timestamp::UNIX_EPOCH, ProductId::generate());
        let mut cart = Cart::empty(CartId::generate(), UserId::generate(), now);
        let orders: Vec<_> = (0..=CHECKOUTS_KEPT + 1).map(|_| OrderId::generate()).collect();
        for order in &orders {
            cart.add(product, 2, 10, now).unwrap();
            let bought = cart.lines.clone();
            assert!(cart.check_out(*order, &bought, now));
        }
        cart.add(product, 2, 10, now).unwrap();
        let bought = cart.lines.clone();
        for order in &orders {
            assert!(!cart.check_out(*order, &bought, now));
        }
        assert_eq!(cart.quantity_of(product), 2);
    }
}
