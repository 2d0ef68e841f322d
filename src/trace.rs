//! Traces: the id that everything caused by one request shares, across processes, by W3C Trace Context
//! (`traceparent`).
//!
//! The current trace is local to a task ([`Trace::scope`]), and is read where a call or a message is sent
//! ([`Trace::current`]).
//!
//! **Invariant:** a header that does not match the standard exactly begins a new trace.

use std::fmt;

/// The header, in HTTP and in messages.
pub const TRACEPARENT: &str = "traceparent";

/// A span in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: u128,
    span: u64,
    flags: u8,
}

tokio::task_local! {
    static CURRENT: Trace;
}

impl Trace {
    /// A new trace.
    #[must_use]
    pub fn begin() -> Self {
        // Neither may be zero.
        Self { id: rand::random::<u128>().max(1), span: rand::random::<u64>().max(1), flags: 0 }
    }

    /// A child span in this trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span: rand::random::<u64>().max(1), ..self }
    }

    /// Reads a `traceparent`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower_hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let mut parts = text.split('-');
        let (version, id, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let formed = lower_hex(version, 2) && lower_hex(id, 32) && lower_hex(span, 16) && lower_hex(flags, 2);
        // A later version may have more parts, this one has none.
        if !formed || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let id = u128::from_str_radix(id, 16).ok().filter(|id| *id != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        Some(Self { id, span, flags: u8::from_str_radix(flags, 16).ok()? })
    }

    /// The id that all spans of this trace share: 32 hex digits.
    #[must_use]
    pub fn id(self) -> String {
        format!("{:032x}", self.id)
    }

    /// The current task's trace, if it has one.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|trace| *trace).ok()
    }

    /// Runs `work` in this trace.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.id, self.span, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::parse(text).unwrap();
        assert_eq!(trace.to_string(), text);
        assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let child = trace.child();
        assert_eq!((child.id(), child.to_string().ends_with("-01")), (trace.id(), true));
        assert_ne!(child, trace);
        assert!(Trace::parse(&Trace::begin().to_string()).is_some());
        assert!(Trace::parse(&format!("01{}-more", &text[2..])).is_some(), "a later version");
    }

    #[test]
    fn nonsense_is_no_trace() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_trace_is_that_of_its_task() {
        let trace = Trace::begin();
        assert_eq!(trace.scope(async { Trace::current() }).await, Some(trace));
        assert_eq!(Trace::current(), None);
    }
}
