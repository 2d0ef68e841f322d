//! Rate limits: exact over nodes, and for each node while Redis is unavailable.

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use microbazaar::{http::rate::AuthLimits, integrations::redis::Redis};
use redis::Commands;
use test_support::{OwnServer, eventually, servers};

use super::{node, node_within, prefix};

fn limits(per_minute: u32, redis: &Redis) -> AuthLimits {
    AuthLimits::new(true, NonZeroU32::new(per_minute).unwrap()).with_redis(redis.clone())
}

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

/// How many of these sequential attempts were accepted.
async fn admitted(limits: &AuthLimits, tries: u8, account: &str) -> usize {
    let mut admitted = 0;
    for last in 0..tries {
        admitted += usize::from(limits.admit(address(last), Some(account)).await.is_ok());
    }
    admitted
}

#[actix_rt::test]
async fn attempts_at_two_nodes_share_one_limit() {
    let Some(url) = servers::redis() else { return };
    let prefix = prefix();
    let (one, two) = (node(&url, &prefix).await, node(&url, &prefix).await);
    let (one, two) = (limits(5, &one), limits(5, &two));
    let began = Instant::now();
    // At one account from many addresses, then from one address at many accounts.
    for by_account in [true, false] {
        let name = |n: u8| if by_account { "One@shop.example".to_owned() } else { format!("{n}@shop.example") };
        let from = |n: u8| if by_account { address(n) } else { address(250) };
        let tries = (0..100)
            .flat_map(|n| [(&one, n), (&two, n + 100)])
            .map(async |(limits, n): (&AuthLimits, u8)| limits.admit(from(n), Some(&name(n))).await);
        let answers = join_all(tries).await;
        let admitted = answers.iter().filter(|answer| answer.is_ok()).count();
        // One more every twelve seconds, if the machine is that slow.
        let most = 5 + usize::try_from(began.elapsed().as_secs() / 12).unwrap();
        assert!((5..=most).contains(&admitted), "{admitted} got in");
        assert!(answers.iter().filter_map(|answer| answer.err()).all(|seconds| (1..=13).contains(&seconds)));
    }
    assert_eq!(one.admit(address(251), Some("somebody.else@shop.example")).await, Ok(()));

    let mut redis = redis::Client::open(url).unwrap().get_connection().unwrap();
    let keys: Vec<String> = redis.keys(format!("{prefix}rate:*")).unwrap();
    assert!(keys.len() > 5, "{keys:?}");
    for key in keys {
        assert!(!key.contains("shop.example") && !key.contains("10.0.0."), "{key} reveals no user");
        let left: i64 = redis.pttl(&key).unwrap();
        assert!((0..=60_000).contains(&left) || left == -2, "{key} ends by itself, in {left} ms");
    }
}

#[actix_rt::test]
async fn the_notation_of_an_account_does_not_matter_and_none_is_needed() {
    let Some(url) = servers::redis() else { return };
    let redis = node(&url, &prefix()).await;
    let limits = limits(2, &redis);
    for account in [Some("a@shop.example"), Some(" A@Shop.Example")] {
        assert_eq!(limits.admit(address(1), account).await, Ok(()));
    }
    assert!(limits.admit(address(2), Some("a@shop.example")).await.is_err());
    assert!(limits.admit(address(1), None).await.is_err(), "the address has had its tries");
    assert_eq!(limits.admit(address(3), None).await, Ok(()));
}

#[actix_rt::test]
async fn each_node_counts_by_itself_while_redis_is_unavailable() {
    let Some(mut server) = OwnServer::redis() else { return };
    let prefix = prefix();
    let (one, two) = (node(&server.url(), &prefix).await, node(&server.url(), &prefix).await);
    let (at_one, at_two) = (limits(3, &one), limits(3, &two));
    let account = "one@shop.example";
    let began = Instant::now();
    assert_eq!((admitted(&at_one, 2, account).await, admitted(&at_two, 5, account).await), (2, 1));
    server.kill();
    // Each continues from what it has accepted itself.
    let (more_at_one, more_at_two) = (admitted(&at_one, 5, account).await, admitted(&at_two, 5, account).await);
    let slow = usize::try_from(began.elapsed().as_secs() / 20).unwrap();
    assert!((1..=1 + slow).contains(&more_at_one) && (2..=2 + slow).contains(&more_at_two));
    assert!(!one.is_up() && !two.is_up());
    server.start_again();
    eventually("both are back", async || one.is_up() && two.is_up()).await;
    let began = Instant::now();
    let together = admitted(&at_one, 5, account).await + admitted(&at_two, 5, account).await;
    assert!((3..=3 + usize::try_from(began.elapsed().as_secs() / 20).unwrap()).contains(&together), "{together}");
}

#[actix_rt::test]
async fn a_frozen_redis_blocks_no_request() {
    let Some(server) = OwnServer::redis() else { return };
    let redis = node_within(&server.url(), &prefix(), Duration::from_millis(200));
    eventually("it is connected", async || redis.is_up()).await;
    let limits = limits(3, &redis);
    server.freeze(true);
    assert_eq!(limits.admit(address(1), None).await, Ok(()));
    assert!(!redis.is_up(), "no request waits for it");
    assert_eq!(admitted(&limits, 10, "one@shop.example").await, 3);
    server.freeze(false);
    eventually("it is back", async || redis.is_up()).await;
}
