//! The pages' own cookies: short texts that only this shop can have written.
//!
//! **Invariant:** a cookie that was changed, or was sealed for another purpose, is as good as none.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use subtle::ConstantTimeEq;

use crate::http::{auth::cookie_of, tokens::Tokens};

/// The browser, by a random name: what binds a visitor's forms to her.
pub const VISIT: &str = "visit";
/// What somebody without an account has in her cart.
pub const CART: &str = "guest_cart";
/// What is to be said on the next page.
pub const FLASH: &str = "flash";
/// Products that were looked at last.
pub const SEEN: &str = "seen";

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// How long a cookie is kept, in seconds.
fn lasts(name: &str) -> i64 {
    match name {
        FLASH => 60,
        _ => 30 * DAY,
    }
}

/// A cookie with `value` for this shop's eyes alone to trust.
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

/// The cookie that takes one away.
#[must_use]
pub fn removal(tokens: &Tokens, secure: bool, name: &'static str) -> Cookie<'static> {
    let mut gone = sealed(tokens, secure, name, "");
    gone.make_removal();
    gone
}

/// What a sealed cookie of the request says.
#[must_use]
pub fn read(tokens: &Tokens, req: &HttpRequest, name: &'static str) -> Option<String> {
    let (text, mark) = cookie_of(req, name)?.split_once('.')?;
    if !same(mark, &tokens.mark(name, text)) {
        return None;
    }
    String::from_utf8(BASE64.decode(text).ok()?).ok()
}

/// Compares without telling by the time taken.
pub(super) fn same(given: &str, right: &str) -> bool {
    given.as_bytes().ct_eq(right.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::altered::{BASE64_URL, HEX, altered};

    #[test]
    fn only_what_was_sealed_for_the_purpose_is_read() {
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
    fn a_cookie_that_is_nearly_right_is_as_good_as_none() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        for name in [VISIT, CART, FLASH, SEEN] {
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
