//! Reads the recipients and the data of mails from a delivery.
//!
//! **Invariant:** a payload without an address or without required data is [`HandleError::Unreadable`], before
//! anything is sent.

use super::email_template::{
    DisputeData, EmailTemplate, ImportData, Line, OrderData, PaymentData, ProductData, Recipient, SaleData,
    WelcomeData, address_line, name, one_line, plain,
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
    /// These recipients, from the payload.
    Named(Vec<Recipient>),
    /// This user, at their stored address.
    User(UserId),
    /// A seller in an order, and its buyer.
    Seller { seller: UserId, buyer: Option<UserId> },
}

/// The program's own reasons; any other is user input.
const OWN_REASONS: [&str; 4] = ["expired", "payment refused", "refunded", "seller suspended"];

/// Reads the mails of a delivery: one, one for each seller, or none if another mail covers it.
pub(super) fn read(delivery: &Delivery) -> Result<Vec<(To, EmailTemplate)>, HandleError> {
    let payload = Payload::of(&delivery.payload)?;
    let (_, event) = delivery.queue.rsplit_once('.').unwrap_or_default();
    let email_template = match event {
        "USER_CREATED" => EmailTemplate::Welcome(WelcomeData),
        // One mail covers the whole import.
        "PRODUCT_CREATED" if payload.flag("imported") => return Ok(vec![]),
        "PRODUCT_IMPORT_FINISHED" => EmailTemplate::ImportFinished(ImportData {
            made: payload.count("made").unwrap_or(0),
            changed: payload.count("changed").unwrap_or(0),
            same: payload.count("same").unwrap_or(0),
            left_out: payload.count("leftOut").unwrap_or(0),
        }),
        "PRODUCT_CREATED" => EmailTemplate::NewProduct(product(payload)?),
        "PAYMENT_INITIATED" => EmailTemplate::PaymentInitiated(payment(payload, "amount")?),
        "PAYMENT_COMPLETED" => EmailTemplate::PaymentReceived(payment(payload, "amount")?),
        // No money moved, so the amount may be absent.
        "PAYMENT_FAILED" if payload.is_missing("amount") => {
            EmailTemplate::PaymentFailed(payment_of(payload, String::new())?)
        }
        "PAYMENT_FAILED" => EmailTemplate::PaymentFailed(payment(payload, "amount")?),
        "PAYMENT_REFUNDED" => EmailTemplate::Refund(payment(payload, "refundAmount")?),
        "PAYMENT_DISPUTED" => EmailTemplate::Dispute(dispute(payload)?),
        "ORDER_CONFIRMED" => return sales(payload),
        "ORDER_DELIVERED" => EmailTemplate::OrderDelivered(order(payload)?),
        "ORDER_SHIPPED" => EmailTemplate::OrderShipped(order(payload)?),
        "ORDER_CANCELLED" => EmailTemplate::OrderCancelled(order(payload)?),
        _ => return Err(HandleError::Unreadable(format!("no mail is made of the queue {}", delivery.queue))),
    };
    let to = match email_template {
        EmailTemplate::OrderShipped(_) | EmailTemplate::OrderDelivered(_) | EmailTemplate::OrderCancelled(_) => {
            To::User(payload.id(&["user"])?)
        }
        EmailTemplate::Dispute(_) => {
            // One admin's invalid address must not keep others from being notified.
            let admins = payload.objects("admins").into_iter().filter_map(|admin| recipient(admin).ok());
            To::Named(admins.collect())
        }
        _ => To::Named(vec![recipient(payload)?]),
    };
    Ok(vec![(to, email_template)])
}

/// One mail for each seller in a paid order, with their lines and the recipient.
fn sales(payload: Payload<'_>) -> Result<Vec<(To, EmailTemplate)>, HandleError> {
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
    let email_template = |seller: UserId| {
        let own = items.iter().filter(|item| item.id(&["seller", "sellerId"]) == Ok(seller));
        let sums = own.clone().filter_map(|item| {
            let quantity = u32::try_from(item.count("quantity").unwrap_or(1)).ok()?;
            item.object("price").and_then(Payload::money)?.times(quantity).ok()
        });
        EmailTemplate::NewOrder(SaleData {
            order: order.to_hex(),
            sum: Money::sum(sums).ok().flatten().map(|sum| sum.to_string()),
            lines: own.map(|item| order_line(*item)).collect(),
            recipient: address.and_then(|address| address.text("fullName")).and_then(name),
            address: label(["street", "city", "state", "zip", "country"].map(|key| field(key).unwrap_or_default())),
            phone: field("phone"),
        })
    };
    Ok(sellers.into_iter().map(|seller| (To::Seller { seller, buyer }, email_template(seller))).collect())
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

fn product(payload: Payload<'_>) -> Result<ProductData, HandleError> {
    // Not used, but required of a valid product.
    payload.need_text("title")?;
    let product = payload.id::<ProductId>(&["productId", "_id", "id"]).ok().map(ProductId::to_hex);
    Ok(ProductData { product })
}

/// The amount is under `amount_key`, or else under `amount`.
fn payment(payload: Payload<'_>, amount_key: &str) -> Result<PaymentData, HandleError> {
    let amount = payload.number(amount_key).or_else(|| payload.number("amount")).ok_or_else(|| missing("amount"))?;
    let code = payload.text("currency").unwrap_or(Currency::Inr.code());
    payment_of(payload, amount_text(&amount, code))
}

fn payment_of(payload: Payload<'_>, amount: String) -> Result<PaymentData, HandleError> {
    let order: OrderId = payload.id(&["orderId", "order"])?;
    Ok(PaymentData {
        order: order.to_hex(),
        amount,
        payment_id: payload.text("paymentId").map(one_line),
        reason: payload.text("reason").map(plain),
    })
}

fn dispute(payload: Payload<'_>) -> Result<DisputeData, HandleError> {
    let code = payload.text("currency").unwrap_or(Currency::Inr.code());
    let order: OrderId = payload.id(&["orderId"])?;
    Ok(DisputeData {
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

fn order(payload: Payload<'_>) -> Result<OrderData, HandleError> {
    let order: OrderId = payload.id(&["_id", "id"])?;
    // The sum of one seller's lines is not the order's total.
    let part = payload.flag("part");
    let lines = payload.objects("items").into_iter().map(order_line);
    let address = payload.object("shippingAddress");
    let line = |key| address.and_then(|address| address.text(key)).map(plain).filter(|line| !line.is_empty());
    let reason = payload.objects("timeline").last().and_then(|entry| entry.text("reason"));
    let reason = reason.filter(|reason| OWN_REASONS.contains(reason)).map(one_line);
    Ok(OrderData {
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
