//! The account's page: who one is, and addresses.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};
use askama::Template;
use secrecy::SecretString;

use super::{
    context::PageContext,
    form::{Form, PostedForm},
    page::Page,
    product::id_of,
};
use crate::{
    actors::accounts::calls::{AddAddress, GetUser, RemoveAddress, ReplaceEmail},
    domain::{
        address::{AddressProblem, MISSING},
        identity::PASSWORD_BYTES_MAX,
        ids::AddressId,
        places,
        user::{Address, PostalAddress, User},
    },
    http::error::ApiError,
};

/// An address as a template shows it.
pub struct AddressView {
    /// Its id within the user.
    pub id: String,
    /// On one line.
    pub line: String,
    /// Whether it is the default.
    pub is_default: bool,
}

impl From<&Address> for AddressView {
    fn from(address: &Address) -> Self {
        Self { id: address.id.to_hex(), line: one_line(&address.postal), is_default: address.is_default }
    }
}

/// An address on one line.
#[must_use]
pub fn one_line(postal: &PostalAddress) -> String {
    let state = format!("{} {}", postal.state_shown(), postal.zip);
    let name = postal.full_name.as_deref().unwrap_or_default();
    let phone = postal.phone.as_deref().unwrap_or_default();
    let lines = [name, &postal.street, &postal.city, state.trim(), &postal.country, phone];
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

#[derive(Template)]
#[template(path = "shop/account.html")]
struct AccountPage {
    page: Page,
    form: Form,
    countries: Vec<&'static str>,
    full_name: String,
    username: String,
    email: String,
    /// Whether the address is another account's, so that this one needs another.
    email_taken: bool,
    addresses: Vec<AddressView>,
}

async fn account(context: &PageContext) -> Result<User, ApiError> {
    let user = context.user()?.id;
    context.calls.ask(GetUser { user }).await?.ok_or_else(ApiError::unauthorized)
}

async fn page(context: PageContext, status: StatusCode, mut form: Form) -> Result<HttpResponse, ApiError> {
    let user = account(&context).await?;
    form.suggest("full_name", name_of(&user));
    let view = AccountPage {
        page: context.page("Account"),
        form,
        countries: countries(),
        full_name: name_of(&user),
        addresses: user.addresses.iter().map(AddressView::from).collect(),
        email_taken: user.email_taken_by.is_some(),
        username: user.username,
        email: user.email,
    };
    context.html(status, &view)
}

/// The page.
///
/// # Errors
/// 401, 503.
pub async fn show(mut context: PageContext) -> Result<HttpResponse, ApiError> {
    context.user()?;
    // Two forms of one page, with fields of their own.
    let mut form = context.take_kept("/account/addresses").unwrap_or_default();
    if let Some(of_email) = context.take_kept("/account/email") {
        form.set("email", of_email.text("email").to_owned());
    }
    page(context, StatusCode::OK, form).await
}

/// The address of a form's fields; what is wrong is told beside them.
pub(super) fn address_of(form: &mut Form) -> Option<PostalAddress> {
    let text = |name: &str| form.trimmed(name).to_owned();
    let optional = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    let postal = PostalAddress {
        full_name: optional("full_name"),
        phone: optional("phone"),
        street: text("street"),
        city: text("city"),
        state: text("state"),
        country: text("country"),
        zip: text("zip"),
    };
    match postal.settled() {
        Ok(postal) => Some(postal),
        Err(problems) => {
            for AddressProblem { field, what, .. } in problems {
                form.refuse(&field_of(&field), if what == MISSING { "fill this in".into() } else { what });
            }
            None
        }
    }
}

/// A line of an address as the form names it.
pub(super) fn field_of(path: &str) -> String {
    if path == "fullName" { "full_name".to_owned() } else { path.to_owned() }
}

/// A user's name, for the label of a parcel.
pub(super) fn name_of(user: &User) -> String {
    format!("{} {}", user.full_name.first_name.trim(), user.full_name.last_name.trim()).trim().to_owned()
}

/// The names of all countries, for the list that a browser offers.
pub(super) fn countries() -> Vec<&'static str> {
    let mut names: Vec<_> = places::countries().map(|country| country.name).collect();
    names.sort_unstable();
    names
}

/// Keeps an address.
///
/// # Errors
/// 401, 409 when there are too many, 503.
pub async fn add(PostedForm { mut context, mut form }: PostedForm) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    let Some(postal) = address_of(&mut form) else {
        return page(context, StatusCode::UNPROCESSABLE_ENTITY, form).await;
    };
    context.calls.ask(AddAddress { user, postal, is_default: form.has("default") }).await?;
    context.say("The address is kept.");
    Ok(context.go("/account"))
}

/// Takes an e-mail address in place of one that an older account has.
///
/// # Errors
/// 401, 409 when the account has its own address, 429, 503; what is wrong with a field is shown beside it.
pub async fn replace_email(
    req: HttpRequest,
    PostedForm { mut context, mut form }: PostedForm,
) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    let email = form.typed("email").to_owned();
    context.state().check_auth_rate(&req, Some(&user.to_hex())).await?;
    if form.text("password").len() > PASSWORD_BYTES_MAX {
        form.refuse("password", "this is not your password");
        return page(context, StatusCode::BAD_REQUEST, form).await;
    }
    let password = SecretString::from(form.text("password"));
    match context.calls.ask(ReplaceEmail { user, email, password }).await.map_err(ApiError::from) {
        Ok(_) => {
            context.say("The e-mail address is kept. You can log in by it.");
            return Ok(context.go("/account"));
        }
        Err(ApiError::Unauthorized { code: "auth.bad_credentials", .. }) => {
            form.refuse("password", "this is not your password");
        }
        Err(refused) if refused.code() == "auth.user_exists" => form.refuse("email", "this address is taken"),
        Err(refused) => form.take(refused, str::to_owned)?,
    }
    page(context, StatusCode::BAD_REQUEST, form).await
}

/// Forgets an address.
///
/// # Errors
/// 401, 503.
pub async fn remove(PostedForm { mut context, .. }: PostedForm, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    let address: AddressId = id_of(&path, "address")?;
    match context.calls.ask(RemoveAddress { user, address }).await.map_err(ApiError::from) {
        // Another tab removed it.
        Ok(_) | Err(ApiError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    context.say("The address is removed.");
    Ok(context.go("/account"))
}
