//! The HTTP transport for models, over the program's own HTTP client.
//!
//! **Invariant:** an answer has a maximum size, redirects are not followed, and no error contains
//! the URL, which may contain a key.

use std::future::Future;

use bytes::Bytes;
use futures_util::StreamExt;
use rig_core::{
    http_client::{
        BoxedStream, Error, HeaderMap, HttpClientExt, LazyBody, MultipartForm, Request, Response, Result, StatusCode,
        StreamingResponse,
    },
    wasm_compat::WasmCompatSend,
};

use crate::runtime::http_client;

/// The maximum size of an answer in bytes; long ones have tens of thousands.
const ANSWER_MAX: usize = 4 << 20;
/// The maximum size of an error response in bytes.
const PROBLEM_MAX: usize = 64 << 10;

/// The answer exceeds the maximum size.
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {ANSWER_MAX} bytes")]
struct TooLong;

/// Multipart uploads are not supported, because no assistant uses them.
#[derive(Debug, thiserror::Error)]
#[error("forms are not sent to models")]
struct NoForms;

/// Adapts our HTTP client to the model library.
#[derive(Clone, Debug)]
pub(super) struct Transport(reqwest::Client);

impl Transport {
    pub(super) fn new(client: reqwest::Client) -> Self {
        Self(client)
    }

    fn sent<T: Into<Bytes>>(&self, request: Request<T>) -> impl Future<Output = Result<reqwest::Response>> + 'static {
        let (parts, body) = request.into_parts();
        let call = self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body.into());
        async move {
            let mut answer = call.send().await.map_err(failed)?;
            if answer.status().is_success() {
                return Ok(answer);
            }
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = http_client::body(&mut answer, PROBLEM_MAX).await.ok().flatten().unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            Err(Error::non_success_with_details(status, headers, body))
        }
    }
}

fn failed(error: reqwest::Error) -> Error {
    Error::instance(error.without_url())
}

impl HttpClientExt for Transport {
    fn send<T, U>(
        &self,
        request: Request<T>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + WasmCompatSend + 'static
    where
        T: Into<Bytes> + WasmCompatSend,
        U: From<Bytes> + WasmCompatSend + 'static,
    {
        let sent = self.sent(request);
        async move {
            let mut answer = sent.await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body: LazyBody<U> = Box::pin(async move {
                let body = http_client::body(&mut answer, ANSWER_MAX).await.map_err(failed)?;
                body.map(U::from).ok_or_else(|| Error::instance(TooLong))
            });
            Ok(answered(status, headers, body))
        }
    }

    fn send_multipart<U>(
        &self,
        _: Request<MultipartForm>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + WasmCompatSend + 'static
    where
        U: From<Bytes> + WasmCompatSend + 'static,
    {
        std::future::ready(Err(Error::instance(NoForms)))
    }

    #[expect(clippy::result_large_err, reason = "the error is rig's own")]
    fn send_streaming<T>(&self, request: Request<T>) -> impl Future<Output = Result<StreamingResponse>> + WasmCompatSend
    where
        T: Into<Bytes> + WasmCompatSend,
    {
        let sent = self.sent(request);
        async move {
            let answer = sent.await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut left = ANSWER_MAX;
            let pieces = answer.bytes_stream().map(move |piece| {
                let piece = piece.map_err(failed)?;
                left = left.checked_sub(piece.len()).ok_or_else(|| Error::instance(TooLong))?;
                Ok(piece)
            });
            let pieces: BoxedStream = Box::pin(pieces);
            Ok(answered(status, headers, pieces))
        }
    }
}

fn answered<B>(status: StatusCode, headers: HeaderMap, body: B) -> Response<B> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}
