//! Dead messages as text for a terminal.
//!
//! **Invariant:** text of other programs cannot control the terminal or break a row.

use super::DeadMessage;
use crate::domain::Timestamp;

const HEAD: [&str; 7] = ["ID", "QUEUE", "EVENT", "EVENT ID", "WHEN", "ATTEMPTS", "REASON"];

/// One row for each.
pub(super) fn table(messages: &[DeadMessage], more: bool) -> String {
    if messages.is_empty() {
        return "no message is dead".to_owned();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(messages.iter().map(cells));
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 7]| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if more {
        lines.push("there may be more: give a larger --limit, or a --queue".to_owned());
    }
    lines.join("\n")
}

/// All details of one message.
pub(super) fn page(message: &DeadMessage) -> String {
    let mut lines: Vec<String> =
        HEAD.iter().zip(cells(message)).map(|(name, cell)| format!("{:10}{cell}", name.to_lowercase())).collect();
    lines.push(String::new());
    lines.push(match serde_json::from_slice::<serde_json::Value>(&message.payload) {
        Ok(json) => serde_json::to_string_pretty(&json).unwrap_or_default(),
        Err(_) => plain(&String::from_utf8_lossy(&message.payload)),
    });
    lines.push(String::new());
    lines.join("\n")
}

fn cells(message: &DeadMessage) -> [String; 7] {
    let when = message.occurred_at.and_then(|at| Timestamp::from_second(at.as_second()).ok());
    [
        plain(&message.id),
        plain(&message.queue),
        plain(&message.name),
        message.event.to_hex(),
        when.map_or_else(|| "-".to_owned(), |at| at.to_string()),
        message.attempts.to_string(),
        plain(&message.reason),
    ]
}

fn plain(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { char::REPLACEMENT_CHARACTER } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::EventId;

    fn message(id: &str, reason: &str) -> DeadMessage {
        DeadMessage {
            id: id.to_owned(),
            queue: "A.B".to_owned(),
            name: "USER_CREATED".to_owned(),
            event: EventId::from_bytes([1; 12]),
            occurred_at: Some(Timestamp::from_second(1_700_000_000).unwrap()),
            attempts: 5,
            reason: reason.to_owned(),
            payload: b"{\"a\":1}".to_vec(),
        }
    }

    #[test]
    fn a_table_has_a_row_each_and_columns_below_each_other() {
        let text = table(&[message("1", "away"), message("a longer id", "gone\x1b[2J\nnext")], true);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0].find("QUEUE"), lines[1].find("A.B"));
        assert_eq!(lines[0].find("REASON"), lines[1].find("away"));
        assert!(lines[1].contains("2023-11-14T22:13:20Z") && !text.contains('\x1b'), "{text}");
        assert_eq!(table(&[], false), "no message is dead");
    }

    #[test]
    fn a_page_shows_the_payload_also_of_what_is_unreadable() {
        let mut one = message("7", "away");
        assert!(page(&one).contains("{\n  \"a\": 1\n}"));
        one.payload = b"no \xff\x07JSON".to_vec();
        assert!(page(&one).contains("no \u{fffd}\u{fffd}JSON"));
    }
}
