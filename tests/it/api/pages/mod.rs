//! The web shop as somebody without JavaScript uses it, and as somebody who means harm does.

mod admin;
pub mod browser;
mod buying;
mod forms;
mod frame;
mod guests;
mod seller;
mod sessions;

use browser::{Browser, Doc, encode};

use super::TestApp;

/// A shop with one product of which there are `stock`; returns its id as well.
async fn shop(stock: u32) -> (TestApp, String) {
    let app = TestApp::spawn().await;
    let seller = app.seller("maker").await;
    let product = app.product(&seller, "Brass lamp", 1234.5, stock).await;
    (app, product)
}

const ADDRESS: [(&str, &str); 5] =
    [("street", "12 Lake Road"), ("city", "Pune"), ("state", "MH"), ("country", "IN"), ("zip", "411001")];

/// Goes from a cart with something in it to the page where it is paid.
async fn check_out(browser: &Browser) -> Doc {
    let checkout = browser.open("/checkout").await;
    browser.submit(&checkout, "/checkout", &ADDRESS).await
}
