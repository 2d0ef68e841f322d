//! Completes orders of other programs, whose lines may lack the seller.
//!
//! The read model knows each product's seller and adds it to lines without one. An unknown product may still arrive
//! by another queue, so its order is retried.
//!
//! **Invariant:** a line that names a seller keeps it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    actors::payload::{Text, read},
    bus::{Delivery, HandleError},
    domain::ids::{ProductId, UserId},
};

/// The fields of a line that identify its product and seller.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Line {
    product: Text<ProductId>,
    product_id: Text<ProductId>,
    seller: Value,
    seller_id: Value,
}

/// The product of a line without a seller.
fn without_seller_of(item: &Value) -> Option<ProductId> {
    let line: Line = read(item).ok()?;
    line.product.or(line.product_id).0.filter(|_| line.seller.is_null() && line.seller_id.is_null())
}

/// The products of an order's lines that name no seller; none of any other delivery.
pub(super) fn without_seller(delivery: &Delivery) -> Vec<ProductId> {
    if !delivery.queue.contains(".ORDER_") {
        return vec![];
    }
    delivery.payload["items"].as_array().into_iter().flatten().filter_map(without_seller_of).collect()
}

/// The delivery with the sellers of its lines.
///
/// # Errors
/// [`HandleError::Transient`] when one is not known.
pub(super) fn with_sellers(delivery: &Delivery, sellers: &HashMap<ProductId, UserId>) -> Result<Delivery, HandleError> {
    let mut completed = delivery.clone();
    let items = completed.payload.get_mut("items").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        let Some(product) = without_seller_of(item) else { continue };
        let seller = sellers.get(&product).ok_or_else(|| {
            HandleError::Transient(format!("the order does not say who sells {product}, and no product told of it yet"))
        })?;
        if let Some(fields) = item.as_object_mut() {
            fields.insert("seller".to_owned(), json!(seller));
        }
    }
    Ok(completed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::EventId, queues};

    fn order(items: Value) -> Delivery {
        Delivery {
            queue: queues::ORDER_CREATED_DASHBOARD,
            event: EventId::generate(),
            name: "ORDER_CREATED".into(),
            occurred_at: crate::domain::Timestamp::UNIX_EPOCH,
            aggregate_id: String::new(),
            payload: json!({ "items": items }),
            trace: None,
        }
    }

    #[test]
    fn a_line_without_a_seller_is_given_its_products() {
        let (product, other, seller) = (ProductId::generate(), ProductId::generate(), UserId::generate());
        let delivery = order(
            json!([{"product": product}, {"productId": product, "seller": null}, {"product": other, "seller": "x"}, 7]),
        );
        assert_eq!(without_seller(&delivery), [product, product]);
        let completed = with_sellers(&delivery, &HashMap::from([(product, seller)])).unwrap();
        let sellers: Vec<_> = (0..3).map(|at| completed.payload["items"][at]["seller"].clone()).collect();
        assert_eq!(sellers, [json!(seller), json!(seller), json!("x")]);
        assert!(matches!(with_sellers(&delivery, &HashMap::new()), Err(HandleError::Transient(_))));
    }

    #[test]
    fn only_orders_are_looked_at_and_nonsense_is_left_as_it_is() {
        let delivery = order(json!([{"product": ProductId::generate()}]));
        assert_eq!(without_seller(&Delivery { queue: queues::USER_CREATED_DASHBOARD, ..delivery }), []);
        for items in [json!(null), json!("x"), json!([null, {"product": "x"}])] {
            let delivery = order(items);
            assert_eq!(without_seller(&delivery), []);
            assert_eq!(with_sellers(&delivery, &HashMap::new()), Ok(delivery));
        }
    }
}
