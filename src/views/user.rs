//! A user as clients see them. There is no field for the password's hash.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;
use crate::domain::{
    Timestamp,
    event::UserSnapshot,
    ids::{AddressId, UserId},
    user::{Address, FullName, PostalAddress, Role, User},
};

/// A person's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub struct FullNameView {
    /// Given name.
    #[serde(default)]
    #[schema(example = "Asha", required = true)]
    pub first_name: String,
    /// Family name.
    #[serde(default)]
    #[schema(example = "Rao", required = true)]
    pub last_name: String,
}

impl From<&FullName> for FullNameView {
    fn from(name: &FullName) -> Self {
        Self { first_name: name.first_name.clone(), last_name: name.last_name.clone() }
    }
}

/// The lines of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostalAddressView {
    /// The recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Asha Rao")]
    pub full_name: Option<String>,
    /// The phone number for the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "+91 98765 43210")]
    pub phone: Option<String>,
    /// Street and number.
    #[schema(example = "12 Lake Road")]
    pub street: String,
    /// City; empty where the country's addresses need none.
    #[schema(example = "Pune")]
    pub city: String,
    /// State or province, as its ISO 3166-2 code where that is known; empty where there is none.
    #[schema(example = "MH")]
    pub state: String,
    /// Country, as its ISO code.
    #[schema(example = "IN")]
    pub country: String,
    /// Postal code; empty where there is none.
    #[schema(example = "411001")]
    pub zip: String,
}

impl From<&PostalAddress> for PostalAddressView {
    fn from(postal: &PostalAddress) -> Self {
        let PostalAddress { full_name, phone, street, city, state, country, zip } = postal.clone();
        Self { full_name, phone, street, city, state, country, zip }
    }
}

impl From<PostalAddressView> for PostalAddress {
    fn from(view: PostalAddressView) -> Self {
        let PostalAddressView { full_name, phone, street, city, state, country, zip } = view;
        Self { full_name, phone, street, city, state, country, zip }
    }
}

/// A saved address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressView {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439011")]
    pub id: AddressId,
    /// The recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Asha Rao")]
    pub full_name: Option<String>,
    /// The phone number for the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "+91 98765 43210")]
    pub phone: Option<String>,
    /// Street and number.
    #[schema(example = "12 Lake Road")]
    pub street: String,
    /// City; empty where the country's addresses need none.
    #[schema(example = "Pune")]
    pub city: String,
    /// State or province, as its ISO 3166-2 code where that is known; empty where there is none.
    #[schema(example = "MH")]
    pub state: String,
    /// Country, as its ISO code.
    #[schema(example = "IN")]
    pub country: String,
    /// Postal code; empty where there is none.
    #[schema(example = "411001")]
    pub zip: String,
    /// Whether orders without an address go here.
    pub is_default: bool,
}

impl From<&Address> for AddressView {
    fn from(address: &Address) -> Self {
        let PostalAddress { full_name, phone, street, city, state, country, zip } = address.postal.clone();
        let (id, is_default) = (address.id, address.is_default);
        Self { id, full_name, phone, street, city, state, country, zip, is_default }
    }
}

/// `{addresses}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddressesView {
    /// The addresses, oldest first.
    pub addresses: Vec<AddressView>,
}

impl From<&[Address]> for AddressesView {
    fn from(addresses: &[Address]) -> Self {
        Self { addresses: addresses.iter().map(AddressView::from).collect() }
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439011")]
    pub object_id: UserId,
    /// The same id.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439011")]
    pub id: UserId,
    /// E-mail address.
    #[schema(example = "asha@example.com")]
    pub email: String,
    /// Whether an older account has the same address and keeps it: this user logs in by user name until they give
    /// another address. Absent when not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub email_needed: bool,
    /// Whether the user has confirmed the address by a mailed link; absent in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// User name.
    #[schema(example = "asha")]
    pub username: String,
    /// Name.
    #[serde(default)]
    #[schema(required = true)]
    pub full_name: FullNameView,
    /// `user`, `seller` or `admin`.
    #[schema(schema_with = words::role)]
    pub role: Role,
    /// The saved addresses.
    #[serde(default)]
    #[schema(required = true)]
    pub addresses: Vec<AddressView>,
    /// When the user registered.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
    /// When the user was last changed.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub updated_at: Timestamp,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            object_id: user.id,
            id: user.id,
            email: user.email.clone(),
            email_needed: user.email_taken_by.is_some(),
            email_verified: Some(user.security.email_verified),
            username: user.username.clone(),
            full_name: FullNameView::from(&user.full_name),
            role: user.role,
            addresses: user.addresses.iter().map(AddressView::from).collect(),
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl From<&UserSnapshot> for UserView {
    fn from(user: &UserSnapshot) -> Self {
        Self {
            object_id: user.id,
            id: user.id,
            email: user.email.clone(),
            email_needed: false,
            email_verified: None,
            username: user.username.clone(),
            full_name: FullNameView::from(&user.full_name),
            role: user.role,
            addresses: vec![],
            created_at: user.created_at,
            updated_at: user.created_at,
        }
    }
}

/// `{user}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserAnswer {
    /// The user.
    pub user: UserView,
}

/// `{message, user, token}`: the response to a registration or login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionAnswer {
    /// What was done.
    #[schema(example = "Logged in")]
    pub message: String,
    /// The user.
    pub user: UserView,
    /// The token, which is also in the cookie.
    #[schema(example = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl")]
    pub token: String,
}

/// `{message}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageAnswer {
    /// What was done.
    #[schema(example = "Logged out")]
    pub message: String,
}
