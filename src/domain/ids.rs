//! Ids: MongoDB ObjectIds, 24 hex digits on the wire, one newtype for each aggregate.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Timestamp;

/// The lowest id that can be made in the second of `time`.
#[must_use]
pub fn first_id_of(time: Timestamp) -> EventId {
    let second = u32::try_from(time.as_second().max(0)).unwrap_or(u32::MAX);
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&second.to_be_bytes());
    EventId::from_bytes(bytes)
}

/// The text is not 24 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 24 hexadecimal digits")]
pub struct BadId;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 12]);

        impl $name {
            /// A new id: the current second, then random and counting bytes, so that later ids sort later.
            #[must_use]
            pub fn generate() -> Self {
                Self(bson::oid::ObjectId::new().bytes())
            }

            /// The id with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 12]) -> Self {
                Self(bytes)
            }

            /// The twelve bytes, in the order that sorts by time.
            #[must_use]
            pub const fn bytes(self) -> [u8; 12] {
                self.0
            }

            /// The twelve bytes as a slice, for binding to a statement.
            #[must_use]
            pub const fn as_slice(&self) -> &[u8] {
                &self.0
            }

            /// The 24 lowercase hex digits.
            #[must_use]
            pub fn to_hex(self) -> String {
                hex::encode(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0_u8; 24];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let mut bytes = [0_u8; 12];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| BadId)?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = BadId;

            fn try_from(bytes: &[u8]) -> Result<Self, BadId> {
                Ok(Self(bytes.try_into().map_err(|_| BadId)?))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type!(/// A user's id.
    UserId);
id_type!(/// An address within a user.
    AddressId);
id_type!(/// A product's id; its stock is kept under the same id.
    ProductId);
id_type!(/// A picture of a product.
    ImageId);
id_type!(/// An import of products.
    ImportId);
id_type!(/// A cart's id (a user has one cart).
    CartId);
id_type!(/// An order's id; its reservation is kept under the same id.
    OrderId);
id_type!(/// A payment's id.
    PaymentId);
id_type!(/// A refund within a payment.
    RefundId);
id_type!(/// An event's id: consumers apply an event once by it.
    EventId);
id_type!(/// A webhook that somebody registered.
    WebhookId);
id_type!(/// One event on its way to one webhook.
    WebhookDeliveryId);
id_type!(/// A conversation with the assistant.
    ConversationId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_json() {
        let id = UserId::generate();
        assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<UserId>(&json).unwrap(), id);
    }

    #[test]
    fn anything_but_24_hex_digits_is_refused() {
        for text in ["", "1", "zz0000000000000000000000", "0123456789abcdef0123456", "é23456789abcdef012345678"] {
            assert_eq!(text.parse::<ProductId>(), Err(BadId), "{text}");
        }
    }
}
