//! Validation of postal addresses by country.
//!
//! The lines that a country has and requires, and their format, are in [`super::places`]. Addresses stored before
//! these rules existed are shown and used unchanged until they are edited.
//!
//! **Invariant:** an address that was [settled](PostalAddress::settled) settles to itself.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::{
    places::{self, Country, Part},
    text::{NO_PAGE, ONE_LINE, carries_link, carries_page_address, has_control, trim_invisible},
    user::PostalAddress,
};

/// The longest line of an address, in characters.
pub const ADDRESS_LINE_MAX: usize = 200;

/// A problem with a line of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressProblem {
    /// The field as it is named on the wire.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub what: Cow<'static, str>,
    /// Whether the line is missing or too long, so that no further check is needed.
    pub is_malformed: bool,
}

impl AddressProblem {
    const fn malformed(field: &'static str, what: &'static str) -> Self {
        Self { field: Cow::Borrowed(field), what: Cow::Borrowed(what), is_malformed: true }
    }

    fn unacceptable(field: &'static str, what: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Cow::Borrowed(field), what: what.into(), is_malformed: false }
    }
}

/// The message for a missing line.
pub const MISSING: &str = "must not be empty";

impl PostalAddress {
    /// Normalises the address for storage: lines without invisible characters at their ends, the country and a known
    /// state as codes, the postal code in the country's format.
    ///
    /// # Errors
    /// Returns every invalid line.
    pub fn settled(self) -> Result<Self, Vec<AddressProblem>> {
        let mut problems = Vec::new();
        // A name must be visible; an absent phone number is allowed.
        let name = self.full_name.as_deref().unwrap_or_default();
        if !name.is_empty() && seen(name).is_empty() {
            problems.push(AddressProblem::malformed("fullName", "must not be blank"));
        }
        if carries_page_address(name) {
            problems.push(AddressProblem::malformed("fullName", NO_PAGE));
        }
        let optional = |text: Option<String>| text.map(|text| seen(&text)).filter(|text| !text.is_empty());
        let mut postal = Self {
            full_name: optional(self.full_name),
            phone: optional(self.phone),
            street: seen(&self.street),
            city: seen(&self.city),
            state: seen(&self.state),
            country: seen(&self.country),
            zip: seen(&self.zip),
        };
        let country = places::country(&postal.country);
        postal.check_lines(country, &mut problems);
        if let Some(phone) = &postal.phone {
            match settled_phone(phone) {
                Some(settled) => postal.phone = Some(settled),
                None => problems.push(AddressProblem::unacceptable(
                    "phone",
                    "must be a phone number of 5 to 20 digits, like +91 98765 43210",
                )),
            }
        }
        match country {
            Some(country) => postal.settle_in(country, &mut problems),
            None if postal.country.is_empty() => {}
            None => problems.push(AddressProblem::unacceptable(
                "country",
                "must be a country's ISO code or its English name, like IN or India",
            )),
        }
        if problems.is_empty() { Ok(postal) } else { Err(problems) }
    }

    fn check_lines(&self, country: Option<&Country>, problems: &mut Vec<AddressProblem>) {
        let needs = |part| country.is_some_and(|country| country.needs(part));
        let empty = String::new();
        let lines = [
            ("fullName", self.full_name.as_ref().unwrap_or(&empty), false),
            ("street", &self.street, true),
            // Nearly every country has cities and postal codes, so both are required while the country is unknown.
            ("city", &self.city, country.is_none() || needs(Part::City)),
            ("state", &self.state, needs(Part::State)),
            ("country", &self.country, true),
            ("zip", &self.zip, country.is_none() || needs(Part::Zip)),
        ];
        for (field, line, needed) in lines {
            match line.chars().count() {
                0 if needed => problems.push(AddressProblem::malformed(field, MISSING)),
                n if n > ADDRESS_LINE_MAX => {
                    problems.push(AddressProblem::malformed(field, "must be at most 200 characters"));
                }
                _ if has_control(line) => problems.push(AddressProblem::malformed(field, ONE_LINE)),
                // Names have further rules, and a country must be known.
                _ if !matches!(field, "fullName" | "country") && carries_link(line) => {
                    problems.push(AddressProblem::malformed(field, NO_PAGE));
                }
                _ => {}
            }
        }
    }

    fn settle_in(&mut self, country: &Country, problems: &mut Vec<AddressProblem>) {
        country.code.clone_into(&mut self.country);
        let fits = |line: &str| !line.is_empty() && line.chars().count() <= ADDRESS_LINE_MAX;
        if country.has(Part::State) && fits(&self.state) {
            match country.state(&self.state) {
                Some(state) => state.code.clone_into(&mut self.state),
                None if country.lists_states() => {
                    let what = format!("is not a state or province of {}", country.name);
                    problems.push(AddressProblem::unacceptable("state", what));
                }
                None => {}
            }
        }
        if country.has(Part::Zip) && fits(&self.zip) {
            match country.zip(&self.zip) {
                Some(zip) => self.zip = zip,
                None => {
                    let what = format!("is not a postal code of {}; one looks like {}", country.name, country.example);
                    problems.push(AddressProblem::unacceptable("zip", what));
                }
            }
        }
    }

    /// The state as its code, or as its name where readers do not know the code.
    #[must_use]
    pub fn state_shown(&self) -> &str {
        let state = places::country(&self.country).and_then(|country| country.state(&self.state));
        state.map_or(&self.state, |state| state.short())
    }

    /// The state's name as it is written on a parcel.
    #[must_use]
    pub fn state_name(&self) -> &str {
        let state = places::country(&self.country).and_then(|country| country.state(&self.state));
        state.map_or(&self.state, |state| state.name)
    }

    /// The country's name in English.
    #[must_use]
    pub fn country_name(&self) -> &str {
        places::country(&self.country).map_or(&self.country, |country| country.name)
    }

    /// The lines of a label: recipient, street, city, state and country, phone.
    #[must_use]
    pub fn label(&self) -> Vec<String> {
        let line = |parts: &[&str], between| {
            let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
            parts.join(between)
        };
        let phone = self.phone.as_ref().map(|phone| format!("Phone {phone}")).unwrap_or_default();
        let lines = [
            self.full_name.clone().unwrap_or_default(),
            self.street.clone(),
            line(&[&self.city, &self.zip], " "),
            line(&[self.state_name(), self.country_name()], ", "),
            phone,
        ];
        lines.into_iter().filter(|line| !line.is_empty()).collect()
    }
}

/// A line without invisible characters at its ends.
fn seen(text: &str) -> String {
    trim_invisible(text).to_owned()
}

/// Checks only the format of a phone number: digits, with an optional leading plus and separators.
fn settled_phone(text: &str) -> Option<String> {
    let plain: String = text.nfkc().collect();
    let written = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let digits = written.chars().filter(char::is_ascii_digit).count();
    let (_, after_plus) = written.split_once('+').unwrap_or(("", &written));
    let fine = written.chars().all(|c| c.is_ascii_digit() || "+ -.()/".contains(c))
        && !after_plus.contains('+')
        && (written.starts_with('+') || !written.contains('+') || written.starts_with("(+"))
        && (5..=20).contains(&digits)
        && written.len() <= 40;
    fine.then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(country: &str, state: &str, zip: &str) -> PostalAddress {
        let line = |text: &str| text.to_owned();
        PostalAddress {
            full_name: None,
            phone: None,
            street: line("12 Lake Road"),
            city: line("Somewhere"),
            state: line(state),
            country: line(country),
            zip: line(zip),
        }
    }

    fn refused(address: PostalAddress) -> Vec<(&'static str, bool)> {
        let problems = address.settled().expect_err("it is refused");
        let field = |problem: AddressProblem| match problem.field {
            Cow::Borrowed(field) => (field, problem.is_malformed),
            Cow::Owned(field) => panic!("{field} is not named by this rule"),
        };
        problems.into_iter().map(field).collect()
    }

    #[test]
    fn a_country_says_what_is_needed() {
        for (country, state, zip, kept) in [
            ("India", "Maharashtra", "411 001", ("IN", "MH", "411001")),
            ("us", "new york", "10001", ("US", "NY", "10001")),
            // Countries without states: a given state is kept unchanged.
            ("Germany", "", "10115", ("DE", "", "10115")),
            ("GB", "Greater London", "sw1a 1aa", ("GB", "Greater London", "SW1A 1AA")),
            // No postal codes.
            ("AE", "Dubai", "", ("AE", "DU", "")),
            ("Hong Kong", "Kowloon", "", ("HK", "Kowloon", "")),
            ("Qatar", "", "", ("QA", "", "")),
            // Present but not required.
            ("IE", "Dublin", "d02 x285", ("IE", "D", "D02 X285")),
            ("IE", "", "", ("IE", "", "")),
        ] {
            let settled = address(country, state, zip).settled().unwrap_or_else(|bad| panic!("{country}: {bad:?}"));
            let (code, state, zip) = kept;
            assert_eq!((&*settled.country, &*settled.state, &*settled.zip), (code, state, zip));
            assert_eq!(settled.clone().settled(), Ok(settled));
        }
        let singapore = PostalAddress { city: String::new(), ..address("SG", "", "546080") };
        assert!(singapore.settled().is_ok(), "the city is the country");
    }

    #[test]
    fn each_line_that_is_wrong_is_named() {
        assert_eq!(refused(address("IN", "", "")), [("state", true), ("zip", true)]);
        assert_eq!(refused(address("IN", "Bavaria", "4110")), [("state", false), ("zip", false)]);
        assert_eq!(refused(address("DE", "", "1234")), [("zip", false)]);
        assert_eq!(refused(address("IE", "Bavaria", "")), [("state", false)]);
        assert_eq!(refused(address("Atlantis", "x", "y")), [("country", false)]);
        assert_eq!(refused(address(" ", "x", "y")), [("country", true)]);
        let bare =
            PostalAddress { street: " \u{200b}\u{3164}".into(), city: String::new(), ..address("IN", "MH", "411001") };
        assert_eq!(refused(bare), [("street", true), ("city", true)]);
        let long = PostalAddress { full_name: Some("x".repeat(201)), ..address("IN", "MH", &"9".repeat(201)) };
        assert_eq!(refused(long), [("fullName", true), ("zip", true)]);
    }

    #[test]
    fn a_line_is_one_line_and_leads_nowhere() {
        for bad in ["a\r\nb", "a\nb", "a\u{2028}b", "a\u{0}b", "see https://evil.li", "evil.com"] {
            let line = || bad.to_owned();
            assert_eq!(
                refused(PostalAddress { full_name: Some(line()), ..address("QA", "", "") }),
                [("fullName", true)]
            );
            assert_eq!(refused(PostalAddress { street: line(), ..address("QA", "", "") }), [("street", true)]);
            assert_eq!(refused(PostalAddress { city: line(), ..address("QA", "", "") }), [("city", true)]);
            assert_eq!(refused(address("QA", bad, "")), [("state", true)], "{bad:?}");
            assert_eq!(refused(address("QA", "", bad)), [("zip", true)]);
        }
        let named = |name: &str| PostalAddress { full_name: Some(name.into()), ..address("QA", "", "") };
        assert_eq!(refused(named("Jane evil.li")), [("fullName", true)]);
        let kept = PostalAddress { street: "D.No:5-6, opp.shop 12\n".into(), ..named("Dr.Li, St.John\u{a0}") };
        assert_eq!(kept.settled().expect("it is fine").street, "D.No:5-6, opp.shop 12");
    }

    #[test]
    fn a_phone_is_looked_at_by_its_form() {
        let with = |phone: &str| PostalAddress { phone: Some(phone.into()), ..address("IN", "MH", "411001") }.settled();
        for (phone, kept) in [
            ("+91  98765 43210", Some("+91 98765 43210")),
            ("(020) 2612-3456", Some("(020) 2612-3456")),
            ("12345", Some("12345")),
            ("  ", None),
        ] {
            assert_eq!(with(phone).expect("it is fine").phone.as_deref(), kept);
        }
        for phone in ["1234", "+", "call me", "98765 43210 98765 43210 1", "9876+54321", "++9198765", "98765;43210"] {
            assert_eq!(with(phone).expect_err("it is refused")[0].field, "phone", "{phone}");
        }
    }

    #[test]
    fn a_label_names_whom_it_goes_to() {
        let mut postal = address("IN", "MH", "411001");
        assert_eq!(postal.label(), ["12 Lake Road", "Somewhere 411001", "Maharashtra, India"]);
        postal.full_name = Some("Asha Rao".into());
        postal.phone = Some("+91 98765".into());
        assert_eq!(postal.label()[0], "Asha Rao");
        assert_eq!(postal.label()[4], "Phone +91 98765");
        // Stored before there were rules.
        assert_eq!(address("Middle Earth", "Shire", "").label()[1..], ["Somewhere", "Shire, Middle Earth"]);
        assert_eq!(address("JP", "13", "").state_shown(), "Tokyo");
    }
}
