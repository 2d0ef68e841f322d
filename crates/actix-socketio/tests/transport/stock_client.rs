//! Tests with the official client `socket.io-client` of npm, run by node, and with raw WebSockets.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use actix_socketio::{engine::EngineConfig, socket::SocketConfig};

use crate::{DEADLINE, server::TestServer};

/// Runs one scenario of `tests/socket-client.cjs`, which prints commands for the test server.
async fn run(server: &TestServer, scenario: &'static str) {
    let Some(_modules) = std::env::var_os("NODE_PATH") else {
        eprintln!("left out: NODE_PATH names no folder with socket.io-client");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/socket-client.cjs");
    let mut child = Command::new("node").args([script, &server.url, scenario]).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (command, mut commands) = tokio::sync::mpsc::unbounded_channel();
    let ended = tokio::task::spawn_blocking(move || {
        for line in output.lines() {
            command.send(line.unwrap()).unwrap();
        }
        child.wait().unwrap()
    });
    let serving = async {
        while let Some(command) = commands.recv().await {
            match command.split_once(' ') {
                Some(("revoke", token)) => {
                    server.chats.revoked.lock().insert(token.to_owned());
                }
                None if command == "shutdown" => server.engine.shutdown(),
                _ => panic!("unknown command: {command}"),
            }
        }
    };
    let (_served, ended) =
        tokio::time::timeout(DEADLINE, async { tokio::join!(serving, ended) }).await.expect(scenario);
    assert!(ended.unwrap().success(), "{scenario} failed, see above");
}

async fn runs(scenario: &'static str) {
    let server = TestServer::start();
    run(&server, scenario).await;
    server.stop().await;
}

#[actix_rt::test]
async fn it_connects_by_polling_and_upgrades_to_a_websocket_without_losing_a_message() {
    runs("upgrade").await;
}

#[actix_rt::test]
async fn it_connects_by_websocket_only() {
    runs("websocket").await;
}

#[actix_rt::test]
async fn it_connects_by_polling_only() {
    runs("polling").await;
}

#[actix_rt::test]
async fn acknowledgements_work_in_both_directions() {
    runs("acknowledgements").await;
}

#[actix_rt::test]
async fn it_is_refused_with_a_message_and_other_namespaces_do_not_exist() {
    runs("refusals").await;
}

#[actix_rt::test]
async fn binary_data_gets_an_error_and_the_connection_stays() {
    runs("binary").await;
}

#[actix_rt::test]
async fn after_a_lost_connection_it_continues_the_conversation() {
    runs("reconnect").await;
}

#[actix_rt::test]
async fn a_logout_ends_the_socket_at_its_next_message() {
    runs("logout").await;
}

#[actix_rt::test]
async fn it_is_notified_of_a_server_shutdown() {
    runs("stop").await;
}

#[actix_rt::test]
async fn two_sockets_of_a_user_receive_the_same_events_and_another_user_none() {
    runs("rooms").await;
}

#[actix_rt::test]
async fn three_hundred_concurrent_clients_each_receive_their_own_events() {
    runs("many").await;
}

#[actix_rt::test]
async fn a_plain_websocket_has_the_same_events() {
    runs("plain").await;
}

#[actix_rt::test]
async fn pings_keep_it_connected() {
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
async fn invalid_raw_frames_close_their_websocket() {
    let config =
        EngineConfig { max_payload: 10_000, upgrade_timeout: Duration::from_millis(200), ..EngineConfig::default() };
    let server = TestServer::with(config, SocketConfig { rate: None, ..SocketConfig::default() });
    run(&server, "raw").await;
    server.stop().await;
}

#[actix_rt::test]
async fn a_websocket_that_does_not_read_is_closed() {
    let config = EngineConfig { outbox_bytes: 100_000, ..EngineConfig::default() };
    let server = TestServer::with(config, SocketConfig { rate: None, ..SocketConfig::default() });
    run(&server, "deaf").await;
    if std::env::var_os("NODE_PATH").is_some() {
        crate::until("its session ends", async || server.engine.is_empty()).await;
    }
    server.stop().await;
}
