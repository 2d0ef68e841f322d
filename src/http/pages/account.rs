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
    actors::accounts::{
        calls::{AddAddress, GetAddresses, GetUser, RemoveAddress, ReplaceEmail},
        credentials::{ChangeEmail, ChangePassword, ChangeProfile, SendConfirmation, UpdateAddress},
    },
    domain::{
        Timestamp,
        address::{AddressProblem, MISSING},
        identity::PASSWORD_BYTES_MAX,
        ids::AddressId,
        places,
        user::{Address, FullName, PostalAddress, User, UserError},
    },
    http::{error::ApiError, routes::credentials::end_tokens},
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
    email_verified: bool,
    /// The address that replaces this one once it is confirmed.
    new_email: Option<String>,
    two_factor: bool,
    addresses: Vec<AddressView>,
}

async fn account(context: &PageContext) -> Result<User, ApiError> {
    let user = context.user()?.id;
    context.calls.ask(GetUser { user }).await?.ok_or_else(ApiError::unauthorized)
}

async fn page(context: PageContext, status: StatusCode, mut form: Form) -> Result<HttpResponse, ApiError> {
    let user = account(&context).await?;
    form.suggest("full_name", name_of(&user));
    form.suggest("first_name", user.full_name.first_name.clone());
    form.suggest("last_name", user.full_name.last_name.clone());
    form.suggest("username", user.username.clone());
    let view = AccountPage {
        page: context.page("Account"),
        form,
        countries: countries(),
        full_name: name_of(&user),
        addresses: user.addresses.iter().map(AddressView::from).collect(),
        email_taken: user.email_taken_by.is_some(),
        two_factor: user.security.two_factor.is_some(),
        email_verified: user.security.email_verified,
        new_email: user.unconfirmed_email(Timestamp::now()).filter(|email| *email != user.email).map(str::to_owned),
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

/// Mails a link to the address that is to replace the user's. An account whose address an older account has gets the new
/// one at once.
///
/// # Errors
///
/// 401, 429, 503; errors of a field are shown beside it.
pub async fn change_email(
    req: HttpRequest,
    FormRequest { mut context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    let email = form.typed("email").to_owned();
    let source = context.state().admit_login(&req, &user.to_hex()).await?;
    if form.text("password").len() > PASSWORD_BYTES_MAX {
        form.refuse("password", "this is not your password");
        return page(context, StatusCode::BAD_REQUEST, form).await;
    }
    let password = SecretString::from(form.text("password"));
    let code = Some(form.trimmed("code").to_owned()).filter(|code| !code.is_empty());
    let changed = match account(&context).await?.email_taken_by {
        Some(_) => {
            let replaced = context.calls.ask(ReplaceEmail { user, email, password, source }).await;
            replaced.map(|_| "The e-mail address is saved. You can log in with it.")
        }
        None => {
            let asked = context.calls.ask(ChangeEmail { user, email, password, code }).await;
            asked.map(|()| "A mail with a link is on its way to the new address. Until you use it, the old one stays.")
        }
    };
    match changed.map_err(ApiError::from) {
        Ok(message) => {
            context.flash_message(message);
            return Ok(context.redirect("/account"));
        }
        Err(refused) => match refused.code() {
            "auth.bad_credentials" | "auth.wrong_password" => form.refuse("password", "this is not your password"),
            "auth.code_invalid" => form.refuse("code", "enter the code that your app shows now"),
            "auth.user_exists" => form.refuse("email", "this address is taken"),
            _ => form.take(refused, str::to_owned)?,
        },
    }
    page(context, StatusCode::BAD_REQUEST, form).await
}

/// Mails a link to confirm the user's address.
///
/// # Errors
/// 401, 429, 503.
pub async fn send_confirmation(
    req: HttpRequest,
    FormRequest { mut context, .. }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    context.state().check_auth_rate(&req, Some(&user.to_hex())).await?;
    context.calls.ask(SendConfirmation { user }).await?;
    context.flash_message("A mail with a link is on its way.");
    Ok(context.redirect("/account"))
}

/// Sets a new password.
///
/// # Errors
///
/// 401, 429, 503; errors of a field are shown beside it.
pub async fn change_password(
    req: HttpRequest,
    FormRequest { mut context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    context.state().check_auth_rate(&req, Some(&user.to_hex())).await?;
    for name in ["current_password", "new_password"] {
        if form.text(name).len() > PASSWORD_BYTES_MAX {
            form.refuse(name, "is too long");
            return page(context, StatusCode::BAD_REQUEST, form).await;
        }
    }
    let [current, password] = ["current_password", "new_password"].map(|name| SecretString::from(form.text(name)));
    let refused = match context.calls.ask(ChangePassword { user, current, password }).await.map_err(ApiError::from) {
        Ok(user) => {
            end_tokens(context.state(), &user).await;
            context.renew_session(&user, Timestamp::now()).await?;
            context.flash_message("Your password is changed, and you are logged out everywhere else.");
            return Ok(context.redirect("/account"));
        }
        Err(refused) => refused,
    };
    if refused.code() == "auth.wrong_password" {
        form.refuse("current_password", "this is not your password");
    } else {
        form.take(refused, |_| "new_password".to_owned())?;
    }
    page(context, StatusCode::BAD_REQUEST, form).await
}

/// Changes the user's names.
///
/// # Errors
///
/// 401, 503; errors of a field are shown beside it.
pub async fn change_profile(FormRequest { mut context, mut form }: FormRequest) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    let text = |name: &str| form.text(name).to_owned();
    let full_name = FullName { first_name: text("first_name"), last_name: text("last_name") };
    for (name, value) in [("first_name", &full_name.first_name), ("last_name", &full_name.last_name)] {
        if value.chars().count() > 100 {
            form.refuse(name, "use at most 100 characters");
            return page(context, StatusCode::BAD_REQUEST, form).await;
        }
    }
    let username = Some(form.typed("username").to_owned()).filter(|name| !name.is_empty());
    let change = ChangeProfile { user, full_name: Some(full_name), username };
    match context.calls.ask(change).await.map_err(ApiError::from) {
        Ok(_) => {
            context.flash_message("Your names are saved.");
            return Ok(context.redirect("/account"));
        }
        Err(refused) if refused.code() == "auth.user_exists" => form.refuse("username", "this user name is taken"),
        Err(refused) => form.take(refused, super::session::field)?,
    }
    page(context, StatusCode::BAD_REQUEST, form).await
}

#[derive(Template)]
#[template(path = "shop/address.html")]
struct AddressPage {
    page: Page,
    form: Form,
    id: String,
    countries: Vec<&'static str>,
}

fn address_page(context: PageContext, status: StatusCode, id: String, form: Form) -> Result<HttpResponse, ApiError> {
    let view = AddressPage { page: context.page("Change address"), form, id, countries: countries() };
    context.html(status, &view)
}

///
/// # Errors
/// 401, 404, 503.
pub async fn edit_address(mut context: PageContext, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let (user, id): (_, AddressId) = (context.user()?.id, id_of(&path, "address")?);
    let kept = context.calls.ask(GetAddresses { user }).await?;
    let Address { postal, is_default, .. } =
        kept.into_iter().find(|found| found.id == id).ok_or(UserError::NoSuchAddress)?;
    let form = context.take_saved_form(&format!("/account/addresses/{id}")).unwrap_or_else(|| {
        let state = postal.state_shown().to_string();
        let text = Option::unwrap_or_default;
        let mut form = Form::of([
            ("full_name", text(postal.full_name)),
            ("phone", text(postal.phone)),
            ("street", postal.street),
            ("city", postal.city),
            ("state", state),
            ("zip", postal.zip),
            ("country", postal.country),
        ]);
        if is_default {
            form.set("default", "1".to_owned());
        }
        form
    });
    address_page(context, StatusCode::OK, id.to_hex(), form)
}

/// Changes an address.
///
/// # Errors
/// 401, 404, 503; errors of a field are shown beside it.
pub async fn update_address(
    FormRequest { mut context, mut form }: FormRequest,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (user, address): (_, AddressId) = (context.user()?.id, id_of(&path, "address")?);
    let Some(postal) = address_of(&mut form) else {
        return address_page(context, StatusCode::UNPROCESSABLE_ENTITY, address.to_hex(), form);
    };
    context.calls.ask(UpdateAddress { user, address, postal, is_default: form.has("default") }).await?;
    context.flash_message("The address is saved.");
    Ok(context.redirect("/account"))
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
