//! Forms that were sent after their session had ended: kept in the browser over the login.
//!
//! They are one signed cookie, in parts when it is long, and last for a quarter of an hour. Passwords and files
//! are not in it, and neither is what is too long, which is told. A form never takes the room of one that was
//! kept before it.
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
    problem::page_of,
};
use crate::http::{auth::cookie_of, tokens::Tokens};

/// The cookies, which are read one after the other.
const NAMES: [&str; 3] = ["kept", "kept_more", "kept_rest"];
/// The longest of one of them: browsers take 4,093 bytes with name and attributes. All three and the shop's
/// other cookies stay below the 16 KiB that load balancers take of a header.
const PART_MAX: usize = 3_900;
/// The longest text in all of them: beside it is its mark.
const TEXT_ROOM: usize = PART_MAX * NAMES.len() - MARK_MAX;
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
/// Room that no text takes, so that of a further form it can be remembered what was not kept.
const SPARE: usize = 1_000;
/// What the forms are for, by the beginning and the end of where they go.
const FORMS: [(&str, &str, &str); 9] = [
    ("/checkout", "", "the checkout"),
    ("/account/addresses", "", "an address"),
    ("/account/email", "", "an e-mail address"),
    ("/seller/products/new", "", "a new product"),
    ("/seller/products/", "", "a product"),
    ("/seller/orders/", "/ship", "a shipment"),
    ("/admin/payments/", "/refund", "a refund"),
    ("/admin/products/", "/take-down", "a product to take down"),
    ("/orders/", "/cancel", "a cancelled order"),
];

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
    /// What of a form is worth keeping. What still is as the page had it was not typed.
    #[must_use]
    pub fn of(action: &str, form: &Form) -> Self {
        let is_left = |name: &str| name == "csrf" || name.contains("password") || is_unchanged(form, base_of(name));
        let fields: Vec<_> = form.fields().iter().filter(|(name, _)| !is_left(name)).cloned().collect();
        let (csrf, had_files) = (form.text("csrf").to_owned(), !form.files.is_empty());
        Self { action: action.to_owned(), csrf, fields, left_out: vec![], had_files }
    }

    /// The same with as many of the shortest fields as there is room for beside `others`. A field and what it
    /// was rendered with go together.
    fn fitted(self, others: &[Self]) -> Self {
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
        let has_room = |kept: Self| {
            let all: Vec<Self> = others.iter().cloned().chain([kept]).collect();
            packed(&all).is_some_and(|text| text.len() + SPARE <= TEXT_ROOM)
        };
        // Each try packs everything, and a form may have hundreds of fields.
        let (mut fits, mut too_many) = (0, names.len() + 1);
        while too_many - fits > 1 {
            let tried = usize::midpoint(fits, too_many);
            if has_room(with(tried)) {
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
    fn is_something(&self) -> bool {
        self.has_typed() || !self.left_out.is_empty()
    }

    /// What to say to whoever has to log in first, with forms of before being kept as well.
    fn advice(&self, is_first: bool) -> String {
        let kept = if self.has_typed() { "; what you typed is kept" } else { "" };
        let mut said = format!("You are logged out. Log in to go on{kept}.");
        if !self.left_out.is_empty() {
            let beside = if is_first { "" } else { " beside what you typed before" };
            let left_out = self.left_out.join(", ");
            said.push_str(&format!(" Too long to be kept{beside}: {left_out}. Go back and copy it before you log in."));
        }
        if self.had_files {
            said.push_str(" Files are to be chosen again.");
        }
        said
    }

    /// What the form is for, and on which page it stands.
    fn place(&self) -> String {
        let is_it =
            |(start, end, _): &&(&str, &str, &str)| self.action.starts_with(start) && self.action.ends_with(end);
        let what = FORMS.iter().find(is_it).map_or("a form", |(.., what)| *what);
        format!("{what} ({})", page_of(&self.action))
    }

    /// The form as it was typed.
    #[must_use]
    pub fn form(&self) -> Form {
        Form::of(self.fields.iter().map(|(name, value)| (name.as_str(), value.clone())))
    }
}

/// The forms that are kept, the last one last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptForms(Vec<Kept>);

impl KeptForms {
    /// Keeps one more, as far as there is room. Says what to say to whoever has to log in first, and whether
    /// anything is to be kept.
    pub fn add(&mut self, form: Kept) -> (String, bool) {
        // Sent from the same page again: what was typed last counts.
        self.0.retain(|kept| (&kept.action, &kept.csrf) != (&form.action, &form.csrf));
        let is_first = self.0.is_empty();
        let form = form.fitted(&self.0);
        let (advice, is_something) = (form.advice(is_first), form.is_something());
        if is_something {
            self.0.push(form);
            if packed(&self.0).is_none() {
                self.0.pop();
            }
        }
        (advice, is_something)
    }

    /// Forgets those that may not be seen; whether there are any.
    pub fn retain(&mut self, may_see: impl Fn(&Kept) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(may_see);
        self.0.len() < before
    }

    /// The last one that goes to `action`.
    pub fn take(&mut self, action: &str) -> Option<Kept> {
        let at = self.0.iter().rposition(|kept| kept.action == action)?;
        Some(self.0.remove(at))
    }

    /// What to say after the login.
    #[must_use]
    pub fn welcome(&self) -> String {
        let typed: Vec<String> = self.0.iter().filter(|kept| kept.has_typed()).map(Kept::place).collect();
        let is_one = self.0.len() == 1;
        let mut said = match typed.as_slice() {
            [] => String::new(),
            [_] if is_one => " What you typed is still here; look at it, then send it again.".to_owned(),
            some => format!(" What you typed is still here, in {}. Look at it, then send it again.", some.join(", ")),
        };
        for kept in self.0.iter().filter(|kept| !kept.left_out.is_empty()) {
            let of = if is_one { String::new() } else { format!(" of {}", kept.place()) };
            said.push_str(&format!(" Too long to be kept{of}: {}.", kept.left_out.join(", ")));
        }
        said
    }

    /// The cookies that keep them; those of none are taken away.
    #[must_use]
    pub fn cookies(&self, tokens: &Tokens, secure: bool) -> Vec<Cookie<'static>> {
        let sealed = match packed(&self.0).filter(|_| !self.0.is_empty()) {
            Some(text) => format!("{}.{text}", tokens.mark(PURPOSE, &text)),
            None => String::new(),
        };
        let parts = sealed.as_bytes().chunks(PART_MAX).map(|part| std::str::from_utf8(part).unwrap_or_default());
        let parts = parts.chain(std::iter::repeat(""));
        NAMES.into_iter().zip(parts).map(|(name, part)| cookie(name, part, secure)).collect()
    }

    /// What the request's cookies keep.
    #[must_use]
    pub fn read(tokens: &Tokens, req: &HttpRequest) -> Self {
        Self::unsealed(tokens, req).unwrap_or_default()
    }

    fn unsealed(tokens: &Tokens, req: &HttpRequest) -> Option<Self> {
        let whole: String = NAMES.into_iter().filter_map(|name| cookie_of(req, name)).collect();
        let (mark, text) = whole.split_once('.')?;
        if !same(mark, &tokens.mark(PURPOSE, text)) {
            return None;
        }
        let mut json = Vec::new();
        let packed = BASE64.decode(text).ok()?;
        DeflateDecoder::new(packed.as_slice()).take(u64::try_from(TEXT_MAX).ok()?).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok().map(Self)
    }
}

/// Forms as the cookies have them, if there is room for them.
fn packed(forms: &[Kept]) -> Option<String> {
    let text = serde_json::to_vec(forms).ok().filter(|text| text.len() <= TEXT_MAX)?;
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&text).ok()?;
    let text = BASE64.encode(packer.finish().ok()?);
    (text.len() <= TEXT_ROOM).then_some(text)
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
        let kept = kept("/checkout", &typed);
        let cookies = kept.cookies(&tokens, true);
        assert!(cookies.iter().all(|cookie| cookie.value().len() <= PART_MAX && cookie.http_only() == Some(true)));
        let mut again = KeptForms::read(&tokens, &request(&cookies));
        assert_eq!(again, kept);
        let read = again.take("/checkout").expect("it is there");
        assert_eq!((read.csrf.as_str(), read.form().text("street")), ("a.b", "Müll & Söhne; 1"));
        assert_eq!(read.form().text("description"), long);
        assert!(!read.form().has("password") && !read.form().has("csrf"));
        let none = KeptForms::default();
        assert_eq!(KeptForms::read(&Tokens::new(b"another secret"), &request(&cookies)), none);
        assert!(again.cookies(&tokens, true).iter().all(|cookie| cookie.value().is_empty()), "taken once");
        for at in 0..cookies[0].value().len() {
            let mut changed = cookies.clone();
            let mut value: Vec<char> = changed[0].value().chars().collect();
            value[at] = if value[at] == 'x' { 'y' } else { 'x' };
            changed[0].set_value(value.into_iter().collect::<String>());
            assert_eq!(KeptForms::read(&tokens, &request(&changed)), none, "{at}");
        }
    }

    fn form(action: &str, fields: &[(&str, &str)]) -> Kept {
        Kept::of(action, &Form::of(fields.iter().map(|(name, value)| (*name, (*value).to_owned()))))
    }

    fn kept(action: &str, fields: &[(&str, &str)]) -> KeptForms {
        let mut kept = KeptForms::default();
        kept.add(form(action, fields));
        kept
    }

    fn noise(letters: usize) -> String {
        (0..letters).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect()
    }

    #[test]
    fn what_is_too_long_leaves_out_the_longest_and_is_told() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        // Also what takes little room, but is more than is read back.
        for long in [noise(20_000), "a".repeat(400_000)] {
            let fields = [("title", "Lamp"), ("description", &*long), ("descriptionSeen", "Old"), ("stock", "3")];
            let mut kept = KeptForms::default();
            let (advice, _) = kept.add(form("/x", &fields));
            assert!(advice.contains("what you typed is kept. Too long to be kept: description. Go back"), "{advice}");
            let cookies = kept.cookies(&tokens, false);
            assert!(cookies.iter().all(|cookie| cookie.to_string().len() <= 4_093));
            let mut read = KeptForms::read(&tokens, &request(&cookies));
            assert!(read.welcome().ends_with("send it again. Too long to be kept: description."));
            let read = read.take("/x").expect("it is there").form();
            assert_eq!((read.text("title"), read.text("stock")), ("Lamp", "3"));
            assert!(!read.has("description") && !read.has("descriptionSeen"));
        }
        let mut alone = KeptForms::default();
        let (advice, is_something) = alone.add(form("/x", &[("reason", &noise(20_000))]));
        assert!(!advice.contains("is kept") && advice.contains("Too long to be kept: reason."));
        assert!(is_something && !alone.welcome().contains("still here"));
        // As long as a description may be, in letters of three bytes.
        let hindi: String = (0..10_000).map(|_| char::from_u32(rand::random_range(0x915..=0x928)).unwrap()).collect();
        let cookies = kept("/x", &[("description", &hindi)]).cookies(&tokens, false);
        let read = KeptForms::read(&tokens, &request(&cookies)).take("/x").expect("it is there");
        assert_eq!(read.form().text("description"), hindi);
    }

    #[test]
    fn a_second_form_leaves_the_first_one_where_it_is() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        let new = "/seller/products/new";
        let mut kept = kept(new, &[("csrf", "a"), ("title", "Lamp")]);
        kept.add(form(new, &[("csrf", "b"), ("title", "Chair")]));
        kept.add(form("/seller/orders/1/ship", &[("csrf", "c"), ("tracking", "IN 42")]));
        // Sent from the first page again.
        kept.add(form(new, &[("csrf", "a"), ("title", "Torch")]));
        let mut read = KeptForms::read(&tokens, &request(&kept.cookies(&tokens, false)));
        assert_eq!(
            read.welcome(),
            " What you typed is still here, in a new product (/seller/products/new), a shipment (/seller/orders), \
             a new product (/seller/products/new). Look at it, then send it again."
        );
        let titles = [read.take(new), read.take(new)].map(|kept| kept.unwrap().form().text("title").to_owned());
        assert_eq!((titles, read.take(new)), (["Torch".to_owned(), "Chair".to_owned()], None));
        assert_eq!(read.welcome(), " What you typed is still here; look at it, then send it again.");
        assert!(read.retain(|kept| kept.csrf != "c") && read.take("/seller/orders/1/ship").is_none());
    }

    #[test]
    fn a_second_form_without_room_is_told_then_and_after_the_login() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        let mut beside = [0, 0];
        // As long as there is room for, and longer.
        for letters in (10_500..13_000).step_by(50) {
            let mut kept = kept("/checkout", &[("csrf", "a"), ("street", &noise(letters))]);
            let is_kept = kept.welcome().contains("still here");
            let (advice, _) = kept.add(form("/orders/1/cancel", &[("csrf", "b"), ("reason", &noise(9_000))]));
            let cookies = kept.cookies(&tokens, false);
            assert!(cookies.iter().all(|cookie| cookie.to_string().len() <= 4_093));
            let welcome = KeptForms::read(&tokens, &request(&cookies)).welcome();
            assert_eq!(welcome.contains("still here, in the checkout (/checkout)."), is_kept, "{letters}: {welcome}");
            let lost =
                if is_kept { "a cancelled order (/orders/1): reason." } else { "the checkout (/checkout): street." };
            assert!(welcome.ends_with(&format!("Too long to be kept of {lost}")), "{letters}: {welcome}");
            let told = "Too long to be kept beside what you typed before: reason. Go back";
            assert_eq!((advice.contains(told), advice.contains("is kept")), (is_kept, !is_kept), "{letters}: {advice}");
            beside[usize::from(is_kept)] += 1;
        }
        assert!(beside.iter().all(|count| *count > 5), "{beside:?}");
    }

    #[test]
    fn nothing_that_was_not_typed_is_said_to_be_kept() {
        let buttons: [&[(&str, &str)]; 4] = [
            &[("csrf", "a.b"), ("outcome", "success")],
            &[("csrf", "a.b")],
            &[("reason", " "), ("back", "desk")],
            &[("title", "Lamp"), ("titleSeen", "Lamp"), ("description", "a\r\nb"), ("descriptionSeen", "a\nb")],
        ];
        for fields in buttons {
            let mut kept = KeptForms::default();
            let told = kept.add(form("/x", fields));
            assert_eq!(told, ("You are logged out. Log in to go on.".to_owned(), false), "{fields:?}");
            assert_eq!(kept.welcome(), "", "{fields:?}");
        }
        for fields in [[("title", "Lamp"), ("titleSeen", "Torch")], [("title", ""), ("titleSeen", "Torch")]] {
            assert!(form("/x", &fields).is_something(), "{fields:?}");
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
