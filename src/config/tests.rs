//! Tests of layers, error messages, secrets and the data directory.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use secrecy::ExposeSecret;

use super::*;

const SECRET: &str = "correct-horse-battery-staple-0123456789";

/// A folder that is deleted after the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("microbazaar-{}", secret::random_hex().unwrap()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self::new();
        for (name, text) in files {
            fs::write(folder.0.join(name), text).unwrap();
        }
        folder
    }

    fn load<const N: usize>(&self, variables: [(&str, &str); N]) -> Result<Config, String> {
        let sources = Sources { directory: Some(self.0.clone()), ..Sources::of_variables(variables) };
        Config::load_from(&sources, &Overrides::default()).map_err(|error| self.hidden(&error.to_string()))
    }

    fn hidden(&self, text: &str) -> String {
        text.replace(&self.0.display().to_string(), "config")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load<const N: usize>(variables: [(&str, &str); N]) -> Result<Config, String> {
    Config::load_from(&Sources::of_variables(variables), &Overrides::default()).map_err(|error| error.to_string())
}

fn refusal(name: &str, value: &str) -> String {
    load([(name, value)]).expect_err("the value should be refused")
}

#[test]
fn without_anything_the_defaults_hold() {
    let config = load([]).unwrap();
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(config.data_dir, Path::new("./data"));
    assert_eq!((config.http.host.as_str(), config.http.port), ("127.0.0.1", 8080));
    assert_eq!((config.order.payment_window, config.order.max_unpaid), (Duration::from_secs(900), 10));
    assert_eq!((config.pricing.tax_basis_points, config.pricing.shipping_flat_minor), (1_000, 5_000));
    assert_eq!((config.rate_limit.enabled, config.rate_limit.auth_per_minute.get()), (true, 1000));
    assert_eq!(config.razorpay.base_url, "https://api.razorpay.com");
    assert_eq!((config.log.level, config.log.format), ("info", LogFormat::Text));
    assert!(config.jwt_secret.is_none() && config.services == Services::All && !config.secure_cookies());
    assert!(config.http.worker_count() >= 1 && config.passwords.hashers() >= 1);
}

#[test]
fn variables_and_flags_lie_over_files() {
    let folder = Folder::with(&[
        ("default.toml", "[http]\nport = 1\nworkers = 3\n[pricing]\ntax_percent = 12.5\nshipping_flat = 49.9"),
        ("development.toml", "[http]\nport = 2\n[cart]\nidle = \"2s\""),
        ("production.toml", "[http]\nport = 9"),
    ]);
    let config = folder.load([]).unwrap();
    assert_eq!((config.http.port, config.http.workers), (2, 3));
    assert_eq!((config.pricing.tax_basis_points, config.pricing.shipping_flat_minor), (1_250, 4_990));
    assert_eq!(config.cart.idle, Duration::from_secs(2));
    assert_eq!(folder.load([("PORT", "3")]).unwrap().http.port, 3);
    assert_eq!(folder.load([("PORT", "3"), ("MICROBAZAAR_HTTP__PORT", "4")]).unwrap().http.port, 4);
    let flags = Overrides {
        host: Some("0.0.0.0".into()),
        port: Some(5),
        data_dir: Some("/srv/shop".into()),
        services: Some("all".into()),
    };
    let config = Config::load_from(&Sources::of_variables([("MICROBAZAAR_HTTP__PORT", "4")]), &flags).unwrap();
    assert_eq!((config.http.host.as_str(), config.http.port), ("0.0.0.0", 5));
    assert_eq!(config.data_dir, Path::new("/srv/shop"));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let config = load([("PORT", ""), ("JWT_SECRET", " "), ("MONGO_URI", ""), ("MICROBAZAAR_LOG__LEVEL", "")]).unwrap();
    assert_eq!(config.http.port, 8080);
    assert!(config.jwt_secret.is_none());
    let config = load([("PORT", "81"), ("MICROBAZAAR_HTTP__PORT", "")]).unwrap();
    assert_eq!(config.http.port, 81);
}

#[test]
fn lists_are_arrays_or_words_with_commas() {
    let config = load([
        ("MICROBAZAAR_HTTP__ALLOWED_ORIGINS", "https://a.example, http://localhost:3000"),
        ("MICROBAZAAR_HTTP__TRUSTED_PROXIES", "10.0.0.0/8,::1"),
    ])
    .unwrap();
    assert_eq!(config.http.allowed_origins, ["https://a.example", "http://localhost:3000"]);
    assert_eq!(config.http.trusted_proxies.len(), 2);
    let folder = Folder::with(&[("default.toml", "[http]\nallowed_origins = [\"https://a.example\"]")]);
    assert_eq!(folder.load([]).unwrap().http.allowed_origins, ["https://a.example"]);
}

#[test]
fn a_wrong_value_is_one_sentence_that_names_the_key() {
    let cases = [
        (
            ("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "soon"),
            "order.payment_window: \"soon\" is not a duration; write for example 15m or 90s \
             (set by MICROBAZAAR_ORDER__PAYMENT_WINDOW)",
        ),
        (
            ("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "8d"),
            "order.payment_window: is not between 1s and 7d (set by MICROBAZAAR_ORDER__PAYMENT_WINDOW)",
        ),
        (
            ("MICROBAZAAR_ORDER__MAX_UNPAID", "0"),
            "order.max_unpaid: \"0\" is not a whole number between 1 and 10000 (set by MICROBAZAAR_ORDER__MAX_UNPAID)",
        ),
        (("PORT", "99999"), "http.port: \"99999\" is not a whole number between 0 and 65535 (set by PORT)"),
        (
            ("MICROBAZAAR_RATE_LIMIT__ENABLED", "maybe"),
            "rate_limit.enabled: \"maybe\" is not true or false (set by MICROBAZAAR_RATE_LIMIT__ENABLED)",
        ),
        (
            ("MICROBAZAAR_ENVIRONMENT", "staging"),
            "environment: \"staging\" is not one of development, production (set by MICROBAZAAR_ENVIRONMENT)",
        ),
        (
            ("MICROBAZAAR_HTTP__ALLOWED_ORIGINS", "*"),
            "http.allowed_origins: \"*\" is not an origin; write for example https://shop.example \
             (set by MICROBAZAAR_HTTP__ALLOWED_ORIGINS)",
        ),
        (
            ("MICROBAZAAR_HTTP__TRUSTED_PROXIES", "proxy"),
            "http.trusted_proxies: \"proxy\" is not an address or a network; write for example 10.0.0.7 or 10.0.0.0/8 \
             (set by MICROBAZAAR_HTTP__TRUSTED_PROXIES)",
        ),
        (
            ("MICROBAZAAR_PRICING__TAX_PERCENT", "1.005"),
            "pricing.tax_percent: \"1.005\" has more than two decimals (set by MICROBAZAAR_PRICING__TAX_PERCENT)",
        ),
        (
            ("MICROBAZAAR_SERVICES", "auth,shop"),
            "services: \"shop\" is not a service; write all, or some of auth, product, inventory, cart, order, \
             payment, notification, seller-dashboard, ai-buddy, web (set by MICROBAZAAR_SERVICES)",
        ),
        (
            ("JWT_SECRET", "hush"),
            "jwt_secret: is too short; give 32 bytes or more, for example from: openssl rand -hex 32 (set by JWT_SECRET)",
        ),
    ];
    for ((name, value), sentence) in cases {
        assert_eq!(refusal(name, value), sentence);
    }
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_meant() {
    let cases = [
        (
            "MICROBAZAAR_HTTP__PROT",
            "http.prot: is not a known key (set by MICROBAZAAR_HTTP__PROT); did you mean http.port?",
        ),
        (
            "MICROBAZAAR_HTTP_PORT",
            "http_port: is not a known key (set by MICROBAZAAR_HTTP_PORT); did you mean http.port?",
        ),
        ("MICROBAZAAR_COLOUR", "colour: is not a known key (set by MICROBAZAAR_COLOUR)"),
        ("MICROBAZAAR_HTTP", "http: is a section of keys, such as http.allowed_origins (set by MICROBAZAAR_HTTP)"),
        ("MICROBAZAAR_HTTP__PORT__X", "http.port.x: is not a known key (set by MICROBAZAAR_HTTP__PORT__X)"),
    ];
    for (name, sentence) in cases {
        assert!(refusal(name, "1").starts_with(sentence), "{}", refusal(name, "1"));
    }
    let folder = Folder::with(&[("default.toml", "[ordr]\npayment_window = \"1m\"")]);
    let sentence =
        "ordr.payment_window: is not a known key (set by config/default.toml); did you mean order.payment_window?";
    assert_eq!(folder.load([]).unwrap_err(), sentence);
    assert!(load([("MICROBAZAAR_ADMIN_PASSWORD", "x"), ("MICROBAZAAR_CACHE", "/x")]).is_ok());
}

#[test]
fn a_syntax_error_is_reported_by_position_and_not_by_text() {
    let folder = Folder::with(&[("default.toml", "jwt_secret = hush-hush-hush\n")]);
    let message = folder.load([]).unwrap_err();
    assert_eq!(message, "config/default.toml: is not valid TOML, see line 1, column 14");
    let folder = Folder::with(&[("development.toml", "environment = \"production\"")]);
    let message = folder.load([]).unwrap_err();
    assert_eq!(message, "environment: cannot be changed by the file of one environment, config/development.toml");
}

#[test]
fn a_secret_is_never_shown() {
    let sources = Sources::of_variables([
        ("JWT_SECRET", SECRET),
        ("RAZORPAY_KEY_SECRET", "hush-key"),
        ("RABBIT_URL", "amqps://me:hush-key@host/vhost"),
    ]);
    let (config, settings) = Config::load_with_settings(&sources, &Overrides::default()).unwrap();
    assert_eq!(config.jwt_secret.as_ref().unwrap().expose_secret(), SECRET);
    let shown = format!("{config:?} {settings:?} {}", config.explain(&settings));
    assert!(!shown.contains(SECRET) && !shown.contains("hush-key"), "{shown}");
    assert!(shown.contains("(set)"));

    for secret in ["123456", "[\"hush-hush\"]", "{ hush = 1 }", "2024-01-01"] {
        let folder = Folder::with(&[("default.toml", &format!("jwt_secret = {secret}"))]);
        let message = folder.load([]).unwrap_err();
        assert!(
            !message.contains("123456") && !message.contains("hush-hush") && message.starts_with("jwt_secret"),
            "{message}"
        );
    }
    for name in ["REDIS_URL", "SMTP_URL", "GOOGLE_API_KEY", "IMAGEKIT_PRIVATE_KEY"] {
        let message = refusal(name, "scheme://me:hush-hush@host");
        assert!(!message.contains("hush"), "{message}");
    }
    assert!(!refusal("JWT_SECRET", "too-short").contains("too-short"));
}

#[test]
fn imagekit_is_given_whole_or_not_at_all() {
    let key = ("IMAGEKIT_PRIVATE_KEY", "private_hush-hush");
    let endpoint = ("IMAGEKIT_URL_ENDPOINT", "https://ik.example/shop");
    let message = |given: &[(&str, &str)]| {
        let mut sources = Sources::of_variables([]);
        sources.variables.extend(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = Config::load_from(&sources, &Overrides::default()).map_err(|error| error.to_string())?;
        Ok::<_, String>(config.picture_host().unwrap().map(|host| (host.url_endpoint, host.base_url)))
    };
    assert_eq!(message(&[]), Ok(None));
    let whole = Some(("https://ik.example/shop".to_owned(), "https://upload.imagekit.io".to_owned()));
    assert_eq!(message(&[key, endpoint]), Ok(whole));
    for (given, wrong) in [
        (&[key][..], "imagekit.url_endpoint: must be given along with imagekit.private_key"),
        (&[endpoint], "imagekit.private_key: must be given"),
        (&[("IMAGEKIT_PUBLIC_KEY", "public_x")], "imagekit.private_key: must be given"),
        (&[key, ("IMAGEKIT_URL_ENDPOINT", "ik.example")], "imagekit.url_endpoint: "),
        (&[key, ("IMAGEKIT_URL_ENDPOINT", "https://ik.example/?x")], "imagekit.url_endpoint: "),
        (&[key, endpoint, ("MICROBAZAAR_IMAGEKIT__RETRY_EVERY", "2h")], "imagekit.retry_every: "),
    ] {
        let problem = message(given).unwrap_err();
        assert!(problem.starts_with(wrong) && !problem.contains("hush"), "{problem}");
    }
}

const SHARED: [(&str, &str); 3] =
    [("MONGO_URI", "mongodb://localhost"), ("RABBIT_URL", "amqp://localhost"), ("JWT_SECRET", SECRET)];

/// The configuration of a process that serves `services`, with more variables.
fn some(services: &str, more: &[(&str, &str)]) -> Result<Config, String> {
    let mut sources = Sources::of_variables(SHARED);
    let named = more.iter().copied().chain([("MICROBAZAAR_SERVICES", services)]);
    sources.variables.extend(named.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Config::load_from(&sources, &Overrides::default()).map_err(|error| error.to_string())
}

#[test]
fn a_single_service_listens_on_its_own_port_by_default() {
    let ports = [("auth", 3000), ("inventory", 3008), ("web", 8080), ("auth,inventory", 8080)];
    for (services, port) in ports {
        assert_eq!(some(services, &[]).unwrap().http.port, port, "{services}");
    }
    assert_eq!(some("auth", &[("PORT", "8080")]).unwrap().http.port, 8080, "also told what it is by default");
    let cart = some("cart", &[("MICROBAZAAR_PEERS__PRODUCT", "http://product:3001")]).unwrap();
    assert_eq!((cart.http.port, cart.peers.of(Service::Product)), (3002, Some("http://product:3001")));
    let called = [("PRODUCT", "http://product:3001"), ("CART", "http://cart:3002"), ("ORDER", "http://order:3003")];
    let called = called.map(|(name, at)| (format!("MICROBAZAAR_PEERS__{name}"), at));
    let called: Vec<(&str, &str)> = called.iter().map(|(name, at)| (name.as_str(), *at)).collect();
    assert_eq!(some("ai-buddy", &called).unwrap().http.port, 3005);
    assert_eq!(
        some("ai-buddy", &called[..2]).unwrap_err(),
        "peers.order: must be given for serving ai-buddy without order; write for example http://order:3003"
    );
}

#[test]
fn serving_some_needs_what_processes_share_and_the_peers_that_are_called() {
    let message = load([("MICROBAZAAR_SERVICES", "auth")]).unwrap_err();
    assert_eq!(message, "mongo.uri: must be given for serving only auth: the processes share its documents");
    assert_eq!(
        some("order,cart", &[]).unwrap_err(),
        "peers.auth: must be given for serving order without auth; write for example http://auth:3000"
    );
    assert_eq!(
        some("cart,order,product,auth,payment", &[]).unwrap_err(),
        "peers.inventory: must be given for serving product,order without inventory; \
         write for example http://inventory:3008"
    );
    assert!(some("cart,order,product,auth,payment,inventory", &[]).is_ok(), "none of these calls another");
}

#[test]
fn production_asks_each_process_for_what_it_uses() {
    let production = ("MICROBAZAAR_ENVIRONMENT", "production");
    let url = ("MICROBAZAAR_HTTP__PUBLIC_URL", "https://shop.example");
    assert!(some("auth", &[production, url]).is_ok());
    assert!(some("auth", &[production]).unwrap_err().starts_with("http.public_url: must be given in production"));
    let auth = ("MICROBAZAAR_PEERS__AUTH", "http://auth:3000");
    assert!(some("notification", &[production, auth]).unwrap_err().starts_with("smtp.url: "));
    let order = ("MICROBAZAAR_PEERS__ORDER", "http://order:3003");
    assert!(some("payment", &[production, auth, order]).unwrap_err().starts_with("razorpay.key_id: "));
}

#[test]
fn production_refuses_a_guessable_secret_and_switched_off_limits() {
    let production = ("MICROBAZAAR_ENVIRONMENT", "production");
    let url = ("MICROBAZAAR_HTTP__PUBLIC_URL", "https://shop.example");
    for weak in ["a".repeat(64), "secret-".repeat(6), "my-super-secret-jwt-key-change-me".to_owned()] {
        let message = some("auth", &[production, url, ("JWT_SECRET", &weak)]).unwrap_err();
        assert!(message.starts_with("jwt_secret: is easy to guess") && !message.contains(&weak), "{message}");
        assert!(message.ends_with("openssl rand -hex 32 (set by JWT_SECRET)"), "{message}");
        assert!(some("auth", &[("JWT_SECRET", &weak)]).is_ok(), "in development it is taken");
    }
    let off = ("MICROBAZAAR_RATE_LIMIT__ENABLED", "false");
    let message = some("auth", &[production, url, off]).unwrap_err();
    assert!(message.starts_with("rate_limit.enabled: must be true in production"), "{message}");
    assert!(some("auth", &[off]).is_ok());
}

#[test]
fn operators_are_this_machine_and_private_networks_unless_they_are_named() {
    let is_operator = |config: &Config, address: &str| {
        config.http.operators.iter().any(|network| network.contains(address.parse().unwrap()))
    };
    let config = load([]).unwrap();
    for address in ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.7.9", "fd12::1", "::ffff:10.0.0.1"] {
        assert!(is_operator(&config, address), "{address}");
    }
    for address in ["203.0.113.9", "172.32.0.1", "2001:db8::1", "0.0.0.0", "8.8.8.8"] {
        assert!(!is_operator(&config, address), "{address}");
    }
    let named = load([("MICROBAZAAR_HTTP__OPERATORS", "203.0.113.0/24, 2001:db8::/32")]).unwrap();
    assert!(is_operator(&named, "203.0.113.9") && !is_operator(&named, "127.0.0.1"));
    assert!(
        refusal("MICROBAZAAR_HTTP__OPERATORS", "office").starts_with("http.operators: \"office\" is not an address")
    );
}

#[test]
fn nodes_of_one_shop_make_the_same_secrets_and_have_folders_of_their_own() {
    let (one, other) = (some("auth", &[]).unwrap(), some("inventory,auth", &[]).unwrap());
    let (made, again) = (one.secrets().unwrap(), other.secrets().unwrap());
    assert_eq!(made.razorpay_key_secret.expose_secret(), again.razorpay_key_secret.expose_secret());
    assert_ne!(made.razorpay_key_secret.expose_secret(), made.razorpay_webhook_secret.expose_secret());
    assert_ne!(one.own_folder(), other.own_folder());
    let all = load([]).unwrap();
    assert_eq!(all.own_folder(), all.data_dir);
}

#[test]
fn production_demands_secrets_and_refuses_stand_ins() {
    let production = ("MICROBAZAAR_ENVIRONMENT", "production");
    assert_eq!(load([production]).unwrap_err(), "jwt_secret: must be given in production, with 32 bytes or more");
    assert_eq!(
        load([production, ("JWT_SECRET", SECRET)]).unwrap_err(),
        "razorpay.key_id: must be given in production, which refuses sandbox payments"
    );
    let keys = [
        ("RAZORPAY_KEY_ID", "rzp_live_1"),
        ("RAZORPAY_KEY_SECRET", "x"),
        ("RAZORPAY_WEBHOOK_SECRET", "y"),
        ("JWT_SECRET", SECRET),
        production,
    ];
    let sources = Sources::of_variables(keys);
    let message = |sources: &Sources| Config::load_from(sources, &Overrides::default()).unwrap_err().to_string();
    assert!(message(&sources).starts_with("smtp.url: must be given in production"), "{}", message(&sources));
    let mut sources = sources;
    sources.variables.insert("SMTP_URL".into(), "smtp://mail".into());
    sources.variables.insert("MICROBAZAAR_MAILBOX__ENABLED".into(), "true".into());
    assert_eq!(message(&sources), "mailbox.enabled: must be false in production (set by MICROBAZAAR_MAILBOX__ENABLED)");
    sources.variables.remove("MICROBAZAAR_MAILBOX__ENABLED");
    assert!(message(&sources).starts_with("http.public_url: must be given in production"), "{}", message(&sources));
    sources.variables.insert("MICROBAZAAR_HTTP__PUBLIC_URL".into(), "https://Shop.Example:443/".into());
    let config = Config::load_from(&sources, &Overrides::default()).unwrap();
    assert_eq!(&*PublicUrl::of(&config), "https://shop.example");
    for (without, key) in [("KEY_SECRET", "key_secret"), ("WEBHOOK_SECRET", "webhook_secret")] {
        let mut sources = sources.clone();
        sources.variables.remove(&format!("RAZORPAY_{without}"));
        assert_eq!(message(&sources), format!("razorpay.{key}: must be given in production"));
        sources.variables.remove("MICROBAZAAR_ENVIRONMENT");
        assert_eq!(
            message(&sources),
            format!("razorpay.{key}: must be given along with razorpay.key_id (set by RAZORPAY_KEY_ID)")
        );
    }
}

#[test]
fn the_payments_are_those_of_the_given_gateway() {
    let shown = |config: &Config| config.explain(&[]);
    assert!(shown(&load([]).unwrap()).contains("payments    a sandbox gateway"));
    let keys = [("RAZORPAY_KEY_ID", "rzp_test_1"), ("RAZORPAY_KEY_SECRET", "x"), ("RAZORPAY_WEBHOOK_SECRET", "y")];
    assert!(shown(&load(keys).unwrap()).contains("payments    Razorpay"));
}

#[test]
fn a_made_secret_is_kept_and_private() {
    let folder = Folder::new();
    let mut config = load([]).unwrap();
    config.data_dir = folder.0.clone();
    let first = config.secrets().unwrap();
    let again = config.secrets().unwrap();
    assert_eq!(first.jwt.expose_secret(), again.jwt.expose_secret());
    assert_eq!(first.jwt.expose_secret().len(), 64);
    assert_ne!(first.jwt.expose_secret(), first.razorpay_key_secret.expose_secret());
    assert_eq!(first.razorpay_key_id, SANDBOX_KEY_ID);
    let mut names: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["jwt_secret", "sandbox_key_secret", "sandbox_webhook_secret"]);
    let path = folder.0.join("jwt_secret");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let given = load([("RAZORPAY_WEBHOOK_SECRET", "hook")]).unwrap();
    let given = Config { data_dir: folder.0.clone(), ..given }.secrets().unwrap();
    assert_eq!(given.razorpay_webhook_secret.expose_secret(), "hook");
    assert_eq!(given.razorpay_key_secret.expose_secret(), first.razorpay_key_secret.expose_secret());
}

#[test]
fn a_kept_secret_that_is_open_or_broken_is_refused() {
    let folder = Folder::new();
    secret::kept_secret(&folder.0, "jwt_secret").unwrap();
    let path = folder.0.join("jwt_secret");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let message = secret::kept_secret(&folder.0, "jwt_secret").unwrap_err().to_string();
    assert!(folder.hidden(&message).ends_with("can be read by others; run: chmod 600 config/jwt_secret"), "{message}");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    for broken in ["", "short", "\n\n\n"] {
        fs::write(&path, broken).unwrap();
        let message = secret::kept_secret(&folder.0, "jwt_secret").unwrap_err();
        assert!(matches!(message, SecretError::Broken(_)), "{message}");
    }
}

#[test]
fn secrets_made_at_once_are_one() {
    let folder = Folder::new();
    let make = || secret::kept_secret(&folder.0, "jwt_secret").map(|secret| secret.expose_secret().to_owned());
    let made: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    assert!(made.iter().all(|secret| *secret == made[0]));
}

#[test]
fn a_data_directory_is_held_by_one() {
    let folder = Folder::new();
    let path = folder.0.join("deep/data");
    let held = DataDir::lock(&path).unwrap();
    assert_eq!(held.path(), path);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let message = DataDir::lock(&path).unwrap_err().to_string();
    assert_eq!(folder.hidden(&message), "the data directory config/deep/data is in use by another microbazaar process");
    drop(held);
    assert!(DataDir::lock(&path).is_ok());

    let file = folder.0.join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("data")] {
        assert!(matches!(DataDir::lock(path), Err(LockError::NotADirectory(_))));
    }
}

#[test]
fn every_key_of_the_default_file_is_read() {
    let sources = Sources::default();
    let (_, settings) = Config::load_with_settings(&sources, &Overrides::default()).unwrap();
    let read: std::collections::BTreeSet<_> = settings.iter().map(|setting| setting.key.to_owned()).collect();
    let known: std::collections::BTreeSet<_> = layers::known().into_iter().collect();
    assert_eq!(read, known);
}

#[test]
fn the_queues_to_read_are_all_none_or_known_ones() {
    let consume = |value| load([("MICROBAZAAR_RABBIT__CONSUME", value)]).map(|config| config.rabbit.consume);
    assert_eq!(load([]).unwrap().rabbit.consume, Consume::All);
    assert_eq!(consume("all").unwrap(), Consume::All);
    for none in ["", "none", "[]"] {
        assert_eq!(consume(none).unwrap(), Consume::Queues(vec![]), "{none:?}");
    }
    let queue = crate::domain::queues::ORDER_CREATED_DASHBOARD;
    assert_eq!(consume(queue).unwrap(), Consume::Queues(vec![queue.to_owned()]));
    assert!(consume("A.B").unwrap_err().starts_with("rabbit.consume: \"A.B\" is not a queue"));
    assert!(load([("MICROBAZAAR_RABBIT__RETRY_DELAYS", "1s,2s")]).unwrap_err().contains("four durations"));
}

#[test]
fn a_mail_server_is_read_with_its_encryption_and_its_login() {
    let read = |url: &str| load([("SMTP_URL", url)]).unwrap().mail_server().unwrap().unwrap();
    for (url, host, port, tls) in [
        ("smtps://mail.example", "mail.example", 465, MailTls::Implicit),
        ("smtp://mail.example", "mail.example", 587, MailTls::Required),
        ("smtp://Mail.Example:2525/", "mail.example", 2525, MailTls::Required),
        ("smtp://127.0.0.1", "127.0.0.1", 25, MailTls::None),
        ("smtp://[::1]:26", "::1", 26, MailTls::None),
        ("smtp://localhost?tls=required", "localhost", 587, MailTls::Required),
        ("smtp://mail.example?tls=opportunistic", "mail.example", 25, MailTls::Opportunistic),
        ("smtp://mail.example?tls=none", "mail.example", 25, MailTls::None),
    ] {
        let server = read(url);
        assert_eq!((server.host.as_str(), server.port, server.tls), (host, port, tls), "{url}");
        assert!(server.login.is_none());
    }
    let Some(MailLogin::Password(user, password)) = read("smtps://asha%40a.example:p%3A%2F%40@mail.example").login
    else {
        panic!("a password")
    };
    assert_eq!((user.as_str(), password.expose_secret()), ("asha@a.example", "p:/@"));
    assert!(load([]).unwrap().mail_server().unwrap().is_none());
}

#[test]
fn tokens_are_a_login_too() {
    let gmail = ("SMTP_URL", "smtps://smtp.gmail.com");
    let user = ("EMAIL_USER", "shop@gmail.example");
    let config = load([gmail, user, ("EMAIL_ACCESS_TOKEN", "hush")]).unwrap();
    let server = config.mail_server().unwrap().unwrap();
    assert!(matches!(server.login, Some(MailLogin::Token(_, TokenSource::Fixed(_)))));
    let client = [("EMAIL_CLIENT_ID", "id"), ("EMAIL_CLIENT_SECRET", "hush"), ("EMAIL_REFRESH_TOKEN", "hush")];
    let config = load([gmail, user, client[0], client[1], client[2]]).unwrap();
    let server = config.mail_server().unwrap().unwrap();
    let Some(MailLogin::Token(_, TokenSource::Refreshed { url, .. })) = &server.login else { panic!("a client") };
    assert_eq!(url, "https://oauth2.googleapis.com/token");
    assert!(!format!("{server:?} {config:?}").contains("hush"));
    let message = |variables: &[(&str, &str)]| {
        let mut sources = Sources::of_variables([]);
        sources.variables.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Config::load_from(&sources, &Overrides::default()).unwrap_err().to_string()
    };
    assert!(message(&[gmail, user, client[0], client[1]]).starts_with("email.refresh_token: must be given"));
    assert!(message(&[gmail, user]).starts_with("email.password: must be given with a user"));
    assert!(message(&[gmail, ("EMAIL_PASSWORD", "x")]).starts_with("email.user: must be given"));
    assert!(message(&[gmail, user, ("EMAIL_PASSWORD", "x"), ("EMAIL_ACCESS_TOKEN", "y")]).contains("give one of them"));
    assert!(message(&[user]).starts_with("email.user: goes with smtp.url, which is not set"));
    assert!(message(&[("EMAIL_TOKEN_URL", "oauth")]).starts_with("email.token_url: \"oauth\" is not an http"));
}

#[test]
fn a_wrong_mail_server_is_refused_without_its_password() {
    for url in [
        "mail.example",
        "http://me:hush@mail.example",
        "smtp://",
        "smtp://me:hush@",
        "smtp://me:hush@mail.example/path",
        "smtp://me:hu%zzsh@mail.example",
        "smtp://me:hu%0d%0ash@mail.example",
        "smtp://me:hush@mail.example:99999",
        "smtp://me:hush@mail.example?tls=perhaps",
        "smtps://me:hush@mail.example?tls=none",
        "smtp://me:hush@mail.example?tls=none",
        "smtp://me:hush@mail.example?tls=opportunistic",
        "smtp://me:hush@mail example",
    ] {
        let message = refusal("SMTP_URL", url);
        assert!(message.starts_with("smtp.url: ") && !message.contains("hush"), "{url}: {message}");
    }
    assert!(load([("SMTP_URL", "smtp://me:hush@127.0.0.1?tls=none")]).is_ok());
}

#[test]
fn an_address_of_redis_is_one_and_is_not_repeated() {
    for url in ["redis://localhost", "redis://me:hush%40key@host:6380/2", "rediss://host:6379"] {
        assert!(load([("REDIS_URL", url)]).unwrap().redis.url.is_some(), "{url}");
    }
    for url in
        ["localhost:6379", "http://hush@host", "redis://host/hush", "redis://", "unix:///hush", "rediss://h/#hush"]
    {
        let message = refusal("REDIS_URL", url);
        assert!(
            message.starts_with("redis.url: is not an address of Redis; write") && !message.contains("hush"),
            "{message}"
        );
    }
    let config = load([("MICROBAZAAR_REDIS__PREFIX", "one:"), ("MICROBAZAAR_REDIS__TIMEOUT", "1s")]).unwrap();
    assert_eq!((config.redis.prefix.as_str(), config.redis.timeout.as_secs()), ("one:", 1));
    assert_eq!(load([]).unwrap().redis.prefix, "microbazaar:");
    assert!(refusal("MICROBAZAAR_REDIS__PREFIX", "a b").starts_with("redis.prefix: "));
    assert_eq!(
        refusal("MICROBAZAAR_REDIS__TIMEOUT", "6s"),
        "redis.timeout: is more than 5s (set by MICROBAZAAR_REDIS__TIMEOUT)"
    );
    let message = refusal("MICROBAZAAR_REDIS__LOOK_EVERY", "2h");
    assert_eq!(message, "redis.look_every: is more than 1h (set by MICROBAZAAR_REDIS__LOOK_EVERY)");
}

#[test]
fn an_address_of_a_server_is_one_and_is_not_repeated() {
    for (name, key, server, good, bad) in [
        (
            "RABBIT_URL",
            "rabbit.url",
            "RabbitMQ",
            &["amqp://localhost", "amqps://me:hush%40key@host:5671/shop", "amqp://127.0.0.1:5672/%2f?heartbeat=10"][..],
            &[
                "localhost:5672",
                "http://me:hush@host",
                "amqp:hush",
                "amqp://",
                "amqp:///hush",
                "amqp://:5672/hush",
                "amqp://me:hush@/vhost",
                "amqp://me:hush@[2001:db8::1]",
                "amqp://me:hush@host?heartbeat=often",
            ][..],
        ),
        (
            "MONGO_URI",
            "mongo.uri",
            "MongoDB",
            &["mongodb://localhost", "mongodb://me:hush@a:1,b:2/shop?replicaSet=rs0", "mongodb+srv://db.example"],
            &[
                "localhost:27017",
                "http://me:hush@host",
                "mongodb:hush",
                "mongodb://",
                "mongodb:///hush",
                "mongodb://me:hush@",
                "mongodb://me:hush@/shop",
                "mongodb://me:hush@host:99999",
            ],
        ),
        (
            "REDIS_URL",
            "redis.url",
            "Redis",
            &["redis://localhost"],
            &["redis:///0", "redis://me:hush@/0", "redis://:1"],
        ),
    ] {
        for url in good {
            assert!(load([(name, url)]).is_ok(), "{url}");
        }
        for url in bad {
            let message = refusal(name, url);
            assert!(message.starts_with(&format!("{key}: is not an address of {server}")), "{url}: {message}");
            assert!(message.ends_with(&format!(" (set by {name})")) && !message.contains("hush"), "{message}");
        }
    }
}

#[test]
fn a_rule_that_is_broken_names_what_set_the_key() {
    for (name, value) in [
        ("REDIS_URL", "localhost"),
        ("SMTP_URL", "mail.example"),
        ("MICROBAZAAR_SMTP__CA_FILE", "/ca.pem"),
        ("RAZORPAY_KEY_ID", "rzp_test_1"),
        ("MICROBAZAAR_ASSISTANT__PROVIDER", "chatty"),
        ("MICROBAZAAR_CHAT__ANSWER_WITHIN", "1m"),
        ("EMAIL_USER", "asha@mail.example"),
    ] {
        let message = refusal(name, value);
        assert!(message.ends_with(&format!(" (set by {name})")), "{message}");
    }
    let folder = Folder::with(&[("default.toml", "jwt_secret = \"short\"")]);
    assert!(folder.load([]).unwrap_err().ends_with(" (set by config/default.toml)"));
    // An empty value sets nothing.
    let folder = Folder::with(&[("default.toml", "jwt_secret = \"\"")]);
    let message = folder.load([("MICROBAZAAR_ENVIRONMENT", "production")]).unwrap_err();
    assert_eq!(message, "jwt_secret: must be given in production, with 32 bytes or more");
}
