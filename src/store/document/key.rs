//! Keys of documents as bytes that sort like their values.
//!
//! Both backends compare keys as they are encoded here, so an index behaves the same in each: `SQLite` keeps the
//! bytes, MongoDB their hexadecimal digits. The encoding of a key's first parts is a prefix of the whole key, so that
//! all keys that begin with them form one range.

use crate::domain::{Timestamp, ids};

use super::micros_up;

/// An encoded key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// The encoding of these parts.
    pub fn new(parts: impl KeyParts) -> Self {
        let mut bytes = vec![];
        parts.encode(&mut bytes);
        Self(bytes)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The end of the range of keys that begin with this one; `None` when no key can follow them.
    #[must_use]
    pub fn end(&self) -> Option<Self> {
        let kept = self.0.iter().rposition(|byte| *byte != u8::MAX)?;
        let mut end = self.0[..=kept].to_vec();
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Some(Self(end))
    }
}

impl From<Vec<u8>> for Key {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Makes a key from these parts, for the table of indexes.
pub fn key(parts: impl KeyParts) -> Option<Key> {
    Some(Key::new(parts))
}

/// One or more values in the order in which they sort.
pub trait KeyParts {
    /// Appends the encoding.
    fn encode(&self, out: &mut Vec<u8>);
}

/// A part that sorts in reverse, for example the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Desc<T>(pub T);

impl<T: KeyParts> KeyParts for Desc<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        self.0.encode(out);
        out[begin..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// Ends a text; a zero within one is followed by [`ESCAPED`].
const END: [u8; 2] = [0, 0];
const ESCAPED: u8 = u8::MAX;

impl KeyParts for &[u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        for byte in *self {
            out.push(*byte);
            if *byte == 0 {
                out.push(ESCAPED);
            }
        }
        out.extend(END);
    }
}

impl KeyParts for &str {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }
}

impl KeyParts for &String {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }
}

impl KeyParts for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
}

impl KeyParts for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl KeyParts for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.to_be_bytes());
    }
}

impl KeyParts for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        // Negative numbers sort first.
        out.extend((self.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    }
}

/// Rounded up to microseconds, so that what is due in an index is due for the domain too.
impl KeyParts for Timestamp {
    fn encode(&self, out: &mut Vec<u8>) {
        micros_up(*self).encode(out);
    }
}

impl KeyParts for () {
    fn encode(&self, _: &mut Vec<u8>) {}
}

impl<A: KeyParts, B: KeyParts> KeyParts for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
}

impl<A: KeyParts, B: KeyParts, C: KeyParts> KeyParts for (A, B, C) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
        self.2.encode(out);
    }
}

macro_rules! id_parts {
    ($($id:ident),*) => {
        $(impl KeyParts for ids::$id {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend(self.bytes());
            }
        })*
    };
}
id_parts!(
    CartId,
    ConversationId,
    EventId,
    ImageId,
    ImportId,
    OrderId,
    PaymentId,
    ProductId,
    UserId,
    WebhookDeliveryId,
    WebhookId
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_sort_as_their_parts(a in any::<(String, i64, u64)>(), b in any::<(String, i64, u64)>()) {
            let encode = |(text, number, count): &(String, i64, u64)| Key::new((text, *number, Desc(*count)));
            let order = (a.0.as_bytes(), a.1, b.2).cmp(&(b.0.as_bytes(), b.1, a.2));
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), order);
        }

        #[test]
        fn texts_that_sort_the_other_way_round_do(a in any::<String>(), b in any::<String>()) {
            prop_assert_eq!(Key::new(Desc(&a)).cmp(&Key::new(Desc(&b))), b.as_bytes().cmp(a.as_bytes()));
        }

        #[test]
        fn a_range_holds_what_begins_with_its_parts_and_nothing_else(a in any::<String>(), b in any::<String>(), n in any::<i64>()) {
            let (prefix, whole) = (Key::new(&a), Key::new((&b, n)));
            let within = whole >= prefix && prefix.end().is_none_or(|end| whole < end);
            prop_assert_eq!(within, a == b);
        }
    }

    #[test]
    fn nothing_comes_behind_the_highest_key() {
        assert_eq!(Key::new(u64::MAX).end(), None);
        assert_eq!(Key::new(()).end(), None);
    }
}
