//! The frame of every page: the data of `templates/layout.html`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::assets;
use crate::{
    domain::user::Role,
    http::features::{FEATURES, Feature},
};

/// A message about the last action, shown once on the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// Whether it is an error.
    pub bad: bool,
    pub text: String,
}

/// The message for browsers that store no cookies.
pub const NO_COOKIES: &str = "Your browser does not keep cookies for this shop, so it can neither fill a cart nor log \
    in. Allow cookies for this site in the browser's settings, then try again.";

/// The frame. Each template of a page has it as its field `page`.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The window's title, without the shop's name.
    pub title: String,
    /// A description for search engines.
    pub description: String,
    /// The absolute canonical URL; empty for pages that search engines should not list.
    pub canonical: String,
    /// The absolute URL of a picture for links to this page.
    pub picture: String,
    /// The user's name; empty for guests.
    pub name: String,
    /// The user's role; guests have none.
    pub role: Option<Role>,
    pub cart_count: u64,
    /// The value of the field `csrf` in each form.
    pub csrf: String,
    pub flash: Option<Flash>,
    /// The text in the search field.
    pub search: String,
    /// This page's path and query, to return to after a login.
    pub here: String,
    /// Whether products have buttons of features, which send a form of the layout.
    pub buttons: bool,
    /// Whether the caller may read the documentation of the API.
    pub api: bool,
}

impl Page {
    /// Sets the description for search engines.
    #[must_use]
    pub fn describe(mut self, text: &str) -> Self {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.description = line.chars().take(160).collect();
        self
    }

    /// Sets the text in the search field.
    #[must_use]
    pub fn searching(mut self, words: &str) -> Self {
        words.clone_into(&mut self.search);
        self
    }

    /// The URL of an asset; for templates.
    #[must_use]
    pub fn asset(&self, name: &str) -> &'static str {
        assets::url(name)
    }

    /// Whether a user is logged in.
    #[must_use]
    pub fn known(&self) -> bool {
        self.role.is_some()
    }

    #[must_use]
    pub fn buyer(&self) -> bool {
        self.role == Some(Role::User)
    }

    /// Whether there can be a cart: for buyers and guests.
    #[must_use]
    pub fn shops(&self) -> bool {
        matches!(self.role, None | Some(Role::User))
    }

    /// The features in the menu.
    pub fn features(&self) -> impl Iterator<Item = &'static dyn Feature> {
        FEATURES.iter().copied().filter(|feature| self.shops() && feature.label().is_some())
    }

    #[must_use]
    pub fn seller(&self) -> bool {
        matches!(self.role, Some(Role::Seller))
    }

    #[must_use]
    pub fn admin(&self) -> bool {
        self.role == Some(Role::Admin)
    }

    /// The path to return to, encoded for a query.
    #[must_use]
    pub fn next(&self) -> String {
        escape(&self.here)
    }
}

/// What is percent-encoded in the value of a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Percent-encodes a value for a query.
#[must_use]
pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// An error message as a sentence.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// A path of this shop that a login may redirect to, or else the home page.
#[must_use]
pub fn local(path: &str) -> &str {
    let fine = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 2_000
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !logs_out(path);
    if fine { path } else { "/" }
}

/// Whether the path may be one that logs out, by this or another way of writing it.
fn logs_out(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = percent_decode_str(path).decode_utf8_lossy();
    path.split(['/', '\\']).any(|segment| segment.trim().eq_ignore_ascii_case("logout"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_redirects_only_within_the_shop() {
        assert_eq!(local("/checkout?a=b"), "/checkout?a=b");
        for path in ["", "checkout", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "/ä"] {
            assert_eq!(local(path), "/", "{path}");
        }
        for path in [
            "/logout",
            "/logout?x=1",
            "/logout#x",
            "/logout/",
            "/api/auth/logout",
            "/%6cogout",
            "/LogOut",
            "/x/../logout",
            "/%2e%2e/logout",
            "/./api/auth//logout",
            "/api%2fauth%2flogout",
        ] {
            assert_eq!(local(path), "/", "{path}");
        }
        assert_eq!(local("/?q=logout"), "/?q=logout");
        assert_eq!(escape("/a?b=ä&c"), "/a%3Fb%3D%C3%A4%26c");
    }
}
