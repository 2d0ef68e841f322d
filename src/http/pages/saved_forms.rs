//! Forms that were sent after their session had ended: saved in the browser until the user has logged in.
//!
//! They are stored in one signed value, split over several cookies when it is long, for a quarter of an hour.
//! Passwords, files and fields that are too long are not saved; the user is told which. A form never displaces one
//! that was saved before it.
//!
//! **Invariant:** no account sees what another account typed, and a form that the message calls kept is kept.

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
    error_page::page_of,
    form::{Form, is_secret, seen_name},
};
use crate::{actors::tokens::Tokens, http::auth::cookie_of};

/// The cookies, whose values are concatenated.
const NAMES: [&str; 3] = ["kept", "kept_more", "kept_rest"];
/// The longest value of one cookie: browsers accept 4,093 bytes with name and attributes. All three and the shop's
/// other cookies stay below the 16 KiB that load balancers accept as a header.
const PART_MAX: usize = 3_900;
/// The longest text in all of them, without the signature.
const TEXT_ROOM: usize = PART_MAX * NAMES.len() - MARK_MAX;
/// The most bytes that are decompressed.
const TEXT_MAX: usize = 256 * 1024;
/// The fields that users type into, with their labels.
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
/// Room for the signature and the dot after it.
const MARK_MAX: usize = 65;
/// Room that is reserved, so that the names of fields that a later form loses can be stored.
const SPARE: usize = 1_000;
/// What the forms are for, by the start and the end of their action.
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

/// The fields that a user typed into a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedForm {
    /// The form's action.
    pub action: String,
    /// The form's token, which says whose form it was.
    pub csrf: String,
    fields: Vec<(String, String)>,
    /// The labels of the fields that were too long to be saved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// Whether it had files, which are not saved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    had_files: bool,
}

impl SavedForm {
    /// The fields of a form that are worth saving. A field that still has the value that the page had was not typed.
    #[must_use]
    pub fn of(action: &str, form: &Form) -> Self {
        let is_left = |name: &str| name == "csrf" || is_secret(name) || is_unchanged(form, base_of(name));
        let fields: Vec<_> = form.fields().iter().filter(|(name, _)| !is_left(name)).cloned().collect();
        let (csrf, had_files) = (form.text("csrf").to_owned(), !form.files.is_empty());
        Self { action: action.to_owned(), csrf, fields, left_out: vec![], had_files }
    }

    /// The same form with as many of the shortest fields as fit beside `others`. A field and its hidden field stay
    /// together.
    fn truncated_to_fit(self, others: &[Self]) -> Self {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, value) in &self.fields {
            *sizes.entry(base_of(name)).or_default() += name.len() + value.len();
        }
        let mut names: Vec<(usize, &str)> = sizes.into_iter().map(|(name, size)| (size, name)).collect();
        names.sort_unstable();
        let with = |count: usize| {
            let (kept, rest) = names.split_at(count.min(names.len()));
            let kept: BTreeSet<&str> = kept.iter().map(|(_, name)| *name).collect();
            let left_out = rest.iter().filter_map(|(_, name)| label(name)).map(str::to_owned).collect();
            let fields = self.fields.iter().filter(|(name, _)| kept.contains(base_of(name))).cloned().collect();
            Self { fields, left_out, ..self.clone() }
        };
        let has_room = |kept: Self| {
            let all: Vec<Self> = others.iter().cloned().chain([kept]).collect();
            compressed(&all).is_some_and(|text| text.len() + SPARE <= TEXT_ROOM)
        };
        // Each attempt compresses everything, and a form may have hundreds of fields.
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

    /// Whether the user typed anything.
    fn has_typed(&self) -> bool {
        self.fields.iter().any(|(name, value)| {
            let has_seen = || self.fields.iter().any(|(found, _)| *found == seen_name(name));
            label(name).is_some() && (!value.trim().is_empty() || has_seen())
        })
    }

    /// Whether there is anything to store.
    fn is_worth_saving(&self) -> bool {
        self.has_typed() || !self.left_out.is_empty()
    }

    /// The message for the login page; unless `is_first`, other forms are saved as well.
    fn login_message(&self, is_first: bool) -> String {
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

    /// The form's purpose and its page.
    fn description(&self) -> String {
        let is_it =
            |(start, end, _): &&(&str, &str, &str)| self.action.starts_with(start) && self.action.ends_with(end);
        let what = FORMS.iter().find(is_it).map_or("a form", |(.., what)| *what);
        format!("{what} ({})", page_of(&self.action))
    }

    /// The form as the user typed it.
    #[must_use]
    pub fn form(&self) -> Form {
        Form::of(self.fields.iter().map(|(name, value)| (name.as_str(), value.clone())))
    }
}

/// The saved forms, newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedForms(Vec<SavedForm>);

impl SavedForms {
    /// Saves one more form as far as there is room. Returns the message for the login page, and whether anything was
    /// to be saved.
    pub fn add(&mut self, form: SavedForm) -> (String, bool) {
        // The same page was sent again: what was typed last counts.
        self.0.retain(|kept| (&kept.action, &kept.csrf) != (&form.action, &form.csrf));
        let is_first = self.0.is_empty();
        let form = form.truncated_to_fit(&self.0);
        let (login_message, is_worth_saving) = (form.login_message(is_first), form.is_worth_saving());
        if is_worth_saving {
            self.0.push(form);
            if compressed(&self.0).is_none() {
                self.0.pop();
            }
        }
        (login_message, is_worth_saving)
    }

    /// Removes the forms that may not be seen; returns whether there were any.
    pub fn retain(&mut self, may_see: impl Fn(&SavedForm) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(may_see);
        self.0.len() < before
    }

    /// The newest form for `action`.
    pub fn take(&mut self, action: &str) -> Option<SavedForm> {
        let at = self.0.iter().rposition(|kept| kept.action == action)?;
        Some(self.0.remove(at))
    }

    /// The message after the login.
    #[must_use]
    pub fn after_login_message(&self) -> String {
        let typed: Vec<String> = self.0.iter().filter(|kept| kept.has_typed()).map(SavedForm::description).collect();
        let is_one = self.0.len() == 1;
        let mut said = match typed.as_slice() {
            [] => String::new(),
            [_] if is_one => " What you typed is still here; look at it, then send it again.".to_owned(),
            some => format!(" What you typed is still here, in {}. Look at it, then send it again.", some.join(", ")),
        };
        for kept in self.0.iter().filter(|kept| !kept.left_out.is_empty()) {
            let of = if is_one { String::new() } else { format!(" of {}", kept.description()) };
            said.push_str(&format!(" Too long to be kept{of}: {}.", kept.left_out.join(", ")));
        }
        said
    }

    /// The cookies that store the forms; unused cookies are removed.
    #[must_use]
    pub fn cookies(&self, tokens: &Tokens, secure: bool) -> Vec<Cookie<'static>> {
        let sealed = match compressed(&self.0).filter(|_| !self.0.is_empty()) {
            Some(text) => format!("{}.{text}", tokens.mark(PURPOSE, &text)),
            None => String::new(),
        };
        let parts = sealed.as_bytes().chunks(PART_MAX).map(|part| std::str::from_utf8(part).unwrap_or_default());
        let parts = parts.chain(std::iter::repeat(""));
        NAMES.into_iter().zip(parts).map(|(name, part)| cookie(name, part, secure)).collect()
    }

    /// The forms in the request's cookies.
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
        let compressed = BASE64.decode(text).ok()?;
        DeflateDecoder::new(compressed.as_slice()).take(u64::try_from(TEXT_MAX).ok()?).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok().map(Self)
    }
}

/// The compressed forms, if they fit into the cookies.
fn compressed(forms: &[SavedForm]) -> Option<String> {
    let text = serde_json::to_vec(forms).ok().filter(|text| text.len() <= TEXT_MAX)?;
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&text).ok()?;
    let text = BASE64.encode(packer.finish().ok()?);
    (text.len() <= TEXT_ROOM).then_some(text)
}

/// The label of a field that users type into.
fn label(name: &str) -> Option<&'static str> {
    TYPED.iter().find(|(typed, _)| *typed == name).map(|(_, label)| *label)
}

/// The name of a field; also for its hidden field.
fn base_of(name: &str) -> &str {
    name.strip_suffix("Seen").unwrap_or(name)
}

/// Whether a field has the value that the page had.
fn is_unchanged(form: &Form, name: &str) -> bool {
    // Browsers send line breaks as two characters.
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    form.has(name) && form.seen(name).is_some_and(|seen| plain(seen) == plain(form.text(name)))
}

/// One of the cookies; an empty value removes it.
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
    fn typed_fields_are_restored_except_passwords() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        let long = "A long description. ".repeat(300);
        let typed = [("csrf", "a.b"), ("street", "Müll & Söhne; 1"), ("password", "secret"), ("description", &long)];
        let kept = kept("/checkout", &typed);
        let cookies = kept.cookies(&tokens, true);
        assert!(cookies.iter().all(|cookie| cookie.value().len() <= PART_MAX && cookie.http_only() == Some(true)));
        let mut again = SavedForms::read(&tokens, &request(&cookies));
        assert_eq!(again, kept);
        let read = again.take("/checkout").expect("it is there");
        assert_eq!((read.csrf.as_str(), read.form().text("street")), ("a.b", "Müll & Söhne; 1"));
        assert_eq!(read.form().text("description"), long);
        assert!(!read.form().has("password") && !read.form().has("csrf"));
        let none = SavedForms::default();
        assert_eq!(SavedForms::read(&Tokens::new(b"another secret"), &request(&cookies)), none);
        assert!(again.cookies(&tokens, true).iter().all(|cookie| cookie.value().is_empty()), "taken once");
        for at in 0..cookies[0].value().len() {
            let mut changed = cookies.clone();
            let mut value: Vec<char> = changed[0].value().chars().collect();
            value[at] = if value[at] == 'x' { 'y' } else { 'x' };
            changed[0].set_value(value.into_iter().collect::<String>());
            assert_eq!(SavedForms::read(&tokens, &request(&changed)), none, "{at}");
        }
    }

    fn form(action: &str, fields: &[(&str, &str)]) -> SavedForm {
        SavedForm::of(action, &Form::of(fields.iter().map(|(name, value)| (*name, (*value).to_owned()))))
    }

    fn kept(action: &str, fields: &[(&str, &str)]) -> SavedForms {
        let mut kept = SavedForms::default();
        kept.add(form(action, fields));
        kept
    }

    fn noise(letters: usize) -> String {
        (0..letters).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect()
    }

    #[test]
    fn the_longest_fields_are_left_out_and_reported() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        // A text that compresses well, but is longer than the decompression limit.
        for long in [noise(20_000), "a".repeat(400_000)] {
            let fields = [("title", "Lamp"), ("description", &*long), ("descriptionSeen", "Old"), ("stock", "3")];
            let mut kept = SavedForms::default();
            let (login_message, _) = kept.add(form("/x", &fields));
            assert!(
                login_message.contains("what you typed is kept. Too long to be kept: description. Go back"),
                "{login_message}"
            );
            let cookies = kept.cookies(&tokens, false);
            assert!(cookies.iter().all(|cookie| cookie.to_string().len() <= 4_093));
            let mut read = SavedForms::read(&tokens, &request(&cookies));
            assert!(read.after_login_message().ends_with("send it again. Too long to be kept: description."));
            let read = read.take("/x").expect("it is there").form();
            assert_eq!((read.text("title"), read.text("stock")), ("Lamp", "3"));
            assert!(!read.has("description") && !read.has("descriptionSeen"));
        }
        let mut alone = SavedForms::default();
        let (login_message, is_worth_saving) = alone.add(form("/x", &[("reason", &noise(20_000))]));
        assert!(!login_message.contains("is kept") && login_message.contains("Too long to be kept: reason."));
        assert!(is_worth_saving && !alone.after_login_message().contains("still here"));
        // A description of the maximum length, in characters of three bytes, with no less in each than a text has.
        let hindi: String = (0..10_000).map(|_| char::from_u32(rand::random_range(0x915..=0x924)).unwrap()).collect();
        let cookies = kept("/x", &[("description", &hindi)]).cookies(&tokens, false);
        let read = SavedForms::read(&tokens, &request(&cookies)).take("/x").expect("it is there");
        assert_eq!(read.form().text("description"), hindi);
    }

    #[test]
    fn a_second_form_does_not_displace_the_first() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        let new = "/seller/products/new";
        let mut kept = kept(new, &[("csrf", "a"), ("title", "Lamp")]);
        kept.add(form(new, &[("csrf", "b"), ("title", "Chair")]));
        kept.add(form("/seller/orders/1/ship", &[("csrf", "c"), ("tracking", "IN 42")]));
        // The first page is sent again.
        kept.add(form(new, &[("csrf", "a"), ("title", "Torch")]));
        let mut read = SavedForms::read(&tokens, &request(&kept.cookies(&tokens, false)));
        assert_eq!(
            read.after_login_message(),
            " What you typed is still here, in a new product (/seller/products/new), a shipment (/seller/orders), \
             a new product (/seller/products/new). Look at it, then send it again."
        );
        let titles = [read.take(new), read.take(new)].map(|kept| kept.unwrap().form().text("title").to_owned());
        assert_eq!((titles, read.take(new)), (["Torch".to_owned(), "Chair".to_owned()], None));
        assert_eq!(read.after_login_message(), " What you typed is still here; look at it, then send it again.");
        assert!(read.retain(|kept| kept.csrf != "c") && read.take("/seller/orders/1/ship").is_none());
    }

    #[test]
    fn a_second_form_without_room_is_reported_before_and_after_the_login() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        let mut beside = [0, 0];
        // As long as there is room for, and longer.
        for letters in (10_500..13_000).step_by(50) {
            let mut kept = kept("/checkout", &[("csrf", "a"), ("street", &noise(letters))]);
            let is_kept = kept.after_login_message().contains("still here");
            let (login_message, _) = kept.add(form("/orders/1/cancel", &[("csrf", "b"), ("reason", &noise(9_000))]));
            let cookies = kept.cookies(&tokens, false);
            assert!(cookies.iter().all(|cookie| cookie.to_string().len() <= 4_093));
            let after_login_message = SavedForms::read(&tokens, &request(&cookies)).after_login_message();
            assert_eq!(
                after_login_message.contains("still here, in the checkout (/checkout)."),
                is_kept,
                "{letters}: {after_login_message}"
            );
            let lost =
                if is_kept { "a cancelled order (/orders/1): reason." } else { "the checkout (/checkout): street." };
            assert!(
                after_login_message.ends_with(&format!("Too long to be kept of {lost}")),
                "{letters}: {after_login_message}"
            );
            let expected = "Too long to be kept beside what you typed before: reason. Go back";
            assert_eq!(
                (login_message.contains(expected), login_message.contains("is kept")),
                (is_kept, !is_kept),
                "{letters}: {login_message}"
            );
            beside[usize::from(is_kept)] += 1;
        }
        assert!(beside.iter().all(|count| *count > 5), "{beside:?}");
    }

    #[test]
    fn unchanged_fields_are_not_reported_as_kept() {
        let buttons: [&[(&str, &str)]; 4] = [
            &[("csrf", "a.b"), ("outcome", "success")],
            &[("csrf", "a.b")],
            &[("reason", " "), ("back", "dashboard")],
            &[("title", "Lamp"), ("titleSeen", "Lamp"), ("description", "a\r\nb"), ("descriptionSeen", "a\nb")],
        ];
        for fields in buttons {
            let mut kept = SavedForms::default();
            let expected = kept.add(form("/x", fields));
            assert_eq!(expected, ("You are logged out. Log in to go on.".to_owned(), false), "{fields:?}");
            assert_eq!(kept.after_login_message(), "", "{fields:?}");
        }
        for fields in [[("title", "Lamp"), ("titleSeen", "Torch")], [("title", ""), ("titleSeen", "Torch")]] {
            assert!(form("/x", &fields).is_worth_saving(), "{fields:?}");
        }
    }

    /// Every field of a page that users type into is in `TYPED`.
    #[test]
    fn every_field_that_users_type_into_is_listed() {
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
        // Adding to a cart and starting a session need no login, a secret is not saved, and the chat is not a form.
        let others = ["quantity", "username", "first_name", "last_name", "message", "for"];
        assert!(fields.len() > 20, "{fields:?}");
        fields.retain(|name| !is_secret(name) && label(name).is_none() && !others.contains(&name.as_str()));
        assert_eq!(fields, Vec::<String>::new());
    }
}
