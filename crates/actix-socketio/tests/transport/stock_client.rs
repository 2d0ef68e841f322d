//! The stock client: `socket.io-client` of npm, run by node, and raw WebSockets beside it.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use actix_socketio::{engine::EngineConfig, socket::SocketConfig};

use crate::{DEADLINE, server::TestServer};

/// Runs one scenario of `tests/socket-client.cjs`; what it prints are wishes.
async fn run(server: &TestServer, scenario: &'static str) {
    let Some(_modules) = std::env::var_os("NODE_PATH") else {
        eprintln!("left out: NODE_PATH names no folder with socket.io-client");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/socket-client.cjs");
    let mut child = Command::new("node").args([script, &server.url, scenario]).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (wish, mut wishes) = tokio::sync::mpsc::unbounded_channel();
    let ended = tokio::task::spawn_blocking(move || {
        for line in output.lines() {
            wish.send(line.unwrap()).unwrap();
        }
        child.wait().unwrap()
    });
    let granting = async {
        while let Some(wish) = wishes.recv().await {
            match wish.split_once(' ') {
                Some(("revoke", token)) => {
                    server.talks.revoked.lock().insert(token.to_owned());
                }
                None if wish == "shutdown" => server.engine.shutdown(),
                _ => panic!("no such wish: {wish}"),
            }
        }
    };
    let (_granted, ended) =
        tokio::time::timeout(DEADLINE, async { tokio::join!(granting, ended) }).await.expect(scenario);
    assert!(ended.unwrap().success(), "{scenario} failed, see above");
}

async fn runs(scenario: &'static str) {
    let server = TestServer::start();
    run(&server, scenario).await;
    server.stop().await;
}

#[actix_rt::test]
async fn it_connects_by_polling_and_moves_to_a_websocket_without_losing_a_message() {
    runs("upgrade").await;
}

#[actix_rt::test]
async fn it_connects_by_websocket_alone() {
    runs("websocket").await;
}

#[actix_rt::test]
async fn it_stays_with_polling_alone() {
    runs("polling").await;
}

#[actix_rt::test]
async fn acknowledgements_go_both_ways() {
    runs("acknowledgements").await;
}

#[actix_rt::test]
async fn it_is_refused_in_words_and_other_namespaces_do_not_exist() {
    runs("refusals").await;
}

#[actix_rt::test]
async fn binary_data_gets_an_error_and_the_connection_stays() {
    runs("binary").await;
}

#[actix_rt::test]
async fn after_a_lost_connection_it_goes_on_where_it_was() {
    runs("reconnect").await;
}

#[actix_rt::test]
async fn a_logout_ends_the_socket_at_its_next_message() {
    runs("logout").await;
}

#[actix_rt::test]
async fn it_is_told_that_the_server_stops() {
    runs("stop").await;
}

#[actix_rt::test]
async fn two_sockets_of_a_user_hear_the_same_and_another_user_nothing() {
    runs("rooms").await;
}

#[actix_rt::test]
async fn three_hundred_at_once_each_hear_their_own() {
    runs("many").await;
}

#[actix_rt::test]
async fn a_plain_websocket_carries_the_same_events() {
    runs("plain").await;
}

#[actix_rt::test]
async fn it_lives_on_pings() {
    let pinged = EngineConfig {
        ping_interval: Duration::from_millis(50),
        ping_timeout: Duration::from_secs(20),
        ..EngineConfig::default()
    };
    let server = TestServer::with(pinged, SocketConfig::default());
    run(&server, "pings").await;
    server.stop().await;
}

#[actix_rt::test]
async fn raw_frames_that_are_no_packets_close_their_websocket() {
    let config =
        EngineConfig { max_payload: 10_000, upgrade_timeout: Duration::from_millis(200), ..EngineConfig::default() };
    let server = TestServer::with(config, SocketConfig { rate: None, ..SocketConfig::default() });
    run(&server, "raw").await;
    server.stop().await;
}

#[actix_rt::test]
async fn a_websocket_that_does_not_read_is_dropped() {
    let config = EngineConfig { outbox_bytes: 100_000, ..EngineConfig::default() };
    let server = TestServer::with(config, SocketConfig { rate: None, ..SocketConfig::default() });
    run(&server, "deaf").await;
    if std::env::var_os("NODE_PATH").is_some() {
        crate::until("its session ends", async || server.engine.is_empty()).await;
    }
    server.stop().await;
}
