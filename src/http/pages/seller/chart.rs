//! A chart of daily revenue, drawn on the server as SVG.
//!
//! **Invariant:** the chart shows the same numbers as the table beside it, and every size is an attribute, so that no
//! inline styles are needed.

use jiff::{ToSpan, civil::Date};

use crate::{
    domain::money::{Currency, Money},
    http::pages::format,
    store::dashboard::DailySales,
};

/// The size of the drawing.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 200;
/// Space for the numbers on the left.
const LEFT: i64 = 8;
/// Space above the highest bar.
const TOP: i64 = 14;
/// Space between two bars.
const GAP: i64 = 3;

/// A day in the chart and its table.
pub(super) struct Day {
    pub(super) date: String,
    pub(super) short: String,
    pub(super) sales: String,
    pub(super) revenue: String,
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
    /// Whether the date is printed below the bar.
    pub(super) labelled: bool,
    /// The middle of the bar.
    pub(super) middle: i64,
}

/// The revenue of one currency, day by day.
pub(super) struct Chart {
    pub(super) days: Vec<Day>,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) base: i64,
    /// The revenue of the highest bar, and half of it.
    pub(super) most: String,
    pub(super) half: String,
    pub(super) top: i64,
    pub(super) middle: i64,
    /// The chart in one sentence.
    pub(super) summary: String,
}

impl Chart {
    /// Draws `count` days up to `last`; days without sales have no height.
    pub(super) fn draw(daily: &[DailySales], currency: Currency, last: Date, count: i64) -> Self {
        let days: Vec<(Date, u64, i64)> = (0..count)
            .rev()
            .filter_map(|back| last.checked_sub(back.days()).ok())
            .map(|date| {
                let found = daily.iter().find(|day| day.date == date && day.revenue.currency() == currency);
                found.map_or((date, 0, 0), |day| (date, day.sales, day.revenue.minor()))
            })
            .collect();
        let most = days.iter().map(|day| day.2).max().unwrap_or(0);
        let total: i64 = days.iter().map(|day| day.2).sum();
        let money = |minor| format::money(Money::new(minor, currency));
        let step = (WIDTH - LEFT) / count.max(1);
        let room = HEIGHT - TOP;
        let bar = |(at, (date, sales, minor)): (i64, (Date, u64, i64))| {
            // Integer arithmetic: amounts in minor units may be large.
            let height = if most > 0 {
                i64::try_from(i128::from(minor) * i128::from(room) / i128::from(most)).unwrap_or(0)
            } else {
                0
            };
            let height = if minor > 0 { height.max(2) } else { 0 };
            Day {
                date: date.strftime("%-d %B %Y").to_string(),
                short: date.strftime("%-d %b").to_string(),
                sales: format::count(sales),
                revenue: money(minor),
                x: LEFT + at * step,
                y: HEIGHT - height,
                width: (step - GAP).max(1),
                height,
                labelled: (count - 1 - at) % 7 == 0,
                middle: LEFT + at * step + (step - GAP) / 2,
            }
        };
        let best = days.iter().max_by_key(|day| day.2).filter(|day| day.2 > 0);
        let summary = best.map_or_else(
            || format!("No sales in the last {count} days."),
            |day| {
                let best = day.0.strftime("%-d %B");
                format!("{} in the last {count} days; the best day was {best} with {}.", money(total), money(day.2))
            },
        );
        Self {
            days: (0..).zip(days).map(bar).collect(),
            width: WIDTH,
            height: HEIGHT + 28,
            base: HEIGHT,
            most: money(most),
            half: money(most / 2),
            top: TOP,
            middle: TOP + room / 2,
            summary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_days() {
        let last: Date = "2026-03-01".parse().unwrap();
        let day = |date: &str, minor| DailySales {
            date: date.parse().unwrap(),
            sales: 2,
            revenue: Money::new(minor, Currency::Inr),
        };
        let daily = [day("2026-02-28", 50_000), day("2026-03-01", 100_000), day("2026-01-01", 900_000)];
        let chart = Chart::draw(&daily, Currency::Inr, last, 30);
        assert_eq!((chart.days.len(), chart.most.as_str()), (30, "₹1,000.00"));
        let heights: Vec<i64> = chart.days.iter().rev().take(3).map(|day| day.height).collect();
        assert_eq!(heights, [HEIGHT - TOP, (HEIGHT - TOP) / 2, 0]);
        assert_eq!(chart.summary, "₹1,500.00 in the last 30 days; the best day was 1 March with ₹1,000.00.");
        assert!(chart.days.iter().all(|day| day.x + day.width <= WIDTH && day.y >= TOP));
        let none = Chart::draw(&[], Currency::Inr, last, 30);
        assert_eq!(none.summary, "No sales in the last 30 days.");
    }
}
