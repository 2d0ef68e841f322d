//! The requirements on every response.

use serde_json::Value;

use super::wire::Answer;

/// The layer that may have made the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The app: with `nosniff`, and errors with the error body.
    App,
    /// The app, or the HTTP parser before it: an empty 4xx, or a closed connection.
    Parser,
}

/// The fault of a response, if it has one.
pub fn fault(answer: &Result<Answer, String>, by: By, head: bool) -> Option<String> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if by == By::Parser && error.starts_with("closed without") => return None,
        Err(error) => return Some(error.clone()),
    };
    let fault = |what: &str| Some(format!("{what}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
    if answer.status >= 500 {
        return fault("a fault of the shop");
    }
    let bare = answer.status >= 400 && answer.body.is_empty() && answer.header("x-content-type-options").is_none();
    if bare && by == By::Parser {
        return None;
    }
    if answer.header("x-content-type-options") != Some("nosniff") {
        return fault("no nosniff");
    }
    if answer.status < 400 || head {
        return None;
    }
    match error_fault(answer) {
        Some(what) => fault(&what),
        None => None,
    }
}

/// The fault of an error's body.
fn error_fault(answer: &Answer) -> Option<String> {
    if answer.header("content-type") != Some("application/json") {
        return Some("an error that is no JSON".to_owned());
    }
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&answer.body) else {
        return Some("an error without an object".to_owned());
    };
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(missing) = ["message", "code", "requestId"].into_iter().find(|key| text(key).is_none()) {
        return Some(format!("an error without {missing}"));
    }
    if text("requestId") != answer.header("x-request-id") {
        return Some("two request ids".to_owned());
    }
    let errors = body.get("errors").map(|errors| errors.as_array().cloned().unwrap_or_default());
    let output = |row: &Value| row["path"].is_string() && row["msg"].as_str().is_some_and(|msg| !msg.is_empty());
    if errors.as_ref().is_some_and(|errors| errors.is_empty() || !errors.iter().all(output)) {
        return Some("errors that tell nothing".to_owned());
    }
    if text("code") == Some("request.invalid") && errors.is_none() {
        return Some("invalid without errors".to_owned());
    }
    let needed = match answer.status {
        401 => "www-authenticate",
        405 => "allow",
        429 => "retry-after",
        _ => return None,
    };
    answer.header(needed).is_none().then(|| format!("no {needed}"))
}
