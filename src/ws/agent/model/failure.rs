//! The failures of a model, and what the user is told about them.

use rig_core::{completion::FinishReason, error::ProviderError};

/// Why a turn cannot continue with its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The provider cannot be reached or returned an error.
    Unavailable,
    /// The provider is overloaded, or the shop's quota is exceeded.
    Busy,
    /// The provider rejected the request: a wrong key or an unknown model.
    Refused,
    /// No data arrived for too long.
    Stalled,
    /// The turn took too long.
    TimeUp,
    /// The answer was cut off.
    CutShort,
    /// The answer is not valid.
    Nonsense,
    /// The provider blocked the topic.
    Blocked,
    /// The model repeats tool calls without progress.
    Loop,
    /// The turn exceeded the token limit of a message.
    TooLong,
    /// The user has used all tokens of the day.
    OverBudget,
}

impl Failure {
    /// The label for metrics.
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

    /// Whether a retry of the same request may succeed.
    pub(super) const fn may_pass(self) -> bool {
        matches!(self, Self::Unavailable | Self::CutShort | Self::Nonsense)
    }

    /// Whether the assistant without a model should answer instead.
    pub(super) const fn falls_back(self) -> bool {
        !matches!(self, Self::Blocked)
    }

    /// The text for the user. `began`: part of the reply was sent, or a tool was run.
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

    /// Converts an error of the model library.
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

    /// Converts the finish reason of an answer, unless it is a regular one.
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
