//! Countries and their states: the lines of their addresses, and their names.
//!
//! Owns the table `config/places.txt`, which is compiled in; its head names the sources.
//!
//! **Invariant:** a country's or state's code leads back to itself, and so does each of its names.

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
};

use regex::Regex;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

const TABLE: &str = include_str!("../../config/places.txt");

#[derive(Debug)]
pub struct Country {
    /// ISO 3166-1, two letters.
    pub code: &'static str,
    /// In English.
    pub name: &'static str,
    /// The format of a postal code, for messages; empty if there is none.
    pub example: &'static str,
    three: &'static str,
    others: &'static str,
    has: &'static str,
    needs: &'static str,
    listed: bool,
    form: &'static str,
    matcher: OnceLock<Option<Regex>>,
    states: Vec<State>,
}

/// A part of a country that is used in addresses: a state, province, prefecture or the like.
#[derive(Debug)]
pub struct State {
    /// ISO 3166-2 without the country, or the name if there is no code.
    pub code: &'static str,
    /// As it is written on a parcel.
    pub name: &'static str,
    others: &'static str,
}

/// A line of an address that not every country has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    City,
    /// State or province.
    State,
    /// Postal code.
    Zip,
}

impl Part {
    const fn letter(self) -> char {
        match self {
            Self::City => 'C',
            Self::State => 'S',
            Self::Zip => 'Z',
        }
    }
}

static COUNTRIES: LazyLock<Vec<Country>> = LazyLock::new(read);

static NAMES: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for (at, country) in COUNTRIES.iter().enumerate() {
        for name in [country.code, country.three, country.name].into_iter().chain(country.others.split('|')) {
            names.entry(fold(name)).or_insert(at);
        }
    }
    names.remove("");
    names
});

fn read() -> Vec<Country> {
    let mut countries: Vec<Country> = Vec::new();
    for line in TABLE.lines() {
        let mut cells = line.split('\t');
        let kind = cells.next();
        let mut next = || cells.next().unwrap_or_default();
        match kind {
            Some("C") => {
                let (code, three, name, others) = (next(), next(), next(), next());
                let (has, needs, listed, form, example) = (next(), next(), next(), next(), next());
                let (listed, matcher, states) = (!listed.is_empty(), OnceLock::new(), vec![]);
                countries.push(Country {
                    code,
                    name,
                    example,
                    three,
                    others,
                    has,
                    needs,
                    listed,
                    form,
                    matcher,
                    states,
                });
            }
            Some("S") => {
                let state = State { code: next(), name: next(), others: next() };
                if let Some(country) = countries.last_mut() {
                    country.states.push(state);
                }
            }
            _ => {}
        }
    }
    countries
}

/// All countries, by their codes.
pub fn countries() -> impl Iterator<Item = &'static Country> {
    COUNTRIES.iter()
}

/// The country of a code of two or three letters, or of an English name.
#[must_use]
pub fn country(text: &str) -> Option<&'static Country> {
    let folded = fold(text);
    let found = NAMES.get(&folded).or_else(|| NAMES.get(folded.strip_prefix("the")?));
    found.and_then(|at| COUNTRIES.get(*at))
}

impl Country {
    /// Whether addresses of this country have this line.
    #[must_use]
    pub fn has(&self, part: Part) -> bool {
        self.has.contains(part.letter())
    }

    /// Whether addresses of this country need this line.
    #[must_use]
    pub fn needs(&self, part: Part) -> bool {
        self.needs.contains(part.letter())
    }

    /// Whether every state is known.
    #[must_use]
    pub const fn lists_states(&self) -> bool {
        self.listed
    }

    /// The states that are known.
    #[must_use]
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The state of a code, with or without the country's before it, or of a name.
    #[must_use]
    pub fn state(&self, text: &str) -> Option<&State> {
        if let Some(state) = self.states.iter().find(|state| state.code == text) {
            return Some(state);
        }
        let folded = fold(text);
        let exact = |wanted: &str| self.states.iter().find(|state| state.is_called(wanted));
        let bare = || {
            let without = folded.strip_prefix("stateof").or_else(|| folded.strip_prefix("provinceof"));
            let kinds = ["state", "province", "prefecture", "county", "region", "emirate", "department", "district"];
            without.or_else(|| kinds.iter().find_map(|kind| folded.strip_suffix(kind)))
        };
        // "IN-MH", but no name that happens to begin with a country's code.
        let (country, rest) = text.trim().split_once(['-', ' ']).unwrap_or_default();
        let with_country = || country.eq_ignore_ascii_case(self.code).then(|| fold(rest));
        exact(&folded)
            .or_else(|| with_country().and_then(|code| self.states.iter().find(|state| fold(state.code) == code)))
            .or_else(|| bare().filter(|bare| !bare.is_empty()).and_then(exact))
    }

    /// A postal code in this country's format, or `None` if it does not match. Spaces, hyphens and the country's code
    /// before it are optional.
    #[must_use]
    pub fn zip(&self, text: &str) -> Option<String> {
        let upper: String = text.nfkc().collect::<String>().to_uppercase();
        let written = upper.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(form) = self.matcher() else { return Some(written) };
        if form.is_match(&written) {
            return Some(written);
        }
        if !written.chars().all(|c| c.is_ascii_alphanumeric() || " -.".contains(c)) {
            return None;
        }
        let local = written.strip_prefix(self.code).map(|rest| rest.trim_start_matches([' ', '-']));
        if let Some(local) = local.filter(|local| form.is_match(local)) {
            return Some(local.to_owned());
        }
        let bare: String = written.chars().filter(char::is_ascii_alphanumeric).collect();
        let without = bare.strip_prefix(self.code).unwrap_or(&bare);
        // The country's code is added only if the format itself begins with it.
        let with_code = self.form.starts_with(self.code).then(|| format!("{}{without}", self.code));
        [bare.clone(), without.to_owned()]
            .iter()
            .chain(with_code.as_ref())
            .find_map(|bare| spaced(bare).find(|candidate| form.is_match(candidate)))
    }

    fn matcher(&self) -> Option<&Regex> {
        let make = || (!self.form.is_empty()).then(|| Regex::new(&format!("^(?:{})$", self.form)).ok()).flatten();
        self.matcher.get_or_init(make).as_ref()
    }
}

impl State {
    fn is_called(&self, folded: &str) -> bool {
        fold(self.code) == folded
            || fold(self.name) == folded
            || self.others.split('|').any(|other| !other.is_empty() && fold(other) == folded)
    }

    /// The code if readers know it, otherwise the name.
    #[must_use]
    pub fn short(&self) -> &'static str {
        if self.code.bytes().all(|byte| byte.is_ascii_alphabetic()) { self.code } else { self.name }
    }
}

/// A code of letters and digits, and the same with a space or a hyphen at each place.
fn spaced(bare: &str) -> impl Iterator<Item = String> {
    let with = move |at: usize, mark: char| {
        let (before, after) = bare.split_at(at);
        format!("{before}{mark}{after}")
    };
    let places = move |mark| (1..bare.len().min(16)).map(move |at| with(at, mark));
    std::iter::once(bare.to_owned()).chain(places(' ')).chain(places('-'))
}

/// A name's form for comparisons: lower case without accents, white space and punctuation.
fn fold(text: &str) -> String {
    let plain = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let mut folded = String::with_capacity(text.len());
    for c in plain {
        match c {
            'ı' => folded.push('i'),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'æ' => folded.push_str("ae"),
            'ß' => folded.push_str("ss"),
            '&' => folded.push_str("and"),
            c if c.is_alphanumeric() => folded.push(c),
            _ => {}
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_name_leads_back_and_every_example_fits() {
        assert!(countries().count() > 240);
        for land in countries() {
            for name in [land.code, land.three, land.name] {
                if !name.is_empty() {
                    assert_eq!(country(name).map(|found| found.code), Some(land.code), "{name}");
                }
            }
            assert!(land.form.is_empty() || land.matcher().is_some(), "{}: {}", land.code, land.form);
            if !land.example.is_empty() && !land.form.is_empty() {
                assert_eq!(land.zip(land.example).as_deref(), Some(land.example), "{}", land.code);
                let squeezed: String = land.example.chars().filter(char::is_ascii_alphanumeric).collect();
                assert!(land.zip(&squeezed.to_lowercase()).is_some(), "{}: {squeezed}", land.code);
            }
            for part in [Part::City, Part::State, Part::Zip] {
                assert!(land.has(part) || !land.needs(part), "{} {part:?}", land.code);
            }
            for state in land.states() {
                for name in [state.code, state.name].into_iter().chain(state.others.split('|')) {
                    if !name.is_empty() {
                        let found = land.state(name).map(|found| found.code);
                        assert_eq!(found, Some(state.code), "{}: {name}", land.code);
                    }
                }
            }
        }
    }

    #[test]
    fn countries_are_found_however_they_are_written() {
        for (text, code) in [
            ("IN", "IN"),
            ("in", "IN"),
            ("IND", "IN"),
            ("india", "IN"),
            (" India ", "IN"),
            ("Turkey", "TR"),
            ("Turkiye", "TR"),
            ("U.S.A.", "US"),
            ("the United States of America", "US"),
            ("UK", "GB"),
            ("cote d'ivoire", "CI"),
            ("Bosnia and Herzegovina", "BA"),
            ("Netherlands", "NL"),
            ("Korea", "KR"),
            ("Hong Kong", "HK"),
            ("Czech Republic", "CZ"),
            ("Aland Islands", "AX"),
        ] {
            assert_eq!(country(text).map(|found| found.code), Some(code), "{text}");
        }
        for text in ["", " ", "XX", "Atlantis", "the", "INDI", "12"] {
            assert!(country(text).is_none(), "{text}");
        }
    }

    #[test]
    fn states_are_found_however_they_are_written() {
        for (land, text, code) in [
            ("IN", "Maharashtra", "MH"),
            ("IN", "mh", "MH"),
            ("IN", "IN-MH", "MH"),
            ("IN", "tamilnadu", "TN"),
            ("IN", "TAMIL  NADU.", "TN"),
            ("IN", "Jammu & Kashmir", "JK"),
            ("IN", "Orissa", "OD"),
            ("IN", "OR", "OD"),
            ("IN", "महाराष्ट्र", "MH"),
            ("US", "New York", "NY"),
            ("US", "State of New York", "NY"),
            ("US", "D.C.", "DC"),
            ("CA", "Québec", "QC"),
            ("BR", "Sao Paulo", "SP"),
            ("JP", "Tokyo", "13"),
            ("JP", "東京都", "13"),
            ("JP", "Osaka Prefecture", "27"),
            ("AE", "dubai", "DU"),
            ("AU", "new south wales", "NSW"),
            ("CN", "Guangdong", "GD"),
            ("MX", "Jalisco", "JAL"),
            ("IT", "Milano", "MI"),
            ("ES", "Almeria", "AL"),
            ("CR", "San Jose", "SJ"),
            ("TR", "Agri", "04"),
        ] {
            let found = country(land).and_then(|land| land.state(text));
            assert_eq!(found.map(|state| state.code), Some(code), "{land} {text}");
        }
        for (land, text) in [("IN", "California"), ("US", "Ontario"), ("IN", ""), ("IN", "state"), ("US", "IN-MH")] {
            assert!(country(land).and_then(|land| land.state(text)).is_none(), "{land} {text}");
        }
    }

    #[test]
    fn postal_codes_are_kept_as_they_are_written_there() {
        for (land, text, kept) in [
            ("IN", "411 001", "411001"),
            ("IN", "411-001", "411001"),
            ("IN", "４１１００１", "411001"),
            ("US", "94043", "94043"),
            ("US", "940431234", "94043-1234"),
            ("GB", "ec1a 1bb", "EC1A 1BB"),
            ("GB", "EC1A1BB", "EC1A1BB"),
            ("PL", "00950", "00-950"),
            ("PT", "1000 205", "1000-205"),
            ("LV", "1010", "LV-1010"),
            ("DE", "D 10115", ""),
            ("SE", "SE-113 51", "113 51"),
            ("NL", "1012ab", "1012AB"),
            ("CA", "h3z2y7", "H3Z2Y7"),
            ("IN", "41100", ""),
            ("IN", "x11001", ""),
            ("IN", "411001; --", ""),
            ("US", "9404", ""),
            ("AE", "whatever", "WHATEVER"),
        ] {
            let found = country(land).and_then(|land| land.zip(text)).unwrap_or_default();
            let kept = if kept == "94043-1234" { &["94043-1234", "94043 1234"][..] } else { &[kept][..] };
            assert!(kept.contains(&found.as_str()), "{land} {text}: {found}");
        }
    }
}
