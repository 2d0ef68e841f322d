//! A cheap keep-alive HTTP/1.1 connection with one request at a time.
//!
//! It reads what this program's servers send: a status line, headers with a
//! `Content-Length`, a body. Anything else is an error.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An open connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Where an answer's parts are in the buffer.
struct Head {
    status: u16,
    body_at: usize,
    length: usize,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When nothing listens there.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("the server cannot be reached")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(32 * 1024) })
    }

    /// Sends a request and reads its answer; returns the status and the body.
    ///
    /// # Errors
    ///
    /// When the connection breaks or the response is not HTTP as described above.
    pub async fn ask(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        let (head, end) = self.exchange(request).await?;
        Ok((head.status, &self.buffer[head.body_at..end]))
    }

    /// As [`Connection::ask`], for one header of the answer.
    ///
    /// # Errors
    /// As [`Connection::ask`].
    pub async fn ask_header(&mut self, request: &[u8], name: &str) -> Result<Option<String>> {
        let (head, _) = self.exchange(request).await?;
        let text = String::from_utf8_lossy(&self.buffer[..head.body_at]).into_owned();
        let value = text.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        Ok(value)
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<(Head, usize)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            let Some(head) = head_of(&self.buffer)? else { continue };
            let end = head.body_at + head.length;
            while self.buffer.len() < end {
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    bail!("the server closed the connection within an answer");
                }
            }
            return Ok((head, end));
        }
    }
}

/// The head, once it is there.
fn head_of(bytes: &[u8]) -> Result<Option<Head>> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = &bytes[..end];
    let status = head.get(9..12).map(String::from_utf8_lossy).and_then(|digits| digits.parse().ok());
    let Some(status) = status else { bail!("this is no HTTP answer") };
    let length = match find_ignoring_case(head, b"\ncontent-length:") {
        Some(at) => {
            let rest = &head[at + b"\ncontent-length:".len()..];
            let line = rest.split(|byte| *byte == b'\r').next().unwrap_or_default();
            String::from_utf8_lossy(line).trim().parse().context("a broken Content-Length")?
        }
        None if status == 204 || status == 304 => 0,
        None => bail!("an answer without Content-Length"),
    };
    Ok(Some(Head { status, body_at: end + 4, length }))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn find_ignoring_case(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window[0] == what[0] && window.eq_ignore_ascii_case(what))
}
