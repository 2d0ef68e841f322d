//! The language model of the assistant, read from the `assistant.*` and `gemini.*` keys.
//!
//! **Invariant:** a model is used only if its provider or Gemini's key is configured; in production a key is sent
//! only over TLS, or to this machine.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{
    Config, Environment,
    error::{ConfigError, quoted, require},
};

/// The provider of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Google Gemini.
    Gemini,
    /// `OpenAI`, or a server that speaks its chat completions.
    OpenAi,
    Anthropic,
    Ollama,
}

impl Provider {
    /// Its name, as the configuration has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gemini => "gemini",
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
        }
    }
}

/// Settings of the model.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Its provider.
    pub provider: Provider,
    /// Its name there.
    pub model: String,
    /// Its base URL; the provider's default when absent.
    pub base_url: Option<String>,
    /// The key; some servers need none.
    pub api_key: Option<SecretString>,
    /// Whether answers are streamed.
    pub stream: bool,
    /// The deadline of a whole turn.
    pub deadline: Duration,
    /// The longest time without data.
    pub stall: Duration,
    /// The most tokens of one turn, input and output together.
    pub tokens_per_message: u64,
}

/// How much of a reply's time is reserved for tools and for the fallback without the model.
const SPARE: Duration = Duration::from_secs(4);

/// The values of `assistant.provider`, with the default model of each.
const PROVIDERS: [(&str, Provider, &str); 4] = [
    ("gemini", Provider::Gemini, ""),
    ("openai", Provider::OpenAi, "gpt-5-mini"),
    ("anthropic", Provider::Anthropic, "claude-haiku-4-5"),
    ("ollama", Provider::Ollama, "qwen3"),
];

impl Config {
    /// The settings of the language model, if one is used.
    ///
    /// # Errors
    /// One sentence that names the missing or invalid key.
    pub fn language_model(&self) -> Result<Option<ModelSettings>, ConfigError> {
        let (assistant, gemini) = (&self.assistant, &self.gemini);
        let within = self.chat.answer_within;
        let wanted = match assistant.provider.as_str() {
            "" if gemini.api_key.is_some() => "gemini",
            "" => return alone(self),
            "none" => return Ok(None),
            named => named,
        };
        let Some((_, provider, usual)) = PROVIDERS.iter().copied().find(|(name, ..)| *name == wanted) else {
            let problem = format!("{} is not one of gemini, openai, anthropic, ollama, none", quoted(wanted));
            return Err(ConfigError::new("assistant.provider", problem));
        };
        let is_gemini = provider == Provider::Gemini;
        let own_key = if is_gemini { gemini.api_key.clone() } else { None };
        let key_name = if own_key.is_some() { "gemini.api_key" } else { "assistant.api_key" };
        let api_key = own_key.or_else(|| assistant.api_key.clone());
        let own_address = is_gemini.then(|| gemini.base_url.clone());
        let base_url = assistant.base_url.clone().or(own_address);
        let usual = if is_gemini { &gemini.model } else { usual };
        let model = assistant.model.clone().unwrap_or_else(|| usual.to_owned());
        check_key(provider, key_name, api_key.as_ref(), base_url.as_deref())?;
        check_model(if is_gemini && assistant.model.is_none() { "gemini.model" } else { "assistant.model" }, &model)?;
        if let Some(address) = &base_url {
            let name = if assistant.base_url.is_some() { "assistant.base_url" } else { "gemini.base_url" };
            self.check_address(name, address, api_key.is_some())?;
        }
        Ok(Some(ModelSettings {
            provider,
            model,
            base_url,
            api_key,
            stream: assistant.stream,
            deadline: within.saturating_sub(SPARE).max(within / 2),
            stall: assistant.stall,
            tokens_per_message: self.chat.tokens_per_message,
        }))
    }

    fn check_address(&self, name: &str, address: &str, with_key: bool) -> Result<(), ConfigError> {
        require(!address.contains('?'), name, "must be an address without a query")?;
        let host = address.split_once("://").map_or(address, |(_, rest)| rest);
        let here = ["localhost", "127.", "[::1]"].iter().any(|start| host.starts_with(start));
        let open = !with_key || self.environment != Environment::Production;
        let problem = "must begin with https:// in production, for a key is sent there";
        require(open || here || address.starts_with("https://"), name, problem)
    }
}

/// Without a provider its other keys have no effect, which is an error rather than ignored.
fn alone(config: &Config) -> Result<Option<ModelSettings>, ConfigError> {
    let (assistant, problem) = (&config.assistant, "must be given along with assistant.provider");
    require(assistant.api_key.is_none(), "assistant.api_key", problem)?;
    require(assistant.model.is_none(), "assistant.model", problem)?;
    require(assistant.base_url.is_none(), "assistant.base_url", problem)?;
    Ok(None)
}

fn check_key(
    provider: Provider,
    name: &str,
    key: Option<&SecretString>,
    address: Option<&str>,
) -> Result<(), ConfigError> {
    let Some(key) = key else {
        // Self-hosted servers often need none.
        let open = provider == Provider::Ollama || (provider == Provider::OpenAi && address.is_some());
        return require(open, name, "must be given along with assistant.provider");
    };
    // It becomes part of a header or of an address.
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"@&#?%\"<>\\^`{|}".contains(&byte);
    let problem = "is not a key: it has spaces or signs that keys do not have";
    require(key.expose_secret().bytes().all(plain), name, problem)
}

fn check_model(name: &str, model: &str) -> Result<(), ConfigError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@".contains(&byte);
    let fits = !model.is_empty() && model.len() <= 200 && model.bytes().all(plain) && !model.contains("..");
    require(fits, name, format!("{} is not the name of a model", quoted(model)))
}

#[cfg(test)]
mod tests {
    use super::super::{Overrides, Sources};
    use super::*;

    fn model(given: &[(&str, &str)]) -> Result<Option<ModelSettings>, String> {
        let mut sources = Sources::of_variables([]);
        sources.variables.extend(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = Config::load_from(&sources, &Overrides::default()).map_err(|error| error.to_string())?;
        config.language_model().map_err(|error| error.to_string())
    }

    const PROVIDER: &str = "MICROBAZAAR_ASSISTANT__PROVIDER";
    const KEY: &str = "MICROBAZAAR_ASSISTANT__API_KEY";
    const URL: &str = "MICROBAZAAR_ASSISTANT__BASE_URL";

    #[test]
    fn geminis_key_alone_chooses_gemini() {
        assert!(model(&[]).unwrap().is_none());
        let settings = model(&[("GOOGLE_API_KEY", "hush")]).unwrap().unwrap();
        assert_eq!((settings.provider, settings.model.as_str()), (Provider::Gemini, "gemini-2.5-flash"));
        assert_eq!(settings.base_url.as_deref(), Some("https://generativelanguage.googleapis.com"));
        let there = ("MICROBAZAAR_GEMINI__BASE_URL", "http://127.0.0.1:9000");
        let settings = model(&[("GOOGLE_API_KEY", "hush"), there]).unwrap().unwrap();
        assert_eq!(settings.base_url.as_deref(), Some("http://127.0.0.1:9000"));
        assert!(model(&[("GOOGLE_API_KEY", "hush"), (PROVIDER, "none")]).unwrap().is_none());
    }

    #[test]
    fn other_providers_are_chosen_by_name() {
        let settings = model(&[(PROVIDER, "anthropic"), (KEY, "hush")]).unwrap().unwrap();
        assert_eq!((settings.provider, settings.base_url), (Provider::Anthropic, None));
        let settings = model(&[(PROVIDER, "openai"), (URL, "http://127.0.0.1:8000/v1")]).unwrap().unwrap();
        assert_eq!(settings.base_url.as_deref(), Some("http://127.0.0.1:8000/v1"));
        assert!(model(&[(PROVIDER, "ollama")]).unwrap().is_some());
        // Gemini's key is for Gemini.
        let message = model(&[(PROVIDER, "openai"), ("GOOGLE_API_KEY", "hush")]).unwrap_err();
        assert!(message.starts_with("assistant.api_key: must be given"), "{message}");
    }

    #[test]
    fn an_invalid_value_is_reported_by_key_and_without_the_secret() {
        for (given, wrong) in [
            (&[(PROVIDER, "chatty")][..], "assistant.provider: \"chatty\" is not one of"),
            (&[(KEY, "hush")], "assistant.api_key: must be given along"),
            (&[("GOOGLE_API_KEY", "hush hush")], "gemini.api_key: is not a key"),
            (&[("GOOGLE_API_KEY", "hush"), ("MICROBAZAAR_GEMINI__MODEL", "../x")], "gemini.model: "),
            (&[(PROVIDER, "ollama"), (URL, "http://a/?x=1")], "assistant.base_url: "),
        ] {
            let message = model(given).unwrap_err();
            assert!(message.starts_with(wrong) && !message.contains("hush"), "{message}");
        }
    }
}
