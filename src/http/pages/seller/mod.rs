//! The seller's pages: sales, orders to ship, products, CSV in and out.
//!
//! **Invariant:** every page here asks for the role `seller` first, and shows and changes what is
//! this seller's own.

mod chart;
pub mod csv;
mod desk;
mod edit;
mod fields;
mod orders;
mod pictures;
mod products;
mod transfer;

use actix_web::web::{self, ServiceConfig};

use super::page;

/// Registers the seller's pages.
pub fn configure(config: &mut ServiceConfig) {
    page(config, web::resource("/seller").get(desk::show));
    page(config, web::resource("/seller/orders").get(orders::list));
    page(config, web::resource("/seller/orders/{id}/{step}").post(orders::step));
    page(config, web::resource("/seller/products").get(products::list));
    page(config, web::resource("/seller/products.csv").get(transfer::export));
    page(config, web::resource("/seller/products/import").get(transfer::form).post(transfer::import));
    page(config, web::resource("/seller/products/new").get(edit::new).post(edit::create));
    page(config, web::resource("/seller/products/{id}").get(edit::show).post(edit::change));
    page(config, web::resource("/seller/products/{id}/delete").get(edit::ask_delete).post(edit::delete));
    page(config, web::resource("/seller/products/{id}/pictures/{picture}/remove").post(edit::remove_picture));
}
