//! Which queues a process reads.

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{error::quoted, fields};
use crate::domain::queues;

/// Which queues a process reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Consume {
    /// Every one.
    All,
    /// These.
    Queues(Vec<String>),
}

impl<'de> Deserialize<'de> for Consume {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let queues = fields::items(from)?;
        match queues.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["all"] => return Ok(Self::All),
            ["none" | "[]"] => return Ok(Self::Queues(vec![])),
            _ => {}
        }
        match queues.iter().find(|name| queues::queue(name).is_none()) {
            Some(unknown) => Err(D::Error::custom(format_args!(
                "{} is not a queue; write all, none, or names as docs/events.md lists them",
                quoted(unknown)
            ))),
            None => Ok(Self::Queues(queues)),
        }
    }
}
