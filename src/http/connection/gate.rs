//! Which of the bytes that a client has sent are handed to the HTTP server.
//!
//! The server decodes every request that it is handed, and each takes some kilobytes however short it is, so a client
//! could have thousands of them wait in one connection. Here a request is handed over once the one before it is worked on.
//!
//! **Invariant:** behind the head of a request only its body is handed over, until the server has begun the request.

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING, UPGRADE};

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// The head of a request.
    Head(Lines),
    /// Nothing until the server has begun the request.
    Closed,
    /// So many bytes of a body.
    Body(u64),
    /// A body in chunks.
    Chunked(Chunk),
    /// So many bytes of a body that nobody reads any more.
    Discard(u64),
    /// No HTTP any more.
    Open,
}

/// Lines until an empty one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// Whether there was one that is not empty.
    begun: bool,
    /// Whether the present one has something in it.
    filled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// The line with the size, so far, and whether the size has ended.
    Size(u64, bool),
    /// So many bytes of data and of the end of their line.
    Data(u64),
    /// The lines behind the last chunk.
    Trailer(Lines),
}

impl Default for Gate {
    fn default() -> Self {
        Self::Head(Lines::default())
    }
}

impl Lines {
    /// Whether this byte ends them.
    const fn ended(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' if !self.filled => return self.begun,
            b'\n' => *self = Self { begun: true, filled: false },
            b'\r' => {}
            _ => self.filled = true,
        }
        false
    }
}

impl Gate {
    /// How many of these bytes may be handed over now.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let left = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX);
            match self {
                Self::Closed | Self::Discard(_) => break,
                Self::Open => return bytes.len(),
                Self::Body(rest) | Self::Chunked(Chunk::Data(rest)) => {
                    let taken = left.min(*rest);
                    *rest -= taken;
                    at += usize::try_from(taken).unwrap_or(usize::MAX);
                    match self {
                        Self::Body(0) => *self = Self::default(),
                        Self::Chunked(Chunk::Data(0)) => *self = Self::Chunked(Chunk::Size(0, false)),
                        _ => {}
                    }
                    continue;
                }
                Self::Head(lines) => {
                    if lines.ended(*byte) {
                        *self = Self::Closed;
                    }
                }
                Self::Chunked(Chunk::Trailer(lines)) => {
                    if lines.ended(*byte) {
                        *self = Self::default();
                    }
                }
                Self::Chunked(Chunk::Size(size, ended)) => match char::from(*byte).to_digit(16) {
                    // A size that no number holds is refused by the server.
                    Some(digit) if !*ended => *size = size.saturating_mul(16).saturating_add(digit.into()),
                    _ if *byte == b'\n' => {
                        // The empty line behind the last chunk ends the trailer, although nothing stands before it.
                        let trailer = Chunk::Trailer(Lines { begun: true, filled: false });
                        let data = Chunk::Data(size.saturating_add(2));
                        *self = Self::Chunked(if *size == 0 { trailer } else { data });
                    }
                    _ => *ended = true,
                },
            }
            at += 1;
        }
        at
    }

    /// The server has begun a request with these headers. Returns whether more may be handed over now.
    pub(super) fn begin(&mut self, headers: &HeaderMap) -> bool {
        if *self != Self::Closed {
            return false;
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).unwrap_or_default();
        // In the order in which the server judges them.
        *self = match text(CONTENT_LENGTH).parse().unwrap_or(0) {
            _ if text(TRANSFER_ENCODING).to_ascii_lowercase().contains("chunked") => {
                Self::Chunked(Chunk::Size(0, false))
            }
            0 if text(UPGRADE).eq_ignore_ascii_case("websocket") => Self::Open,
            0 => Self::default(),
            length => Self::Body(length),
        };
        true
    }
}

impl Gate {
    /// The request is answered: what has not come of its body is not read.
    pub(super) fn end(&mut self) {
        if let Self::Body(rest) = *self {
            *self = Self::Discard(rest);
        }
    }

    /// Takes bytes of a body that nobody reads, and returns how many.
    pub(super) fn discard(&mut self, bytes: usize) -> usize {
        let Self::Discard(rest) = self else { return 0 };
        let taken = u64::try_from(bytes).unwrap_or(u64::MAX).min(*rest);
        *rest -= taken;
        if *rest == 0 {
            *self = Self::default();
        }
        usize::try_from(taken).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: Option<(HeaderName, &str)>) -> HeaderMap {
        name.into_iter().map(|(name, value)| (name, HeaderValue::from_str(value).unwrap())).collect()
    }

    /// How much is handed over at each of these beginnings, whole and byte by byte.
    fn passed(sent: &str, begun: &[Option<(HeaderName, &str)>]) -> Vec<usize> {
        let [whole, single] = [sent.len(), 1].map(|size| {
            let (mut gate, mut at, mut passed) = (Gate::default(), 0, vec![]);
            for next in [None].into_iter().chain(begun.iter().map(Some)) {
                if let Some(next) = next {
                    assert!(gate.begin(&headers(next.clone())), "at {at}");
                }
                while at < sent.len() {
                    let taken = gate.pass(&sent.as_bytes()[at..sent.len().min(at + size)]);
                    at += taken;
                    if taken == 0 {
                        break;
                    }
                }
                passed.push(at);
            }
            passed
        });
        assert_eq!(whole, single);
        whole
    }

    #[test]
    fn a_request_is_handed_over_once_the_one_before_has_begun() {
        let get = "GET /docs HTTP/1.1\r\nhost: a\r\n\r\n";
        let one = get.len();
        assert_eq!(passed(&get.repeat(4), &[None, None]), [one, 2 * one, 3 * one]);
        assert_eq!(passed(&format!("\r\n\r\n{get}{get}"), &[None]), [one + 4, 2 * one + 4]);
        assert_eq!(passed(&"GET / HTTP/1.1\nhost: a\n\n".repeat(2), &[None]), [24, 48]);
    }

    #[test]
    fn what_is_left_of_the_body_of_an_answered_request_is_not_handed_over() {
        let mut gate = Gate::Closed;
        assert!(gate.begin(&headers(Some((CONTENT_LENGTH, "9")))));
        assert_eq!(gate.pass(b"1234"), 4);
        gate.end();
        assert_eq!((gate.pass(b"5"), gate.discard(3), gate.discard(3), gate), (0, 3, 2, Gate::default()));
        gate.end();
        assert_eq!(gate, Gate::default());
    }

    #[test]
    fn a_body_follows_its_head() {
        let (post, get) = ("POST / HTTP/1.1\r\na: b\r\n\r\n", "GET / HTTP/1.1\r\n\r\n");
        let sent = format!("{post}a\r\n\r\nb{get}{get}");
        let length = Some((CONTENT_LENGTH, "6"));
        let all = post.len() + 6 + get.len();
        assert_eq!(passed(&sent, &[length, None]), [post.len(), all, all + get.len()]);
        for chunks in
            ["6;x=1\r\na\r\n\r\nb\r\nA\r\n0123456789\r\n0\r\n\r\n", "1\r\na\r\n0\r\nt: x\r\n\r\n", "0\r\n\r\n"]
        {
            let sent = format!("{post}{chunks}{get}{get}");
            let all = post.len() + chunks.len() + get.len();
            let chunked = Some((TRANSFER_ENCODING, "chunked"));
            assert_eq!(passed(&sent, &[chunked, None]), [post.len(), all, all + get.len()], "{chunks}");
        }
        let upgrade = Some((UPGRADE, "websocket"));
        assert_eq!(passed(&sent, &[upgrade]), [post.len(), sent.len()]);
    }
}
