//! A form that was sent after its session had ended: kept in the browser over the login.
//!
//! It is a signed cookie, in parts when it is long, and lasts for a quarter of an hour. Passwords and files
//! are not in it, and neither is what is too long, which is told.
//!
//! **Invariant:** what one account typed is shown to no other; what is said to be kept is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
};

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Deserialize, Serialize};

use super::{
    cookies::same,
    form::{Form, seen_name},
};
use crate::http::{auth::cookie_of, tokens::Tokens};

/// The cookies, which are read one after the other.
const NAMES: [&str; 3] = ["kept", "kept_more", "kept_rest"];
/// The longest of one of them: browsers take 4,093 bytes with name and attributes. All three and the shop's
/// other cookies stay below the 16 KiB that load balancers take of a header.
const PART_MAX: usize = 3_900;
/// The most that is read back, in bytes.
const TEXT_MAX: usize = 256 * 1024;
/// The fields that people type into, and what they are called.
const TYPED: [(&str, &str); 17] = [
    ("title", "title"),
    ("description", "description"),
    ("price", "price"),
    ("stock", "stock"),
    ("category", "category"),
    ("maxPerOrder", "most in one order"),
    ("full_name", "full name"),
    ("phone", "phone"),
    ("street", "street"),
    ("city", "city"),
    ("state", "state"),
    ("zip", "ZIP code"),
    ("country", "country"),
    ("email", "e-mail"),
    ("reason", "reason"),
    ("tracking", "tracking number"),
    ("amount", "amount"),
];
const LASTS: Duration = Duration::minutes(15);
const PURPOSE: &str = "kept form";
/// Room for the mark and the dot after it.
const MARK_MAX: usize = 65;

/// What was typed into a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where the form goes.
    pub action: String,
    /// The token of the form, which says whose it was.
    pub csrf: String,
    fields: Vec<(String, String)>,
    /// What was typed and is too long to be kept, as it is called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// Whether files came with it, which are not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    had_files: bool,
}

impl Kept {
    /// What of a form can be kept. What still is as the page had it was not typed.
    #[must_use]
    pub fn of(action: &str, form: &Form) -> Self {
        let is_left = |name: &str| name == "csrf" || name.contains("password") || is_unchanged(form, base_of(name));
        let fields: Vec<_> = form.fields().iter().filter(|(name, _)| !is_left(name)).cloned().collect();
        let (csrf, had_files) = (form.text("csrf").to_owned(), !form.files.is_empty());
        Self { action: action.to_owned(), csrf, fields, left_out: vec![], had_files }.fitted()
    }

    /// The same with as many of the shortest fields as there is room for. A field and what it was rendered with
    /// go together.
    fn fitted(self) -> Self {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, value) in &self.fields {
            *sizes.entry(base_of(name)).or_default() += name.len() + value.len();
        }
        let mut names: Vec<(usize, &str)> = sizes.into_iter().map(|(name, size)| (size, name)).collect();
        names.sort_unstable();
        let with = |count: usize| {
            let (kept, rest) = names.split_at(count.min(names.len()));
            let kept: BTreeSet<&str> = kept.iter().map(|(_, name)| *name).collect();
            let left_out = rest.iter().filter_map(|(_, name)| called(name)).map(str::to_owned).collect();
            let fields = self.fields.iter().filter(|(name, _)| kept.contains(base_of(name))).cloned().collect();
            Self { fields, left_out, ..self.clone() }
        };
        // Each try packs everything, and a form may have hundreds of fields.
        let (mut fits, mut too_many) = (0, names.len() + 1);
        while too_many - fits > 1 {
            let tried = usize::midpoint(fits, too_many);
            if with(tried).packed().is_some() {
                fits = tried;
            } else {
                too_many = tried;
            }
        }
        with(fits)
    }

    /// Whether there is something that was typed.
    fn has_typed(&self) -> bool {
        self.fields.iter().any(|(name, value)| {
            let has_seen = || self.fields.iter().any(|(found, _)| *found == seen_name(name));
            called(name).is_some() && (!value.trim().is_empty() || has_seen())
        })
    }

    /// Whether it is worth a cookie.
    #[must_use]
    pub fn is_something(&self) -> bool {
        self.has_typed() || !self.left_out.is_empty()
    }

    /// What to say to whoever has to log in first.
    #[must_use]
    pub fn advice(&self) -> String {
        let kept = if self.has_typed() { "; what you typed is kept" } else { "" };
        let mut said = format!("You are logged out. Log in to go on{kept}.");
        if !self.left_out.is_empty() {
            said.push_str(&format!("{} Go back and copy it before you log in.", self.lost()));
        }
        if self.had_files {
            said.push_str(" Files are to be chosen again.");
        }
        said
    }

    /// What to say after the login.
    #[must_use]
    pub fn welcome(&self) -> String {
        let kept = match self.has_typed() {
            true => " What you typed is still here; look at it, then send it again.",
            false => "",
        };
        format!("{kept}{}", self.lost())
    }

    fn lost(&self) -> String {
        match self.left_out.is_empty() {
            true => String::new(),
            false => format!(" Too long to be kept: {}.", self.left_out.join(", ")),
        }
    }

    /// The form as it was typed.
    #[must_use]
    pub fn form(&self) -> Form {
        Form::of(self.fields.iter().map(|(name, value)| (name.as_str(), value.clone())))
    }

    /// The cookies that keep it.
    #[must_use]
    pub fn cookies(&self, tokens: &Tokens, secure: bool) -> Vec<Cookie<'static>> {
        let text = self.packed().unwrap_or_default();
        let sealed = format!("{}.{text}", tokens.mark(PURPOSE, &text));
        let parts = sealed.as_bytes().chunks(PART_MAX).map(|part| std::str::from_utf8(part).unwrap_or_default());
        let parts = parts.chain(std::iter::repeat(""));
        NAMES.into_iter().zip(parts).map(|(name, part)| cookie(name, part, secure)).collect()
    }

    /// As the cookies have it, if there is room for it.
    fn packed(&self) -> Option<String> {
        let text = serde_json::to_vec(self).ok().filter(|text| text.len() <= TEXT_MAX)?;
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&text).ok()?;
        let text = BASE64.encode(packer.finish().ok()?);
        // Beside the text is its mark.
        (text.len() + MARK_MAX <= PART_MAX * NAMES.len()).then_some(text)
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
        let packed = BASE64.decode(text).ok()?;
        DeflateDecoder::new(packed.as_slice()).take(u64::try_from(TEXT_MAX).ok()?).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// The cookies that take it away.
    #[must_use]
    pub fn removal(secure: bool) -> Vec<Cookie<'static>> {
        NAMES.into_iter().map(|name| cookie(name, "", secure)).collect()
    }
}

/// What a field that people type into is called.
fn called(name: &str) -> Option<&'static str> {
    TYPED.iter().find(|(typed, _)| *typed == name).map(|(_, called)| *called)
}

/// A field's name, also of the hidden one that has what it was rendered with.
fn base_of(name: &str) -> &str {
    name.strip_suffix("Seen").unwrap_or(name)
}

/// Whether a field is as the page had it.
fn is_unchanged(form: &Form, name: &str) -> bool {
    // Browsers send line ends in two characters.
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    form.has(name) && form.seen(name).is_some_and(|seen| plain(seen) == plain(form.text(name)))
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
        let cookies = kept.cookies(&tokens, true);
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

    fn noise(letters: usize) -> String {
        (0..letters).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect()
    }

    #[test]
    fn what_is_too_long_leaves_out_the_longest_and_is_told() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        // Also what takes little room, but is more than is read back.
        for long in [noise(20_000), "a".repeat(400_000)] {
            let fields = [("title", "Lamp"), ("description", &long), ("descriptionSeen", "Old"), ("stock", "3")];
            let kept = Kept::of("/x", &Form::of(fields.map(|(name, value)| (name, value.to_owned()))));
            let cookies = kept.cookies(&tokens, false);
            assert!(cookies.iter().all(|cookie| cookie.to_string().len() <= 4_093));
            let read = Kept::read(&tokens, &request(&cookies)).expect("it is read");
            assert_eq!((read.form().text("title"), read.form().text("stock")), ("Lamp", "3"));
            assert!(!read.form().has("description") && !read.form().has("descriptionSeen"));
            assert!(read.advice().contains("what you typed is kept. Too long to be kept: description. Go back"));
            assert!(read.welcome().ends_with("send it again. Too long to be kept: description."));
        }
        let alone = Kept::of("/x", &Form::of([("reason", noise(20_000))]));
        assert!(!alone.advice().contains("is kept") && alone.advice().contains("Too long to be kept: reason."));
        assert!(alone.is_something() && !alone.welcome().contains("still here"));
        // As long as a description may be, in letters of three bytes.
        let hindi: String = (0..10_000).map(|_| char::from_u32(rand::random_range(0x915..=0x928)).unwrap()).collect();
        let kept = Kept::of("/x", &Form::of([("description", hindi.clone())]));
        let read = Kept::read(&tokens, &request(&kept.cookies(&tokens, false))).expect("it is read");
        assert_eq!(read.form().text("description"), hindi);
    }

    #[test]
    fn nothing_that_was_not_typed_is_said_to_be_kept() {
        let of = |fields: &[(&str, &str)]| {
            Kept::of("/x", &Form::of(fields.iter().map(|(name, value)| (*name, (*value).to_owned()))))
        };
        let buttons: [&[(&str, &str)]; 4] = [
            &[("csrf", "a.b"), ("outcome", "success")],
            &[("csrf", "a.b")],
            &[("reason", " "), ("back", "desk")],
            &[("title", "Lamp"), ("titleSeen", "Lamp"), ("description", "a\r\nb"), ("descriptionSeen", "a\nb")],
        ];
        for fields in buttons {
            let kept = of(fields);
            assert_eq!(kept.advice(), "You are logged out. Log in to go on.", "{fields:?}");
            assert_eq!((kept.is_something(), kept.welcome()), (false, String::new()), "{fields:?}");
        }
        for fields in [[("title", "Lamp"), ("titleSeen", "Torch")], [("title", ""), ("titleSeen", "Torch")]] {
            assert!(of(&fields).is_something(), "{fields:?}");
        }
    }

    /// Every field of a page that is typed into is in the list of those.
    #[test]
    fn all_that_people_type_into_is_known() {
        let mut fields = vec![];
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/templates"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                    continue;
                }
                let page = std::fs::read_to_string(&entry).unwrap();
                let posted =
                    page.split("<form").filter(|form| form.contains("method=\"post\"") || !form.contains(" action="));
                for tag in posted.flat_map(|form| form.split(['<', '{'])) {
                    let is_call = ["% call forms::input(form, ", "% call forms::area(form, ", "% call input(form, "];
                    let call = is_call.iter().find_map(|call| tag.strip_prefix(call));
                    let is_typed = tag.starts_with("textarea")
                        || tag.starts_with("input") && {
                            let fixed = ["hidden", "radio", "checkbox", "file", "search"];
                            !fixed.iter().any(|kind| tag.contains(&format!("type=\"{kind}\"")))
                        };
                    let plain = if is_typed { tag.split(" name=").nth(1) } else { None };
                    fields.extend(call.or(plain).and_then(|rest| rest.split('"').nth(1)).map(str::to_owned));
                }
            }
        }
        // What fills a cart or begins a session needs no login, a password is not kept, and the chat is no form.
        let others = ["quantity", "username", "first_name", "last_name", "password", "message"];
        assert!(fields.len() > 20, "{fields:?}");
        fields.retain(|name| called(name).is_none() && !others.contains(&name.as_str()));
        assert_eq!(fields, Vec::<String>::new());
    }
}
