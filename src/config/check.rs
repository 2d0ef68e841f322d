//! The rules of single keys and between keys, such as what production requires.

use garde::Validate;
use secrecy::ExposeSecret;

use super::{
    Config, Environment,
    error::{ConfigError, require},
    guessable, nodes,
    services::Service,
};

/// The shortest secret for signing tokens, in bytes: the output length of HS256.
pub const JWT_SECRET_MIN: usize = 32;

/// The first rule that `config` breaks.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    if let Err(report) = config.validate()
        && let Some((key, problem)) = report.iter().next()
    {
        return Err(ConfigError::new(key.to_string(), problem.message()));
    }
    if config.environment == Environment::Production {
        production(config)?;
    }
    let razorpay = &config.razorpay;
    let (alone, whole) = (razorpay.key_id.is_none(), "must be given along with razorpay.key_id");
    let with_id = |holds, key| require(holds, key, whole).map_err(|error| error.because_of("razorpay.key_id"));
    with_id(alone || razorpay.key_secret.is_some(), "razorpay.key_secret")?;
    with_id(alone || razorpay.webhook_secret.is_some(), "razorpay.webhook_secret")?;
    nodes::check(config)?;
    config.mail_server()?;
    config.picture_host()?;
    config.language_model()?;
    Ok(())
}

fn production(config: &Config) -> Result<(), ConfigError> {
    let razorpay = &config.razorpay;
    // A process without payments and mails needs neither; pages take payments as well.
    let serves = |service| config.services.serve(service);
    let (pays, mails) = (serves(Service::Payment) || serves(Service::Web), serves(Service::Notification));
    let given = "must be given in production";
    require(config.jwt_secret.is_some(), "jwt_secret", format!("{given}, with 32 bytes or more"))?;
    let weak = config.jwt_secret.as_ref().is_some_and(|secret| guessable::is_guessable(secret.expose_secret()));
    let guessed = "is easy to guess, for it repeats itself or is made of common words, which production refuses; \
        make one with: openssl rand -hex 32";
    require(!weak, "jwt_secret", guessed)?;
    let limits = "must be true in production, where nothing else bounds the attempts to guess a password";
    require(config.rate_limit.enabled, "rate_limit.enabled", limits)?;
    let sandbox = format!("{given}, which refuses sandbox payments");
    require(!pays || razorpay.key_id.is_some(), "razorpay.key_id", sandbox)?;
    require(!pays || razorpay.key_secret.is_some(), "razorpay.key_secret", given)?;
    require(!pays || razorpay.webhook_secret.is_some(), "razorpay.webhook_secret", given)?;
    let mailbox = format!("{given}, which refuses the embedded mailbox");
    require(!mails || config.smtp.url.is_some(), "smtp.url", mailbox)?;
    require(!config.mailbox.enabled, "mailbox.enabled", "must be false in production")?;
    let links = format!("{given}: links in mails and pages lead there; write for example https://shop.example");
    require(config.http.public_url.is_some(), "http.public_url", links)
}
