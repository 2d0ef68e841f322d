//! Reads the recipients and the data of mails from a delivery.
//!
//! **Invariant:** a payload without an address or without required data is [`HandleError::Unreadable`], before
//! anything is sent.

use serde::Deserialize;
use serde_json::Value;

use super::email_template::{
    DisputeData, EmailTemplate, ImportData, Line, LinkData, OrderData, PaymentData, ProductData, Recipient, SaleData,
    SecurityData, WelcomeData, address_line, name, one_line, plain,
};
use crate::{
    actors::payload::{Loose, Number, Text, missing, read as payload},
    bus::{Delivery, HandleError},
    domain::{
        ids::{EventId, OrderId, ProductId, UserId},
        money::{Currency, Money},
        user::{PostalAddress, TokenPurpose},
    },
    views::money::MoneyView,
};

/// Whom to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    /// These recipients, from the payload.
    Named(Vec<Recipient>),
    /// A recipient of an announcement, who is this seller where that is known.
    Announced { seller: Option<UserId>, recipient: Recipient },
    /// This user, at their stored address.
    User(UserId),
    /// A seller in an order, and its buyer.
    Seller { seller: UserId, buyer: Option<UserId> },
}

/// The program's own reasons; any other is user input.
const OWN_REASONS: [&str; 4] = ["expired", "payment refused", "refunded", "seller suspended"];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Person {
    email: Text,
    user: Text<UserId>,
    seller_id: Text<UserId>,
    id: Text<UserId>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Notice {
    id: Text<UserId>,
    request_id: Text<EventId>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Product {
    imported: Loose<bool>,
    title: Text,
    product_id: Text<ProductId>,
    seller_id: Text<UserId>,
    #[serde(rename = "_id")]
    own_id: Text<ProductId>,
    id: Text<ProductId>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Import {
    made: Loose<u64>,
    changed: Loose<u64>,
    same: Loose<u64>,
    left_out: Loose<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Payment {
    order_id: Text<OrderId>,
    order: Text<OrderId>,
    /// Unparsed: a failed payment may omit it, but an invalid one is refused.
    amount: Value,
    refund_amount: Loose<Number>,
    currency: Text,
    payment_id: Text,
    reason: Text,
    dispute_id: Text,
    respond_by: Text,
    admins: Loose<Vec<Loose<Person>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Order {
    #[serde(rename = "_id")]
    own_id: Text<OrderId>,
    id: Text<OrderId>,
    user: Text<UserId>,
    /// Whether the lines are those of one seller.
    part: Loose<bool>,
    items: Loose<Vec<Loose<Item>>>,
    total_price: Loose<MoneyView>,
    shipping_address: Loose<Address>,
    payment: Loose<serde_json::Map<String, Value>>,
    timeline: Loose<Vec<Loose<Moment>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Item {
    seller: Text<UserId>,
    seller_id: Text<UserId>,
    title: Text,
    quantity: Loose<u64>,
    price: Loose<MoneyView>,
    tracking_number: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Address {
    full_name: Text,
    street: Text,
    city: Text,
    state: Text,
    zip: Text,
    country: Text,
    phone: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Moment {
    reason: Text,
}

/// Reads the mails of a delivery: one, one for each seller, or none if another mail covers it.
pub(super) fn read(delivery: &Delivery) -> Result<Vec<(To, EmailTemplate)>, HandleError> {
    let (_, event) = delivery.queue.rsplit_once('.').unwrap_or_default();
    let told = &delivery.payload;
    let to_email = || Ok::<_, HandleError>(To::Named(vec![recipient(payload(told)?)?]));
    let (to, email_template) = match event {
        "USER_CREATED" => (to_email()?, EmailTemplate::Welcome(WelcomeData)),
        "PASSWORD_RESET_REQUESTED" => {
            (to_email()?, EmailTemplate::PasswordReset(link(payload(told)?, TokenPurpose::ResetPassword)?))
        }
        "PASSWORD_CHANGED" => (to_email()?, EmailTemplate::PasswordChanged(SecurityData)),
        "EMAIL_CONFIRMATION_REQUESTED" => {
            (to_email()?, EmailTemplate::EmailConfirmation(link(payload(told)?, TokenPurpose::ConfirmEmail)?))
        }
        "EMAIL_CHANGE_REQUESTED" => (to_email()?, EmailTemplate::EmailChange(SecurityData)),
        "PRODUCT_IMPORT_FINISHED" => (to_email()?, EmailTemplate::ImportFinished(import(&payload(told)?))),
        "PRODUCT_CREATED" => {
            let product: Product = payload(told)?;
            if product.imported.0 == Some(true) {
                // One mail covers the whole import.
                return Ok(vec![]);
            }
            let to = To::Announced { seller: product.seller_id.0, recipient: recipient(payload(told)?)? };
            (to, EmailTemplate::NewProduct(self::product(product)?))
        }
        "PAYMENT_INITIATED" => (to_email()?, EmailTemplate::PaymentInitiated(payment(payload(told)?)?)),
        "PAYMENT_COMPLETED" => (to_email()?, EmailTemplate::PaymentReceived(payment(payload(told)?)?)),
        "PAYMENT_FAILED" => {
            let payment: Payment = payload(told)?;
            // No money moved, so the amount may be absent.
            let amount = if payment.amount.is_null() { String::new() } else { payment.amount()? };
            (to_email()?, EmailTemplate::PaymentFailed(payment.data(amount)?))
        }
        "PAYMENT_REFUNDED" => {
            let payment: Payment = payload(told)?;
            let refunded = payment.refund_amount.0.as_ref().map(|amount| payment.written(amount));
            let amount = refunded.map_or_else(|| payment.amount(), Ok)?;
            (to_email()?, EmailTemplate::Refund(payment.data(amount)?))
        }
        "PAYMENT_DISPUTED" => dispute(payload(told)?)?,
        "ORDER_CONFIRMED" => return sales(payload(told)?),
        "ORDER_DELIVERED" => order(payload(told)?, EmailTemplate::OrderDelivered)?,
        "ORDER_SHIPPED" => order(payload(told)?, EmailTemplate::OrderShipped)?,
        "ORDER_CANCELLED" => order(payload(told)?, EmailTemplate::OrderCancelled)?,
        _ => return Err(HandleError::Unreadable(format!("no mail is made of the queue {}", delivery.queue))),
    };
    Ok(vec![(to, email_template)])
}

/// One mail for each seller in a paid order, with their lines and the recipient.
fn sales(order: Order) -> Result<Vec<(To, EmailTemplate)>, HandleError> {
    let (id, buyer) = (order.own_id.or(order.id).need("_id")?, order.user.0);
    let mut sellers: Vec<(UserId, Vec<Item>)> = vec![];
    for item in order.items.some() {
        let seller = item.seller.or(item.seller_id).need("seller")?;
        match sellers.iter_mut().find(|(known, _)| *known == seller) {
            Some((_, items)) => items.push(item),
            None => sellers.push((seller, vec![item])),
        }
    }
    let address = order.shipping_address.0.unwrap_or_default();
    let line = |text: &Text| text.as_deref().map(address_line).filter(|line| !line.is_empty());
    let email_template = |items: Vec<Item>| {
        let sums = items.iter().filter_map(|item| {
            let quantity = u32::try_from(item.quantity.0.unwrap_or(1)).ok()?;
            item.price.money()?.times(quantity).ok()
        });
        EmailTemplate::NewOrder(SaleData {
            order: id.to_hex(),
            sum: Money::sum(sums).ok().flatten().map(|sum| sum.to_string()),
            recipient: address.full_name.as_deref().and_then(name),
            address: label(&address, line),
            phone: line(&address.phone),
            lines: items.into_iter().map(order_line).collect(),
        })
    };
    Ok(sellers.into_iter().map(|(seller, items)| (To::Seller { seller, buyer }, email_template(items))).collect())
}

/// The lines of a label, with the names of state and country in place of their codes.
fn label(address: &Address, line: impl Fn(&Text) -> Option<String>) -> Vec<String> {
    let line = |text| line(text).unwrap_or_default();
    let postal = PostalAddress {
        street: line(&address.street),
        city: line(&address.city),
        state: line(&address.state),
        zip: line(&address.zip),
        country: line(&address.country),
        ..PostalAddress::default()
    };
    postal.label()
}

fn order_line(item: Item) -> Line {
    Line {
        title: plain(item.title.as_deref().unwrap_or("(no title)")),
        quantity: item.quantity.0.unwrap_or(1),
        tracking: item.tracking_number.as_deref().map(plain),
    }
}

fn link(notice: Notice, purpose: TokenPurpose) -> Result<LinkData, HandleError> {
    let (user, request) = (notice.id.need("id")?, notice.request_id.need("requestId")?);
    Ok(LinkData { purpose, user, request, url: String::new() })
}

fn recipient(person: Person) -> Result<Recipient, HandleError> {
    let mut recipient = Recipient::new(&person.email.need("email")?)?;
    recipient.user = person.user.or(person.seller_id).or(person.id).0;
    Ok(recipient)
}

fn import(import: &Import) -> ImportData {
    let count = |count: &Loose<u64>| count.0.unwrap_or(0);
    ImportData {
        made: count(&import.made),
        changed: count(&import.changed),
        same: count(&import.same),
        left_out: count(&import.left_out),
    }
}

fn product(product: Product) -> Result<ProductData, HandleError> {
    // Not used, but required of a valid product.
    product.title.need("title")?;
    let id = product.product_id.or(product.own_id).or(product.id);
    Ok(ProductData { product: id.0.map(ProductId::to_hex) })
}

fn payment(payment: Payment) -> Result<PaymentData, HandleError> {
    let amount = payment.amount()?;
    payment.data(amount)
}

impl Payment {
    fn data(self, amount: String) -> Result<PaymentData, HandleError> {
        Ok(PaymentData {
            order: self.order_id.or(self.order).need("orderId")?.to_hex(),
            amount,
            payment_id: self.payment_id.as_deref().map(one_line),
            reason: self.reason.as_deref().map(plain),
        })
    }

    /// The required amount.
    fn amount(&self) -> Result<String, HandleError> {
        let amount = Number::deserialize(&self.amount).map_err(|_| missing("amount"))?;
        Ok(self.written(&amount))
    }

    fn written(&self, amount: &Number) -> String {
        amount_text(&amount.text(), self.currency.as_deref().unwrap_or(Currency::Inr.code()))
    }
}

fn dispute(payment: Payment) -> Result<(To, EmailTemplate), HandleError> {
    let data = DisputeData {
        amount: payment.amount().unwrap_or_default(),
        dispute: one_line(&payment.dispute_id.need("disputeId")?),
        order: payment.order_id.need("orderId")?.to_hex(),
        payment_id: payment.payment_id.as_deref().map(one_line),
        reason: payment.reason.as_deref().map(one_line),
        respond_by: payment.respond_by.as_deref().map(one_line),
    };
    // One admin's invalid address must not keep others from being notified.
    let admins = payment.admins.some().into_iter().filter_map(|admin| recipient(admin).ok());
    Ok((To::Named(admins.collect()), EmailTemplate::Dispute(data)))
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

fn order(
    order: Order,
    email_template: impl Fn(OrderData) -> EmailTemplate,
) -> Result<(To, EmailTemplate), HandleError> {
    let part = order.part.0.unwrap_or(false);
    let address = order.shipping_address.0.unwrap_or_default();
    let Address { full_name, street, city, state, zip, country, phone } = &address;
    let lines = [full_name, street, city, state, zip, country, phone];
    let reason = order.timeline.some().pop().and_then(|entry| entry.reason.0);
    let data = OrderData {
        order: order.own_id.or(order.id).need("_id")?.to_hex(),
        lines: order.items.some().into_iter().map(order_line).collect(),
        part,
        // The sum of one seller's lines is not the order's total.
        total: order.total_price.money().filter(|_| !part).map(|money| money.to_string()),
        address: lines
            .map(|line| line.as_deref().map(plain))
            .into_iter()
            .flatten()
            .filter(|line| !line.is_empty())
            .collect(),
        paid: order.payment.0.is_some(),
        reason: reason.filter(|reason| OWN_REASONS.contains(&reason.as_str())).map(|reason| one_line(&reason)),
    };
    Ok((To::User(order.user.need("user")?), email_template(data)))
}
