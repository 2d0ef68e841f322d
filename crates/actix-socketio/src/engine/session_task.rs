//! The task of a session, which runs its heartbeat and its protocol.

use futures_util::{
    FutureExt,
    future::{FusedFuture, LocalBoxFuture},
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{CloseReason, Session, registry::Registered};

/// Runs until the session has ended and its last packets were taken. A panic of the protocol ends only its own
/// session.
pub(super) async fn run_session(registered: Registered, protocol: LocalBoxFuture<'static, ()>) {
    let session = registered.session().clone();
    let mut protocol = protocol.fuse();
    tokio::select! {
        () = &mut protocol => session.close(CloseReason::Server),
        () = heartbeat(&session) => {}
    }
    let end_deadline = session.0.config.end_deadline;
    let linger_until = Instant::now() + session.0.config.linger;
    if !protocol.is_terminated() && timeout(end_deadline, protocol).await.is_err() {
        tracing::warn!("a protocol took too long to finish after its session ended");
    }
    while session.lingers() && Instant::now() < linger_until {
        tokio::select! {
            () = session.changed() => {}
            () = sleep_until(linger_until) => {}
        }
    }
}

async fn heartbeat(session: &Session) {
    while let Some(next) = session.heartbeat(Instant::now()) {
        tokio::select! {
            () = sleep_until(next) => {}
            () = session.changed() => {}
        }
    }
}
