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
