//! Rate limits, from outside.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
};

use microbazaar::http::rate::AuthLimits;
use serde_json::json;

use super::{
    judge::{self, By},
    shop::Shop,
    targets::run,
    wire::{Answer, Request},
};

async fn log_in(shop: &Shop, account: &str, forwarded_for: &str) -> Answer {
    let body = json!({"email": account, "password": "not the password"});
    let request = Request::new("POST", "/api/auth/login").json(body.to_string());
    shop.ask(&request.header("x-forwarded-for", forwarded_for)).await
}

fn refused(answer: Answer) {
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json()["code"], "rate_limited");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(judge::fault(&Ok(answer), By::App, false), None);
}

const FIVE: (&str, &str) = ("MICROBAZAAR_RATE_LIMIT__AUTH_PER_MINUTE", "5");

#[test]
fn the_sixth_login_from_an_address_waits() {
    run(async {
        let shop = Shop::bare(&[FIVE]).await;
        for at in 0..5 {
            assert_eq!(log_in(&shop, &format!("a{at}@shop.example"), "203.0.113.1").await.status, 401);
        }
        // Whatever address the client claims, and whatever account it tries.
        for at in 0..20 {
            refused(log_in(&shop, &format!("b{at}@shop.example"), &format!("198.51.100.{at}")).await);
        }
        let register = json!({"email": "new@shop.example", "password": "long enough"});
        refused(shop.ask(&Request::new("POST", "/api/auth/register").json(register.to_string())).await);
        shop.is_well().await;
        shop.close().await;
    });
}

#[test]
fn the_sixth_login_at_an_account_waits_wherever_it_comes_from() {
    run(async {
        let shop = Shop::bare(&[FIVE, ("MICROBAZAAR_HTTP__TRUSTED_PROXIES", "127.0.0.1")]).await;
        let ways =
            ["one@shop.example", "ONE@shop.example", " one@shop.example", "One@Shop.example", "one@shop.example "];
        for (at, account) in ways.into_iter().enumerate() {
            assert_eq!(log_in(&shop, account, &format!("203.0.113.{at}")).await.status, 401);
        }
        refused(log_in(&shop, "one@shop.example", "203.0.113.77").await);
        assert_eq!(log_in(&shop, "two@shop.example", "203.0.113.78").await.status, 401);
        // Entries left of the last hop are the client's own claim.
        for at in 0..4 {
            let account = format!("c{at}@shop.example");
            assert_eq!(log_in(&shop, &account, &format!("10.0.0.{at}, 203.0.113.78")).await.status, 401);
        }
        refused(log_in(&shop, "d@shop.example", "10.0.0.9, 203.0.113.78").await);
        shop.close().await;
    });
}

#[test]
fn failed_logins_lock_nobody_out_who_comes_from_where_they_came_before() {
    run(async {
        let shop = Shop::bare(&[FIVE, ("MICROBAZAAR_HTTP__TRUSTED_PROXIES", "127.0.0.1")]).await;
        let ask = async |path: &str, from: &str, cookie: Option<&str>, password: &str| {
            let body = json!({"email": "mira@shop.example", "password": password}).to_string();
            let request = Request::new("POST", path).json(body).header("x-forwarded-for", from);
            let request = cookie.map_or(request.clone(), |cookie| request.header("cookie", cookie));
            shop.ask(&request).await
        };
        let (home, right) = ("203.0.113.1", "long enough");
        let registered = ask("/api/auth/register", home, None, right).await;
        assert_eq!(registered.status, 201);
        let device =
            registered.headers.iter().map(|(_, value)| value).find(|value| value.starts_with("device=")).unwrap();
        let device = device.split(';').next().unwrap().to_owned();
        while ask("/api/auth/login", "198.51.100.1", None, "wrong").await.status == 401 {}
        refused(ask("/api/auth/login", "198.51.100.2", None, right).await);
        assert_eq!(ask("/api/auth/login", home, None, right).await.status, 200);
        assert_eq!(ask("/api/auth/login", "198.51.100.3", Some(&device), right).await.status, 200);
        // A neighbour behind the same address.
        while ask("/api/auth/login", home, None, "wrong").await.status == 401 {}
        assert_eq!(ask("/api/auth/login", home, Some(&device), right).await.status, 200);
        shop.close().await;
    });
}

#[test]
fn carts_orders_and_searches_beyond_their_limits_wait() {
    run(async {
        let limits = ["CARTS", "ORDERS", "SEARCHES"].map(|what| format!("MICROBAZAAR_RATE_LIMIT__{what}_PER_MINUTE"));
        let settings: Vec<(&str, &str)> = limits.iter().map(|name| (name.as_str(), "3")).collect();
        let shop = Shop::bare(&settings).await;
        let token = async |name: &str| {
            let body = json!({"email": format!("{name}@shop.example"), "password": "long enough"}).to_string();
            shop.ask(&Request::new("POST", "/api/auth/register").json(body)).await.json()["token"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let (mira, asha) = (token("mira").await, token("asha").await);
        let add = |who: &str| {
            let body = json!({"productId": "665f1f77bcf86cd799439011", "quantity": 1}).to_string();
            Request::new("POST", "/api/cart/items").bearer(Some(who)).json(body)
        };
        let order = |who: &str| Request::new("POST", "/api/orders").bearer(Some(who)).json("{}");
        let search = |who: &str| Request::new("GET", "/api/products?q=lamp").bearer(Some(who));
        let page = |_: &str| Request::new("GET", "/?q=lamp").header("accept", "text/html");
        for request in [&add as &dyn Fn(&str) -> Request, &order, &search] {
            for _ in 0..3 {
                assert_ne!(shop.ask(&request(&mira)).await.status, 429);
            }
            refused(shop.ask(&request(&mira)).await);
            assert_ne!(shop.ask(&request(&asha)).await.status, 429, "another user");
        }
        for _ in 0..3 {
            assert_eq!(shop.ask(&page("")).await.status, 200);
        }
        let refused = shop.ask(&page("")).await;
        assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true));
        assert_eq!(shop.ask(&Request::new("GET", "/api/products")).await.status, 200, "no search");
        shop.close().await;
    });
}

#[test]
fn many_accounts_or_addresses_do_not_fill_the_memory() {
    let limits = AuthLimits::new(true, NonZeroU32::new(300).unwrap());
    let here = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let passed = (0..300_000_u32).filter(|at| limits.check(here, Some(&format!("{at}@shop.example"))).is_ok()).count();
    assert!(limits.keys() <= passed + 1, "{} keys after {passed} tries that counted", limits.keys());

    // Full again within a millisecond, because the requests take far longer than that.
    let limits = AuthLimits::new(true, NonZeroU32::new(60_000).unwrap());
    for at in 0..300_000_u128 {
        let address = IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | (at << 64)));
        assert_eq!(limits.check(address, Some(&format!("{at}@shop.example"))), Ok(()));
    }
    assert!(limits.keys() < 50_000, "{} keys", limits.keys());
}
