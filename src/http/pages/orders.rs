//! A buyer's orders, and an order with its history.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;

use super::{
    account::one_line, checkout::path_of, context::PageContext, form::FormRequest, format, listing::page_of,
    page::Page, product::id_of,
};
use crate::{
    actors::order_saga::Party,
    actors::order_saga::calls::{CancelOrder, GetOrderFor, GetOrdersOfUser},
    actors::payment::calls::GetPaymentOfOrder,
    domain::{
        Timestamp,
        ids::OrderId,
        order::{Order, OrderStatus, Shipment, TimelineEntry},
        payment::PaymentStatus,
        user::Role,
    },
    http::error::ApiError,
};

/// Orders on a page.
const PER_PAGE: u32 = 20;
/// The last page that is shown.
const PAGES_MAX: u64 = 10_000;

/// An order in a list.
pub struct OrderRowView {
    pub id: String,
    /// The status as in the API.
    pub status: &'static str,
    /// The status in words.
    pub word: &'static str,
    /// The day on which it was placed.
    pub day: format::Time,
    /// The first title, and how many more there are.
    pub what: String,
    /// The total.
    pub total: String,
}

impl From<&Order> for OrderRowView {
    fn from(order: &Order) -> Self {
        let first = order.items.first().map_or("", |item| item.title.as_str());
        let what = match order.items.len() {
            0 | 1 => first.to_owned(),
            many => format!("{first} and {} more", many - 1),
        };
        Self {
            id: order.id.to_hex(),
            status: order.status.as_str(),
            word: format::order_status(order.status),
            day: format::date(order.created_at),
            what,
            total: format::money(order.total),
        }
    }
}

#[derive(Template)]
#[template(path = "shop/orders.html")]
struct OrdersPage {
    page: Page,
    orders: Vec<OrderRowView>,
    number: u64,
    pages: u64,
}

struct ItemView {
    product: String,
    title: String,
    quantity: u32,
    price: String,
    sum: String,
    shipment: &'static str,
    tracking: String,
}

struct MomentView {
    word: String,
    reason: String,
    moment: format::Time,
}

#[derive(Template)]
#[template(path = "shop/order.html")]
struct OrderPage {
    page: Page,
    id: String,
    status: &'static str,
    word: &'static str,
    day: String,
    items: Vec<ItemView>,
    subtotal: String,
    tax: String,
    shipping: String,
    total: String,
    address: String,
    timeline: Vec<MomentView>,
    reason: String,
    payment: &'static str,
    refunds: Vec<String>,
    can_pay: bool,
    can_cancel: bool,
    for_staff: bool,
    until: format::Time,
}

#[derive(Template)]
#[template(path = "shop/cancel.html")]
struct CancelPage {
    page: Page,
    id: String,
    reason: String,
    paid: bool,
    total: String,
}

///
/// # Errors
/// 401, 403 for sellers and admins, 503.
pub async fn list(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    let user = context.buyer()?.id;
    let number = u64::from(page_of(&req));
    let skip = (number - 1) * u64::from(PER_PAGE);
    let found = context.calls.ask(GetOrdersOfUser { user, status: None, skip, limit: PER_PAGE }).await?;
    let view = OrdersPage {
        page: context.page("Orders"),
        orders: found.rows.iter().map(OrderRowView::from).collect(),
        number,
        pages: found.total.div_ceil(u64::from(PER_PAGE)).clamp(1, PAGES_MAX),
    };
    context.ok(&view)
}

fn item(line: &crate::domain::order::OrderItem) -> ItemView {
    ItemView {
        product: line.product.to_hex(),
        title: line.title.clone(),
        quantity: line.quantity,
        price: format::money(line.price),
        sum: line.price.times(line.quantity).map(format::money).unwrap_or_default(),
        shipment: match line.shipment {
            Shipment::Waiting => "",
            Shipment::Shipped => "On its way",
            Shipment::Delivered => "Delivered",
        },
        tracking: line.tracking_number.clone().unwrap_or_default(),
    }
}

fn moment(entry: &TimelineEntry) -> MomentView {
    let part = entry.part.map(|part| part.shipment);
    let word = match (entry.refund, entry.status) {
        (Some(_), _) => "Money refunded",
        (None, _) if part == Some(Shipment::Shipped) => "A part is on its way",
        (None, _) if part == Some(Shipment::Delivered) => "A part is delivered",
        (None, OrderStatus::Pending) => "Order placed",
        (None, OrderStatus::Confirmed) => "Payment received, order confirmed",
        (None, OrderStatus::Shipped) => "On its way",
        (None, OrderStatus::Delivered) => "Delivered",
        (None, OrderStatus::Cancelled) => "Order cancelled",
    };
    let reason = match entry.reason.as_deref() {
        Some("expired") => "It was not paid in time.".to_owned(),
        Some("refunded") if entry.refund.is_none() => "All that was paid was given back.".to_owned(),
        Some(reason) => reason.to_owned(),
        None => String::new(),
    };
    MomentView { word: word.to_owned(), reason, moment: format::time(entry.at) }
}

/// The payment's status, and texts about the money that was refunded.
async fn payment(context: &PageContext, order: &Order) -> (&'static str, Vec<String>) {
    match context.calls.ask(GetPaymentOfOrder { order: order.id }).await {
        Ok(Some(payment)) => {
            let word = match payment.status {
                PaymentStatus::Pending | PaymentStatus::Failed if order.status == OrderStatus::Cancelled => "Not paid",
                status => format::payment_status(status),
            };
            (word, payment.refunds.iter().map(|refund| format::money(refund.amount)).collect())
        }
        Ok(None) if order.status == OrderStatus::Cancelled => ("Not paid", vec![]),
        Ok(None) => ("Awaiting payment", vec![]),
        Err(_) => ("", vec![]),
    }
}

/// An order, for its buyer, a seller in it, or an admin.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn show(mut context: PageContext, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.clone();
    let id: OrderId = id_of(&path, "order")?;
    let party = match user.role {
        Role::User | Role::Service => Party::Buyer(user.id),
        Role::Seller => Party::Seller(user.id),
        Role::Admin => Party::Admin,
    };
    let order = context.calls.ask(GetOrderFor { order: id, who: party }).await?;
    let mine = order.user == user.id;
    let kept = context.take_saved_form(&format!("/orders/{id}/cancel")).unwrap_or_default();
    let (payment, refunds) = match party {
        // Sellers do not see the refunds of the whole order.
        Party::Seller(_) => {
            (payment(&context, &order).await.0, order.refunded.map(format::money).into_iter().collect())
        }
        Party::Buyer(_) | Party::Admin => payment(&context, &order).await,
    };
    let waiting = order.items.iter().all(|line| line.shipment == Shipment::Waiting);
    let pending = order.status == OrderStatus::Pending;
    let view = OrderPage {
        page: context.page(format!("Order of {}", format::day(order.created_at))),
        id: id.to_hex(),
        status: order.status.as_str(),
        word: format::order_status(order.status),
        day: format::day(order.created_at),
        items: order.items.iter().map(item).collect(),
        subtotal: format::money(order.subtotal),
        tax: format::money(order.tax),
        shipping: format::money(order.shipping),
        total: format::money(order.total),
        address: order.shipping_address.as_ref().map(one_line).unwrap_or_default(),
        timeline: order.timeline.iter().map(moment).collect(),
        reason: kept.trimmed("reason").to_owned(),
        payment,
        refunds,
        can_pay: mine && pending && order.expires_at > Timestamp::now(),
        for_staff: party == Party::Admin,
        can_cancel: (mine || party == Party::Admin) && waiting && (pending || order.status == OrderStatus::Confirmed),
        until: format::time(order.expires_at),
    };
    context.ok(&view)
}

/// Cancels an order: stock and money are returned.
///
/// # Errors
///
/// 401, 403, 404, 503; for a shipped order, the order's page shows the refusal.
pub async fn cancel(
    FormRequest { mut context, form }: FormRequest,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let user = context.user()?;
    let party = match user.role {
        Role::User => Party::Buyer(user.id),
        Role::Admin => Party::Admin,
        Role::Seller | Role::Service => return Err(ApiError::forbidden()),
    };
    let id: OrderId = id_of(&path, "order")?;
    let reason: String = form.trimmed("reason").chars().take(1_000).collect();
    // Sellers and admins act on a buyer's order, so that they must confirm first.
    if party == Party::Admin && form.text("confirmed") != "yes" {
        let order = context.calls.ask(GetOrderFor { order: id, who: party }).await?;
        let view = CancelPage {
            page: context.page("Cancel an order"),
            id: id.to_hex(),
            reason,
            paid: order.payment.is_some(),
            total: format::money(order.total),
        };
        return context.ok(&view);
    }
    let reason = (!reason.is_empty()).then_some(reason);
    match context.calls.ask(CancelOrder { order: id, who: party, reason }).await.map_err(ApiError::from) {
        Ok(order) => context.flash_message(match (party, order.payment.is_some()) {
            (Party::Admin, true) => {
                "The order is cancelled. Its stock is back, and what was paid goes back to the buyer."
            }
            (Party::Admin, false) => "The order is cancelled and its stock is back. It had not been paid.",
            (_, true) => "The order is cancelled. What you paid is on its way back to you.",
            (_, false) => "The order is cancelled. You had not paid it.",
        }),
        Err(error @ ApiError::Conflict { .. }) => context.flash_error(format!("This did not work: {error}.")),
        Err(error) => return Err(error),
    }
    Ok(context.redirect(&path_of(id)))
}
