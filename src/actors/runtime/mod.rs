//! What actors run on.

/// Why an actor did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError<E> {
    /// As many are waiting as may; nothing was done.
    #[error("the actor is busy")]
    Busy,
    /// It is being restarted; nothing was done.
    #[error("the actor is being restarted")]
    Restarting,
    /// It died over the message; whether it was done is unknown.
    #[error("the actor died while it worked")]
    Died,
    /// It did not answer in time; whether it was done is unknown.
    #[error("the actor did not answer in time")]
    Deadline,
    /// The actor's own answer.
    #[error(transparent)]
    Refused(E),
}
