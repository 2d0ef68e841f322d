//! A stand-in for a model provider: it plays recorded answers over HTTP, one after the other,
//! and records the requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Response {
    /// A stream of events, in pieces that are not aligned with its lines.
    Stream(&'static str),
    /// The same, but the connection breaks at the end.
    Cut(&'static str),
    /// The same, but the connection stays open without further data.
    Stall(&'static str),
    /// The first event of the stream, repeated endlessly.
    Trickle(&'static str),
    /// A complete answer.
    Whole(u16, &'static str),
    /// The connection is closed without an answer.
    Close,
}

#[derive(Debug, Clone)]
pub struct RecordedRequest {
    pub line: String,
    pub head: String,
    pub body: Json,
}

#[derive(Default)]
struct Inner {
    script: VecDeque<Response>,
    asked: Vec<RecordedRequest>,
}

/// A running stand-in; it stops when it is dropped.
pub struct ModelServer {
    pub url: String,
    inner: Arc<Mutex<Inner>>,
    task: JoinHandle<()>,
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ModelServer {
    /// Plays these responses, and repeats the last one.
    pub async fn start(script: impl IntoIterator<Item = Response>) -> Self {
        let inner = Arc::new(Mutex::new(Inner { script: script.into_iter().collect(), asked: vec![] }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&state)));
            }
        });
        Self { url, inner, task }
    }

    pub fn asked(&self) -> Vec<RecordedRequest> {
        self.inner.lock().unwrap().asked.clone()
    }

    /// Replaces the remaining responses.
    pub fn play(&self, script: impl IntoIterator<Item = Response>) {
        self.inner.lock().unwrap().script = script.into_iter().collect();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<Inner>>) {
    let Some(asked) = read(&mut stream).await else { return };
    let play = {
        let mut inner = state.lock().unwrap();
        inner.asked.push(asked);
        if inner.script.len() > 1 { inner.script.pop_front() } else { inner.script.front().cloned() }
    };
    // The client may have disconnected.
    let _answered = answer(&mut stream, play.expect("something to play")).await;
}

async fn answer(stream: &mut TcpStream, play: Response) -> std::io::Result<()> {
    let events = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    match play {
        Response::Whole(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await
        }
        Response::Stream(text) => {
            stream.write_all(events.as_bytes()).await?;
            pieces(stream, text).await?;
            stream.write_all(b"0\r\n\r\n").await
        }
        Response::Cut(text) => {
            stream.write_all(events.as_bytes()).await?;
            pieces(stream, text).await
        }
        Response::Stall(text) => {
            stream.write_all(events.as_bytes()).await?;
            pieces(stream, text).await?;
            // Until the client closes the connection.
            stream.read(&mut [0; 1]).await.map(|_| ())
        }
        Response::Trickle(text) => {
            stream.write_all(events.as_bytes()).await?;
            let first = text.split_inclusive("\n\r\n").next().unwrap_or_default();
            loop {
                pieces(stream, first).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Response::Close => Ok(()),
    }
}

async fn pieces(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    for piece in text.as_bytes().chunks(97) {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        stream.write_all(piece).await?;
        stream.write_all(b"\r\n").await?;
        stream.flush().await?;
    }
    Ok(())
}

async fn read(stream: &mut TcpStream) -> Option<RecordedRequest> {
    let mut bytes = vec![];
    loop {
        let mut piece = [0; 8_192];
        let count = stream.read(&mut piece).await.ok()?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                let line = head.lines().next().unwrap_or_default().to_owned();
                return Some(RecordedRequest {
                    line,
                    head: head.to_owned(),
                    body: serde_json::from_str(body).unwrap_or_default(),
                });
            }
        }
        if count == 0 {
            return None;
        }
    }
}
