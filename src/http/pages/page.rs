//! The frame around every page: what `templates/layout.html` shows.

use super::assets;
use crate::domain::user::Role;

/// What was done, told once on the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// Whether it is bad news.
    pub bad: bool,
    /// In words.
    pub text: String,
}

/// What is said where a browser keeps no cookies.
pub const NO_COOKIES: &str = "Your browser does not keep cookies for this shop, so it can neither fill a cart nor log \
    in. Allow cookies for this site in the browser's settings, then try again.";

/// The frame. Each template of a page has it as its field `page`.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Of the window, without the shop's name.
    pub title: String,
    /// For search engines.
    pub description: String,
    /// Where the page is really, whole; empty where it should not be found.
    pub canonical: String,
    /// A picture for links to this page, whole.
    pub picture: String,
    /// The visitor's name; empty for guests.
    pub name: String,
    /// What the visitor may do; guests have none.
    pub role: Option<Role>,
    /// Units in the cart.
    pub cart_count: u64,
    /// Goes into each form as `csrf`.
    pub csrf: String,
    /// What the last page did.
    pub flash: Option<Flash>,
    /// What stands in the search field.
    pub search: String,
    /// This page's path and query, to come back to after a login.
    pub here: String,
}

impl Page {
    /// With a description for search engines.
    #[must_use]
    pub fn describe(mut self, text: &str) -> Self {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.description = line.chars().take(160).collect();
        self
    }

    /// With words in the search field.
    #[must_use]
    pub fn searching(mut self, words: &str) -> Self {
        words.clone_into(&mut self.search);
        self
    }

    /// Where an asset is; for templates.
    #[must_use]
    pub fn asset(&self, name: &str) -> &'static str {
        assets::url(name)
    }

    /// Whether somebody is logged in.
    #[must_use]
    pub fn known(&self) -> bool {
        self.role.is_some()
    }

    /// Whether she buys.
    #[must_use]
    pub fn buyer(&self) -> bool {
        self.role == Some(Role::User)
    }

    /// Whether the visitor may have a cart: buyers and guests do.
    #[must_use]
    pub fn shops(&self) -> bool {
        matches!(self.role, None | Some(Role::User))
    }

    /// Whether she sells.
    #[must_use]
    pub fn seller(&self) -> bool {
        matches!(self.role, Some(Role::Seller))
    }

    /// Whether she runs the marketplace.
    #[must_use]
    pub fn admin(&self) -> bool {
        self.role == Some(Role::Admin)
    }

    /// The path to come back to, as a query's value.
    #[must_use]
    pub fn next(&self) -> String {
        escape(&self.here)
    }
}

/// Percent-encodes a value for a query.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Error text as a sentence for people.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// A path of this shop that may be gone to after a login, or the home page.
#[must_use]
pub fn local(path: &str) -> &str {
    let fine = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 2_000
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if fine { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        assert_eq!(local("/checkout?a=b"), "/checkout?a=b");
        for path in ["", "checkout", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "/ä"] {
            assert_eq!(local(path), "/", "{path}");
        }
        assert_eq!(escape("/a?b=ä&c"), "/a%3Fb%3D%C3%A4%26c");
    }
}
