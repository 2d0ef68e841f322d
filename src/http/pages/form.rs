//! Forms as browsers send them, urlencoded or multipart, and the errors of their fields.
//!
//! **Invariant:** a handler that takes a [`FormRequest`] gets a form of a page of this shop, sent by the user or
//! guest who got that page; forms that are harmless for any account may come from any session of the browser.

use std::time::Duration;

use actix_multipart::{Field, Multipart};
use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::StatusCode,
    web::{self, Bytes},
};
use bytes::BytesMut;
use futures_util::future::LocalBoxFuture;

use super::{
    context::{self, FormTokenState, PageContext},
    page::sentence,
    saved_forms::SavedForm,
};
use crate::domain::text::trim_invisible;
use crate::http::{
    csrf,
    error::{ApiError, FieldError},
    extract::{Unfinished, has_media_type, next_piece, read_body},
    features::{self, FEATURES},
    query,
};

/// The most fields of a form.
const FIELDS_MAX: usize = 300;
/// The largest form without files, and the most text of one with files.
const TEXT_MAX: usize = 512 * 1024;
/// The most files of a form.
const FILES_MAX: usize = 6;
/// The largest file.
const FILE_MAX: usize = 5 * 1024 * 1024;
/// How many bytes of a form with files are read. A file that is too large is read and dropped, so that the form can
/// be shown again with what the user typed.
const READ_MAX: usize = 100 * 1024 * 1024;
/// How long a form with files may take to arrive.
const DEADLINE: Duration = Duration::from_secs(120);

const OUT_OF_DATE: ApiError = ApiError::Forbidden {
    code: "request.csrf",
    message: "this form is out of date; go back, reload the page and try again",
};

/// The form's page was opened for another account; the page is shown again.
pub(super) const OTHER_ACCOUNT: ApiError = ApiError::Forbidden {
    code: "request.other_account",
    message: "this page was opened for another account; nothing was changed",
};

/// A file in a form.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The field.
    pub field: String,
    /// The file's name, from the browser.
    pub name: String,
    pub bytes: Bytes,
}

/// The fields of a form, and their errors.
#[derive(Debug, Clone, Default)]
pub struct Form {
    fields: Vec<(String, String)>,
    errors: Vec<(String, String)>,
    /// Whether a file was too large.
    too_large: bool,
    /// Files that are not empty.
    pub files: Vec<Upload>,
}

/// The name of the hidden field with the value that the field `name` was rendered with. A field that still has this
/// value was not changed by the user and must not overwrite newer data.
#[must_use]
pub fn seen_name(name: &str) -> String {
    format!("{name}Seen")
}

impl Form {
    /// A form that shows these values.
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { fields, ..Self::default() }
    }

    /// All fields as they were sent.
    #[must_use]
    pub(super) fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// A field as it was sent, or empty.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
    }

    /// The value that a field was rendered with, from its hidden field; see `seen_name`.
    #[must_use]
    pub fn seen(&self, name: &str) -> Option<&str> {
        let seen = seen_name(name);
        self.fields.iter().find(|(found, _)| *found == seen).map(|(_, value)| value.as_str())
    }

    /// A field trimmed as browsers trim e-mail addresses: without outer ASCII white space.
    #[must_use]
    pub fn typed(&self, name: &str) -> &str {
        self.text(name).trim_matches(|c: char| c.is_ascii_whitespace())
    }

    /// A field without the invisible characters at its ends.
    #[must_use]
    pub fn trimmed(&self, name: &str) -> &str {
        trim_invisible(self.text(name))
    }

    /// Shows `value` in a field that was not sent.
    pub fn suggest(&mut self, name: &str, value: String) {
        if !self.has(name) {
            self.fields.push((name.to_owned(), value));
        }
    }

    /// Whether a box was ticked or a button of this name was pressed.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(found, _)| found == name)
    }

    /// The value to show again in a field; never a secret.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        if is_secret(name) { "" } else { self.text(name) }
    }

    /// The error of a field.
    #[must_use]
    pub fn error(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|(found, _)| found == name).map(|(_, what)| what.as_str())
    }

    /// All errors, for a summary.
    #[must_use]
    pub fn errors(&self) -> &[(String, String)] {
        &self.errors
    }

    /// Whether there are no errors.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.errors.is_empty()
    }

    /// The status of a page that shows a refused form again.
    #[must_use]
    pub fn refused_status(&self) -> StatusCode {
        if self.too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
    }

    /// Replaces the value of a field.
    pub fn set(&mut self, name: &str, value: String) {
        self.fields.retain(|(found, _)| found != name);
        self.fields.push((name.to_owned(), value));
    }

    /// Adds an error to a field; the first error of a field stays.
    pub fn refuse(&mut self, name: &str, what: impl Into<String>) {
        if self.error(name).is_none() {
            self.errors.push((name.to_owned(), sentence(&what.into())));
        }
    }

    /// A field as a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        self.trimmed(name).parse().ok()
    }

    /// Shows a service's errors beside their fields; `rename` maps the service's field names to the form's.
    ///
    /// # Errors
    ///
    /// Errors that are not about a field.
    pub fn take(&mut self, error: ApiError, rename: impl Fn(&str) -> String) -> Result<(), ApiError> {
        match error {
            ApiError::Validation(errors) | ApiError::Unprocessable { errors, .. } if !errors.is_empty() => {
                for FieldError { path, msg } in errors {
                    self.refuse(&rename(&path), msg);
                }
                Ok(())
            }
            other => Err(other),
        }
    }
}

/// Whether a field has a secret, which is neither shown again nor saved.
pub(super) fn is_secret(name: &str) -> bool {
    name.contains("password") || ["code", "ticket"].contains(&name)
}

/// A form that a page of this shop sent, with the page's context.
pub struct FormRequest {
    pub context: PageContext,
    pub form: Form,
}

impl FromRequest for FormRequest {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            csrf::check_always(&req, &context::state(&req)?.settings.origins)?;
            let context = PageContext::of(&req).await?;
            let form = read(&req, payload).await?;
            admit(&req, &context, &form)?;
            Ok(Self { context, form })
        })
    }
}

/// Accepts a form of this session; a form of an earlier session of the same account if the browser says that a page
/// of this shop sent it; and forms that are harmless. A form whose session has ended is saved over the login.
fn admit(req: &HttpRequest, context: &PageContext, form: &Form) -> Result<(), ApiError> {
    let form_token_state = context.form_token_state(form.text("csrf"));
    let from_here = csrf::is_from_here(req, &context.state().settings.origins);
    if context.user.is_none() && form_token_state != FormTokenState::Foreign && !is_harmless(req.path()) {
        // For the page that asks the user to log in.
        req.extensions_mut().insert(SavedForm::of(req.path(), form));
    }
    match form_token_state {
        FormTokenState::Own => Ok(()),
        FormTokenState::SameAccount | FormTokenState::Earlier if from_here && is_harmless(req.path()) => Ok(()),
        FormTokenState::SameAccount if from_here => Ok(()),
        FormTokenState::Earlier if context.user.is_none() && !is_harmless(req.path()) => Err(ApiError::unauthorized()),
        FormTokenState::Earlier if from_here => Err(OTHER_ACCOUNT),
        FormTokenState::SameAccount | FormTokenState::Earlier | FormTokenState::Foreign => Err(OUT_OF_DATE),
    }
}

/// Whether a form is harmless for whichever account is logged in: it is a feature's, starts or ends a
/// session, or acts by a mailed token.
fn is_harmless(path: &str) -> bool {
    let of_session = ["/login", "/login/code", "/register", "/logout", "/forgot", "/reset", "/verify"];
    of_session.contains(&path) || FEATURES.iter().any(|feature| features::owns(*feature, path))
}

async fn read(req: &HttpRequest, mut payload: Payload) -> Result<Form, ApiError> {
    if has_media_type(req, "application/x-www-form-urlencoded") {
        let body = read_body(req, &mut payload, TEXT_MAX).await?;
        return urlencoded(&body);
    }
    if !has_media_type(req, "multipart/form-data") {
        return Err(ApiError::UnsupportedMedia("send a form".into()));
    }
    let payload = web::Payload::from_request(req, &mut payload).await;
    let payload = payload.map_err(|_| ApiError::Malformed("the form is not readable".to_owned()))?;
    let mut unfinished = Unfinished::default();
    match tokio::time::timeout(DEADLINE, multipart(Multipart::new(req.headers(), payload), &mut unfinished)).await {
        Ok(form) => form,
        Err(_) => Err(ApiError::Malformed("the form did not arrive in time".to_owned())),
    }
}

fn urlencoded(body: &[u8]) -> Result<Form, ApiError> {
    let unreadable = || ApiError::Malformed("the form is not readable".to_owned());
    let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
    let mut form = Form::default();
    for (name, value) in query::pairs(text) {
        form.fields.push((name.ok_or_else(unreadable)?, value.ok_or_else(unreadable)?));
        if form.fields.len() > FIELDS_MAX {
            return Err(ApiError::Malformed("the form has too many fields".to_owned()));
        }
    }
    Ok(form)
}

/// Reads a form. A file that is too large, and a file beyond the limit, is an error of its field; the rest of the
/// form is read nevertheless.
async fn multipart(mut parts: Multipart, unfinished: &mut Unfinished) -> Result<Form, ApiError> {
    let (mut form, mut room, mut left) = (Form::default(), TEXT_MAX, READ_MAX);
    let mut seen = 0;
    while let Some(part) = next_piece(&mut parts).await? {
        let mut part = part.map_err(|error| ApiError::Malformed(format!("the form is not readable: {error}")))?;
        let name = part.name().unwrap_or_default().to_owned();
        let file = part.content_disposition().and_then(|about| about.get_filename()).map(str::to_owned);
        seen += 1;
        if seen > FIELDS_MAX {
            return Err(ApiError::Malformed("the form has too many fields".to_owned()));
        }
        match file {
            Some(file) => {
                let Some(bytes) = whole(&mut part, FILE_MAX, &mut left, unfinished).await? else {
                    form.too_large = true;
                    form.refuse(&name, format!("{} is larger than 5 MiB; choose a smaller file", shown(&file)));
                    continue;
                };
                // Browsers send a file field that is left empty as an empty file.
                if bytes.is_empty() {
                    continue;
                }
                if form.files.len() >= FILES_MAX {
                    form.refuse(&name, format!("choose at most {} files at once", FILES_MAX - 1));
                    continue;
                }
                form.files.push(Upload { field: name, name: file, bytes });
            }
            None => {
                let bytes = whole(&mut part, room, &mut left, unfinished).await?;
                let bytes = bytes.ok_or(ApiError::TooLarge("the form is too large".into()))?;
                room -= bytes.len();
                let text = String::from_utf8(bytes.to_vec());
                form.fields.push((name, text.map_err(|_| ApiError::Malformed("the form is not UTF-8 text".into()))?));
            }
        }
    }
    Ok(form)
}

/// A file's name as messages show it.
fn shown(name: &str) -> String {
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(60).collect();
    if name.is_empty() { "a file".to_owned() } else { format!("“{name}”") }
}

/// The whole part, or `None` when it has more than `max` bytes; it is then read to its end, within the `left` bytes
/// of the form's limit.
async fn whole(
    part: &mut Field,
    max: usize,
    left: &mut usize,
    unfinished: &mut Unfinished,
) -> Result<Option<Bytes>, ApiError> {
    let (mut bytes, mut fits) = (BytesMut::new(), true);
    while let Some(chunk) = next_piece(part).await? {
        let chunk = chunk.map_err(|error| ApiError::Malformed(format!("the form is not readable: {error}")))?;
        *left = left.checked_sub(chunk.len()).ok_or(ApiError::TooLarge("the form is too large".into()))?;
        fits = fits && bytes.len() + chunk.len() <= max;
        if fits {
            unfinished.add(chunk.len())?;
            bytes.extend_from_slice(&chunk);
        } else {
            bytes = BytesMut::new();
        }
    }
    Ok(fits.then(|| bytes.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_and_its_password_is_not_shown_again() {
        let mut form = urlencoded("email=a%40b.cd&password=x+y&street=M%C3%BCll&email=2".as_bytes()).unwrap();
        assert_eq!((form.text("email"), form.text("password"), form.value("password")), ("a@b.cd", "x y", ""));
        assert_eq!((form.value("street"), form.text("none"), form.has("street")), ("Müll", "", true));
        form.refuse("street", "must not be empty");
        form.refuse("street", "again");
        assert_eq!(form.error("street"), Some("Must not be empty."));
        assert!(!form.is_fine());
        for broken in [b"a=%zz".as_slice(), b"a=%ff", b"\xff", &b"a&".repeat(301)] {
            assert!(urlencoded(broken).is_err());
        }
    }
}
