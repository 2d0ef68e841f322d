//! The cart of a user or a guest, with current offers.
//!
//! **Invariant:** prices and stock come from the catalogue, never from the browser.

use super::{cards, context::PageContext, format, guest::GuestCart};
use crate::{
    actors::{
        cart::{calls::GetCart, offers_of},
        catalogue::calls::GetOffer,
    },
    domain::{
        cart::QUANTITY_MAX,
        ids::{ProductId, UserId},
        inventory::StockLine,
        money::Money,
        order::{OrderItem, Shipment},
        product::Offer,
        user::Role,
    },
    http::error::ApiError,
};

/// A cart as pages show it.
pub struct CartSummary {
    /// The lines whose products still exist.
    pub lines: Vec<(StockLine, Offer)>,
    /// Changes whenever a user's cart changes; empty for guests.
    pub version: String,
    /// The version of a user's cart.
    pub cart_version: Option<u64>,
}

/// A line as a template shows it.
pub struct LineView {
    pub id: String,
    pub title: String,
    /// A small picture, or empty.
    pub picture: String,
    /// A letter that replaces a missing picture.
    pub letter: String,
    /// The price of one unit.
    pub price: String,
    pub quantity: u32,
    /// The price of the whole line.
    pub sum: String,
    /// How many can be bought.
    pub most: i64,
    /// Whether fewer are in stock than the line has.
    pub short: bool,
    /// The most that one order may have, if this line has more.
    pub over: Option<u32>,
    /// Whether the product is no longer for sale.
    pub gone: bool,
    /// The stock in words.
    pub stock: &'static str,
    /// `in`, `low` or `out`.
    pub stock_class: &'static str,
}

impl CartSummary {
    /// The cart of the page's user or guest.
    ///
    /// # Errors
    ///
    /// 403 for sellers and admins, who have no cart; 503.
    pub async fn of(context: &PageContext) -> Result<Self, ApiError> {
        match &context.user {
            None => Self::of_guest(context, &context.guest_cart).await,
            Some(user) if user.role == Role::User => Self::of_user(context, user.id).await,
            Some(_) => Err(ApiError::forbidden()),
        }
    }

    async fn of_user(context: &PageContext, user: UserId) -> Result<Self, ApiError> {
        let cart = context.calls.ask(GetCart { user }).await?;
        let offers = offers_of(&context.calls, &cart).await?;
        let offer = |product: ProductId| offers.iter().find(|offer| offer.product.id == product).cloned();
        let lines = cart.lines.iter().filter_map(|line| Some((*line, offer(line.product)?)));
        let version = format!("{}-{}", cart.id, cart.version);
        Ok(Self { lines: lines.collect(), version, cart_version: Some(cart.version) })
    }

    async fn of_guest(context: &PageContext, cart: &GuestCart) -> Result<Self, ApiError> {
        let mut lines = vec![];
        for line in &cart.lines {
            let offer = context.calls.ask(GetOffer { product: line.product }).await?;
            lines.extend(offer.map(|offer| (*line, offer)));
        }
        Ok(Self { lines, version: String::new(), cart_version: None })
    }

    /// The number of units.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|(line, _)| u64::from(line.quantity)).sum()
    }

    /// Price × quantity of all lines; `None` while the cart has two currencies.
    #[must_use]
    pub fn subtotal(&self) -> Option<Money> {
        let sums = self.lines.iter().map(|(line, offer)| offer.product.price.times(line.quantity));
        Money::sum(sums.collect::<Result<Vec<_>, _>>().ok()?).ok().flatten()
    }

    /// The lines as order items.
    #[must_use]
    pub fn items(&self) -> Vec<OrderItem> {
        let item = |(line, offer): &(StockLine, Offer)| OrderItem {
            product: line.product,
            title: offer.product.title.clone(),
            seller: offer.product.seller,
            quantity: line.quantity,
            price: offer.product.price,
            shipment: Shipment::Waiting,
            tracking_number: None,
        };
        self.lines.iter().map(item).collect()
    }

    /// The lines for a template.
    #[must_use]
    pub fn views(&self) -> Vec<LineView> {
        self.lines.iter().map(|(line, offer)| view(line, offer)).collect()
    }
}

fn view(line: &StockLine, offer: &Offer) -> LineView {
    let product = &offer.product;
    let (stock, stock_class) = if offer.for_sale { cards::stock(offer.available) } else { ("Not for sale", "out") };
    LineView {
        id: product.id.to_hex(),
        title: product.title.clone(),
        picture: product.images.first().map_or_else(String::new, |image| image.thumbnail.clone()),
        letter: product.title.chars().next().map_or_else(String::new, |first| first.to_uppercase().to_string()),
        price: format::money(product.price),
        quantity: line.quantity,
        sum: product.price.times(line.quantity).map(format::money).unwrap_or_default(),
        most: offer.available.clamp(1, i64::from(QUANTITY_MAX)),
        over: product.max_per_order.filter(|max| line.quantity > *max),
        short: offer.for_sale && offer.available < i64::from(line.quantity),
        gone: !offer.for_sale,
        stock,
        stock_class,
    }
}
