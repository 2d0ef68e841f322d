//! What each metric means: the `# HELP` lines of `/metrics`.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

const COUNTERS: [(&str, &str); 24] = [
    ("actor_calls_refused_total", "Calls that actors had no room for."),
    ("actor_restarts_total", "Restarts of actors."),
    ("agent_failures_total", "Failures of the language model, by kind."),
    ("agent_fallbacks_total", "Turns that the rules answered in place of the language model."),
    ("agent_not_asked_total", "Turns for which the language model was not called, since it is unavailable."),
    ("agent_retries_total", "Retries of calls to the language model."),
    ("agent_rounds_total", "Calls to the language model."),
    ("agent_tokens_total", "Tokens that the language model read and wrote."),
    ("agent_tool_calls_total", "Calls of the assistant's tools."),
    ("agent_withheld_total", "Sentences of the language model that no tool's result supports."),
    ("chat_refusals_total", "Connections and messages that the chat refused."),
    ("chat_tokens_total", "Tokens of the chat's replies."),
    ("chat_turns_total", "Messages of the chat that were answered."),
    ("dead_token_store_reads_total", "Tokens that were checked in the store because Redis could not answer."),
    ("gateway_calls_total", "Attempts to call the payment gateway."),
    ("http_requests_total", "Requests by route, method and status."),
    ("log_lines_dropped_total", "Lines of the log that a slow reader left no room for."),
    ("mail_attempts_total", "Attempts to send a mail."),
    ("mcp_requests_total", "Messages of the Model Context Protocol, by status."),
    ("picture_attempts_total", "Work on pictures that ImageKit hosts."),
    ("rate_limit_fallbacks_total", "Attempts that this node counted alone because Redis was unavailable."),
    ("stock_changes_total", "Changes to the stock of products."),
    ("stock_writes_total", "Writes to MongoDB that changed stock."),
    ("webhook_attempts_total", "Requests sent to webhooks."),
];

const GAUGES: [(&str, &str); 12] = [
    ("actor_calls_in_flight", "Calls of actors that are handled or wait."),
    ("actors_alive", "Actors that are alive."),
    ("chat_sockets", "Sockets that are connected to the chat."),
    ("gateway_up", "Whether the payment gateway is available and accepts the key."),
    ("mails_waiting", "Mails that wait to be sent."),
    ("outbox_events", "Events that wait to be published."),
    ("peer_up", "Whether a service in another process is available."),
    ("pictures_waiting", "Pictures that wait for their upload, deletion or next check."),
    ("redis_up", "Whether Redis can be written."),
    ("webhook_deliveries_waiting", "Deliveries that wait to be sent to webhooks."),
    ("webhooks_active", "Webhooks that are on."),
    ("webhooks_switched_off", "Webhooks that were switched off after failures."),
];

const HISTOGRAMS: [(&str, &str); 4] = [
    ("agent_model_seconds", "How long calls to the language model take."),
    ("agent_tool_duration_seconds", "How long calls of the assistant's tools take."),
    ("chat_turn_seconds", "How long replies of the chat take."),
    ("http_request_duration_seconds", "How long requests take."),
];

/// Describes every metric to the recorder that is installed.
pub(super) fn describe() {
    for (name, help) in COUNTERS {
        describe_counter!(name, help);
    }
    for (name, help) in GAUGES {
        describe_gauge!(name, help);
    }
    for (name, help) in HISTOGRAMS {
        describe_histogram!(name, Unit::Seconds, help);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn names_in(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                names_in(&entry, names);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                for kind in ["counter", "gauge", "histogram"] {
                    let macro_call = format!("{kind}!(");
                    let found = text.split(&macro_call).skip(1);
                    let found = found.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
                    names.extend(found.map(str::to_owned));
                }
            }
        }
    }

    #[test]
    fn every_metric_that_is_recorded_is_described_and_no_other() {
        let mut recorded = BTreeSet::new();
        names_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut recorded);
        let tables = [&COUNTERS[..], &GAUGES, &HISTOGRAMS].concat();
        let described: BTreeSet<String> = tables.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(recorded.difference(&described).collect::<Vec<_>>(), Vec::<&String>::new(), "without a description");
        assert_eq!(described.difference(&recorded).collect::<Vec<_>>(), Vec::<&String>::new(), "recorded nowhere");
        assert!(COUNTERS.iter().all(|(name, _)| name.ends_with("_total")), "OpenMetrics");
    }
}
