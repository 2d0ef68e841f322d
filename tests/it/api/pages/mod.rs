//! The web shop without JavaScript, used as intended and abused.

mod admin;
pub mod browser;
mod buying;
mod forms;
mod frame;
mod guests;
mod seller;
mod sessions;

use browser::{Browser, Doc, encode};

use super::Shop;

/// A shop with one product with this stock; returns its id as well.
async fn shop(stock: u32) -> (Shop, String) {
    let app = Shop::open().await;
    let seller = app.seller("maker").await;
    let product = app.product(&seller, "Brass lamp", 1234.5, stock).await;
    (app, product)
}

const ADDRESS: [(&str, &str); 5] =
    [("street", "12 Lake Road"), ("city", "Pune"), ("state", "MH"), ("country", "IN"), ("zip", "411001")];

/// Goes from a filled cart to the payment page.
async fn check_out(browser: &Browser) -> Doc {
    let checkout = browser.open("/checkout").await;
    browser.submit(&checkout, "/checkout", &ADDRESS).await
}
