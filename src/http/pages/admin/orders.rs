//! All orders, by status.

use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{PER_PAGE, older};
use crate::{
    actors::admin::calls::GetNewestOrders,
    domain::{
        ids::OrderId,
        order::{Order, OrderStatus},
    },
    http::{
        error::ApiError,
        pages::{context::PageContext, format, listing::asked, page::Page},
    },
};

struct Choice {
    url: String,
    label: &'static str,
    current: bool,
}

struct Row {
    id: String,
    placed: format::Time,
    status: &'static str,
    word: &'static str,
    buyer: String,
    items: String,
    total: String,
    /// Pending saga steps, and when they are due.
    todo: String,
    due: Option<format::Time>,
}

#[derive(Template)]
#[template(path = "admin/orders.html")]
struct OrdersPage {
    page: Page,
    choices: Vec<Choice>,
    rows: Vec<Row>,
    older: String,
}

fn row(order: &Order) -> Row {
    let items = order.items.iter().map(|item| format!("{} × {}", item.quantity, item.title));
    let todo = order.saga.todo.iter().map(|step| format!("{step:?}")).collect::<Vec<_>>().join(", ");
    Row {
        id: order.id.to_hex(),
        placed: format::time(order.created_at),
        status: order.status.as_str(),
        word: format::order_status(order.status),
        buyer: order.user.to_hex(),
        items: items.collect::<Vec<_>>().join(", "),
        total: format::money(order.total),
        due: order.saga.due_at.filter(|_| !todo.is_empty()).map(format::time),
        todo,
    }
}

/// The list, newest first.
///
/// # Errors
/// 401, 403, 503.
pub async fn list(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let status = OrderStatus::from_word(&asked(&req, "status"));
    let before: Option<OrderId> = asked(&req, "before").parse().ok();
    let mut orders = context.calls.ask(GetNewestOrders { status, before, limit: PER_PAGE + 1 }).await?;
    let here =
        status.map_or_else(|| "/admin/orders".to_owned(), |one| format!("/admin/orders?status={}", one.as_str()));
    let older = older(&mut orders, &here, |order| order.id.to_hex());
    let all = Choice { url: "/admin/orders".into(), label: "All", current: status.is_none() };
    let of = OrderStatus::ALL.map(|one| Choice {
        url: format!("/admin/orders?status={}", one.as_str()),
        label: format::order_status(one),
        current: status == Some(one),
    });
    let choices = std::iter::once(all).chain(of).collect();
    let view = OrdersPage { page: context.page("All orders"), choices, rows: orders.iter().map(row).collect(), older };
    context.ok(&view)
}
