//! The chat: its conversations, and the sockets that reach it.

use super::services::pricing;
use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use secrecy::ExposeSecret;

use super::services::{AppBuilder, signed};
use crate::{
    actors::checkout_link::CheckoutLink,
    config::Service,
    http::{State, address, mcp::Mcp, rate::network, routes::Services},
    runtime::calls::{Calls, Registry},
    store::Stores,
    ws::{
        agent::{Assistant, Toolbox, model, rules::RuleAssistant},
        chat::{ChatNamespace, ChatSettings, Chats, Expiry, SocketAuth, StoredBudget},
        engine::{Engine, EngineConfig},
        live::Live,
        socket::{SocketConfig, SocketServer},
    },
};

/// The most bytes of a frame: the longest message in any script.
const PAYLOAD_MAX: usize = 128 << 10;
/// How long a client may take to connect with a token.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

impl AppBuilder<'_> {
    /// Starts the chat, if this process serves it.
    pub(super) fn chats(&self, registry: &mut Registry, stores: &Stores, calls: &Calls) -> Result<Option<Chats>> {
        if !self.serves(Service::AiBuddy) {
            return Ok(None);
        }
        let toolbox = self.toolbox(calls);
        let budget = StoredBudget::new(stores.conversations.clone(), self.config.chat.tokens_per_day);
        let rules: Arc<dyn Assistant> = Arc::new(RuleAssistant::new(toolbox.clone()));
        let model = model::from_config(self.config, toolbox, Arc::new(budget), Arc::clone(&rules))?;
        let assistant = model.unwrap_or(rules);
        let settings = ChatSettings {
            answer_within: self.config.chat.answer_within,
            keep: signed(self.config.chat.keep),
            ..ChatSettings::default()
        };
        let chats = Chats::start(self.runtime, stores.conversations.clone(), assistant, settings);
        let chats = chats.context("the assistant's threads did not start")?;
        chats.register(registry);
        Ok(Some(chats))
    }

    /// What the assistant can do in the shop.
    fn toolbox(&self, calls: &Calls) -> Toolbox {
        let links = CheckoutLink::new(self.secrets.jwt.expose_secret().as_bytes());
        Toolbox::new(calls.clone(), pricing(self.config), links).with_payment_window(self.config.order.payment_window)
    }

    /// The tools for external agents, if this process serves them.
    pub(super) fn mcp(&self, calls: &Calls) -> Option<Mcp> {
        let offer = || Mcp::new(Arc::new(self.toolbox(calls)), self.public_url.clone(), self.config.rate_limit.enabled);
        self.serves(Service::AiBuddy).then(offer)
    }

    /// Opens the sockets of the chat.
    pub(super) fn sockets(&self, services: &Services, chats: &Chats, live: Arc<Live>, state: &State) -> Engine {
        let (config, stores) = (self.config, self.storage.stores());
        let calls = &services.calls;
        let revoked = Arc::clone(&state.dead_tokens);
        let socket_auth = SocketAuth::new(state.tokens.clone(), Arc::clone(&revoked), state.settings.origins.clone())
            .requiring_two_factor(state.settings.two_factor_for.clone(), calls.clone());
        let expiry = Expiry {
            conversations: stores.conversations,
            keep: signed(config.chat.keep),
            registrations: socket_auth.registrations(),
            revoked,
            accounts: stores.cluster.is_some().then_some(stores.accounts),
        };
        expiry.start(self.runtime);
        let mut sockets = SocketConfig { connect_timeout: CONNECT_WITHIN, ..SocketConfig::default() };
        if !config.rate_limit.enabled {
            sockets.rate = None;
        }
        let server =
            SocketServer::new(sockets).namespace("/", ChatNamespace::new(chats.clone(), Arc::new(socket_auth), live));
        let trusted = state.settings.trusted_proxies.clone();
        let server = server.address(move |request| network(address::of(request, &trusted)));
        Engine::new(EngineConfig { max_payload: PAYLOAD_MAX, ..EngineConfig::default() }, server)
    }
}
