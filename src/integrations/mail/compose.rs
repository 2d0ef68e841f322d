//! Composes the bytes of a mail.
//!
//! The same mail always has the same bytes, so that a mail that is sent twice can be recognised by its `Message-ID`.
//!
//! **Invariant:** every address is checked and every subject is made one line here.

use std::time::SystemTime;

use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use sha2::{Digest, Sha256};

use crate::{
    domain::{Timestamp, identity::email_domain, ids::EventId},
    store::mailbox::Mail,
};

/// The last second of the year 9999, beyond which a `Date` cannot be written.
const LAST_SECOND: i64 = 253_402_300_799;

/// The sender of every mail.
pub(super) struct Sender {
    mailbox: Mailbox,
    /// The value of `List-Unsubscribe`.
    unsubscribe: String,
}

/// A mail that is ready to be sent.
pub(super) struct Outgoing {
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

impl Sender {
    /// Reads the sender, `Shop <shop@example.com>`, and the contact for unsubscribing.
    pub(super) fn new(from: &str, unsubscribe: Option<&str>) -> Result<Self, String> {
        let (name, email) = match from.strip_suffix('>').and_then(|named| named.rsplit_once('<')) {
            Some((name, email)) => (one_line(name.trim().trim_matches('"')), email),
            None => (String::new(), from),
        };
        let address = address(email.trim())?;
        let unsubscribe = match unsubscribe {
            Some(page) if page.contains("://") => format!("<{page}>"),
            other => format!("<mailto:{}?subject=unsubscribe>", other.unwrap_or(address.as_ref())),
        };
        Ok(Self { mailbox: Mailbox::new(Some(name).filter(|name| !name.is_empty()), address), unsubscribe })
    }

    /// The domain that mails are from.
    pub(super) fn domain(&self) -> &str {
        self.mailbox.email.domain()
    }

    /// Writes `mail` about `event`.
    ///
    /// # Errors
    /// A permanent error.
    pub(super) fn compose(&self, event: EventId, mail: &Mail) -> Result<Outgoing, String> {
        let to = address(&mail.to)?;
        let mark = hex::encode(&Sha256::digest(to.to_string().to_lowercase().as_bytes())[..8]);
        let builder = Message::builder()
            .from(self.mailbox.clone())
            .to(Mailbox::new(None, to))
            .subject(one_line(&mail.subject))
            .date(date(mail.at))
            .message_id(Some(format!("<{event}.{mark}@{}>", self.domain())))
            .raw_header(header("Auto-Submitted", "auto-generated"));
        let builder = match (mail.announcement, &mail.unsubscribe) {
            // The operator's own page need not answer a POST (RFC 8058).
            (true, Some(here)) if self.unsubscribe.starts_with("<mailto:") => builder
                .raw_header(header("List-Unsubscribe", &format!("<{here}>, {}", self.unsubscribe)))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")),
            (true, _) => builder.raw_header(header("List-Unsubscribe", &self.unsubscribe)),
            (false, _) => builder,
        };
        let parts = MultiPart::alternative()
            .boundary(format!("{event}{mark}"))
            .singlepart(SinglePart::plain(mail.text.clone()))
            .singlepart(SinglePart::html(mail.html.clone()));
        let message = builder.multipart(parts).map_err(|error| error.to_string())?;
        Ok(Outgoing { envelope: message.envelope().clone(), bytes: message.formatted() })
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// An address with its domain in ASCII form: `bücher.example` is `xn--bcher-kva.example`.
fn address(text: &str) -> Result<Address, String> {
    let refused = || format!("{:?} is not an address", one_line(text));
    let (user, _) = text.rsplit_once('@').ok_or_else(refused)?;
    let domain = email_domain(text).ok_or_else(refused)?;
    Address::new(user, domain).map_err(|_| refused())
}

/// `text` without line breaks and other control characters.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

/// A time in the range of a `Date`.
fn date(at: Timestamp) -> SystemTime {
    let second = at.as_second().clamp(0, LAST_SECOND);
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH).into()
}
