//! The cookie of a browser in which accounts were logged in to.
//!
//! Its value is a random id and, for each name of these accounts, a mark. It logs nobody in; it only tells the limits on
//! logins that somebody comes from where they came before.
//!
//! **Invariant:** only this shop can make one, and it tells nobody the names.

use actix_web::{HttpRequest, cookie::Cookie};

use super::pages::cookies;
use crate::{actors::tokens::Tokens, domain::identity::login_key};

/// How many names are remembered: those of a few accounts.
const NAMES_MAX: usize = 8;

pub(super) struct Device {
    id: String,
    marks: Vec<String>,
}

impl Device {
    pub(super) fn new() -> Self {
        Self { id: hex::encode(rand::random::<[u8; 8]>()), marks: vec![] }
    }

    /// The one of this request.
    pub(super) fn of(req: &HttpRequest, tokens: &Tokens) -> Option<Self> {
        let value = cookies::read(tokens, req, cookies::DEVICE)?;
        let mut parts = value.split(' ').map(str::to_owned);
        Some(Self { id: parts.next()?, marks: parts.take(NAMES_MAX).collect() })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the account of this name was logged in to there.
    pub(super) fn knows(&self, tokens: &Tokens, account: &str) -> bool {
        self.marks.contains(&mark(tokens, account))
    }

    pub(super) fn remember(&mut self, tokens: &Tokens, account: &str) {
        let mark = mark(tokens, account);
        self.marks.retain(|known| *known != mark);
        self.marks.insert(0, mark);
        self.marks.truncate(NAMES_MAX);
    }

    pub(super) fn cookie(&self, tokens: &Tokens, secure: bool) -> Cookie<'static> {
        cookies::sealed(tokens, secure, cookies::DEVICE, &format!("{} {}", self.id, self.marks.join(" ")))
    }
}

fn mark(tokens: &Tokens, account: &str) -> String {
    tokens.mark(cookies::DEVICE, &login_key(account))
}
