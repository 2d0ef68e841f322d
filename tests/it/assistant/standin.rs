//! A stand-in for a provider of models: it plays recorded answers over HTTP, one after the other,
//! and keeps what it was asked.

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

/// What it does with a request.
#[derive(Debug, Clone)]
pub enum Play {
    /// A stream of events, in pieces that do not heed its lines.
    Stream(&'static str),
    /// The same, whose connection breaks off at its end.
    Cut(&'static str),
    /// The same, after which nothing comes.
    Stall(&'static str),
    /// Over and over the first event of it.
    Trickle(&'static str),
    /// A whole answer.
    Whole(u16, &'static str),
    /// The connection is closed without a word.
    Close,
}

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub head: String,
    pub body: Json,
}

#[derive(Default)]
struct Inner {
    script: VecDeque<Play>,
    asked: Vec<Asked>,
}

/// A running one; it ends when it is dropped.
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
    /// Plays these, and then the last one for ever.
    pub async fn start(script: impl IntoIterator<Item = Play>) -> Self {
        let inner = Arc::new(Mutex::new(Inner { script: script.into_iter().collect(), asked: vec![] }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, inner, task }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().asked.clone()
    }

    /// From now on it plays these.
    pub fn play(&self, script: impl IntoIterator<Item = Play>) {
        self.inner.lock().unwrap().script = script.into_iter().collect();
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Inner>>) {
    let Some(asked) = read(&mut stream).await else { return };
    let play = {
        let mut inner = shared.lock().unwrap();
        inner.asked.push(asked);
        if inner.script.len() > 1 { inner.script.pop_front() } else { inner.script.front().cloned() }
    };
    // Whoever asked may be gone.
    let _answered = answer(&mut stream, play.expect("something to play")).await;
}

async fn answer(stream: &mut TcpStream, play: Play) -> std::io::Result<()> {
    let events = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    match play {
        Play::Whole(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await
        }
        Play::Stream(text) => {
            stream.write_all(events.as_bytes()).await?;
            pieces(stream, text).await?;
            stream.write_all(b"0\r\n\r\n").await
        }
        Play::Cut(text) => {
            stream.write_all(events.as_bytes()).await?;
            pieces(stream, text).await
        }
        Play::Stall(text) => {
            stream.write_all(events.as_bytes()).await?;
            pieces(stream, text).await?;
            // Until the other side has enough of it.
            stream.read(&mut [0; 1]).await.map(|_| ())
        }
        Play::Trickle(text) => {
            stream.write_all(events.as_bytes()).await?;
            let first = text.split_inclusive("\n\r\n").next().unwrap_or_default();
            loop {
                pieces(stream, first).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Play::Close => Ok(()),
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

async fn read(stream: &mut TcpStream) -> Option<Asked> {
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
                return Some(Asked {
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
