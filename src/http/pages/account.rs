//! The account page: profile and addresses.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};
use askama::Template;
use secrecy::SecretString;

use super::{
    context::PageContext,
    form::{Form, FormRequest},
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

/// An address as templates show it.
pub struct AddressView {
    /// Its id within the user.
    pub id: String,
    /// The address on one line.
    pub line: String,
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
    /// Whether another account has this e-mail address, so that this account needs another.
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

///
/// # Errors
/// 401, 503.
pub async fn show(mut context: PageContext) -> Result<HttpResponse, ApiError> {
    context.user()?;
    // Both forms are on one page and have fields of their own.
    let mut form = context.take_saved_form("/account/addresses").unwrap_or_default();
    if let Some(of_email) = context.take_saved_form("/account/email") {
        form.set("email", of_email.text("email").to_owned());
    }
    page(context, StatusCode::OK, form).await
}

/// The address from the form's fields; errors are shown beside them.
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

/// The form's name for a line of an address.
pub(super) fn field_of(path: &str) -> String {
    if path == "fullName" { "full_name".to_owned() } else { path.to_owned() }
}

/// A user's name, for the label of a parcel.
pub(super) fn name_of(user: &User) -> String {
    format!("{} {}", user.full_name.first_name.trim(), user.full_name.last_name.trim()).trim().to_owned()
}

/// The names of all countries, for the list that the browser offers.
pub(super) fn countries() -> Vec<&'static str> {
    let mut names: Vec<_> = places::countries().map(|country| country.name).collect();
    names.sort_unstable();
    names
}

/// Saves an address.
///
/// # Errors
/// 401, 409 when there are too many, 503.
pub async fn add(FormRequest { mut context, mut form }: FormRequest) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    let Some(postal) = address_of(&mut form) else {
        return page(context, StatusCode::UNPROCESSABLE_ENTITY, form).await;
    };
    context.calls.ask(AddAddress { user, postal, is_default: form.has("default") }).await?;
    context.flash_message("The address is saved.");
    Ok(context.redirect("/account"))
}

/// Sets the e-mail address of an account whose address an older account has.
///
/// # Errors
///
/// 401, 409 when the account has its own address, 429, 503; errors of a field are shown beside it.
pub async fn replace_email(
    req: HttpRequest,
    FormRequest { mut context, mut form }: FormRequest,
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
            context.flash_message("The e-mail address is saved. You can log in with it.");
            return Ok(context.redirect("/account"));
        }
        Err(ApiError::Unauthorized { code: "auth.bad_credentials", .. }) => {
            form.refuse("password", "this is not your password");
        }
        Err(refused) if refused.code() == "auth.user_exists" => form.refuse("email", "this address is taken"),
        Err(refused) => form.take(refused, str::to_owned)?,
    }
    page(context, StatusCode::BAD_REQUEST, form).await
}

/// Removes an address.
///
/// # Errors
/// 401, 503.
pub async fn remove(
    FormRequest { mut context, .. }: FormRequest,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    let address: AddressId = id_of(&path, "address")?;
    match context.calls.ask(RemoveAddress { user, address }).await.map_err(ApiError::from) {
        // Another tab has removed it.
        Ok(_) | Err(ApiError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    context.flash_message("The address is removed.");
    Ok(context.redirect("/account"))
}
