//! The mail templates: the data, subject and rendering of each, as HTML and plain text.
//!
//! The texts are in `templates/mail`; askama escapes values in HTML but not in plain text.
//!
//! Anyone can enter another person's address at sign-up, and mails are sent before it is confirmed. So a mail contains nothing
//! that its recipient, or someone pretending to be them, has typed: no names, product titles, addresses or notes. It
//! has numbers and sums, and links to the page with the details. Mails about a paid order name its products, and to
//! the seller also the recipient, but without any link; a name that contains one is left out.
//!
//! **Invariant:** no control character or line break of a payload reaches an address, a subject or a line of text;
//! every value went through [`one_line`], and user input through [`plain`], [`address_line`] or [`name`]; all links
//! are the shop's own.

use askama::Template;

use super::ShopInfo;
use crate::{
    actors::tokens::Tokens,
    bus::HandleError,
    domain::{
        Timestamp,
        identity::is_email,
        ids::{EventId, UserId},
        text::{carries_page_address, without_links, without_page_addresses},
        user::{Contact, TokenPurpose},
    },
    store::mailbox::Mail,
};

/// The longest value or subject, in characters.
const LINE_MAX: usize = 300;

/// Whom to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    email: String,
    /// Who it is, if known.
    pub(super) user: Option<UserId>,
}

impl Recipient {
    /// The recipient with the address `email`. The name is not used: see the module.
    ///
    /// # Errors
    /// [`HandleError::Unreadable`] when no mail can be sent to that address.
    pub fn new(email: &str) -> Result<Self, HandleError> {
        if !is_email(email) {
            return Err(HandleError::Unreadable("`email` is not an address".into()));
        }
        Ok(Self { email: email.to_owned(), user: None })
    }

    /// The recipient of a contact.
    ///
    /// # Errors
    /// As [`Recipient::new`].
    pub fn of(contact: &Contact) -> Result<Self, HandleError> {
        Ok(Self { user: Some(contact.user), ..Self::new(&contact.email)? })
    }
}

/// The data of a welcome mail: none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WelcomeData;

/// The data of a mail about an account's security: none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityData;

/// The data of a mail with a link that has a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkData {
    pub purpose: TokenPurpose,
    pub user: UserId,
    /// The request from which the token is derived.
    pub request: EventId,
    /// The link; made when the mail is written.
    pub url: String,
}

/// The data of a mail about a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductData {
    /// Its id.
    pub product: Option<String>,
}

/// The data of a mail about an import: only numbers, no user input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportData {
    /// Rows that made a product.
    pub made: u64,
    /// Rows that changed one.
    pub changed: u64,
    /// Rows that changed nothing.
    pub same: u64,
    /// Rows that were skipped.
    pub left_out: u64,
}

/// The data of a mail about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentData {
    /// The order's id.
    pub order: String,
    /// The amount with the currency; empty if unknown.
    pub amount: String,
    /// The gateway's id.
    pub payment_id: Option<String>,
    /// Why it failed or was refunded.
    pub reason: Option<String>,
}

/// The data of a mail about a dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeData {
    /// The gateway's id of it.
    pub dispute: String,
    /// The order's id.
    pub order: String,
    /// How much, with the currency.
    pub amount: String,
    /// The gateway's payment.
    pub payment_id: Option<String>,
    /// The reason given by the buyer's bank.
    pub reason: Option<String>,
    /// The deadline for a response.
    pub respond_by: Option<String>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub title: String,
    pub quantity: u64,
    /// The carrier's number.
    pub tracking: Option<String>,
}

/// The data of a mail to the seller about a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleData {
    /// The order's id.
    pub order: String,
    /// The seller's lines.
    pub lines: Vec<Line>,
    /// Price × quantity of these lines, with the currency.
    pub sum: Option<String>,
    /// Whom it goes to.
    pub recipient: Option<String>,
    /// The lines of the address.
    pub address: Vec<String>,
    /// The number that the carrier may call.
    pub phone: Option<String>,
}

/// The data of a mail about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderData {
    /// Its id.
    pub order: String,
    /// Its lines, or those whose shipment changed.
    pub lines: Vec<Line>,
    /// Whether these are only some of its lines.
    pub part: bool,
    /// Its total with the currency.
    pub total: Option<String>,
    /// The lines of the address.
    pub address: Vec<String>,
    /// Whether it was paid.
    pub paid: bool,
    /// The reason.
    pub reason: Option<String>,
}

/// A mail template with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmailTemplate {
    /// To a newly registered user.
    Welcome(WelcomeData),
    /// To a user who asked for a new password.
    PasswordReset(LinkData),
    /// To a user whose password was changed.
    PasswordChanged(SecurityData),
    /// To an address that is to be confirmed.
    EmailConfirmation(LinkData),
    /// To the address that is to be replaced.
    EmailChange(SecurityData),
    /// To the seller.
    NewProduct(ProductData),
    /// To the seller, once for a whole file.
    ImportFinished(ImportData),
    /// To the buyer, as the following.
    PaymentInitiated(PaymentData),
    /// The payment was received.
    PaymentReceived(PaymentData),
    /// An attempt to pay failed.
    PaymentFailed(PaymentData),
    /// Money was refunded.
    Refund(PaymentData),
    /// A buyer's bank disputes a payment; to the admins.
    Dispute(DisputeData),
    /// To the seller of lines that are paid.
    NewOrder(SaleData),
    /// Every line is on its way, or those of one seller.
    OrderShipped(OrderData),
    /// Every line has arrived, or those of one seller.
    OrderDelivered(OrderData),
    /// It was cancelled.
    OrderCancelled(OrderData),
}

/// `text` on one line and of bounded length: control characters and line breaks become spaces, invisible marks that
/// change the text direction are removed.
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

/// User input on one line and without URLs, which a mail program would turn into links.
#[must_use]
pub fn plain(text: &str) -> String {
    one_line(&without_page_addresses(&one_line(text)))
}

/// A line of an address, on one line and without links. Streets may contain dots that are not part of a URL.
#[must_use]
pub fn address_line(text: &str) -> String {
    one_line(&without_links(&one_line(text)))
}

/// A person's name; `None` for an older name that would be refused today.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    Some(one_line(text)).filter(|name| !name.is_empty() && !carries_page_address(name))
}

/// Makes a function that renders both templates of a mail.
macro_rules! renders {
    ($($name:ident($email_data:ty): $html:tt, $text:tt;)*) => {$(
        fn $name(shop: &ShopInfo, of: &$email_data) -> askama::Result<(String, String)> {
            #[derive(Template)]
            #[template(path = $html)]
            struct Html<'a> {
                shop: &'a ShopInfo,
                #[allow(dead_code, reason = "a letter may say nothing besides the shop's name")]
                of: &'a $email_data,
            }

            #[derive(Template)]
            #[template(path = $text, escape = "none")]
            struct Text<'a> {
                shop: &'a ShopInfo,
                #[allow(dead_code, reason = "a letter may say nothing besides the shop's name")]
                of: &'a $email_data,
            }

            Ok((Html { shop, of }.render()?, Text { shop, of }.render()?))
        }
    )*};
}

renders! {
    welcome(WelcomeData): "mail/welcome.html", "mail/welcome.txt";
    password_reset(LinkData): "mail/password_reset.html", "mail/password_reset.txt";
    password_changed(SecurityData): "mail/password_changed.html", "mail/password_changed.txt";
    email_confirmation(LinkData): "mail/email_confirmation.html", "mail/email_confirmation.txt";
    email_change(SecurityData): "mail/email_change.html", "mail/email_change.txt";
    new_product(ProductData): "mail/new_product.html", "mail/new_product.txt";
    import_finished(ImportData): "mail/import_finished.html", "mail/import_finished.txt";
    payment_initiated(PaymentData): "mail/payment_initiated.html", "mail/payment_initiated.txt";
    payment_received(PaymentData): "mail/payment_received.html", "mail/payment_received.txt";
    payment_failed(PaymentData): "mail/payment_failed.html", "mail/payment_failed.txt";
    refund(PaymentData): "mail/refund.html", "mail/refund.txt";
    dispute(DisputeData): "mail/dispute.html", "mail/dispute.txt";
    new_order(SaleData): "mail/new_order.html", "mail/new_order.txt";
    order_delivered(OrderData): "mail/order_delivered.html", "mail/order_delivered.txt";
    order_shipped(OrderData): "mail/order_shipped.html", "mail/order_shipped.txt";
    order_cancelled(OrderData): "mail/order_cancelled.html", "mail/order_cancelled.txt";
}

impl EmailTemplate {
    /// The letter's subject.
    #[must_use]
    pub fn subject(&self, shop: &ShopInfo) -> String {
        one_line(&match self {
            Self::Welcome(_) => format!("Welcome to {}", shop.name),
            Self::PasswordReset(_) => "Reset your password".to_owned(),
            Self::PasswordChanged(_) => "Your password was changed".to_owned(),
            Self::EmailConfirmation(_) => "Confirm your e-mail".to_owned(),
            Self::EmailChange(_) => "Your e-mail is to be changed".to_owned(),
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

    /// Makes the link of a mail that has one with a token.
    pub fn make_link(&mut self, shop: &ShopInfo, tokens: &Tokens) {
        let (Self::PasswordReset(of) | Self::EmailConfirmation(of)) = self else { return };
        let page = match of.purpose {
            TokenPurpose::ResetPassword => "reset",
            TokenPurpose::ConfirmEmail => "verify",
        };
        let token = tokens.mailed(of.purpose, of.user, of.request);
        of.url = format!("{}/{page}?token={token}", shop.base_url.trim_end_matches('/'));
    }

    /// The mail to `recipient` about what happened at `at`.
    ///
    /// # Errors
    /// [`HandleError::Unreadable`] when it cannot be written.
    pub fn mail(&self, recipient: &Recipient, shop: &ShopInfo, at: Timestamp) -> Result<Mail, HandleError> {
        let rendered = match self {
            Self::Welcome(of) => welcome(shop, of),
            Self::PasswordReset(of) => password_reset(shop, of),
            Self::PasswordChanged(of) => password_changed(shop, of),
            Self::EmailConfirmation(of) => email_confirmation(shop, of),
            Self::EmailChange(of) => email_change(shop, of),
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
        let confidential = matches!(self, Self::PasswordReset(_) | Self::EmailConfirmation(_));
        Ok(Mail {
            to: recipient.email.clone(),
            subject: self.subject(shop),
            text,
            html,
            at,
            announcement,
            confidential,
            unsubscribe: None,
            user: recipient.user,
            about: None,
        })
    }
}
