//! Rules between keys: what a secret must be, what production demands, what goes together.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{Config, Environment, error::ConfigError, nodes, services::Service};
use crate::integrations::redis;

/// The shortest secret that tokens are signed with, in bytes: what HS256 itself has.
pub const JWT_SECRET_MIN: usize = 32;

const SHORTEST_WINDOW: Duration = Duration::from_secs(1);
const LONGEST_ATTEMPT: Duration = Duration::from_secs(60);
const LONGEST_ANSWER: Duration = Duration::from_secs(29);
const LONGEST_CALL: Duration = Duration::from_secs(5);
const LONGEST_LOOK: Duration = Duration::from_secs(60 * 60);
const LONGEST_WINDOW: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The first rule that `config` breaks.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    secret_is_long_enough(config.jwt_secret.as_ref())?;
    if !(SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&config.order.payment_window) {
        return Err(ConfigError::new("order.payment_window", "is not between 1s and 7d"));
    }
    if config.webhooks.timeout > LONGEST_ATTEMPT {
        return Err(ConfigError::new("webhooks.timeout", "is more than 1m"));
    }
    if config.chat.answer_within > LONGEST_ANSWER {
        return Err(ConfigError::new("chat.answer_within", "is more than 29s"));
    }
    if config.redis.timeout > LONGEST_CALL {
        return Err(ConfigError::new("redis.timeout", "is more than 5s"));
    }
    if config.redis.look_every > LONGEST_LOOK {
        return Err(ConfigError::new("redis.look_every", "is more than 1h"));
    }
    if let Some(url) = &config.redis.url {
        redis::check_url(url.expose_secret()).map_err(|problem| ConfigError::new("redis.url", problem))?;
    }
    if config.environment == Environment::Production {
        production(config)?;
    }
    razorpay_is_whole(config)?;
    nodes::check(config)?;
    config.mail_server()?;
    config.picture_host()?;
    config.language_model()?;
    Ok(())
}

fn secret_is_long_enough(secret: Option<&SecretString>) -> Result<(), ConfigError> {
    let short = secret.is_some_and(|secret| secret.expose_secret().len() < JWT_SECRET_MIN);
    if short {
        let problem =
            format!("is too short; give {JWT_SECRET_MIN} bytes or more, for example from: openssl rand -hex 32");
        return Err(ConfigError::new("jwt_secret", problem));
    }
    Ok(())
}

fn production(config: &Config) -> Result<(), ConfigError> {
    let razorpay = &config.razorpay;
    // A process that takes no payments and sends no mails needs neither; pages take payments too.
    let serves = |service| config.services.serve(service);
    let (pays, mails) = (serves(Service::Payment) || serves(Service::Web), serves(Service::Notification));
    let demanded = [
        ("jwt_secret", config.jwt_secret.is_some(), "must be given in production, with 32 bytes or more"),
        (
            "razorpay.key_id",
            !pays || razorpay.key_id.is_some(),
            "must be given in production, which refuses sandbox payments",
        ),
        ("razorpay.key_secret", !pays || razorpay.key_secret.is_some(), "must be given in production"),
        ("razorpay.webhook_secret", !pays || razorpay.webhook_secret.is_some(), "must be given in production"),
        (
            "smtp.url",
            !mails || config.smtp.url.is_some(),
            "must be given in production, which refuses the embedded mailbox",
        ),
    ];
    for (key, given, problem) in demanded {
        if !given {
            return Err(ConfigError::new(key, problem));
        }
    }
    if config.mailbox.enabled {
        return Err(ConfigError::new("mailbox.enabled", "must be false in production"));
    }
    if config.http.public_url.is_none() {
        let problem =
            "must be given in production: links in mails and pages lead there; write for example https://shop.example";
        return Err(ConfigError::new("http.public_url", problem));
    }
    Ok(())
}

fn razorpay_is_whole(config: &Config) -> Result<(), ConfigError> {
    let razorpay = &config.razorpay;
    if razorpay.key_id.is_none() {
        return Ok(());
    }
    for (key, given) in [("key_secret", &razorpay.key_secret), ("webhook_secret", &razorpay.webhook_secret)] {
        if given.is_none() {
            return Err(ConfigError::new(format!("razorpay.{key}"), "must be given along with razorpay.key_id"));
        }
    }
    Ok(())
}
