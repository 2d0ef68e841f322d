//! Where values come from and which one wins: defaults, files, variables, flags.
//!
//! The two files of `config/` are compiled in, so that the program runs from anywhere;
//! those of a `config` folder in the working directory are laid over them. A syntax error is
//! told by file and place, never by the text around it.
//!
//! **Invariant:** a key that the compiled-in default file does not name is refused,
//! wherever it stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    io::ErrorKind,
    path::PathBuf,
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{error::ConfigError, suggest::suggestion};

const DEFAULT_FILE: &str = include_str!("../../config/default.toml");
const PRODUCTION_FILE: &str = include_str!("../../config/production.toml");
const PREFIX: &str = "MICROBAZAAR_";

/// Variables with the prefix that are no keys: the admin's password, the scripts' cache folder.
const RESERVED: [&str; 2] = ["MICROBAZAAR_ADMIN_PASSWORD", "MICROBAZAAR_CACHE"];

/// Variables by the names that other programs use as well.
const COMMON: [(&str, &str); 21] = [
    ("PORT", "http.port"),
    ("JWT_SECRET", "jwt_secret"),
    ("MONGO_URI", "mongo.uri"),
    ("RABBIT_URL", "rabbit.url"),
    ("REDIS_URL", "redis.url"),
    ("RAZORPAY_KEY_ID", "razorpay.key_id"),
    ("RAZORPAY_KEY_SECRET", "razorpay.key_secret"),
    ("RAZORPAY_WEBHOOK_SECRET", "razorpay.webhook_secret"),
    ("IMAGEKIT_PUBLIC_KEY", "imagekit.public_key"),
    ("IMAGEKIT_PRIVATE_KEY", "imagekit.private_key"),
    ("IMAGEKIT_URL_ENDPOINT", "imagekit.url_endpoint"),
    ("GOOGLE_API_KEY", "gemini.api_key"),
    ("SMTP_URL", "smtp.url"),
    ("EMAIL_FROM", "email.from"),
    ("EMAIL_USER", "email.user"),
    ("EMAIL_PASSWORD", "email.password"),
    ("EMAIL_CLIENT_ID", "email.client_id"),
    ("EMAIL_CLIENT_SECRET", "email.client_secret"),
    ("EMAIL_REFRESH_TOKEN", "email.refresh_token"),
    ("EMAIL_TOKEN_URL", "email.token_url"),
    ("EMAIL_ACCESS_TOKEN", "email.access_token"),
];

/// What the command line says, above everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--host`.
    pub host: Option<String>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--data-dir`.
    pub data_dir: Option<String>,
    /// `--services`.
    pub services: Option<String>,
}

/// What surrounds the process: its variables and its `config` folder.
#[derive(Clone, Default)]
pub struct Sources {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The folder whose files are laid over the compiled-in ones.
    pub directory: Option<PathBuf>,
}

impl Sources {
    /// Those of this process.
    ///
    /// # Errors
    /// When one of our variables is not UTF-8.
    pub fn of_process() -> Result<Self, ConfigError> {
        let directory = PathBuf::from("config");
        let variables = utf8(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_ours)))?;
        Ok(Self { variables, directory: directory.is_dir().then_some(directory) })
    }

    /// These variables and no folder.
    #[must_use]
    pub fn of_variables<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { variables: variables.into(), directory: None }
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) || COMMON.iter().any(|(common, _)| *common == name)
}

fn utf8(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<BTreeMap<String, String>, ConfigError> {
    variables
        .map(|(name, value)| {
            let name = name.to_string_lossy().into_owned();
            let value = value.into_string().map_err(|_| ConfigError::new(&name, "is not UTF-8 text"))?;
            Ok((name, value))
        })
        .collect()
}

/// The value that won for a key, and where it was set.
pub(super) struct Found {
    pub value: Value,
    pub origin: String,
}

/// Lays everything over one another and refuses what is unknown.
pub(super) fn merged(sources: &Sources, overrides: &Overrides) -> Result<BTreeMap<String, Found>, ConfigError> {
    let known: BTreeSet<String> = flat(&stack([compiled(DEFAULT_FILE)?])?).into_keys().collect();
    let mut layers = vec![compiled(DEFAULT_FILE)?];
    layers.extend(file(sources, "default")?);
    let above = variables(sources).into_iter().chain(flags(overrides));

    let chosen = flat(&stack(layers.iter().cloned().chain(above.clone()))?);
    let environment = chosen.get("environment").and_then(|found| found.value.as_str()).unwrap_or_default().to_owned();
    match environment.as_str() {
        "production" => {
            layers.push(compiled(PRODUCTION_FILE)?);
            layers.extend(file(sources, "production")?);
        }
        "development" => layers.extend(file(sources, "development")?),
        _ => {} // refused by the reader, which knows what is accepted
    }

    let merged = flat(&stack(layers.into_iter().chain(above))?);
    refuse_unknown(&merged, &known)?;
    let moved = merged.get("environment").is_none_or(|found| found.value.as_str() != Some(environment.as_str()));
    if moved && matches!(environment.as_str(), "production" | "development") {
        let problem = format!("cannot be changed by the file of one environment, config/{environment}.toml");
        return Err(ConfigError::new("environment", problem));
    }
    Ok(merged)
}

/// One source of values.
#[derive(Clone)]
struct Layer {
    origin: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn stack(layers: impl IntoIterator<Item = Layer>) -> Result<Figment, ConfigError> {
    Ok(layers.into_iter().fold(Figment::new(), Figment::merge))
}

fn compiled(text: &str) -> Result<Layer, ConfigError> {
    parsed("default", text)
}

fn file(sources: &Sources, name: &str) -> Result<Option<Layer>, ConfigError> {
    let Some(path) = sources.directory.as_ref().map(|folder| folder.join(format!("{name}.toml"))) else {
        return Ok(None);
    };
    let shown = path.display().to_string();
    match fs::read_to_string(&path) {
        Ok(text) => parsed(&shown, &text).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(ConfigError::new(shown, "is not UTF-8 text")),
        Err(error) => Err(ConfigError::new(shown, format!("cannot be read: {error}"))),
    }
}

fn parsed(origin: &str, text: &str) -> Result<Layer, ConfigError> {
    let mut data = Toml::string(text).data().map_err(|error| {
        // Only the first line: the ones below it repeat the file's text.
        let told = error.to_string();
        let first = told.lines().next().unwrap_or_default();
        let place = first.split_once(" at ").map_or(String::new(), |(_, place)| format!(", see {place}"));
        ConfigError::new(origin, format!("is not valid TOML{place}"))
    })?;
    Ok(Layer { origin: origin.to_owned(), values: data.remove(&Profile::Default).unwrap_or_default() })
}

/// The one key for which an empty variable means something: no queue at all.
const NO_QUEUES: &str = "rabbit.consume";

fn variables(sources: &Sources) -> Vec<Layer> {
    let set = |name: &str| sources.variables.get(name).filter(|value| !value.trim().is_empty());
    let common = COMMON.iter().filter_map(|(name, key)| set(name).map(|value| single(name, key, value)));
    let own = sources.variables.keys().filter(|name| !RESERVED.contains(&name.as_str())).filter_map(|name| {
        let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
        let value = if NO_QUEUES == key { sources.variables.get(name) } else { set(name) };
        value.map(|value| single(name, &key, value))
    });
    common.chain(own).collect()
}

fn flags(overrides: &Overrides) -> Vec<Layer> {
    let port = overrides.port.map(|port| port.to_string());
    let all = [
        ("--host", "http.host", &overrides.host),
        ("--port", "http.port", &port),
        ("--data-dir", "data_dir", &overrides.data_dir),
        ("--services", "services", &overrides.services),
    ];
    all.into_iter().filter_map(|(flag, key, value)| Some(single(flag, key, value.as_ref()?))).collect()
}

fn single(origin: &str, key: &str, value: &str) -> Layer {
    let values = figment::util::nest(key, Value::from(value)).into_dict().unwrap_or_default();
    Layer { origin: origin.to_owned(), values }
}

/// Every value by its dotted key.
fn flat(figment: &Figment) -> BTreeMap<String, Found> {
    fn walk(prefix: &str, values: Dict, figment: &Figment, into: &mut BTreeMap<String, Found>) {
        for (name, value) in values {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match value {
                Value::Dict(_, inner) if !inner.is_empty() => walk(&key, inner, figment, into),
                value => {
                    let origin = figment.get_metadata(value.tag()).map(|data| data.name.to_string());
                    into.insert(key, Found { value, origin: origin.unwrap_or_default() });
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    let values = figment.data().ok().and_then(|mut data| data.remove(&Profile::Default));
    walk("", values.unwrap_or_default(), figment, &mut found);
    found
}

fn refuse_unknown(merged: &BTreeMap<String, Found>, known: &BTreeSet<String>) -> Result<(), ConfigError> {
    for (key, found) in merged.iter().filter(|(key, _)| !known.contains(*key)) {
        let section =
            known.iter().find(|known| known.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with('.')));
        let problem = match section {
            Some(_) if matches!(found.value, Value::Dict(..)) => continue,
            Some(inner) => format!("is a section of keys, such as {inner} (set by {})", found.origin),
            None => {
                let hint = suggestion(key, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                format!("is not a known key (set by {}){hint}", found.origin)
            }
        };
        return Err(ConfigError::new(key, problem));
    }
    Ok(())
}
