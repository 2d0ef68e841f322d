//! `/seller`: sales, revenue, best sellers, low stock, orders to ship.

use actix_web::HttpResponse;
use askama::Template;
use jiff::{SignedDuration, tz::TimeZone};

use super::{
    chart::Chart,
    orders::{self, OrderLine},
};
use crate::{
    actors::catalogue::calls::GetProductsOfSeller,
    actors::seller_dashboard::calls::GetSellerMetrics,
    domain::{Timestamp, ids::UserId, money::Currency, order::OrderStatus},
    http::{
        error::ApiError,
        pages::{context::PageContext, format, page::Page},
    },
    store::dashboard::Range,
};

/// The period, in days.
const DAYS: i64 = 30;
/// Up to this stock a product counts as low.
pub(super) const LOW: i64 = 5;
/// How many products are searched for low stock at once, and in how many steps.
const LOOKED_AT: u32 = 500;
const LOOKS: u64 = 40;
/// How many rows each list has.
const ROWS: usize = 8;
/// How many orders to ship are shown.
const TO_SHIP: u32 = 4;

struct Figure {
    label: &'static str,
    value: String,
    note: String,
}

struct Top {
    url: String,
    title: String,
    sold: String,
    revenue: String,
}

struct Low {
    url: String,
    title: String,
    stock: i64,
}

#[derive(Template)]
#[template(path = "seller/dashboard.html")]
struct DashboardPage {
    page: Page,
    name: String,
    figures: Vec<Figure>,
    chart: Chart,
    top: Vec<Top>,
    low: Vec<Low>,
    to_ship: Vec<OrderLine>,
    more_to_ship: bool,
    nothing_sold: bool,
}

///
/// # Errors
/// 401, 403, 503.
pub async fn show(mut context: PageContext) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let now = Timestamp::now();
    let from = now.saturating_sub(SignedDuration::from_hours(DAYS * 24)).ok();
    let metrics = context.calls.ask(GetSellerMetrics { seller, range: Range { from, to: None } }).await?;
    let currency = metrics.revenue.first().map_or(Currency::Inr, |money| money.currency());
    let revenue: Vec<String> = metrics.revenue.iter().map(|money| format::money(*money)).collect();
    let of = |status| metrics.orders_by_status.iter().find(|row| row.0 == status).map_or(0, |row| row.1);
    let (mut open, waiting) = orders::to_ship(&context, seller, 0, TO_SHIP).await?;
    orders::refill(&mut context, &mut open);
    let figures = vec![
        Figure { label: "Revenue", value: or_nothing(&revenue, currency), note: "without tax and shipping".into() },
        Figure { label: "Units sold", value: format::count(metrics.sales), note: format!("in {DAYS} days") },
        Figure { label: "Orders to ship", value: format::count(waiting), note: "paid and waiting".into() },
        Figure {
            label: "On their way",
            value: format::count(of(OrderStatus::Shipped)),
            note: format!("{} delivered", format::count(of(OrderStatus::Delivered))),
        },
    ];
    let top = metrics.top_products.iter().take(ROWS).map(|product| Top {
        url: format!("/seller/products/{}", product.id),
        title: product.title.clone(),
        sold: format::count(product.sold),
        revenue: format::money(product.revenue),
    });
    let view = DashboardPage {
        name: context.name.clone(),
        figures,
        chart: Chart::draw(&metrics.daily, currency, now.to_zoned(TimeZone::UTC).date(), DAYS),
        top: top.collect(),
        low: low(&context, seller).await?,
        more_to_ship: waiting > u64::from(TO_SHIP),
        to_ship: open,
        nothing_sold: metrics.sales == 0,
        page: context.page("Your shop"),
    };
    context.ok(&view)
}

fn or_nothing(revenue: &[String], currency: Currency) -> String {
    match revenue {
        [] => format::money(crate::domain::money::Money::zero(currency)),
        some => some.join(" + "),
    }
}

/// Products with low stock, lowest first.
async fn low(context: &PageContext, seller: UserId) -> Result<Vec<Low>, ApiError> {
    let mut low: Vec<Low> = vec![];
    for look in 0..LOOKS {
        let skip = look * u64::from(LOOKED_AT);
        let listed = context.calls.ask(GetProductsOfSeller { seller, skip, limit: LOOKED_AT }).await?;
        low.extend(listed.rows.iter().filter(|offer| offer.available <= LOW).map(|offer| Low {
            url: format!("/seller/products/{}", offer.product.id),
            title: offer.product.title.clone(),
            stock: offer.available.max(0),
        }));
        low.sort_by_key(|product| product.stock);
        low.truncate(ROWS);
        if skip + u64::from(LOOKED_AT) >= listed.total {
            break;
        }
    }
    Ok(low)
}
