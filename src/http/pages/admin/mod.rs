//! The admin pages: overview, users, orders, payments, products, dead letters.
//!
//! **Invariant:** every page here requires the role `admin`; it reads current data, and its changes go through the
//! service that owns the data.

mod dead;
mod orders;
mod overview;
mod payments;
mod products;
mod users;

use actix_web::web::{self, ServiceConfig};

use super::page;

/// Rows on a page of a list.
const PER_PAGE: u32 = 25;

pub fn configure(config: &mut ServiceConfig) {
    page(config, web::resource("/admin").get(overview::show));
    page(config, web::resource("/admin/users").get(users::list));
    page(config, web::resource("/admin/users/{id}/{step}").get(users::confirm).post(users::step));
    page(config, web::resource("/admin/products").get(products::list));
    page(config, web::resource("/admin/products/{id}/{step}").get(products::confirm).post(products::step));
    page(config, web::resource("/admin/orders").get(orders::list));
    page(config, web::resource("/admin/payments").get(payments::list));
    page(config, web::resource("/admin/payments/{id}/refund").post(payments::refund));
    page(config, web::resource("/admin/dead").get(dead::list));
    page(config, web::resource("/admin/dead/replay").post(dead::replay));
}

/// The link to older rows, if one more row was read than is shown.
fn older<T>(rows: &mut Vec<T>, path: &str, id: impl Fn(&T) -> String) -> String {
    let shown = usize::try_from(PER_PAGE).unwrap_or(usize::MAX);
    if rows.len() <= shown {
        return String::new();
    }
    rows.truncate(shown);
    let and = if path.contains('?') { '&' } else { '?' };
    rows.last().map_or_else(String::new, |last| format!("{path}{and}before={}", id(last)))
}
