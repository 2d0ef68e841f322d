//! The letters: what each says, its subject, and its rendering as HTML and plain text.
//!
//! The words are in `templates/mail`; askama escapes what is put into HTML and nothing
//! that is put into plain text.
//!
//! Anybody can type anybody's address at sign-up, and no address is confirmed yet. So a letter
//! carries nothing that its receiver, or whoever claims to be that, has typed: no names, titles of
//! goods on offer, addresses or notes. It has numbers and sums, and leads to the page that shows the
//! rest. Letters about a paid order name its goods, and to their seller whom they go to, but without
//! the address of any page; a name that carries one is left out.
//!
//! **Invariant:** no control character or line break of a payload reaches an address, a
//! subject or a line of text; every fact went through [`one_line`], and what people type
//! through [`plain`], [`address_line`] or [`name`]; a letter's links are the shop's own.

use askama::Template;

use super::ShopInfo;
use crate::{
    bus::HandleError,
    domain::{
        Timestamp,
        identity::is_email,
        text::{carries_page_address, without_links, without_page_addresses},
        user::Contact,
    },
    store::mailbox::Mail,
};

/// The longest fact or subject, in characters.
const LINE_MAX: usize = 300;

/// Whom to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    email: String,
}

impl Recipient {
    /// Whoever reads the mails to `email`. The name is not kept: see the module.
    ///
    /// # Errors
    /// [`HandleError::Unreadable`] when no mail can be sent to that address.
    pub fn new(email: &str) -> Result<Self, HandleError> {
        if !is_email(email) {
            return Err(HandleError::Unreadable("`email` is not an address".into()));
        }
        Ok(Self { email: email.to_owned() })
    }

    /// The person behind a contact.
    ///
    /// # Errors
    /// As [`Recipient::new`].
    pub fn of(contact: &Contact) -> Result<Self, HandleError> {
        Self::new(&contact.email)
    }
}

/// What a welcome says besides the shop's name: nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WelcomeFacts;

/// What a mail about a product says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductFacts {
    /// Its id.
    pub product: Option<String>,
}

/// What a mail about an import says: numbers alone, nothing that anybody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportFacts {
    /// Rows that made a product.
    pub made: u64,
    /// Rows that changed one.
    pub changed: u64,
    /// Rows after which all was as before.
    pub same: u64,
    /// Rows that were left out.
    pub left_out: u64,
}

/// What a mail about a payment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFacts {
    /// The order's id.
    pub order: String,
    /// How much, with the currency; empty where nobody says.
    pub amount: String,
    /// The gateway's id.
    pub payment_id: Option<String>,
    /// Why it failed or was refunded.
    pub reason: Option<String>,
}

/// What a mail about a dispute says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeFacts {
    /// The gateway's id of it.
    pub dispute: String,
    /// The order's id.
    pub order: String,
    /// How much, with the currency.
    pub amount: String,
    /// The gateway's payment.
    pub payment_id: Option<String>,
    /// Why, as the buyer's bank says.
    pub reason: Option<String>,
    /// Until when to answer.
    pub respond_by: Option<String>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub title: String,
    /// How many.
    pub quantity: u64,
    /// The carrier's number.
    pub tracking: Option<String>,
}

/// What a mail about a sale says to the seller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleFacts {
    /// The order's id.
    pub order: String,
    /// What of it is the seller's.
    pub lines: Vec<Line>,
    /// Price × quantity of these lines, with the currency.
    pub sum: Option<String>,
    /// Whom it goes to.
    pub recipient: Option<String>,
    /// The lines of where it goes.
    pub address: Vec<String>,
    /// The number that the carrier may call.
    pub phone: Option<String>,
}

/// What a mail about an order says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFacts {
    /// Its id.
    pub order: String,
    /// Its lines, or those that have moved.
    pub lines: Vec<Line>,
    /// Whether other lines of it have yet to move.
    pub part: bool,
    /// Its total with the currency.
    pub total: Option<String>,
    /// The lines of where it goes.
    pub address: Vec<String>,
    /// Whether it was paid.
    pub paid: bool,
    /// Why it came to this.
    pub reason: Option<String>,
}

/// A mail before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// To who registered.
    Welcome(WelcomeFacts),
    /// To the seller.
    NewProduct(ProductFacts),
    /// To the seller, once for a whole file.
    ImportFinished(ImportFacts),
    /// To the buyer, as the following.
    PaymentInitiated(PaymentFacts),
    /// The money is here.
    PaymentReceived(PaymentFacts),
    /// A try failed.
    PaymentFailed(PaymentFacts),
    /// Money goes back.
    Refund(PaymentFacts),
    /// A buyer's bank wants money back; to the admins.
    Dispute(DisputeFacts),
    /// To the seller of lines that are paid.
    NewOrder(SaleFacts),
    /// Every line is on its way, or those of one seller.
    OrderShipped(OrderFacts),
    /// Every line has arrived, or those of one seller.
    OrderDelivered(OrderFacts),
    /// It ended without goods.
    OrderCancelled(OrderFacts),
}

/// `text` on one line and of bounded length: control characters and line breaks become
/// spaces, invisible marks that turn the direction of writing go.
#[must_use]
pub fn one_line(text: &str) -> String {
    let turns_direction =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = text.chars().filter(|c| !turns_direction(*c)).map(|c| {
        let breaks = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if breaks { ' ' } else { c }
    });
    let plain: String = plain.collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= LINE_MAX {
        return line;
    }
    line.chars().take(LINE_MAX - 1).chain(['…']).collect()
}

/// What somebody typed, on one line and without the addresses of pages, which a mail program would
/// turn into links.
#[must_use]
pub fn plain(text: &str) -> String {
    one_line(&without_page_addresses(&one_line(text)))
}

/// A line of an address, on one line and without links. A street has dots that are not those of a page.
#[must_use]
pub fn address_line(text: &str) -> String {
    one_line(&without_links(&one_line(text)))
}

/// A person's name; none where it is one that is refused today: it was kept before.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    Some(one_line(text)).filter(|name| !name.is_empty() && !carries_page_address(name))
}

/// A function that renders both templates of a letter.
macro_rules! renders {
    ($($name:ident($facts:ty): $html:tt, $text:tt;)*) => {$(
        fn $name(shop: &ShopInfo, of: &$facts) -> askama::Result<(String, String)> {
            #[derive(Template)]
            #[template(path = $html)]
            struct Html<'a> {
                shop: &'a ShopInfo,
                #[allow(dead_code, reason = "a letter may say nothing besides the shop's name")]
                of: &'a $facts,
            }

            #[derive(Template)]
            #[template(path = $text, escape = "none")]
            struct Text<'a> {
                shop: &'a ShopInfo,
                #[allow(dead_code, reason = "a letter may say nothing besides the shop's name")]
                of: &'a $facts,
            }

            Ok((Html { shop, of }.render()?, Text { shop, of }.render()?))
        }
    )*};
}

renders! {
    welcome(WelcomeFacts): "mail/welcome.html", "mail/welcome.txt";
    new_product(ProductFacts): "mail/new_product.html", "mail/new_product.txt";
    import_finished(ImportFacts): "mail/import_finished.html", "mail/import_finished.txt";
    payment_initiated(PaymentFacts): "mail/payment_initiated.html", "mail/payment_initiated.txt";
    payment_received(PaymentFacts): "mail/payment_received.html", "mail/payment_received.txt";
    payment_failed(PaymentFacts): "mail/payment_failed.html", "mail/payment_failed.txt";
    refund(PaymentFacts): "mail/refund.html", "mail/refund.txt";
    dispute(DisputeFacts): "mail/dispute.html", "mail/dispute.txt";
    new_order(SaleFacts): "mail/new_order.html", "mail/new_order.txt";
    order_delivered(OrderFacts): "mail/order_delivered.html", "mail/order_delivered.txt";
    order_shipped(OrderFacts): "mail/order_shipped.html", "mail/order_shipped.txt";
    order_cancelled(OrderFacts): "mail/order_cancelled.html", "mail/order_cancelled.txt";
}

impl Letter {
    /// The letter's subject.
    #[must_use]
    pub fn subject(&self, shop: &ShopInfo) -> String {
        one_line(&match self {
            Self::Welcome(_) => format!("Welcome to {}", shop.name),
            Self::NewProduct(_) => "New product on sale".to_owned(),
            Self::ImportFinished(of) => format!("Import finished: {} new, {} changed", of.made, of.changed),
            Self::PaymentInitiated(of) => format!("Payment initiated for order {}", of.order),
            Self::PaymentReceived(of) => format!("Payment received for order {}", of.order),
            Self::PaymentFailed(of) => format!("Payment failed for order {}", of.order),
            Self::Refund(of) => format!("Refund for order {}", of.order),
            Self::Dispute(of) => format!("Payment disputed for order {}", of.order),
            Self::NewOrder(of) => format!("New order: {}", of.order),
            Self::OrderDelivered(of) => format!("Order delivered: {}", of.order),
            Self::OrderShipped(of) => format!("Order shipped: {}", of.order),
            Self::OrderCancelled(of) => format!("Order cancelled: {}", of.order),
        })
    }

    /// The mail to `recipient` about what happened at `at`.
    ///
    /// # Errors
    /// [`HandleError::Unreadable`] when it cannot be written.
    pub fn mail(&self, recipient: &Recipient, shop: &ShopInfo, at: Timestamp) -> Result<Mail, HandleError> {
        let rendered = match self {
            Self::Welcome(of) => welcome(shop, of),
            Self::NewProduct(of) => new_product(shop, of),
            Self::ImportFinished(of) => import_finished(shop, of),
            Self::PaymentInitiated(of) => payment_initiated(shop, of),
            Self::PaymentReceived(of) => payment_received(shop, of),
            Self::PaymentFailed(of) => payment_failed(shop, of),
            Self::Refund(of) => refund(shop, of),
            Self::Dispute(of) => dispute(shop, of),
            Self::NewOrder(of) => new_order(shop, of),
            Self::OrderDelivered(of) => order_delivered(shop, of),
            Self::OrderShipped(of) => order_shipped(shop, of),
            Self::OrderCancelled(of) => order_cancelled(shop, of),
        };
        let (html, text) = rendered.map_err(|error| HandleError::Unreadable(error.to_string()))?;
        let announcement = matches!(self, Self::NewProduct(_));
        Ok(Mail { to: recipient.email.clone(), subject: self.subject(shop), text, html, at, announcement })
    }
}
