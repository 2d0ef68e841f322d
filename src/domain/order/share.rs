//! One seller's part of an order.
//!
//! Tax, shipping and refunds belong to the whole order. They are split by the price of each seller's lines, in whole
//! minor units (largest remainder), so that the shares of all sellers add up to the order.
//!
//! **Invariant:** a seller sees nothing of another's lines, sums or shipments, and the address only once the order is
//! paid.

use super::{Order, TimelineEntry};
use crate::domain::{
    ids::UserId,
    money::{Money, apportion},
};

/// A seller's part of an order's sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Price × quantity of the seller's lines.
    pub subtotal: Money,
    /// The share of the order's tax.
    pub tax: Money,
    /// The share of the order's shipping.
    pub shipping: Money,
    /// The three together.
    pub total: Money,
    /// The share of the refunds.
    pub refunded: Option<Money>,
}

impl Share {
    /// The share of `seller` in an order of these lines (seller, price × quantity).
    #[must_use]
    pub fn of(seller: UserId, lines: &[(UserId, Money)], tax: Money, shipping: Money, refunded: Option<Money>) -> Self {
        let mut sellers: Vec<(UserId, i64)> = vec![];
        for (whose, sum) in lines {
            match sellers.iter_mut().find(|(known, _)| known == whose) {
                Some((_, together)) => *together = together.saturating_add(sum.minor()),
                None => sellers.push((*whose, sum.minor())),
            }
        }
        let weights: Vec<i64> = sellers.iter().map(|(_, sum)| *sum).collect();
        let place = sellers.iter().position(|(known, _)| *known == seller);
        let of = |parts: &[i64]| place.and_then(|place| parts.get(place)).copied().unwrap_or(0);
        let (taxes, shippings) = (apportion(tax.minor(), &weights), apportion(shipping.minor(), &weights));
        let totals: Vec<i64> = weights
            .iter()
            .zip(taxes.iter().zip(&shippings))
            .map(|(sum, (tax, shipping))| sum.saturating_add(*tax).saturating_add(*shipping))
            .collect();
        let money = |minor| Money::new(minor, tax.currency());
        Self {
            subtotal: money(of(&weights)),
            tax: money(of(&taxes)),
            shipping: money(of(&shippings)),
            total: money(of(&totals)),
            refunded: refunded.map(|refunded| money(of(&apportion(refunded.minor(), &totals)))),
        }
    }
}

impl Order {
    /// The order as `seller` may see it.
    #[must_use]
    pub fn seen_by_seller(&self, seller: UserId) -> Self {
        let mut seen = self.clone();
        if self.payment.is_none() {
            seen.shipping_address = None;
        }
        if self.items.iter().all(|item| item.seller == seller) {
            return seen;
        }
        let sum = |item: &super::OrderItem| {
            let together = item.price.minor().saturating_mul(i64::from(item.quantity));
            (item.seller, Money::new(together, item.price.currency()))
        };
        let lines: Vec<_> = self.items.iter().map(sum).collect();
        let share = Share::of(seller, &lines, self.tax, self.shipping, self.refunded);
        seen.items.retain(|item| item.seller == seller);
        seen.subtotal = share.subtotal;
        seen.tax = share.tax;
        seen.shipping = share.shipping;
        seen.total = share.total;
        seen.refunded = share.refunded;
        seen.timeline.retain(|entry| entry.part.is_none_or(|part| part.seller == seller));
        // A refund's reason may contain the whole order's amount.
        let whole = |entry: &mut TimelineEntry| {
            if entry.refund.is_some() {
                entry.reason = None;
            }
        };
        seen.timeline.iter_mut().for_each(whole);
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Timestamp,
        ids::{OrderId, PaymentId, ProductId, RefundId},
        money::Currency,
        order::{NewOrder, OrderItem, OrderPayment, Part, Pricing, RefundNote, Shipment},
        user::PostalAddress,
    };

    fn placed(lines: &[(UserId, i64, u32)]) -> Order {
        let item = |(seller, price, quantity): &(UserId, i64, u32)| OrderItem {
            product: ProductId::generate(),
            title: "x".into(),
            seller: *seller,
            quantity: *quantity,
            price: Money::new(*price, Currency::Inr),
            shipment: Shipment::Waiting,
            tracking_number: None,
        };
        let line = || "x".to_owned();
        let new = NewOrder {
            id: OrderId::generate(),
            user: UserId::generate(),
            items: lines.iter().map(item).collect(),
            shipping_address: Some(PostalAddress {
                street: line(),
                city: line(),
                state: line(),
                country: line(),
                zip: line(),
                ..PostalAddress::default()
            }),
            cart_version: 1,
            window: jiff::SignedDuration::from_mins(15),
        };
        let pricing = Pricing { tax_basis_points: 1_000, shipping_minor: 5_000 };
        Order::place(new, &pricing, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn the_shares_of_all_sellers_are_the_order() {
        let sellers = [UserId::generate(), UserId::generate(), UserId::generate()];
        let [a, b, c] = sellers;
        let mut order = placed(&[(a, 333, 1), (b, 1, 7), (c, 9_999, 3), (a, 50, 2)]);
        order.refunded = Some(Money::new(777, Currency::Inr));
        let seen = sellers.map(|seller| order.seen_by_seller(seller));
        let sum = |of: fn(&Order) -> Money| seen.iter().map(|order| of(order).minor()).sum::<i64>();
        assert_eq!(sum(|order| order.subtotal), order.subtotal.minor());
        assert_eq!(sum(|order| order.tax), order.tax.minor());
        assert_eq!(sum(|order| order.shipping), order.shipping.minor());
        assert_eq!(sum(|order| order.total), order.total.minor());
        assert_eq!(sum(|order| order.refunded.unwrap()), 777);
        for (seen, seller) in seen.iter().zip(sellers) {
            assert!(seen.items.iter().all(|item| item.seller == seller) && !seen.items.is_empty());
            assert_eq!(seen.total.minor(), seen.subtotal.minor() + seen.tax.minor() + seen.shipping.minor());
        }
        assert_eq!(seen[0].subtotal.minor(), 433);
        let free = placed(&[(a, 0, 1), (b, 0, 1)]);
        assert_eq!(free.seen_by_seller(a).shipping.minor() + free.seen_by_seller(b).shipping.minor(), 5_000);
    }

    #[test]
    fn a_seller_sees_no_address_before_the_money_and_nothing_of_others() {
        let (a, b, now) = (UserId::generate(), UserId::generate(), Timestamp::UNIX_EPOCH);
        let mut alone = placed(&[(a, 100, 1)]);
        assert_eq!(alone.seen_by_seller(a).shipping_address, None);
        let payment = || OrderPayment { id: PaymentId::generate(), payment_id: "pay_x".into(), at: now };
        alone.confirm(payment(), now).unwrap();
        assert_eq!(alone.seen_by_seller(a), alone);
        let mut both = placed(&[(a, 100, 1), (b, 300, 1)]);
        both.confirm(payment(), now).unwrap();
        both.ship(Some(b), Some("T1"), now).unwrap();
        let price = |minor| Some(Money::new(minor, Currency::Inr));
        let note = RefundNote {
            refund: RefundId::generate(),
            amount: Money::new(10, Currency::Inr),
            reason: Some("broken".into()),
            refunded: price(10),
            pending: false,
        };
        both.note_refund(&note, now);
        let part = |order: &Order| order.timeline.iter().find_map(|entry| entry.part);
        let (of_a, of_b) = (both.seen_by_seller(a), both.seen_by_seller(b));
        assert_eq!((part(&of_a), part(&of_b)), (None, Some(Part { seller: b, shipment: Shipment::Shipped })));
        assert!(of_a.shipping_address.is_some() && of_a.items.len() == 1);
        let reported = serde_json::to_string(&of_a).unwrap();
        assert!(
            !reported.contains(&b.to_hex()) && !reported.contains("T1") && !reported.contains("refunded:"),
            "{reported}"
        );
    }
}
