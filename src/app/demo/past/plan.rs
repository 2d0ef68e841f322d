//! What was bought in the demo's past: the same each time.

use super::CUSTOMERS;
use crate::app::demo::goods::Good;

/// How many orders there are.
const ORDERS: u32 = 44;
/// Over how many hours.
const HOURS: u32 = 30 * 24;
/// How an order of the past went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Confirmed,
    Shipped,
    Delivered,
    Cancelled,
}

/// An order of the past.
#[derive(Debug, Clone)]
pub(super) struct PastOrder {
    pub(super) number: u32,
    pub(super) buyer: usize,
    pub(super) hours_ago: u32,
    /// Which good, and how many.
    pub(super) lines: Vec<(usize, u32)>,
    pub(super) end: End,
}

/// What was bought, the same each time.
pub(in crate::app::demo) struct Plan(pub(super) Vec<PastOrder>);

impl Plan {
    /// Spreads the orders over the time and the goods, with more of late and of some goods.
    pub(in crate::app::demo) fn of(goods: &[Good<'_>]) -> Self {
        let mut dice = Dice(7);
        let orders = (0..ORDERS).map(|number| {
            // More of late: the square of an even spread.
            let spread = (ORDERS - number) * (ORDERS - number) * HOURS / (ORDERS * ORDERS);
            let hours_ago = spread.max(2) + dice.below(2);
            let mut lines: Vec<(usize, u32)> = vec![];
            for _ in 0..=dice.below(3) {
                let good = dice.good(goods.len());
                if lines.iter().all(|line| line.0 != good) {
                    lines.push((good, 1 + dice.below(3)));
                }
            }
            let end = match hours_ago {
                _ if number % 10 == 6 => End::Cancelled,
                150.. => End::Delivered,
                48.. => End::Shipped,
                _ => End::Confirmed,
            };
            let buyer = usize::try_from(number).unwrap_or(0) % (CUSTOMERS.len() + 1);
            PastOrder { number, buyer, hours_ago, lines, end }
        });
        Self(orders.collect())
    }

    /// How many units of a good were sold.
    pub(in crate::app::demo) fn sold(&self, good: usize) -> u32 {
        let sold = self.0.iter().filter(|order| order.end != End::Cancelled).flat_map(|order| &order.lines);
        sold.filter(|line| line.0 == good).map(|line| line.1).sum()
    }
}

/// Numbers that look thrown and are the same each time.
struct Dice(u32);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) % limit.max(1)
    }

    /// One of the first two thirds of the goods twice as often as one of the others; every other
    /// time one of the first category, whose seller's account is told.
    fn good(&mut self, goods: usize) -> usize {
        let count = u32::try_from(goods).unwrap_or(1);
        let any = if self.below(3) == 0 { self.below(count) } else { self.below(count * 2 / 3) };
        let one = if self.below(2) == 0 { any - any % 8 } else { any };
        usize::try_from(one).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::demo::goods::Goods;

    #[test]
    fn the_past_has_orders_of_every_kind_and_leaves_the_stock_that_is_to_be_left() {
        let goods = Goods::read().unwrap();
        let plan = Plan::of(&goods.all());
        for end in [End::Confirmed, End::Shipped, End::Delivered, End::Cancelled] {
            assert!(plan.0.iter().filter(|order| order.end == end).count() >= 3, "{end:?}");
        }
        assert!(plan.0.iter().all(|order| order.hours_ago < HOURS + 24 && !order.lines.is_empty()));
        let of_first = plan.0.iter().filter(|order| order.lines.iter().any(|line| line.0 % 8 == 0)).count();
        assert!(of_first > 15, "{of_first}");
    }
}
