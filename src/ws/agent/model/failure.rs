//! What goes wrong with a model, and what the shopper is told then.

use rig_core::{completion::FinishReason, error::ProviderError};

/// Why a turn cannot go on with its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It cannot be reached, or fails.
    Unavailable,
    /// It has too much to do, or the shop has used up what it may ask.
    Busy,
    /// It does not take the request: a wrong key, an unknown model.
    Refused,
    /// Nothing came for too long.
    Stalled,
    /// The turn took too long.
    TimeUp,
    /// The answer ended in its middle.
    CutShort,
    /// The answer is none.
    Nonsense,
    /// It does not speak of this.
    Blocked,
    /// It calls the same tools again and again.
    Loop,
    /// The turn took more tokens than a message may.
    TooLong,
    /// The shopper has used up her tokens of the day.
    OverBudget,
}

impl Failure {
    /// For the metrics.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Stalled => "stalled",
            Self::TimeUp => "time_up",
            Self::CutShort => "cut_short",
            Self::Nonsense => "nonsense",
            Self::Blocked => "blocked",
            Self::Loop => "loop",
            Self::TooLong => "too_long",
            Self::OverBudget => "over_budget",
        }
    }

    /// Whether the same request may be answered when it is sent again.
    pub(super) const fn may_pass(self) -> bool {
        matches!(self, Self::Unavailable | Self::CutShort | Self::Nonsense)
    }

    /// Whether an assistant without a model should answer instead.
    pub(super) const fn falls_back(self) -> bool {
        !matches!(self, Self::Blocked)
    }

    /// What the shopper is told. `began`: some of the reply, or of what it does, is there.
    pub(super) const fn words(self, began: bool) -> &'static str {
        match (self, began) {
            (Self::Blocked, _) => {
                "I'm sorry, I can't help with that. I'm happy to help you find products, fill your cart or check \
                 on an order."
            }
            (Self::OverBudget, _) => {
                "We have talked a lot today, and I have to stop here. Search, cart and orders work as always, and \
                 I'll be back tomorrow."
            }
            (Self::Loop | Self::TooLong, _) => {
                "I'm sorry, I got tangled up with that. Could you ask for one thing at a time, please?"
            }
            (Self::Busy, false) => "I'm sorry, I have my hands full just now. Please ask me again in a minute.",
            (_, false) => "I'm sorry, I couldn't work that out just now. Please ask me again in a moment.",
            (_, true) => {
                "I'm sorry, I lost the thread there. What I showed you and what is in your cart is right; please \
                 ask me again for the rest."
            }
        }
    }

    /// What an error of the model's library comes to.
    pub(super) fn of(error: &ProviderError) -> Self {
        let status = error.provider_response().and_then(|response| response.status).map(|status| status.as_u16());
        match (error, status) {
            (_, Some(429)) => Self::Busy,
            (_, Some(408 | 425 | 500..)) => Self::Unavailable,
            (ProviderError::Truncated, _) => Self::CutShort,
            (ProviderError::Http(_), _) => Self::Unavailable,
            (ProviderError::ProviderResponse(response), _) if response.refusal || blocked(&response.body) => {
                Self::Blocked
            }
            (_, Some(_)) | (ProviderError::InvalidAuthentication(_) | ProviderError::Request(_), _) => Self::Refused,
            (error, None) if blocked(&error.to_string()) => Self::Blocked,
            _ => Self::Nonsense,
        }
    }

    /// What the reason for which an answer ended comes to, if it is not a good one.
    pub(super) fn of_finish(reason: Option<&FinishReason>) -> Option<Self> {
        match reason {
            Some(FinishReason::ContentFilter) => Some(Self::Blocked),
            Some(FinishReason::Other(name)) if name == "RECITATION" || name == "refusal" => Some(Self::Blocked),
            Some(FinishReason::Other(_)) => Some(Self::Nonsense),
            _ => None,
        }
    }
}

fn blocked(text: &str) -> bool {
    text.contains("blockReason") || text.contains("block_reason") || text.contains("content_filter")
}
