//! The account's page: who one is, and addresses.

use actix_web::{HttpResponse, http::StatusCode, web::Path};
use askama::Template;

use super::{
    form::{Form, Posted},
    page::Page,
    product::id_of,
    visit::Visit,
};
use crate::{
    domain::{
        ids::AddressId,
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
    let PostalAddress { street, city, state, country, zip } = postal;
    format!("{street}, {city}, {state} {zip}, {country}")
}

#[derive(Template)]
#[template(path = "shop/account.html")]
struct AccountPage {
    page: Page,
    form: Form,
    full_name: String,
    username: String,
    email: String,
    addresses: Vec<AddressView>,
}

async fn account(visit: &Visit) -> Result<User, ApiError> {
    let id = visit.user()?.id;
    visit.shop.accounts()?.user(id).await?.ok_or_else(ApiError::unauthorized)
}

async fn page(visit: Visit, status: StatusCode, form: Form) -> Result<HttpResponse, ApiError> {
    let user = account(&visit).await?;
    let view = AccountPage {
        page: visit.page("Account"),
        form,
        full_name: format!("{} {}", user.full_name.first_name, user.full_name.last_name).trim().to_owned(),
        addresses: user.addresses.iter().map(AddressView::from).collect(),
        username: user.username,
        email: user.email,
    };
    visit.html(status, &view)
}

/// The page.
///
/// # Errors
/// 401, 503.
pub async fn show(visit: Visit) -> Result<HttpResponse, ApiError> {
    page(visit, StatusCode::OK, Form::default()).await
}

/// The address of a form's fields; what is wrong is told beside them.
pub(super) fn address_of(form: &mut Form) -> Option<PostalAddress> {
    let text = |name: &str| form.trimmed(name).to_owned();
    let postal = PostalAddress {
        street: text("street"),
        city: text("city"),
        state: text("state"),
        country: text("country"),
        zip: text("zip"),
    };
    let problems = postal.problems();
    for (field, problem) in &problems {
        let what = if *problem == "must not be empty" { "fill this in" } else { problem };
        form.refuse(field, what);
    }
    problems.is_empty().then_some(postal)
}

/// Keeps an address.
///
/// # Errors
/// 401, 409 when there are too many, 503.
pub async fn add(Posted { mut visit, mut form }: Posted) -> Result<HttpResponse, ApiError> {
    let user = visit.user()?.id;
    let Some(postal) = address_of(&mut form) else {
        return page(visit, StatusCode::UNPROCESSABLE_ENTITY, form).await;
    };
    visit.shop.accounts()?.add_address(user, postal, form.has("default")).await?;
    visit.say("The address is kept.");
    Ok(visit.go("/account"))
}

/// Forgets an address.
///
/// # Errors
/// 401, 503.
pub async fn remove(Posted { mut visit, .. }: Posted, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let user = visit.user()?.id;
    let address: AddressId = id_of(&path, "address")?;
    match visit.shop.accounts()?.remove_address(user, address).await.map_err(ApiError::from) {
        // Another tab removed it.
        Ok(_) | Err(ApiError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    visit.say("The address is removed.");
    Ok(visit.go("/account"))
}
