//! The pages' cookies: short signed texts. Not by a `SignedJar`, which does not sign the name (ADR 13).
//!
//! **Invariant:** a cookie that was changed, or was signed for another purpose, is ignored.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use subtle::ConstantTimeEq;

use crate::{actors::tokens::Tokens, http::auth::cookie_of};

/// The browser's random name, which binds forms to it.
pub const VISIT: &str = "visit";
/// A guest's cart.
pub const CART: &str = "guest_cart";
/// The message for the next page.
pub const FLASH: &str = "flash";
/// Recently viewed products.
pub const SEEN: &str = "seen";

/// A browser in which accounts were logged in to.
pub const DEVICE: &str = "device";

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// The lifetime of a cookie, in seconds.
fn lasts(name: &str) -> i64 {
    match name {
        FLASH => 60,
        DEVICE => 365 * DAY,
        _ => 30 * DAY,
    }
}

/// A signed cookie with `value`.
#[must_use]
pub fn sealed(tokens: &Tokens, secure: bool, name: &'static str, value: &str) -> Cookie<'static> {
    let text = BASE64.encode(value);
    let mark = tokens.mark(name, &text);
    Cookie::build(name, format!("{text}.{mark}"))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .max_age(Duration::seconds(lasts(name)))
        .finish()
}

/// A cookie that removes the one of this name.
#[must_use]
pub fn removal(tokens: &Tokens, secure: bool, name: &'static str) -> Cookie<'static> {
    let mut gone = sealed(tokens, secure, name, "");
    gone.make_removal();
    gone
}

/// The value of a signed cookie of the request.
#[must_use]
pub fn read(tokens: &Tokens, req: &HttpRequest, name: &'static str) -> Option<String> {
    let (text, mark) = cookie_of(req, name)?.split_once('.')?;
    if !same(mark, &tokens.mark(name, text)) {
        return None;
    }
    String::from_utf8(BASE64.decode(text).ok()?).ok()
}

/// Compares in constant time.
pub(super) fn same(given: &str, right: &str) -> bool {
    given.as_bytes().ct_eq(right.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use test_support::{BASE64_URL, HEX, altered};

    #[test]
    fn only_cookies_signed_for_the_purpose_are_read() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        let cookie = sealed(&tokens, false, CART, "a ; =b");
        let request = |name: &str, value: &str| {
            TestRequest::get().insert_header(("cookie", format!("x; {name}={value}; y=1"))).to_http_request()
        };
        let value = cookie.value().to_owned();
        assert_eq!(read(&tokens, &request(CART, &value), CART).as_deref(), Some("a ; =b"));
        assert_eq!(read(&tokens, &request(FLASH, &value), FLASH), None);
        assert_eq!(read(&Tokens::new(b"another secret"), &request(CART, &value), CART), None);
        for broken in ["", ".", "a.b", "é", &value[1..], &format!("{value}0")] {
            assert_eq!(read(&tokens, &request(CART, broken), CART), None, "{broken}");
        }
    }

    #[test]
    fn a_cookie_that_is_nearly_right_is_ignored() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        for name in [VISIT, CART, FLASH, SEEN, DEVICE] {
            let value = sealed(&tokens, false, name, "665f1f77bcf86cd799439011").value().to_owned();
            let read = |value: &str| {
                let request = TestRequest::get().insert_header(("cookie", format!("{name}={value}")));
                read(&tokens, &request.to_http_request(), name)
            };
            assert!(read(&value).is_some());
            let (text, mark) = value.split_once('.').unwrap();
            for nearly in altered(mark, HEX) {
                assert_eq!(read(&format!("{text}.{nearly}")), None, "{name}: {nearly}");
            }
            for nearly in altered(&value, BASE64_URL) {
                assert_eq!(read(&nearly), None, "{name}: {nearly}");
            }
        }
    }
}
