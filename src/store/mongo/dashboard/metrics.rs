//! A seller's metrics, from one pass over the lines of their orders.
//!
//! The server returns the order lines without their documents, and they are summed up here: one pass for all metrics,
//! without server features that other implementations lack.

use std::collections::{BTreeMap, HashMap};

use bson::{Document, doc};
use futures_util::TryStreamExt;
use jiff::{civil::Date, tz::TimeZone};
use mongodb::Collection;

use super::{Money, OrderStatus, ProductId, Range, SoldLine, StoreError, UserId, codec, line, status};
use crate::{
    domain::{Timestamp, ids::OrderId},
    store::{
        dashboard::{CURRENCIES, DailySales, Metrics, TopProduct},
        mongo::codec::Failed,
    },
};

/// How many products are listed as best sold.
const TOP: usize = 10;

/// Units and money.
#[derive(Clone, Copy, Default)]
struct Sum {
    sold: u64,
    minor: i64,
}

impl Sum {
    fn add(&mut self, line: &SoldLine) {
        self.sold += u64::from(line.quantity.saturating_sub(line.refunded_units));
        let whole = line.price.minor().saturating_mul(i64::from(line.quantity));
        self.minor = self.minor.saturating_add(whole.saturating_sub(line.refunded_minor));
    }

    /// Whether it was refunded in full.
    const fn is_nothing(&self) -> bool {
        self.sold == 0 && self.minor <= 0
    }
}

/// A product's sales, and its title when it was last ordered.
#[derive(Default)]
struct Top {
    sum: Sum,
    title: String,
    last: Option<(Timestamp, OrderId)>,
}

/// One of the seller's orders, with their lines only.
struct Sale {
    id: OrderId,
    status: OrderStatus,
    at: Timestamp,
    lines: Vec<SoldLine>,
}

pub(super) async fn metrics(
    orders: &Collection<Document>,
    seller: UserId,
    range: Range,
) -> Result<Metrics, StoreError> {
    let mut by_currency: BTreeMap<usize, Sum> = BTreeMap::new();
    let mut by_product: HashMap<(ProductId, usize), Top> = HashMap::new();
    let mut by_status: HashMap<OrderStatus, u64> = HashMap::new();
    let mut by_day: BTreeMap<(Date, &'static str), (usize, Sum)> = BTreeMap::new();
    each(orders, seller, range, |sale| {
        *by_status.entry(sale.status).or_default() += 1;
        if !sale.status.is_sale() {
            return;
        }
        let day = sale.at.to_zoned(TimeZone::UTC).date();
        for line in &sale.lines {
            let currency = line.price.currency();
            let place = CURRENCIES.iter().position(|known| *known == currency).unwrap_or(CURRENCIES.len());
            by_currency.entry(place).or_default().add(line);
            by_day.entry((day, currency.code())).or_insert((place, Sum::default())).1.add(line);
            let top = by_product.entry((line.product, place)).or_default();
            top.sum.add(line);
            if top.last < Some((sale.at, sale.id)) {
                top.last = Some((sale.at, sale.id));
                top.title.clone_from(&line.title);
            }
        }
    })
    .await?;
    by_currency.retain(|_, sum| !sum.is_nothing());
    by_product.retain(|_, top| !top.sum.is_nothing());
    by_day.retain(|_, (_, sum)| !sum.is_nothing());
    let money = |place: usize, minor| CURRENCIES.get(place).map(|currency| Money::new(minor, *currency));
    let mut top: Vec<((ProductId, usize), Top)> = by_product.into_iter().collect();
    top.sort_by(|(a, one), (b, other)| other.sum.sold.cmp(&one.sum.sold).then_with(|| a.cmp(b)));
    top.truncate(TOP);
    let statuses = OrderStatus::ALL.iter();
    Ok(Metrics {
        sales: by_currency.values().map(|sum| sum.sold).sum(),
        revenue: by_currency.iter().filter_map(|(place, sum)| money(*place, sum.minor)).collect(),
        top_products: top
            .into_iter()
            .filter_map(|((id, place), top)| {
                let revenue = money(place, top.sum.minor)?;
                Some(TopProduct { id, title: top.title, sold: top.sum.sold, revenue })
            })
            .collect(),
        orders_by_status: statuses.filter_map(|status| Some((*status, *by_status.get(status)?))).collect(),
        daily: by_day
            .into_iter()
            .filter_map(|((date, _), (place, sum))| {
                Some(DailySales { date, sales: sum.sold, revenue: money(place, sum.minor)? })
            })
            .collect(),
    })
}

/// The total sales of each of a seller's products.
pub(super) async fn sold(orders: &Collection<Document>, seller: UserId) -> Result<HashMap<ProductId, u64>, StoreError> {
    let mut sold: HashMap<ProductId, u64> = HashMap::new();
    each(orders, seller, Range::default(), |sale| {
        for line in sale.lines.iter().filter(|_| sale.status.is_sale()) {
            *sold.entry(line.product).or_default() += u64::from(line.quantity.saturating_sub(line.refunded_units));
        }
    })
    .await?;
    Ok(sold)
}

async fn each(
    orders: &Collection<Document>,
    seller: UserId,
    range: Range,
    mut take: impl FnMut(Sale),
) -> Result<(), StoreError> {
    let mut filter = doc! { "lines.seller": codec::oid(seller.bytes()) };
    let mut created = Document::new();
    if let Some(from) = range.from {
        created.insert("$gte", codec::micros_up(from));
    }
    if let Some(to) = range.to {
        created.insert("$lt", codec::micros_up(to));
    }
    if !created.is_empty() {
        filter.insert("createdAt", created);
    }
    let fields = doc! { "status": 1, "createdAt": 1, "lines": 1 };
    let mut cursor = orders.find(filter).projection(fields).await.map_err(|error| Failed::read(&error))?;
    while let Some(row) = cursor.try_next().await.map_err(|error| Failed::read(&error))? {
        let mut lines: Vec<SoldLine> = vec![];
        for row in row.get_array("lines").into_iter().flatten().filter_map(bson::Bson::as_document) {
            lines.push(line(row)?);
        }
        lines.retain(|line| line.seller == seller);
        take(Sale {
            id: OrderId::from_bytes(codec::id(&row, "_id")?),
            status: status(codec::string(&row, "status")?)?,
            at: codec::time(codec::whole(&row, "createdAt")?)?,
            lines,
        });
    }
    Ok(())
}
