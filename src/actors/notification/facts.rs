//! From a delivery to whom to write and what about.
//!
//! **Invariant:** whatever has no address or misses what its mail is about is
//! [`HandleError::Unreadable`], before anything is sent.

use super::letter::{
    DisputeFacts, ImportFacts, Letter, Line, OrderFacts, PaymentFacts, ProductFacts, Recipient, SaleFacts,
    WelcomeFacts, address_line, name, one_line, plain,
};
use crate::{
    actors::payload::{Payload, missing},
    bus::{Delivery, HandleError},
    domain::{
        ids::{OrderId, ProductId, UserId},
        money::{Currency, Money},
        user::PostalAddress,
    },
};

/// Whom to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    /// The payload says.
    Named(Vec<Recipient>),
    /// This user, wherever their mail goes.
    User(UserId),
    /// Who sells something in an order, and who bought it.
    Seller { seller: UserId, buyer: Option<UserId> },
}

/// The reasons that the program itself gives; any other was typed by somebody.
const OWN_REASONS: [&str; 4] = ["expired", "payment refused", "refunded", "seller suspended"];

/// Reads what a delivery's mails need: one, one for each seller, or none for what another mail tells of.
pub(super) fn read(delivery: &Delivery) -> Result<Vec<(To, Letter)>, HandleError> {
    let payload = Payload::of(&delivery.payload)?;
    let (_, event) = delivery.queue.rsplit_once('.').unwrap_or_default();
    let letter = match event {
        "USER_CREATED" => Letter::Welcome(WelcomeFacts),
        // The import is told of as a whole.
        "PRODUCT_CREATED" if payload.flag("imported") => return Ok(vec![]),
        "PRODUCT_IMPORT_FINISHED" => Letter::ImportFinished(ImportFacts {
            made: payload.count("made").unwrap_or(0),
            changed: payload.count("changed").unwrap_or(0),
            same: payload.count("same").unwrap_or(0),
            left_out: payload.count("leftOut").unwrap_or(0),
        }),
        "PRODUCT_CREATED" => Letter::NewProduct(product(payload)?),
        "PAYMENT_INITIATED" => Letter::PaymentInitiated(payment(payload, "amount")?),
        "PAYMENT_COMPLETED" => Letter::PaymentReceived(payment(payload, "amount")?),
        // No money moved, so that a program may not say how much.
        "PAYMENT_FAILED" if payload.is_missing("amount") => Letter::PaymentFailed(payment_of(payload, String::new())?),
        "PAYMENT_FAILED" => Letter::PaymentFailed(payment(payload, "amount")?),
        "PAYMENT_REFUNDED" => Letter::Refund(payment(payload, "refundAmount")?),
        "PAYMENT_DISPUTED" => Letter::Dispute(dispute(payload)?),
        "ORDER_CONFIRMED" => return sales(payload),
        "ORDER_DELIVERED" => Letter::OrderDelivered(order(payload)?),
        "ORDER_SHIPPED" => Letter::OrderShipped(order(payload)?),
        "ORDER_CANCELLED" => Letter::OrderCancelled(order(payload)?),
        _ => return Err(HandleError::Unreadable(format!("no mail is made of the queue {}", delivery.queue))),
    };
    let to = match letter {
        Letter::OrderShipped(_) | Letter::OrderDelivered(_) | Letter::OrderCancelled(_) => {
            To::User(payload.id(&["user"])?)
        }
        Letter::Dispute(_) => {
            // One admin's bad address keeps no other from hearing of it.
            let admins = payload.objects("admins").into_iter().filter_map(|admin| recipient(admin).ok());
            To::Named(admins.collect())
        }
        _ => To::Named(vec![recipient(payload)?]),
    };
    Ok(vec![(to, letter)])
}

/// One letter for each seller in a paid order, with what they sold and whom it goes to.
fn sales(payload: Payload<'_>) -> Result<Vec<(To, Letter)>, HandleError> {
    let order: OrderId = payload.id(&["_id", "id"])?;
    let buyer = payload.id(&["user"]).ok();
    let items = payload.objects("items");
    let mut sellers: Vec<UserId> = vec![];
    for item in &items {
        let seller = item.id(&["seller", "sellerId"])?;
        if !sellers.contains(&seller) {
            sellers.push(seller);
        }
    }
    let address = payload.object("shippingAddress");
    let field = |key| address.and_then(|address| address.text(key)).map(address_line).filter(|line| !line.is_empty());
    let letter = |seller: UserId| {
        let own = items.iter().filter(|item| item.id(&["seller", "sellerId"]) == Ok(seller));
        let sums = own.clone().filter_map(|item| {
            let quantity = u32::try_from(item.count("quantity").unwrap_or(1)).ok()?;
            item.object("price").and_then(Payload::money)?.times(quantity).ok()
        });
        Letter::NewOrder(SaleFacts {
            order: order.to_hex(),
            sum: Money::sum(sums).ok().flatten().map(|sum| sum.to_string()),
            lines: own.map(|item| order_line(*item)).collect(),
            recipient: address.and_then(|address| address.text("fullName")).and_then(name),
            address: label(["street", "city", "state", "zip", "country"].map(|key| field(key).unwrap_or_default())),
            phone: field("phone"),
        })
    };
    Ok(sellers.into_iter().map(|seller| (To::Seller { seller, buyer }, letter(seller))).collect())
}

/// The lines of a label, with the names of state and country in place of their codes.
fn label([street, city, state, zip, country]: [String; 5]) -> Vec<String> {
    let postal = PostalAddress { street, city, state, zip, country, ..PostalAddress::default() };
    postal.label()
}

fn order_line(item: Payload<'_>) -> Line {
    Line {
        title: plain(item.text("title").unwrap_or("(no title)")),
        quantity: item.count("quantity").unwrap_or(1),
        tracking: item.text("trackingNumber").map(plain),
    }
}

fn recipient(payload: Payload<'_>) -> Result<Recipient, HandleError> {
    Recipient::new(payload.need_text("email")?)
}

fn product(payload: Payload<'_>) -> Result<ProductFacts, HandleError> {
    // Not told, but what has none is no product.
    payload.need_text("title")?;
    let product = payload.id::<ProductId>(&["productId", "_id", "id"]).ok().map(ProductId::to_hex);
    Ok(ProductFacts { product })
}

/// `amount_key` is where the amount is, `amount` where that is missing.
fn payment(payload: Payload<'_>, amount_key: &str) -> Result<PaymentFacts, HandleError> {
    let amount = payload.number(amount_key).or_else(|| payload.number("amount")).ok_or_else(|| missing("amount"))?;
    let code = payload.text("currency").unwrap_or(Currency::Inr.code());
    payment_of(payload, amount_text(&amount, code))
}

fn payment_of(payload: Payload<'_>, amount: String) -> Result<PaymentFacts, HandleError> {
    let order: OrderId = payload.id(&["orderId", "order"])?;
    Ok(PaymentFacts {
        order: order.to_hex(),
        amount,
        payment_id: payload.text("paymentId").map(one_line),
        reason: payload.text("reason").map(plain),
    })
}

fn dispute(payload: Payload<'_>) -> Result<DisputeFacts, HandleError> {
    let code = payload.text("currency").unwrap_or(Currency::Inr.code());
    let order: OrderId = payload.id(&["orderId"])?;
    Ok(DisputeFacts {
        dispute: one_line(payload.need_text("disputeId")?),
        order: order.to_hex(),
        amount: payload.number("amount").map_or_else(String::new, |amount| amount_text(&amount, code)),
        payment_id: payload.text("paymentId").map(one_line),
        reason: payload.text("reason").map(one_line),
        respond_by: payload.text("respondBy").map(one_line),
    })
}

/// The amount as people write it. Other programs may send more decimals than money has,
/// or a currency that is not traded here: a mail about it is still better than none.
fn amount_text(amount: &str, code: &str) -> String {
    let currency = Currency::from_code(code);
    let exact = currency.and_then(|currency| Money::parse_major(amount, currency).ok());
    match (exact, amount.parse::<f64>()) {
        (Some(money), _) => money.to_string(),
        (None, Ok(number)) if number.is_finite() && number.abs() < 1e12 => one_line(&format!("{number:.2} {code}")),
        _ => one_line(&format!("{amount} {code}")),
    }
}

fn order(payload: Payload<'_>) -> Result<OrderFacts, HandleError> {
    let order: OrderId = payload.id(&["_id", "id"])?;
    // Of the lines of one seller, their sum is not the order's.
    let part = payload.flag("part");
    let lines = payload.objects("items").into_iter().map(order_line);
    let address = payload.object("shippingAddress");
    let line = |key| address.and_then(|address| address.text(key)).map(plain).filter(|line| !line.is_empty());
    let reason = payload.objects("timeline").last().and_then(|entry| entry.text("reason"));
    let reason = reason.filter(|reason| OWN_REASONS.contains(reason)).map(one_line);
    Ok(OrderFacts {
        order: order.to_hex(),
        lines: lines.collect(),
        part,
        total: payload.object("totalPrice").filter(|_| !part).and_then(Payload::money).map(|money| money.to_string()),
        address: ["fullName", "street", "city", "state", "zip", "country", "phone"]
            .into_iter()
            .filter_map(line)
            .collect(),
        paid: payload.object("payment").is_some(),
        reason,
    })
}
