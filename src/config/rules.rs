//! The rules that garde checks on single values.

use std::time::Duration;

use garde::{Error, Result};
use mongodb::options::ConnectionString;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::{JWT_SECRET_MIN, values};
use ::redis::IntoConnectionInfo;

/// A duration of at most `longest`, which is written as in a file.
pub(super) fn at_most(longest: &'static str) -> impl FnOnce(&Duration, &()) -> Result {
    move |length, ()| {
        let fits = values::duration(longest).is_ok_and(|longest| *length <= longest);
        refused_unless(fits, || format!("is more than {longest}"))
    }
}

/// A duration from `shortest` to `longest`, which are written as in a file.
pub(super) fn between(shortest: &'static str, longest: &'static str) -> impl FnOnce(&Duration, &()) -> Result {
    move |length, ()| {
        let limits = values::duration(shortest).and_then(|shortest| Ok(shortest..=values::duration(longest)?));
        let fits = limits.is_ok_and(|limits| limits.contains(length));
        refused_unless(fits, || format!("is not between {shortest} and {longest}"))
    }
}

/// A secret that is long enough to sign with.
pub(super) fn signs_tokens(secret: &Option<SecretString>, (): &()) -> Result {
    let fits = secret.as_ref().is_none_or(|secret| secret.expose_secret().len() >= JWT_SECRET_MIN);
    refused_unless(fits, || {
        format!("is too short; give {JWT_SECRET_MIN} bytes or more, for example from: openssl rand -hex 32")
    })
}

/// An address of Redis, which is not quoted because it may contain a password.
pub(super) fn redis_address(url: &Option<SecretString>, (): &()) -> Result {
    let is_one = |url: &SecretString| {
        let url = url.expose_secret();
        (url.starts_with("redis://") || url.starts_with("rediss://")) && url.into_connection_info().is_ok()
    };
    refused_unless(url.as_ref().is_none_or(is_one), || {
        "is not an address of Redis; write for example redis://user:password@host:6379/0, or rediss://".to_owned()
    })
}

/// An address of MongoDB, which is not quoted either.
pub(super) fn mongo_address(uri: &Option<SecretString>, (): &()) -> Result {
    let is_one = |uri: &SecretString| ConnectionString::parse(uri.expose_secret()).is_ok();
    refused_unless(uri.as_ref().is_none_or(is_one), || {
        "is not an address of MongoDB; write for example mongodb://user:password@host:27017/?replicaSet=rs0, \
         or mongodb+srv://"
            .to_owned()
    })
}

/// An address of RabbitMQ, which is not quoted either. The client does not support IPv6 addresses.
pub(super) fn rabbit_address(url: &Option<SecretString>, (): &()) -> Result {
    let is_one = |url: &SecretString| {
        let url = Url::parse(url.expose_secret()).ok().filter(|url| matches!(url.scheme(), "amqp" | "amqps"));
        let url = url.filter(|url| url.domain().is_some_and(|host| !host.is_empty()));
        url.is_some_and(|url| url.as_str().parse::<lapin::uri::AMQPUri>().is_ok())
    };
    refused_unless(url.as_ref().is_none_or(is_one), || {
        "is not an address of RabbitMQ with a host name or an IPv4 address; \
         write for example amqp://user:password@host:5672/vhost, or amqps://"
            .to_owned()
    })
}

fn refused_unless(fits: bool, problem: impl FnOnce() -> String) -> Result {
    if fits { Ok(()) } else { Err(Error::new(problem())) }
}
