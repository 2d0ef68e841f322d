//! Tests of a session's state with a paused clock.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{CloseReason, EngineConfig, Message, SendError, Session, session::Poll};
use crate::framing::engine::{Packet, Str};

fn session(config: EngineConfig) -> (Session, super::Inbox) {
    Session::new(Arc::new(config), false, Instant::now())
}

fn text(text: &'static str) -> Message {
    Message::Text(Str::from(text))
}

fn ready(poll: Poll) -> Vec<Packet> {
    match poll {
        Poll::Ready(packets) => packets,
        _ => panic!("packets were expected"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_due_after_the_interval_and_its_answer_within_the_timeout() {
    let config = EngineConfig::default();
    let (interval, timeout) = (config.ping_interval, config.ping_timeout);
    let (session, _inbox) = session(config);
    let begin = Instant::now();
    assert_eq!(session.heartbeat(begin), Some(begin + interval));
    let pinged = begin + interval;
    assert_eq!(session.heartbeat(pinged), Some(pinged + timeout));
    assert_eq!(ready(session.poll(pinged)), [Packet::Ping]);
    session.pong(pinged + Duration::from_secs(1));
    let next = pinged + Duration::from_secs(1) + interval;
    assert_eq!(session.heartbeat(pinged + timeout), Some(next));
    assert_eq!(session.heartbeat(next), Some(next + timeout));
    assert_eq!(session.heartbeat(next + timeout), None);
    assert_eq!(session.closed(), Some(CloseReason::PingTimeout));
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_in_time_even_if_its_task_is_late() {
    let config = EngineConfig::default();
    let end = Instant::now() + config.ping_interval + config.ping_timeout;
    let (session, mut inbox) = session(config);
    assert!(matches!(session.poll(end), Poll::Unknown));
    assert_eq!(inbox.next().await, None);
}

#[tokio::test]
async fn packets_wait_in_order_and_an_aborted_poll_puts_them_back() {
    let (session, _inbox) = session(EngineConfig::default());
    let now = Instant::now();
    let Poll::Wait(waiter) = session.poll(now) else { panic!("no packet is expected yet") };
    drop(waiter);
    session.send([text("a"), text("b")]).unwrap();
    session.put_back(vec![Packet::Message("first".into())]);
    let expected = ["first", "a", "b"].map(|text| Packet::Message(text.into()));
    assert_eq!(ready(session.poll(now)), expected);
    let Poll::Wait(waiter) = session.poll(now) else { panic!("no packet is expected") };
    session.send([text("c")]).unwrap();
    assert_eq!(waiter.await, Ok(vec![Packet::Message("c".into())]));
}

#[tokio::test]
async fn messages_are_queued_completely_or_not_at_all_and_too_many_end_the_session() {
    let (session, _inbox) = session(EngineConfig { outbox: 2, ..EngineConfig::default() });
    session.send([text("a")]).unwrap();
    assert_eq!(session.send([text("b"), text("c")]), Err(SendError::Slow));
    assert_eq!(session.closed(), Some(CloseReason::Slow));
    assert_eq!(session.send([text("d")]), Err(SendError::Closed));
    assert!(matches!(session.poll(Instant::now()), Poll::Unknown), "the session is removed");
}

#[tokio::test]
async fn packets_sent_before_the_server_closed_are_polled_once_more() {
    let (session, mut inbox) = session(EngineConfig::default());
    session.deliver(text("last")).await;
    session.send([text("bye")]).unwrap();
    session.close(CloseReason::Server);
    session.close(CloseReason::ParseError);
    assert_eq!(session.closed(), Some(CloseReason::Server));
    assert_eq!(inbox.next().await, Some(text("last")), "earlier messages are still read");
    assert_eq!(inbox.next().await, None);
    assert!(session.lingers());
    assert_eq!(ready(session.poll(Instant::now())), [Packet::Message("bye".into()), Packet::Close]);
    assert!(!session.lingers());
    assert!(matches!(session.poll(Instant::now()), Poll::Unknown));
}

#[tokio::test]
async fn a_probe_ends_the_poll_and_another_one_is_refused() {
    let (session, _inbox) = session(EngineConfig::default());
    let now = Instant::now();
    let Poll::Wait(waiter) = session.poll(now) else { panic!("no packet is expected yet") };
    assert!(session.may_upgrade(now) && session.probe());
    assert!(!session.may_upgrade(now) && !session.probe());
    assert_eq!(waiter.await, Ok(vec![Packet::Noop]));
    assert_eq!(ready(session.poll(now)), [Packet::Noop], "every poll until the upgrade");
    session.abandon_upgrade();
    assert!(matches!(session.poll(now), Poll::Wait(_)) && session.may_upgrade(now));
}

#[tokio::test(start_paused = true)]
async fn a_protocol_that_does_not_read_makes_its_client_wait_and_then_ends_the_session() {
    let config = EngineConfig { inbox: 1, ..EngineConfig::default() };
    let (session, _inbox) = session(config);
    assert_eq!(session.try_deliver(text("a")), Ok(()));
    assert_eq!(session.try_deliver(text("b")), Err(text("b")));
    session.deliver(text("b")).await;
    assert_eq!(session.closed(), Some(CloseReason::Slow));
}
