//! A response, checked for what all responses have in common.

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// A response with its body.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Reads the response, and checks `nosniff` and the error body.
    #[track_caller]
    pub fn checked(status: u16, headers: HeaderMap, body: Bytes) -> Self {
        let answer = Self { status, headers, body };
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(status < 500 || status == 503, "{answer:?}");
        if status >= 400 {
            let error = answer.json();
            for field in ["message", "code", "requestId"] {
                assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {error}");
            }
            for one in error["errors"].as_array().into_iter().flatten() {
                assert!(one["path"].is_string() && one["msg"].is_string(), "{error}");
            }
        }
        answer
    }

    /// The body of a response with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Checks the status and code of an error; returns its body.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        body
    }

    /// 400 whose `errors` name `path`.
    #[track_caller]
    pub fn invalid(&self, path: &str) {
        let body = self.refused(400, "request.invalid");
        let named = body["errors"].as_array().is_some_and(|errors| errors.iter().any(|error| error["path"] == path));
        assert!(named, "{path} is not named: {body}");
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        let media = self.header("content-type").unwrap_or_default();
        assert!(["application/json", "application/problem+json"].contains(&media), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
