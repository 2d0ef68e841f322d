//! Limits on how often somebody changes a cart, places an order or searches: far above what a shopper does.
//!
//! They count for a user, and for an address where nobody is logged in; each node counts by itself. The assistant's
//! tools have the limits of the sockets and of MCP instead.
//!
//! **Invariant:** memory is bounded: keys whose allowance is full again are removed.

use std::{
    future::{Ready, ready},
    hash::{BuildHasher, RandomState},
    marker::PhantomData,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use super::network;
use crate::http::{
    address,
    auth::{state, token_of},
    error::ApiError,
    query,
};

/// Idle keys are removed once in this many requests.
const SWEEP_EVERY: u64 = 10_000;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Cart,
    Order,
    Search,
}

/// How often in a minute, all at once or spread.
#[derive(Debug, Clone, Copy)]
pub struct PerMinute {
    pub carts: NonZeroU32,
    pub orders: NonZeroU32,
    pub searches: NonZeroU32,
}

/// The limits; none at all by default.
#[derive(Default)]
pub struct WorkLimits(Option<Limiters>);

struct Limiters {
    carts: DefaultKeyedRateLimiter<u64>,
    orders: DefaultKeyedRateLimiter<u64>,
    searches: DefaultKeyedRateLimiter<u64>,
    hasher: RandomState,
    clock: DefaultClock,
    checks: AtomicU64,
}

impl WorkLimits {
    #[must_use]
    pub fn new(enabled: bool, per_minute: PerMinute) -> Self {
        let limiter = |rate| RateLimiter::keyed(Quota::per_minute(rate));
        Self(enabled.then(|| Limiters {
            carts: limiter(per_minute.carts),
            orders: limiter(per_minute.orders),
            searches: limiter(per_minute.searches),
            hasher: RandomState::new(),
            clock: DefaultClock::default(),
            checks: AtomicU64::new(0),
        }))
    }

    fn admit(&self, req: &HttpRequest, kind: Kind) -> Result<(), ApiError> {
        let Some(limiters) = &self.0 else { return Ok(()) };
        let state = state(req)?;
        let user = token_of(req).and_then(|(token, _)| state.tokens.verify(token).ok());
        let key = match user {
            Some(user) => limiters.hasher.hash_one(user.id),
            None => limiters.hasher.hash_one(network(address::of(req, &state.settings.trusted_proxies))),
        };
        let limiter = match kind {
            Kind::Cart => &limiters.carts,
            Kind::Order => &limiters.orders,
            Kind::Search => &limiters.searches,
        };
        if limiters.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            for limiter in [&limiters.carts, &limiters.orders, &limiters.searches] {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
        limiter.check_key(&key).map_err(|until| ApiError::TooManyRequests {
            retry_after: until.wait_time_from(limiters.clock.now()).as_secs() + 1,
        })
    }
}

/// A kind of work as the type of a parameter.
pub trait Work {
    const KIND: Kind;
}

/// Changes a cart.
#[derive(Debug)]
pub struct CartChange;
/// Places an order.
#[derive(Debug)]
pub struct NewOrder;
/// Searches, where the query has words; a list without words is not limited.
#[derive(Debug)]
pub struct Search;

impl Work for CartChange {
    const KIND: Kind = Kind::Cart;
}
impl Work for NewOrder {
    const KIND: Kind = Kind::Order;
}
impl Work for Search {
    const KIND: Kind = Kind::Search;
}

/// The parameter of a handler that does limited work: 429 when there was too much of it.
#[derive(Debug)]
pub struct Limited<W>(PhantomData<W>);

impl<W: Work> FromRequest for Limited<W> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_free = W::KIND == Kind::Search && query::value(req.query_string(), "q").is_none_or(|q| q.is_empty());
        let admitted = || state(req)?.work_limits.admit(req, W::KIND);
        ready(if is_free { Ok(Self(PhantomData)) } else { admitted().map(|()| Self(PhantomData)) })
    }
}
