//! The whole program over HTTP: every path, as other programs rely on it.
//!
//! Each test has a [`Shop`] of its own, on a free port and in a folder of its own. `scripts/test` runs them twice: on the
//! embedded parts, and on MongoDB, RabbitMQ and Redis, where each has databases and keys of its own, and a vhost.

mod accounts;
mod addresses;
mod admin_create;
mod blocking;
mod cart;
mod chat;
mod conventions;
mod credentials;
mod csrf;
mod dead;
mod imagekit;
mod inventory;
mod late_money;
mod leaving;
mod mailbox;
mod matrix;
mod mcp;
mod openapi;
mod operations;
mod orders;
mod pages;
mod payments;
mod pictures;
mod products;
mod public_url;
mod refunds;
mod representations;
mod rush;
mod search;
mod security;
mod seller;
mod shipping;
mod upgrade;
mod webhooks;
mod wishlist;

use microbazaar::domain::Timestamp;
use serde_json::{Value, json};
use test_support::{
    Answer, Call, DEADLINE, PASSWORD, Person, Settings, Shop, WEBHOOK_SECRET, address, issue, text, tokens,
};

/// The id of a stored document.
fn id(document: &Value) -> String {
    let id = text(&document["_id"]);
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id} is no id");
    id
}

fn money(amount: f64) -> Value {
    let whole = amount.fract() == 0.0;
    json!({"amount": if whole { json!(amount as i64) } else { json!(amount) }, "currency": "INR"})
}

/// Whether it is a moment in UTC.
fn is_moment(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.ends_with('Z') && text.parse::<Timestamp>().is_ok())
}
