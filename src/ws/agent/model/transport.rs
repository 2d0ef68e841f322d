//! How a model is called over HTTP: by the client that every other call out of here uses.
//!
//! **Invariant:** an answer is read up to a limit, a redirect is not followed, and no error names
//! the address that was called, which may hold a key.

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

/// The most bytes of one answer of a model; a long one has some tens of thousands.
const ANSWER_MAX: usize = 4 << 20;
/// The most bytes of an answer that tells what is wrong.
const PROBLEM_MAX: usize = 64 << 10;

/// An answer is longer than any model's.
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {ANSWER_MAX} bytes")]
struct TooLong;

/// Uploads are not among what an assistant does.
#[derive(Debug, thiserror::Error)]
#[error("forms are not sent to models")]
struct NoForms;

/// Our HTTP client as a model's library takes it.
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
