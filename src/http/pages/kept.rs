//! A form that was sent after its session had ended: kept in the browser over the login.
//!
//! It is a signed cookie, in two parts when it is long, and lasts for a quarter of an hour. Passwords and files
//! are not in it.
//!
//! **Invariant:** what one account typed is shown to no other.

use std::io::{Read, Write};

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Deserialize, Serialize};

use super::{cookies::same, form::Form};
use crate::http::{auth::cookie_of, tokens::Tokens};

/// The cookies, which are read one after the other.
const NAMES: [&str; 2] = ["kept", "kept_more"];
/// The longest of one of them.
const PART_MAX: usize = 3_600;
/// The most that is read back, in bytes.
const TEXT_MAX: u64 = 256 * 1024;
const LASTS: Duration = Duration::minutes(15);
const PURPOSE: &str = "kept form";

/// What was typed into a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where the form goes.
    pub action: String,
    /// The token of the form, which says whose it was.
    pub csrf: String,
    fields: Vec<(String, String)>,
    /// Whether files came with it, which are not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    had_files: bool,
}

impl Kept {
    /// What of a form can be kept.
    #[must_use]
    pub fn of(action: &str, form: &Form) -> Self {
        let secret = |name: &str| name == "csrf" || name.contains("password");
        let fields = form.fields().iter().filter(|(name, _)| !secret(name)).cloned().collect();
        let had_files = !form.files.is_empty();
        Self { action: action.to_owned(), csrf: form.text("csrf").to_owned(), fields, had_files }
    }

    /// What to say to whoever has to log in first.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match (self.fields.iter().all(|(_, value)| value.trim().is_empty()), self.had_files) {
            (true, false) => "You are logged out. Log in to go on.",
            (true, true) => "You are logged out. Log in to go on, and choose the file again.",
            (false, false) => "You are logged out. Log in to go on; what you typed is kept.",
            (false, true) => {
                "You are logged out. Log in to go on; what you typed is kept, files are to be chosen again."
            }
        }
    }

    /// The form as it was typed.
    #[must_use]
    pub fn form(&self) -> Form {
        Form::of(self.fields.iter().map(|(name, value)| (name.as_str(), value.clone())))
    }

    /// The cookies that keep it; of what is too long the longest fields are left out.
    #[must_use]
    pub fn cookies(mut self, tokens: &Tokens, secure: bool) -> Vec<Cookie<'static>> {
        let mut sealed = self.sealed(tokens);
        while sealed.len() > PART_MAX * NAMES.len() && !self.fields.is_empty() {
            let longest = (0..self.fields.len()).max_by_key(|at| self.fields.get(*at).map(|(_, value)| value.len()));
            self.fields.remove(longest.unwrap_or_default());
            sealed = self.sealed(tokens);
        }
        let (first, rest) = sealed.split_at(sealed.len().min(PART_MAX));
        let rest = if rest.len() > PART_MAX { "" } else { rest };
        NAMES.into_iter().zip([first, rest]).map(|(name, part)| cookie(name, part, secure)).collect()
    }

    fn sealed(&self, tokens: &Tokens) -> String {
        let packed = serde_json::to_vec(self).ok().and_then(|text| {
            let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
            packer.write_all(&text).ok()?;
            packer.finish().ok()
        });
        let text = BASE64.encode(packed.unwrap_or_default());
        let mark = tokens.mark(PURPOSE, &text);
        format!("{mark}.{text}")
    }

    /// What the request's cookies keep.
    #[must_use]
    pub fn read(tokens: &Tokens, req: &HttpRequest) -> Option<Self> {
        let whole: String = NAMES.into_iter().filter_map(|name| cookie_of(req, name)).collect();
        let (mark, text) = whole.split_once('.')?;
        if !same(mark, &tokens.mark(PURPOSE, text)) {
            return None;
        }
        let mut json = Vec::new();
        DeflateDecoder::new(BASE64.decode(text).ok()?.as_slice()).take(TEXT_MAX).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// The cookies that take it away.
    #[must_use]
    pub fn removal(secure: bool) -> Vec<Cookie<'static>> {
        NAMES.into_iter().map(|name| cookie(name, "", secure)).collect()
    }
}

/// One of the cookies; an empty one is taken away.
fn cookie(name: &'static str, value: &str, secure: bool) -> Cookie<'static> {
    let built = Cookie::build(name, value.to_owned()).path("/").http_only(true).same_site(SameSite::Lax);
    let mut cookie = built.secure(secure).max_age(LASTS).finish();
    if value.is_empty() {
        cookie.make_removal();
    }
    cookie
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn request(cookies: &[Cookie<'_>]) -> HttpRequest {
        let line = cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect::<Vec<_>>();
        TestRequest::get().insert_header(("cookie", line.join("; "))).to_http_request()
    }

    #[test]
    fn what_was_typed_comes_back_but_for_secrets() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        let long = "A long description. ".repeat(300);
        let typed = [("csrf", "a.b"), ("street", "Müll & Söhne; 1"), ("password", "secret"), ("description", &long)];
        let kept = Kept::of("/checkout", &Form::of(typed.map(|(name, value)| (name, value.to_owned()))));
        let cookies = kept.clone().cookies(&tokens, true);
        assert!(cookies.iter().all(|cookie| cookie.value().len() <= PART_MAX && cookie.http_only() == Some(true)));
        let read = Kept::read(&tokens, &request(&cookies)).expect("it is read");
        assert_eq!((&read, read.csrf.as_str()), (&kept, "a.b"));
        assert_eq!(read.form().text("street"), "Müll & Söhne; 1");
        assert_eq!(read.form().text("description"), long);
        assert!(!read.form().has("password") && !read.form().has("csrf"));
        assert_eq!(Kept::read(&Tokens::new(b"another secret"), &request(&cookies)), None);
        for at in 0..cookies[0].value().len() {
            let mut changed = cookies.clone();
            let mut value: Vec<char> = changed[0].value().chars().collect();
            value[at] = if value[at] == 'x' { 'y' } else { 'x' };
            changed[0].set_value(value.into_iter().collect::<String>());
            assert_eq!(Kept::read(&tokens, &request(&changed)), None, "{at}");
        }
    }

    #[test]
    fn what_is_too_long_leaves_out_the_longest() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        let noise: String = (0..20_000).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect();
        let kept = Kept::of("/x", &Form::of([("title", "Lamp".to_owned()), ("description", noise)]));
        let read = Kept::read(&tokens, &request(&kept.cookies(&tokens, false))).expect("it is read");
        assert_eq!((read.form().text("title"), read.form().has("description")), ("Lamp", false));
    }
}
