//! Money: an integer of minor units and its currency, never a float.
//!
//! **Invariant:** no operation here loses or creates a unit, and two currencies are never added.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The currencies that a price can have. Both have two digits of minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Indian rupee, 100 paise.
    Inr,
    /// United States dollar, 100 cents.
    Usd,
}

impl Currency {
    /// The ISO 4217 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Inr => "INR",
            Self::Usd => "USD",
        }
    }

    /// The currency of an ISO 4217 code, if the marketplace trades in it.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "INR" => Some(Self::Inr),
            "USD" => Some(Self::Usd),
            _ => None,
        }
    }
}

/// Why an amount is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum MoneyError {
    /// The text is not a decimal number.
    #[error("an amount is a decimal number")]
    NotANumber,
    /// More digits than the currency has.
    #[error("an amount has at most two decimals")]
    TooManyDecimals,
    /// It exceeds the largest amount of the marketplace.
    #[error("an amount is at most 10000000000")]
    TooLarge,
    /// The sum has two currencies.
    #[error("two currencies do not add up to an amount")]
    CurrencyMismatch,
}

/// An amount of one currency in minor units (paise, cents).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Splits `total` by `weights`, exactly: each part is its share rounded down, and the remaining units go one by one
/// to the parts with the largest remainders (the first of equal ones). If all weights are zero, the first part gets
/// everything. Negative weights count as zero.
#[must_use]
pub fn apportion(total: i64, weights: &[i64]) -> Vec<i64> {
    let weight = |at: usize| weights.get(at).map_or(0, |weight| i128::from((*weight).max(0)));
    let sum: i128 = (0..weights.len()).map(weight).sum();
    if sum == 0 {
        return (0..weights.len()).map(|at| if at == 0 { total } else { 0 }).collect();
    }
    let exact = |at: usize| i128::from(total) * weight(at);
    let mut parts: Vec<i128> = (0..weights.len()).map(|at| exact(at).div_euclid(sum)).collect();
    let mut by_loss: Vec<usize> = (0..weights.len()).collect();
    by_loss.sort_by_key(|at| std::cmp::Reverse(exact(*at).rem_euclid(sum)));
    let left = i128::from(total) - parts.iter().sum::<i128>();
    let left = usize::try_from(left).unwrap_or(0);
    for at in by_loss.into_iter().take(left) {
        if let Some(part) = parts.get_mut(at) {
            *part += 1;
        }
    }
    // A part never exceeds the total, which fits.
    parts.into_iter().map(|part| i64::try_from(part).unwrap_or(0)).collect()
}

/// 10,000,000,000 major units; far inside what JSON numbers carry exactly.
const LIMIT_MINOR: i64 = 1_000_000_000_000;

impl Money {
    /// `minor` units of `currency`.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Zero in `currency`.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Parses major units (`499.5`, `0.01`, `-3`), exactly.
    ///
    /// # Errors
    /// [`MoneyError`] when it is no decimal number, has a third decimal or is too large.
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let point_without_decimals = digits.contains('.') && fraction.is_empty();
        if whole.is_empty() || point_without_decimals || !all_digits(whole) || !all_digits(fraction) {
            return Err(MoneyError::NotANumber);
        }
        if fraction.len() > 2 {
            return Err(MoneyError::TooManyDecimals);
        }
        let whole: i64 = whole.parse().map_err(|_| MoneyError::TooLarge)?;
        let cents: i64 = format!("{fraction:0<2}").parse().map_err(|_| MoneyError::NotANumber)?;
        let minor = whole
            .checked_mul(100)
            .and_then(|minor| minor.checked_add(cents))
            .filter(|minor| *minor <= LIMIT_MINOR)
            .ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor: if negative { -minor } else { minor }, currency })
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] for two currencies, [`MoneyError::TooLarge`] beyond 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// The difference.
    ///
    /// # Errors
    /// As [`Money::checked_add`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(Self { minor: -other.minor, ..other })
    }

    /// The price of `quantity` units.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] beyond 64 bits.
    pub fn times(self, quantity: u32) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(i64::from(quantity)).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// `basis_points` hundredths of a percent of this, rounded half up to the minor unit.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] beyond 64 bits.
    pub fn percent_half_up(self, basis_points: u32) -> Result<Self, MoneyError> {
        let exact = i128::from(self.minor) * i128::from(basis_points);
        let minor = (exact + 5_000).div_euclid(10_000);
        Ok(Self { minor: i64::try_from(minor).map_err(|_| MoneyError::TooLarge)?, ..self })
    }

    /// The sum of many, `None` for none.
    ///
    /// # Errors
    /// As [`Money::checked_add`].
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Option<Self>, MoneyError> {
        let mut total: Option<Self> = None;
        for amount in amounts {
            total = Some(match total {
                Some(total) => total.checked_add(amount)?,
                None => amount,
            });
        }
        Ok(total)
    }
}

impl fmt::Display for Money {
    /// Major units with both decimals and the code: `499.50 INR`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        write!(f, "{sign}{}.{:02} {}", minor / 100, minor % 100, self.currency.code())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inr(text: &str) -> Result<i64, MoneyError> {
        Money::parse_major(text, Currency::Inr).map(Money::minor)
    }

    #[test]
    fn a_sum_is_split_exactly_by_largest_remainder() {
        assert_eq!(apportion(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(apportion(10, &[0, 3, 7]), [0, 3, 7]);
        assert_eq!(apportion(5, &[6, 6, 8]), [2, 1, 2]);
        assert_eq!((apportion(7, &[0, 0]), apportion(7, &[])), (vec![7, 0], vec![]));
        assert_eq!(apportion(-100, &[1, 2]).iter().sum::<i64>(), -100);
        let weights = [i64::MAX, 1, i64::MAX];
        assert_eq!(apportion(i64::MAX, &weights).iter().map(|part| i128::from(*part)).sum::<i128>(), i64::MAX.into());
    }

    #[test]
    fn major_units_are_read_exactly() {
        assert_eq!(inr("499.5"), Ok(49_950));
        assert_eq!(inr("0.01"), Ok(1));
        assert_eq!(inr("-3"), Ok(-300));
        assert_eq!(inr("10.50"), Ok(1_050));
        assert_eq!(inr("10.500"), Err(MoneyError::TooManyDecimals));
        assert_eq!(inr("1.005"), Err(MoneyError::TooManyDecimals));
        assert_eq!(inr("10000000000.01"), Err(MoneyError::TooLarge));
        for text in ["", ".", "5.", ".5", "1e3", "NaN", "--1", "1,5", "٣"] {
            assert_eq!(inr(text), Err(MoneyError::NotANumber), "{text}");
        }
    }

    #[test]
    fn tax_rounds_half_up() {
        let tax = |minor| Money::new(minor, Currency::Inr).percent_half_up(1_000).unwrap().minor();
        assert_eq!((tax(4), tax(5), tax(14), tax(15), tax(100)), (0, 1, 1, 2, 10));
    }

    proptest! {
        #[test]
        fn printing_and_reading_gives_the_same_money(minor in -LIMIT_MINOR..=LIMIT_MINOR) {
            let money = Money::new(minor, Currency::Usd);
            let text = money.to_string();
            let amount = text.strip_suffix(" USD").unwrap();
            prop_assert_eq!(Money::parse_major(amount, Currency::Usd), Ok(money));
        }

        #[test]
        fn a_sum_taken_apart_again_loses_no_unit(parts in proptest::collection::vec(0..LIMIT_MINOR, 1..50)) {
            let money = |minor: &i64| Money::new(*minor, Currency::Inr);
            let total = Money::sum(parts.iter().map(money)).unwrap().unwrap();
            let rest = parts.iter().try_fold(total, |rest, part| rest.checked_sub(money(part)));
            prop_assert_eq!(rest, Ok(Money::zero(Currency::Inr)));
        }

        #[test]
        fn two_currencies_never_add(a in any::<i32>(), b in any::<i32>()) {
            let sum = Money::new(a.into(), Currency::Inr).checked_add(Money::new(b.into(), Currency::Usd));
            prop_assert_eq!(sum, Err(MoneyError::CurrencyMismatch));
        }
    }
}
