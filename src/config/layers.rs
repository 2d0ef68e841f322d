//! Where values come from and which one wins: defaults, files, variables, flags.
//!
//! The two files of `config/` are compiled in, so that the program runs from anywhere; those of a `config` folder in
//! the working directory override them. A syntax error names the file and position, but never quotes the text.
//!
//! **Invariant:** a key that is not in the compiled-in default file is refused, whatever its source.

use std::{fs, io::ErrorKind};

use figment::{
    Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{
    Config,
    error::ConfigError,
    sources::{Overrides, Sources},
    suggest::suggestion,
};

const DEFAULT_FILE: &str = include_str!("../../config/default.toml");
const PRODUCTION_FILE: &str = include_str!("../../config/production.toml");

/// The source of a value that was not set.
pub(super) const DEFAULT: &str = "default";

/// One source of values, by the name that errors give it.
#[derive(Clone)]
pub(super) struct Layer {
    origin: String,
    values: Dict,
}

impl Layer {
    /// The one value that a variable or a flag sets, as text.
    pub(super) fn single(origin: &str, key: &str, text: &str) -> Self {
        let values = figment::util::nest(key, Value::from(text)).into_dict().unwrap_or_default();
        Self { origin: origin.to_owned(), values }
    }

    fn parsed(origin: &str, text: &str) -> Result<Self, ConfigError> {
        let values = Toml::from_str(text).map_err(|error| {
            // Only the first line, because the others quote the file's text.
            let message = error.to_string();
            let first = message.lines().next().unwrap_or_default();
            let place = first.split_once(" at ").map_or(String::new(), |(_, place)| format!(", see {place}"));
            ConfigError::new(origin, format!("is not valid TOML{place}"))
        })?;
        Ok(Self { origin: origin.to_owned(), values })
    }

    /// The file of the `config` folder, if there is one.
    fn file(sources: &Sources, name: &str) -> Result<Option<Self>, ConfigError> {
        let Some(folder) = &sources.directory else { return Ok(None) };
        let path = folder.join(format!("{name}.toml"));
        let shown = path.display().to_string();
        match fs::read_to_string(&path) {
            Ok(text) => Self::parsed(&shown, &text).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(ConfigError::new(shown, "is not UTF-8 text")),
            Err(error) => Err(ConfigError::new(shown, format!("cannot be read: {error}"))),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Merges all sources and refuses unknown keys.
pub(super) fn merged(sources: &Sources, overrides: &Overrides) -> Result<Figment, ConfigError> {
    let default = Layer::parsed(DEFAULT, DEFAULT_FILE)?;
    let base = Layer::file(sources, "default")?.into_iter().fold(Figment::from(default), Figment::merge);
    let above = sources.layers().chain(overrides.layers()).fold(Figment::new(), Figment::merge);

    let environment = text(&base.clone().merge(&above), "environment");
    let of_environment = match environment.as_deref() {
        Some("production") => {
            let compiled = Layer::parsed(DEFAULT, PRODUCTION_FILE)?;
            [Some(compiled), Layer::file(sources, "production")?]
        }
        Some("development") => [None, Layer::file(sources, "development")?],
        _ => [None, None], // refused when it is read
    };
    let merged = of_environment.into_iter().flatten().fold(base, Figment::merge).merge(above);
    refuse_unknown(&merged)?;
    if text(&merged, "environment") != environment {
        let environment = environment.unwrap_or_default();
        let problem = format!("cannot be changed by the file of one environment, config/{environment}.toml");
        return Err(ConfigError::new("environment", problem));
    }
    Ok(merged)
}

/// Reads every section of `merged`.
pub(super) fn extract(merged: &Figment) -> Result<Config, ConfigError> {
    merged.extract().map_err(|error| {
        let key = error.path.join(".");
        let problem = match error.kind {
            Kind::Message(problem) => problem,
            Kind::MissingField(name) => format!("has no {name} in config/default.toml"),
            // Each field reads its value by a function of `fields`, whose errors are messages; other errors may quote
            // the value.
            _ => "cannot be read".to_owned(),
        };
        match origin(merged, &key) {
            Some(origin) => ConfigError::new(key, format!("{problem} (set by {origin})")),
            None => ConfigError::new(key, problem),
        }
    })
}

/// The file, variable or flag that set `key`, or [`DEFAULT`].
pub(super) fn origin(merged: &Figment, key: &str) -> Option<String> {
    merged.find_metadata(key).map(|source| source.name.to_string())
}

/// Adds the source of its key to an error, if there is one.
pub(super) fn with_origin(error: ConfigError, merged: &Figment) -> ConfigError {
    let key = error.cause.unwrap_or(&error.key);
    let is_set = text(merged, key).is_none_or(|text| !text.trim().is_empty());
    match origin(merged, key).filter(|origin| is_set && origin != DEFAULT) {
        Some(origin) => ConfigError { problem: format!("{} (set by {origin})", error.problem), ..error },
        None => error,
    }
}

/// Every key, in the order of the default file.
pub(super) fn known() -> Vec<String> {
    let sections: toml::Table = toml::from_str(DEFAULT_FILE).unwrap_or_default();
    let keys = sections.into_iter().map(|(name, value)| match value {
        toml::Value::Table(section) => section.keys().map(|key| format!("{name}.{key}")).collect(),
        _ => vec![name],
    });
    keys.flatten().collect()
}

fn text(merged: &Figment, key: &str) -> Option<String> {
    merged.find_value(key).ok().and_then(Value::into_string)
}

fn refuse_unknown(merged: &Figment) -> Result<(), ConfigError> {
    let known = known();
    let values = merged.data().ok().and_then(|mut data| data.remove(&Profile::Default)).unwrap_or_default();
    for (key, value) in leaves("", values).into_iter().filter(|(key, _)| !known.contains(key)) {
        let within = |known: &&String| known.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.'));
        let origin = origin(merged, &key).unwrap_or_default();
        let problem = match known.iter().filter(within).min() {
            Some(_) if matches!(value, Value::Dict(..)) => continue,
            Some(inner) => format!("is a section of keys, such as {inner} (set by {origin})"),
            None => {
                let hint = suggestion(&key, &known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                format!("is not a known key (set by {origin}){hint}")
            }
        };
        return Err(ConfigError::new(key, problem));
    }
    Ok(())
}

/// Every value by its dotted key.
fn leaves(prefix: &str, values: Dict) -> Vec<(String, Value)> {
    let dotted = |name: String| if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
    let found = values.into_iter().map(|(name, value)| match value {
        Value::Dict(_, inner) if !inner.is_empty() => leaves(&dotted(name), inner),
        value => vec![(dotted(name), value)],
    });
    found.flatten().collect()
}
