//! A seller's metrics, each by one scan of the index of their lines.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rusqlite::Connection;

use super::{Money, OrderStatus, Range, StoreError, UserId, codec, currency, status};
use crate::store::dashboard::{CURRENCIES, DailySales, Metrics, TopProduct};

/// How many products are listed as best sold.
const TOP: u32 = 10;

/// The parameters of every query: the seller and the range.
#[derive(Clone, Copy)]
struct Scope {
    seller: UserId,
    from: i64,
    to: i64,
}

impl Scope {
    fn parameters(&self) -> (&[u8], i64, i64) {
        (self.seller.as_slice(), self.from, self.to)
    }
}

pub(super) fn metrics(connection: &Connection, seller: UserId, range: Range) -> Result<Metrics, StoreError> {
    let scope = Scope {
        seller,
        from: range.from.map_or(i64::MIN, codec::micros_up),
        to: range.to.map_or(i64::MAX, codec::micros_up),
    };
    let mut by_currency = by_currency(connection, scope)?;
    by_currency.sort_by_key(|(_, money)| CURRENCIES.iter().position(|currency| *currency == money.currency()));
    Ok(Metrics {
        sales: by_currency.iter().map(|(sales, _)| sales).sum(),
        revenue: by_currency.into_iter().map(|(_, money)| money).collect(),
        top_products: top_products(connection, scope)?,
        orders_by_status: orders_by_status(connection, scope)?,
        daily: daily(connection, scope)?,
    })
}

fn by_currency(connection: &Connection, scope: Scope) -> Result<Vec<(u64, Money)>, StoreError> {
    codec::all(
        connection,
        "SELECT currency, sum(quantity - refunded_units) AS sold, sum(quantity * price_minor - refunded_minor) AS kept
         FROM dashboard_lines
         WHERE seller = ?1 AND created_at >= ?2 AND created_at < ?3 AND is_sale = 1
         GROUP BY currency HAVING sold > 0 OR kept > 0",
        scope.parameters(),
        |row| Ok((row.get(1)?, Money::new(row.get(2)?, currency(row, 0)?))),
    )
}

/// A product that was sold in two currencies has a row for each, because there is no common sum.
fn top_products(connection: &Connection, scope: Scope) -> Result<Vec<TopProduct>, StoreError> {
    let (seller, from, to) = scope.parameters();
    let mut top = codec::all(
        connection,
        "SELECT product, currency, sum(quantity - refunded_units) AS sold,
                sum(quantity * price_minor - refunded_minor) AS kept
         FROM dashboard_lines
         WHERE seller = ?1 AND created_at >= ?2 AND created_at < ?3 AND is_sale = 1
         GROUP BY product, currency HAVING sold > 0 OR kept > 0 ORDER BY sold DESC, product, currency LIMIT ?4",
        (seller, from, to, TOP),
        |row| {
            let revenue = Money::new(row.get(3)?, currency(row, 1)?);
            Ok(TopProduct { id: codec::id(row, 0)?, title: String::new(), sold: row.get(2)?, revenue })
        },
    )?;
    for product in &mut top {
        let title = codec::first(
            connection,
            "SELECT title FROM dashboard_lines WHERE seller = ?1 AND product = ?2
             ORDER BY created_at DESC, order_id DESC LIMIT 1",
            (seller, product.id.as_slice()),
            |row| Ok(row.get(0)?),
        )?;
        product.title = title.unwrap_or_default();
    }
    Ok(top)
}

fn orders_by_status(connection: &Connection, scope: Scope) -> Result<Vec<(OrderStatus, u64)>, StoreError> {
    let mut counted = codec::all(
        connection,
        "SELECT status, count(DISTINCT order_id) FROM dashboard_lines
         WHERE seller = ?1 AND created_at >= ?2 AND created_at < ?3 GROUP BY status",
        scope.parameters(),
        |row| Ok((status(row, 0)?, row.get(1)?)),
    )?;
    counted.sort_by_key(|(status, _)| OrderStatus::ALL.iter().position(|known| known == status));
    Ok(counted)
}

fn daily(connection: &Connection, scope: Scope) -> Result<Vec<DailySales>, StoreError> {
    codec::all(
        connection,
        "SELECT created_at / 86400000000 AS day, currency, sum(quantity - refunded_units) AS sold,
                sum(quantity * price_minor - refunded_minor) AS kept
         FROM dashboard_lines
         WHERE seller = ?1 AND created_at >= ?2 AND created_at < ?3 AND is_sale = 1
         GROUP BY day, currency HAVING sold > 0 OR kept > 0 ORDER BY day, currency",
        scope.parameters(),
        |row| {
            let revenue = Money::new(row.get(3)?, currency(row, 1)?);
            Ok(DailySales { date: date(row.get(0)?)?, sales: row.get(2)?, revenue })
        },
    )
}

fn date(day: i64) -> Result<Date, StoreError> {
    let midnight = Timestamp::from_second(day.saturating_mul(86_400));
    Ok(midnight.map_err(|error| StoreError::Corrupt(error.to_string()))?.to_zoned(TimeZone::UTC).date())
}
