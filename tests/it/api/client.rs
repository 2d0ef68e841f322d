//! A request builder.

use reqwest::RequestBuilder;
use serde_json::Value;

use super::answer::Answer;

/// A request that is being built.
pub struct Call(RequestBuilder);

impl Call {
    pub fn new(builder: RequestBuilder) -> Self {
        Self(builder)
    }

    /// With a Bearer token.
    pub fn token(self, token: &str) -> Self {
        Self(self.0.bearer_auth(token))
    }

    /// With the token as a browser sends it.
    pub fn cookie(self, token: &str) -> Self {
        self.header("cookie", &format!("token={token}"))
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    /// With a body of any bytes and type.
    pub fn raw(self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.header("content-type", content_type).body(body))
    }

    pub fn form(self, form: reqwest::multipart::Form) -> Self {
        Self(self.0.multipart(form))
    }

    pub async fn send(self) -> Answer {
        let answer = self.0.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer::checked(status, headers, answer.bytes().await.unwrap())
    }
}
