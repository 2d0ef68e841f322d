//! Builds the [`Config`] key by key; each range and word that a key accepts stands here.

use std::{num::NonZeroU32, path::PathBuf};

use super::{
    AssistantConfig, CartConfig, CatalogueConfig, ChatConfig, Config, ConfigError, Consume, EmailConfig, Environment,
    GeminiConfig, HttpConfig, ImagekitConfig, LogConfig, LogFormat, MailboxConfig, MongoConfig, OrderConfig,
    PasswordsConfig, PeersConfig, PricingConfig, RabbitConfig, RateLimitConfig, RazorpayConfig, RedisConfig,
    SmtpConfig, SqliteConfig, WebhooksConfig,
    error::quoted,
    nodes, public_url,
    reader::Reader,
    services::Services,
    values::{self, base_url, hundredths, origin, sender},
};
use crate::bus::table;

/// The highest flat shipping, in major units.
const SHIPPING_MAX: i64 = 1_000_000;
/// How often a webhook's delivery is tried again at most.
const RETRIES_MAX: usize = 20;

pub(super) fn config(read: &mut Reader) -> Result<Config, ConfigError> {
    let mut config = sections(read)?;
    config.http.port = nodes::port(read, &config.services, config.http.port);
    Ok(config)
}

fn sections(read: &mut Reader) -> Result<Config, ConfigError> {
    Ok(Config {
        environment: read.word(
            "environment",
            &[("development", Environment::Development), ("production", Environment::Production)],
        )?,
        data_dir: PathBuf::from(read.text("data_dir")?),
        services: services(read)?,
        jwt_secret: read.secret("jwt_secret")?,
        http: http(read)?,
        rate_limit: RateLimitConfig {
            enabled: read.flag("rate_limit.enabled")?,
            auth_per_minute: read.whole("rate_limit.auth_per_minute", NonZeroU32::MIN..=NonZeroU32::MAX)?,
        },
        order: OrderConfig {
            payment_window: read.duration("order.payment_window")?,
            max_unpaid: read.whole("order.max_unpaid", 1..=10_000)?,
        },
        pricing: pricing(read)?,
        sqlite: SqliteConfig { readers: read.whole("sqlite.readers", 1..=64)? },
        mongo: mongo(read)?,
        rabbit: rabbit(read)?,
        redis: redis(read)?,
        razorpay: razorpay(read)?,
        imagekit: imagekit(read)?,
        gemini: GeminiConfig {
            api_key: read.secret("gemini.api_key")?,
            base_url: read.parsed("gemini.base_url", base_url)?,
            model: read.text("gemini.model")?,
        },
        assistant: assistant(read)?,
        chat: ChatConfig {
            keep: read.duration("chat.keep")?,
            answer_within: read.duration("chat.answer_within")?,
            tokens_per_day: read.whole("chat.tokens_per_day", 0..=1_000_000_000)?,
            tokens_per_message: read.whole("chat.tokens_per_message", 0..=10_000_000)?,
        },
        smtp: SmtpConfig {
            url: read.secret("smtp.url")?,
            ca_file: read.optional("smtp.ca_file", |text| Ok(PathBuf::from(text)))?,
        },
        email: email(read)?,
        peers: peers(read)?,
        log: log(read)?,
        mailbox: MailboxConfig { enabled: read.flag("mailbox.enabled")? },
        passwords: PasswordsConfig { concurrency: read.whole("passwords.concurrency", 0..=256)? },
        cart: CartConfig { idle: read.duration("cart.idle")? },
        catalogue: CatalogueConfig { snapshot_mib: read.whole("catalogue.snapshot_mib", 1..=65_536)? },
        webhooks: webhooks(read)?,
    })
}

fn services(read: &mut Reader) -> Result<Services, ConfigError> {
    let names = read.list("services")?;
    Services::from_names(&names).map_err(|problem| read.refused("services", &problem))
}

fn http(read: &mut Reader) -> Result<HttpConfig, ConfigError> {
    Ok(HttpConfig {
        host: read.parsed("http.host", super::values::host)?,
        port: read.whole("http.port", 0..=u16::MAX)?,
        public_url: read.optional("http.public_url", public_url::read)?,
        allowed_origins: read.list_of("http.allowed_origins", origin)?,
        trusted_proxies: read.list_of("http.trusted_proxies", |text| {
            text.parse().map_err(|problem| format!("{} {problem}", quoted(text)))
        })?,
        workers: read.whole("http.workers", 0..=1024)?,
        request_timeout: read.duration("http.request_timeout")?,
    })
}

fn pricing(read: &mut Reader) -> Result<PricingConfig, ConfigError> {
    let percent = "a percentage; write for example 10 or 12.5";
    let amount = "an amount; write for example 50 or 49.90";
    let tax = read.parsed("pricing.tax_percent", |text| {
        let value = hundredths(text, percent, 100)?;
        u32::try_from(value).map_err(|_| format!("{} is not {percent}", quoted(text)))
    })?;
    Ok(PricingConfig {
        tax_basis_points: tax,
        shipping_flat_minor: read.parsed("pricing.shipping_flat", |text| hundredths(text, amount, SHIPPING_MAX))?,
    })
}

fn mongo(read: &mut Reader) -> Result<MongoConfig, ConfigError> {
    let prefix = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        match text.len() <= 30 && text.bytes().all(fits) {
            true => Ok(text.to_owned()),
            false => Err(format!("{} is not at most 30 letters, digits, _ and -", quoted(text))),
        }
    };
    Ok(MongoConfig {
        uri: read.secret("mongo.uri")?,
        database_prefix: read.optional("mongo.database_prefix", prefix)?.unwrap_or_default(),
    })
}

fn rabbit(read: &mut Reader) -> Result<RabbitConfig, ConfigError> {
    let url = read.secret("rabbit.url")?;
    let queues = read.list("rabbit.consume")?;
    let consume = match queues.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["all"] => Consume::All,
        [] | ["none" | "[]"] => Consume::Queues(vec![]),
        _ => Consume::Queues(queues),
    };
    if let Consume::Queues(names) = &consume
        && let Some(unknown) = names.iter().find(|name| table::queue(name).is_none())
    {
        let problem =
            format!("{} is not a queue; write all, none, or names as docs/events.md lists them", quoted(unknown));
        return Err(read.refused("rabbit.consume", &problem));
    }
    let delays = read.list_of("rabbit.retry_delays", values::duration)?;
    let wrong = "must be four durations; write for example 1s,10s,1m,10m";
    let retry_delays = delays.try_into().map_err(|_| read.refused("rabbit.retry_delays", wrong))?;
    Ok(RabbitConfig { url, consume, retry_delays })
}

fn redis(read: &mut Reader) -> Result<RedisConfig, ConfigError> {
    let prefix = |text: &str| match text.len() <= 60 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err(format!("{} is not at most 60 characters of ASCII without spaces", quoted(text))),
    };
    Ok(RedisConfig {
        url: read.secret("redis.url")?,
        prefix: read.optional("redis.prefix", prefix)?.unwrap_or_default(),
        timeout: read.duration("redis.timeout")?,
        look_every: read.duration("redis.look_every")?,
    })
}

fn razorpay(read: &mut Reader) -> Result<RazorpayConfig, ConfigError> {
    Ok(RazorpayConfig {
        key_id: read.optional("razorpay.key_id", owned)?,
        key_secret: read.secret("razorpay.key_secret")?,
        webhook_secret: read.secret("razorpay.webhook_secret")?,
        base_url: read.parsed("razorpay.base_url", base_url)?,
        reconcile_every: read.duration("razorpay.reconcile_every")?,
    })
}

fn imagekit(read: &mut Reader) -> Result<ImagekitConfig, ConfigError> {
    Ok(ImagekitConfig {
        public_key: read.optional("imagekit.public_key", owned)?,
        private_key: read.secret("imagekit.private_key")?,
        url_endpoint: read.optional("imagekit.url_endpoint", values::page)?,
        base_url: read.parsed("imagekit.base_url", base_url)?,
        retry_every: read.duration("imagekit.retry_every")?,
    })
}

fn assistant(read: &mut Reader) -> Result<AssistantConfig, ConfigError> {
    Ok(AssistantConfig {
        provider: read.optional("assistant.provider", owned)?.unwrap_or_default(),
        model: read.optional("assistant.model", owned)?,
        base_url: read.optional("assistant.base_url", values::page)?,
        api_key: read.secret("assistant.api_key")?,
        stream: read.flag("assistant.stream")?,
        stall: read.duration("assistant.stall")?,
    })
}

fn email(read: &mut Reader) -> Result<EmailConfig, ConfigError> {
    Ok(EmailConfig {
        from: read.parsed("email.from", sender)?,
        unsubscribe: read.optional("email.unsubscribe", values::address_or_page)?,
        user: read.optional("email.user", owned)?,
        password: read.secret("email.password")?,
        client_id: read.optional("email.client_id", owned)?,
        client_secret: read.secret("email.client_secret")?,
        refresh_token: read.secret("email.refresh_token")?,
        token_url: read.parsed("email.token_url", values::page)?,
        access_token: read.secret("email.access_token")?,
    })
}

fn webhooks(read: &mut Reader) -> Result<WebhooksConfig, ConfigError> {
    let retry_delays = read.list_of("webhooks.retry_delays", values::duration)?;
    if !(1..=RETRIES_MAX).contains(&retry_delays.len()) {
        let wrong = format!("must be 1 to {RETRIES_MAX} durations; write for example 10s,1m,1h");
        return Err(read.refused("webhooks.retry_delays", &wrong));
    }
    Ok(WebhooksConfig {
        allow_private: read.flag("webhooks.allow_private")?,
        retry_delays,
        switch_off_after: read.whole("webhooks.switch_off_after", 1..=1_000_000)?,
        timeout: read.duration("webhooks.timeout")?,
    })
}

fn peers(read: &mut Reader) -> Result<PeersConfig, ConfigError> {
    Ok(PeersConfig {
        auth: read.optional("peers.auth", base_url)?,
        product: read.optional("peers.product", base_url)?,
        inventory: read.optional("peers.inventory", base_url)?,
        cart: read.optional("peers.cart", base_url)?,
        order: read.optional("peers.order", base_url)?,
        payment: read.optional("peers.payment", base_url)?,
    })
}

fn log(read: &mut Reader) -> Result<LogConfig, ConfigError> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"].map(|level| (level, level));
    Ok(LogConfig {
        level: read.word("log.level", &levels)?,
        format: read.word("log.format", &[("text", LogFormat::Text), ("json", LogFormat::Json)])?,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "has the shape of the other functions that read a value")]
fn owned(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}
