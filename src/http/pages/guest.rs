//! A guest's cart, in a signed cookie of the browser until the login.
//!
//! **Invariant:** it obeys the same limits as a user's cart.

use crate::domain::{
    cart::{Buyable, CartError, LINES_MAX, QUANTITY_MAX},
    ids::ProductId,
    inventory::StockLine,
};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestCart {
    /// The lines, one for each product, in the order in which they were added.
    pub lines: Vec<StockLine>,
}

impl GuestCart {
    /// Reads `ID:QUANTITY,...`; invalid entries are ignored.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut cart = Self::default();
        let lines = text.split(',').filter_map(|line| {
            let (product, quantity) = line.split_once(':')?;
            Some(StockLine { product: product.parse().ok()?, quantity: quantity.parse().ok()? })
        });
        for line in lines.take(LINES_MAX) {
            if (1..=QUANTITY_MAX).contains(&line.quantity) && cart.quantity_of(line.product) == 0 {
                cart.lines.push(line);
            }
        }
        cart
    }

    /// The text that [`GuestCart::read`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| format!("{}:{}", line.product, line.quantity));
        lines.collect::<Vec<_>>().join(",")
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many units.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }

    /// How many of `product`.
    #[must_use]
    pub fn quantity_of(&self, product: ProductId) -> u32 {
        self.lines.iter().find(|line| line.product == product).map_or(0, |line| line.quantity)
    }

    /// Sets or adds a line, within what can be bought.
    ///
    /// # Errors
    ///
    /// As a user's cart: too little stock, too many of a product, too many lines.
    pub fn set(&mut self, product: ProductId, quantity: u32, offered: impl Into<Buyable>) -> Result<(), CartError> {
        offered.into().check(quantity)?;
        let full = self.lines.len() >= LINES_MAX;
        match self.lines.iter_mut().find(|line| line.product == product) {
            Some(line) => line.quantity = quantity,
            None if full => return Err(CartError::TooManyLines),
            None => self.lines.push(StockLine { product, quantity }),
        }
        Ok(())
    }

    /// Removes a line.
    pub fn remove(&mut self, product: ProductId) {
        self.lines.retain(|line| line.product != product);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cart_survives_its_cookie() {
        let (a, b) = (ProductId::generate(), ProductId::generate());
        let mut cart = GuestCart::default();
        cart.set(a, 2, 5).unwrap();
        cart.set(b, 1, 1).unwrap();
        cart.set(a, 3, 5).unwrap();
        assert_eq!(cart.set(b, 2, 1), Err(CartError::InsufficientStock { available: 1 }));
        assert_eq!((cart.units(), GuestCart::read(&cart.text())), (4, cart.clone()));
        cart.remove(a);
        assert_eq!(cart.text(), format!("{b}:1"));
        let odd = format!("x,:,{a}:0,{a}:1000,{a}:7,{a}:8,{b}:-1");
        assert_eq!(GuestCart::read(&odd).text(), format!("{a}:7"));
    }

    #[test]
    fn a_full_cart_fits_into_a_cookie() {
        let mut cart = GuestCart::default();
        for _ in 0..LINES_MAX {
            cart.set(ProductId::generate(), QUANTITY_MAX, i64::MAX).unwrap();
        }
        assert_eq!(cart.set(ProductId::generate(), 1, 9), Err(CartError::TooManyLines));
        assert!(cart.text().len() * 4 / 3 + 34 < 4_000);
    }
}
