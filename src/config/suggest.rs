//! Suggests the known key for a mistyped one.

use strsim::levenshtein;

/// The key of `known` that is most similar to `key`, if any is similar.
pub(super) fn suggestion<'a>(key: &str, known: &'a [String]) -> Option<&'a str> {
    // `http_port` for `http.port` is the most common mistake, a single instead of a double underscore.
    let plain = |key: &str| key.replace('.', "_");
    let wanted = plain(key);
    let nearest = known.iter().map(|known| (levenshtein(&wanted, &plain(known)), known)).min()?;
    if nearest.0 <= (wanted.chars().count() / 4).clamp(1, 3) {
        return Some(nearest.1);
    }
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let mut same_name = known.iter().filter(|known| last(known) == last(key));
    same_name.next().filter(|_| same_name.next().is_none()).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_key_that_was_meant() {
        let known = ["http.host", "http.port", "order.payment_window", "jwt_secret"].map(String::from);
        assert_eq!(suggestion("http.prot", &known), Some("http.port"));
        assert_eq!(suggestion("http_port", &known), Some("http.port"));
        assert_eq!(suggestion("port", &known), Some("http.port"));
        assert_eq!(suggestion("orders.payment_window", &known), Some("order.payment_window"));
        assert_eq!(suggestion("jwt.secret", &known), Some("jwt_secret"));
        assert_eq!(suggestion("colour", &known), None);
    }
}
