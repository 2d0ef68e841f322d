//! A minimal HTTP/1.1 client: it can send malformed requests, and checks the framing of responses.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The deadline of a response.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A body and how it is sent.
#[derive(Clone)]
pub enum Body {
    None,
    Sized(Bytes),
    Chunked(Bytes),
}

/// A request, which may be malformed.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub target: Vec<u8>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Body,
}

impl Request {
    pub fn new(method: &str, target: impl Into<Vec<u8>>) -> Self {
        Self { method: method.to_owned(), target: target.into(), headers: vec![], body: Body::None }
    }

    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn bearer(self, token: Option<&str>) -> Self {
        match token {
            Some(token) => self.header("authorization", format!("Bearer {token}")),
            None => self,
        }
    }

    pub fn json(self, body: impl Into<Bytes>) -> Self {
        self.body("application/json", Body::Sized(body.into()))
    }

    pub fn body(self, media: &str, body: Body) -> Self {
        let mut this = self.header("content-type", media);
        this.body = body;
        this
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("{} ", self.method).into_bytes();
        bytes.extend_from_slice(&self.target);
        bytes.extend_from_slice(b" HTTP/1.1\r\nhost: shop.example\r\n");
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        match &self.body {
            Body::None => bytes.extend_from_slice(b"\r\n"),
            Body::Sized(body) => {
                bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(body);
            }
            Body::Chunked(body) => {
                bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in body.chunks(16 * 1024) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

/// A response.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{} without JSON: {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

/// One connection, which is reopened whenever the other side has closed it.
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Connection {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// The final answer to `request`.
    ///
    /// # Errors
    ///
    /// The fault of the connection or of the response's framing.
    pub async fn exchange(&mut self, request: &Request) -> Result<Answer, String> {
        let kept = self.stream.is_some();
        let answer = self.attempt(request).await;
        // A kept connection may have been closed meanwhile; a new one may not.
        if kept && answer.is_err() { self.attempt(request).await } else { answer }
    }

    async fn attempt(&mut self, request: &Request) -> Result<Answer, String> {
        let bytes = request.encode();
        let exchange = async {
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => TcpStream::connect(self.address).await.map_err(|error| format!("no connection: {error}"))?,
            };
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let mut unread = vec![];
            let (answer, whole) = send_and_read(&mut stream, &bytes, &mut unread, request.method == "HEAD").await;
            let closes = |answer: &Answer| answer.header("connection").is_some_and(|value| value == "close");
            if whole && unread.is_empty() && answer.as_ref().is_ok_and(|answer| !closes(answer)) {
                self.stream = Some(stream);
            }
            answer
        };
        timeout(DEADLINE, exchange).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }
}

/// The response, and whether the request was fully sent before it.
async fn send_and_read(
    stream: &mut TcpStream,
    bytes: &[u8],
    unread: &mut Vec<u8>,
    head: bool,
) -> (Result<Answer, String>, bool) {
    let (mut reader, mut writer) = stream.split();
    let reading = read_answer(&mut reader, unread, head);
    tokio::pin!(reading);
    // The response may come before the whole request was read.
    tokio::select! {
        biased;
        written = writer.write_all(bytes) => (reading.await, written.is_ok()),
        answer = &mut reading => (answer, false),
    }
}

/// A chunked body, as compressed pages have it.
async fn chunks(reader: &mut (impl AsyncReadExt + Unpin), unread: &mut Vec<u8>) -> Result<Vec<u8>, String> {
    let mut body = vec![];
    loop {
        let end = loop {
            if let Some(end) = unread.windows(2).position(|two| two == b"\r\n") {
                break end;
            }
            more(reader, unread).await?;
        };
        let size = String::from_utf8_lossy(&unread[..end]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| format!("a chunk of unknown size: {size}"))?;
        while unread.len() < end + 2 + size + 2 {
            more(reader, unread).await?;
        }
        body.extend_from_slice(&unread[end + 2..end + 2 + size]);
        unread.drain(..end + 2 + size + 2);
        if size == 0 {
            return Ok(body);
        }
    }
}

/// Reads one response, skipping informational ones.
pub async fn read_answer(
    reader: &mut (impl AsyncReadExt + Unpin),
    unread: &mut Vec<u8>,
    head: bool,
) -> Result<Answer, String> {
    loop {
        let end = loop {
            if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            more(reader, unread).await?;
        };
        let text = String::from_utf8_lossy(&unread[..end]).into_owned();
        unread.drain(..end + 4);
        let mut answer = parse_head(&text)?;
        if answer.status < 200 {
            continue;
        }
        let bodiless = head || matches!(answer.status, 204 | 304);
        if !bodiless && answer.header("transfer-encoding") == Some("chunked") {
            answer.body = chunks(reader, unread).await?;
            return Ok(answer);
        }
        let length = answer.header("content-length").map(str::parse::<usize>);
        let length = match length {
            _ if bodiless => 0,
            Some(Ok(length)) => length,
            _ => return Err(format!("an answer of unknown length: {text}")),
        };
        while unread.len() < length {
            more(reader, unread).await?;
        }
        answer.body = unread.drain(..length).collect();
        return Ok(answer);
    }
}

async fn more(reader: &mut (impl AsyncReadExt + Unpin), unread: &mut Vec<u8>) -> Result<(), String> {
    match reader.read_buf(unread).await {
        Ok(0) if unread.is_empty() => Err("closed without an answer".to_owned()),
        Ok(0) => Err(format!("closed within an answer: {}", String::from_utf8_lossy(unread))),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("broken: {error}")),
    }
}

fn parse_head(text: &str) -> Result<Answer, String> {
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let code = status.strip_prefix("HTTP/1.1 ").or_else(|| status.strip_prefix("HTTP/1.0 "));
    let code = code.and_then(|rest| rest.get(..3)?.parse().ok()).ok_or_else(|| format!("no status line: {text}"))?;
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("no header: {line}"))?;
        Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok(Answer { status: code, headers: headers.collect::<Result<_, String>>()?, body: vec![] })
}
