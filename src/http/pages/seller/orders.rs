//! A seller's orders: those to ship, all of them, and marking them as shipped or delivered.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;

use crate::{
    actors::order_saga::Party,
    actors::order_saga::calls::{DeliverOrder, GetOrderFor, ShipOrder},
    actors::seller_dashboard::calls::GetSellerOrders,
    domain::{
        ids::{OrderId, UserId},
        money::Money,
        order::{Order, OrderStatus, Shipment},
        user::PostalAddress,
    },
    http::{
        error::ApiError,
        pages::{context::PageContext, form::FormRequest, format, page::Page},
    },
    store::dashboard::OrderRow,
};

use super::super::listing::{Pager, asked, page_of};

/// Orders on a page.
const PER_PAGE: u32 = 20;
const TRACKING_MAX: usize = 100;

/// A line of an order.
pub(super) struct Item {
    pub(super) title: String,
    pub(super) quantity: u32,
    pub(super) price: String,
}

/// The part of an order that belongs to the seller.
pub(super) struct OrderLine {
    pub(super) id: String,
    pub(super) short: String,
    pub(super) placed: format::Time,
    pub(super) status: &'static str,
    pub(super) word: &'static str,
    pub(super) items: Vec<Item>,
    pub(super) sum: String,
    pub(super) address: Vec<String>,
    pub(super) tracking: String,
    /// The tracking number that was typed before the session ended.
    pub(super) typed: String,
    pub(super) can_ship: bool,
    pub(super) can_deliver: bool,
    pub(super) no_address: bool,
    pub(super) unpaid: bool,
}

impl OrderLine {
    fn of(order: &Order, seller: UserId) -> Self {
        let own: Vec<_> = order.items.iter().filter(|item| item.seller == seller).collect();
        let sum = Money::sum(own.iter().filter_map(|item| item.price.times(item.quantity).ok())).ok().flatten();
        let is_fulfillable = matches!(order.status, OrderStatus::Confirmed | OrderStatus::Shipped);
        let waits = own.iter().any(|item| item.shipment == Shipment::Waiting);
        let address = order.shipping_address.as_ref().map(PostalAddress::label);
        let id = order.id.to_hex();
        Self {
            short: id.get(16..).unwrap_or_default().to_uppercase(),
            id,
            placed: format::time(order.created_at),
            status: order.status.as_str(),
            word: format::order_status(order.status),
            sum: sum.map_or_else(String::new, format::money),
            no_address: address.is_none(),
            unpaid: order.payment.is_none(),
            address: address.unwrap_or_default(),
            tracking: own.iter().find_map(|item| item.tracking_number.clone()).unwrap_or_default(),
            typed: String::new(),
            can_ship: is_fulfillable && waits && !order.is_refunded_in_full(),
            can_deliver: is_fulfillable && !waits && own.iter().any(|item| item.shipment == Shipment::Shipped),
            items: own
                .iter()
                .map(|item| Item {
                    title: item.title.clone(),
                    quantity: item.quantity,
                    price: format::money(item.price),
                })
                .collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "seller/orders.html")]
struct OrdersPage {
    page: Page,
    orders: Vec<OrderLine>,
    pager: Pager,
    /// Whether only orders to ship are shown.
    to_ship: bool,
}

/// A page of the orders to ship, oldest first, and how many there are.
pub(super) async fn to_ship(
    context: &PageContext,
    seller: UserId,
    skip: u64,
    most: u32,
) -> Result<(Vec<OrderLine>, u64), ApiError> {
    let found = context.calls.ask(GetSellerOrders { seller, to_ship: true, skip, limit: most }).await?;
    let listed = found.rows.len();
    let mut waiting = as_they_are(context, seller, &found.rows).await?;
    waiting.retain(|order| order.can_ship);
    let gone = u64::try_from(listed - waiting.len()).unwrap_or(0);
    Ok((waiting, found.total.saturating_sub(gone)))
}

/// Current versions of the dashboard's orders: the dashboard may lag behind.
async fn as_they_are(context: &PageContext, seller: UserId, rows: &[OrderRow]) -> Result<Vec<OrderLine>, ApiError> {
    let mut orders = Vec::with_capacity(rows.len());
    for row in rows {
        match context.calls.ask(GetOrderFor { order: row.id, who: Party::Seller(seller) }).await {
            Ok(order) => orders.push(OrderLine::of(&order, seller)),
            Err(error) => tracing::warn!(order.id = %row.id, %error, "an order of the dashboard cannot be shown"),
        }
    }
    Ok(orders)
}

/// Restores what was typed before the session ended.
pub(super) fn refill(context: &mut PageContext, orders: &mut [OrderLine]) {
    for order in orders {
        if let Some(kept) = context.take_saved_form(&format!("/seller/orders/{}/ship", order.id)) {
            order.typed = kept.trimmed("tracking").to_owned();
        }
    }
}

/// All orders with lines of this seller, newest first, or those to ship, oldest first.
///
/// # Errors
/// 401, 403, 503.
pub async fn list(req: HttpRequest, mut context: PageContext) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let number = page_of(&req);
    let skip = u64::from(number - 1) * u64::from(PER_PAGE);
    let show = asked(&req, "show");
    let to_ship = show == "to-ship";
    let (mut orders, total) = if to_ship {
        self::to_ship(&context, seller, skip, PER_PAGE).await?
    } else {
        let found = context.calls.ask(GetSellerOrders { seller, to_ship: false, skip, limit: PER_PAGE }).await?;
        (as_they_are(&context, seller, &found.rows).await?, found.total)
    };
    refill(&mut context, &mut orders);
    let shown = if to_ship { "to-ship" } else { "" };
    let pager = Pager::new("/seller/orders", &[("show", shown)], number, PER_PAGE, total);
    let view = OrdersPage { page: context.page("Your orders"), orders, pager, to_ship };
    context.ok(&view)
}

/// Marks the seller's lines as shipped or delivered.
///
/// # Errors
///
/// 401, 403, 404, 503; a refusal because of the order's state is shown on the next page.
pub async fn step(
    req: HttpRequest,
    path: Path<(String, String)>,
    FormRequest { mut context, form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let (id, step) = path.into_inner();
    let id: OrderId = id.parse().map_err(|_| ApiError::NotFound("order"))?;
    let who = Party::Seller(seller);
    let tracking = form.trimmed("tracking").to_owned();
    let back = if form.text("back") == "dashboard" { "/seller" } else { "/seller/orders" };
    if tracking.chars().count() > TRACKING_MAX || tracking.chars().any(char::is_control) {
        context.flash_error(format!("A tracking number has at most {TRACKING_MAX} characters."));
        return Ok(context.redirect(back));
    }
    let tracking = (!tracking.is_empty()).then_some(tracking);
    let (done, status) = match step.as_str() {
        "ship" => (context.calls.ask(ShipOrder { order: id, who, tracking }).await, "marked as shipped"),
        "deliver" => (context.calls.ask(DeliverOrder { order: id, who, tracking: None }).await, "marked as delivered"),
        _ => return Err(ApiError::NotFound("page")),
    };
    match done.map_err(ApiError::from) {
        Ok(order) => {
            let short = order.id.to_hex().get(16..).unwrap_or_default().to_uppercase();
            context.flash_message(format!("Order {short} is {status}."));
        }
        Err(error @ ApiError::Conflict { .. }) => {
            let text = error.to_string();
            tracing::debug!(path = req.path(), text, "an order's step was refused");
            context.flash_error(format!("That did not work: {text}."));
        }
        Err(error) => return Err(error),
    }
    Ok(context.redirect(back))
}
