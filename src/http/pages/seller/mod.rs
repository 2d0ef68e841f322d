//! The seller's pages: dashboard, orders, products, CSV export and import.
//!
//! **Invariant:** every page here requires the role `seller`, and shows and changes only this seller's data.

mod chart;
pub mod csv;
mod csv_io;
mod dashboard;
mod edit;
mod fields;
mod orders;
mod pictures;
mod products;

use actix_web::web::{self, ServiceConfig};

use super::page;

pub fn configure(config: &mut ServiceConfig) {
    page(config, web::resource("/seller").get(dashboard::show));
    page(config, web::resource("/seller/orders").get(orders::list));
    page(config, web::resource("/seller/orders/{id}/{step}").post(orders::step));
    page(config, web::resource("/seller/products").get(products::list));
    page(config, web::resource("/seller/products.csv").get(csv_io::export));
    page(config, web::resource("/seller/products/import").get(csv_io::form).post(csv_io::import));
    page(config, web::resource("/seller/products/new").get(edit::new).post(edit::create));
    page(config, web::resource("/seller/products/{id}").get(edit::show).post(edit::change));
    page(config, web::resource("/seller/products/{id}/delete").get(edit::ask_delete).post(edit::delete));
    page(config, web::resource("/seller/products/{id}/pictures/{picture}/remove").post(edit::remove_picture));
}
