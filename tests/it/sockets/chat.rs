//! The chat with faulty assistants, over plain HTTP.

use microbazaar::{
    domain::ids::ConversationId,
    runtime::calls::{Calls, Outcome, Registry},
    ws::chat::calls::{DeleteConversation, GetConversation},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle};
use async_trait::async_trait;
use microbazaar::{
    actors::tokens::{RevokedTokens, Tokens},
    config::Origins,
    domain::{
        Timestamp,
        ids::{ProductId, UserId},
        user::Role,
    },
    runtime::Runtime,
    store::{
        Stores,
        sqlite::{SqliteOptions, SqliteStore},
    },
    ws::{
        agent::{Assistant, Budget, Reply, Turn, TurnEvent},
        chat::{ChatNamespace, ChatSettings, Chats, SocketAuth, StoredBudget},
        engine::{Engine, EngineConfig},
        socket::{SocketConfig, SocketServer},
    },
};
use serde_json::{Value, json};
use test_support::{DEADLINE, Folder};
use tokio::sync::Semaphore;

/// Behaves as the message says.
struct ScriptedAssistant {
    /// Lets waiting turns continue.
    leave: Arc<Semaphore>,
}

#[async_trait]
impl Assistant for ScriptedAssistant {
    async fn answer(&self, turn: Turn<'_>) -> Reply {
        turn.sink.send(TurnEvent::Status("Thinking…"));
        match turn.text {
            "panic" => panic!("an assistant's bug, on purpose"),
            "stall" => std::future::pending().await,
            "block" => std::thread::sleep(Duration::from_secs(3)),
            "wait" => self.leave.acquire().await.unwrap().forget(),
            "nothing" => return Reply::default(),
            "show" => turn.known.note(&[ProductId::from_bytes([7; 12])]),
            _ => {}
        }
        let text =
            format!("{} after {} ({})", turn.text, turn.history.len(), turn.known.has(ProductId::from_bytes([7; 12])));
        for word in text.split_inclusive(' ') {
            turn.sink.send(TurnEvent::Delta(word.to_owned()));
        }
        Reply { text, ..Reply::default() }
    }
}

struct ChatServer {
    url: String,
    http: reqwest::Client,
    chats: Chats,
    calls: Calls,
    stores: Stores,
    tokens: Tokens,
    revoked: Arc<RevokedTokens>,
    leave: Arc<Semaphore>,
    engine: Engine,
    runtime: Runtime,
    handle: ServerHandle,
    _store: SqliteStore,
    _folder: Folder,
}

impl ChatServer {
    fn start(answer_within: Duration) -> Self {
        Self::start_with(ChatSettings { answer_within, waiting: 3, ..ChatSettings::default() })
    }

    fn start_with(settings: ChatSettings) -> Self {
        let folder = Folder::new();
        let store = SqliteStore::open(&folder.0, SqliteOptions::default()).unwrap();
        let (stores, runtime, leave) = (store.stores(), Runtime::new(1), Arc::new(Semaphore::new(0)));
        let assistant = Arc::new(ScriptedAssistant { leave: Arc::clone(&leave) });
        let chats = Chats::start(&runtime, stores.conversations.clone(), assistant, settings).unwrap();
        let (tokens, revoked) = (Tokens::new(b"a secret of thirty-two bytes, or so"), Arc::<RevokedTokens>::default());
        let socket_auth = Arc::new(SocketAuth::new(tokens.clone(), Arc::clone(&revoked), Origins::default()));
        let config = SocketConfig { rate: None, ..SocketConfig::default() };
        let server =
            SocketServer::new(config).namespace("/", ChatNamespace::new(chats.clone(), socket_auth, Arc::default()));
        let engine = Engine::new(EngineConfig::default(), server);
        let served = engine.clone();
        let server = HttpServer::new(move || App::new().service(served.resource("/socket.io")));
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/socket.io/?EIO=4&transport=polling", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        let http = microbazaar::runtime::http_client::builder().timeout(DEADLINE).build().unwrap();
        let (_store, _folder) = (store, folder);
        let mut registry = Registry::default();
        chats.register(&mut registry);
        Self {
            url,
            http,
            chats,
            calls: Calls::local(registry),
            stores,
            tokens,
            revoked,
            leave,
            engine,
            runtime,
            handle,
            _store,
            _folder,
        }
    }

    async fn kept(&self, user: UserId, conversation: ConversationId) -> Outcome<GetConversation> {
        self.calls.ask(GetConversation { user, conversation }).await
    }

    async fn stop(self) {
        self.chats.drain(DEADLINE).await;
        self.engine.shutdown();
        self.handle.stop(true).await;
        assert_eq!(self.runtime.shutdown(Duration::from_secs(10)).await, 0);
    }

    async fn join(&self, user: UserId, more: Value) -> Client {
        let (token, _) = self.tokens.issue(user, Role::User, Timestamp::now()).unwrap();
        self.join_with(&token, more).await
    }

    async fn join_with(&self, token: &str, mut auth: Value) -> Client {
        let opened = self.http.get(&self.url).send().await.unwrap().text().await.unwrap();
        let handshake: Value = serde_json::from_str(&opened[1..]).unwrap();
        let url = format!("{}&sid={}", self.url, handshake["sid"].as_str().unwrap());
        let mut client = Client { url, http: self.http.clone(), packets: VecDeque::new(), refused: None };
        auth["token"] = json!(token);
        client.post(format!("40{auth}")).await;
        let answer = client.packet().await;
        if let Some(refused) = answer.strip_prefix("44") {
            client.refused = serde_json::from_str::<Value>(refused).unwrap()["message"].as_str().map(str::to_owned);
        } else {
            assert!(answer.starts_with("40{"), "{answer}");
        }
        client
    }
}

struct Client {
    url: String,
    http: reqwest::Client,
    packets: VecDeque<String>,
    refused: Option<String>,
}

impl Client {
    async fn post(&self, body: String) {
        assert_eq!(self.http.post(&self.url).body(body).send().await.unwrap().status(), 200);
    }

    async fn say(&self, text: &str) {
        self.post(format!("42{}", json!(["message", text]))).await;
    }

    async fn packet(&mut self) -> String {
        loop {
            match self.packets.pop_front() {
                Some(packet) if packet == "2" => self.post("3".to_owned()).await,
                Some(packet) if packet == "6" => {}
                Some(packet) => return packet,
                None => {
                    let answer = self.http.get(&self.url).send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                    self.packets.extend(answer.text().await.unwrap().split('\u{1e}').map(str::to_owned));
                }
            }
        }
    }

    /// The next event that is not an acknowledgement.
    async fn event(&mut self) -> (String, Value) {
        loop {
            let packet = self.packet().await;
            if let Some(event) = packet.strip_prefix("42") {
                let event: Value = serde_json::from_str(event).unwrap();
                return (event[0].as_str().unwrap().to_owned(), event[1].clone());
            }
            assert!(packet.starts_with("43"), "{packet}");
        }
    }

    async fn conversation(&mut self) -> String {
        let (event, data) = self.event().await;
        assert_eq!(event, "conversation");
        data["id"].as_str().unwrap().to_owned()
    }

    /// The events of a turn, and its last one.
    async fn turn(&mut self) -> (Vec<String>, String, Value) {
        let mut before = vec![];
        loop {
            let (event, data) = self.event().await;
            if event == "message" || event == "error" {
                return (before, event, data);
            }
            before.push(event);
        }
    }
}

#[actix_rt::test]
async fn an_assistant_that_panics_stalls_or_is_silent_ends_in_a_reply_and_the_chat_continues() {
    let server = ChatServer::start(Duration::from_secs(1));
    let mut client = server.join(UserId::generate(), json!({})).await;
    client.conversation().await;
    for bad in ["panic", "stall", "nothing", "block"] {
        client.say(bad).await;
        let (before, event, data) = client.turn().await;
        assert_eq!((before.as_slice(), event.as_str()), (&["status".to_owned()][..], "message"), "{bad}");
        assert!(data.as_str().unwrap().starts_with("Sorry"), "{bad}: {data}");
    }
    client.say("hello").await;
    let (before, _, data) = client.turn().await;
    // The lines of the four earlier turns, each with its reply.
    assert_eq!((before.len(), data), (5, json!("hello after 8 (false)")));
    server.stop().await;
}

#[actix_rt::test]
async fn messages_are_answered_in_order_and_a_bounded_number_waits() {
    let server = ChatServer::start(DEADLINE);
    let user = UserId::generate();
    let (mut one, mut two) = (server.join(user, json!({})).await, server.join(user, json!({})).await);
    let conversation = one.conversation().await;
    assert_eq!(
        conversation,
        two.conversation().await,
        "a user's sockets share a conversation before the first message"
    );
    one.say("first").await;
    assert_eq!(one.turn().await.2, "first after 0 (false)");
    assert_eq!(two.turn().await.2, "first after 0 (false)");
    drop(two);
    let mut two = server.join(user, json!({})).await;
    assert_eq!(two.conversation().await, conversation, "the newest conversation");

    one.say("wait").await;
    assert_eq!(two.event().await.0, "status", "the turn is in progress");
    for text in ["a", "show", "c"] {
        two.say(text).await;
    }
    two.say("too many").await;
    let (event, error) = two.event().await;
    assert_eq!((event.as_str(), &error["code"]), ("error", &json!("busy")));
    server.leave.add_permits(1);
    for (said, lines, known) in [("wait", 2, false), ("a", 4, false), ("show", 6, true), ("c", 8, true)] {
        let wanted = json!(format!("{said} after {lines} ({known})"));
        assert_eq!(one.turn().await.2, wanted);
        assert_eq!(two.turn().await.2, wanted);
    }
    let kept = server.kept(user, conversation.parse().unwrap()).await.unwrap();
    let said: Vec<&str> = kept.lines.iter().map(|line| line.text.split(' ').next().unwrap()).collect();
    assert_eq!(said, ["first", "first", "wait", "wait", "a", "a", "show", "show", "c", "c"]);
    server.stop().await;
}

#[actix_rt::test]
async fn ten_sockets_that_each_send_a_message_are_each_answered() {
    let server = ChatServer::start_with(ChatSettings::default());
    let user = UserId::generate();
    let mut clients = vec![];
    for _ in 0..10 {
        let mut client = server.join(user, json!({})).await;
        client.conversation().await;
        clients.push(client);
    }
    // None is answered before all have sent theirs.
    futures_util::future::join_all(clients.iter().map(|client| client.say("wait"))).await;
    server.leave.add_permits(10);
    for client in &mut clients {
        for _ in 0..10 {
            let (_, event, data) = client.turn().await;
            assert_eq!(event, "message", "{data}");
        }
    }
    server.stop().await;
}

#[actix_rt::test]
async fn deleting_a_conversation_cancels_its_turn_and_removes_its_history() {
    let server = ChatServer::start(DEADLINE);
    let (user, other) = (UserId::generate(), UserId::generate());
    let mut client = server.join(user, json!({})).await;
    let id = client.conversation().await.parse().unwrap();
    client.say("show").await;
    client.turn().await;
    client.say("wait").await;
    assert_eq!(client.event().await.0, "status");
    assert!(server.calls.ask(DeleteConversation { user: other, conversation: id }).await.is_err());
    server.calls.ask(DeleteConversation { user, conversation: id }).await.unwrap();
    let (_, event, error) = client.turn().await;
    assert_eq!((event.as_str(), &error["code"]), ("error", &json!("interrupted")));
    assert!(server.kept(user, id).await.is_err());
    client.say("again").await;
    assert_eq!(client.turn().await.2, "again after 0 (false)", "the history is gone");
    server.stop().await;
}

#[actix_rt::test]
async fn a_conversation_is_accessible_only_to_its_user() {
    let server = ChatServer::start(DEADLINE);
    let user = UserId::generate();
    let mut client = server.join(user, json!({"conversationId": "new"})).await;
    let id = client.conversation().await;
    client.say("hello").await;
    client.turn().await;
    let again = server.join(user, json!({"conversationId": id})).await.conversation().await;
    assert_eq!(again, id);
    assert_ne!(server.join(user, json!({"conversationId": "new"})).await.conversation().await, id);
    let foreign = server.join(UserId::generate(), json!({"conversationId": id})).await;
    assert_eq!(foreign.refused.as_deref(), Some("This conversation is not yours"));
    for bad in [json!(7), json!("x"), json!({"$gt": ""})] {
        let refused = server.join(user, json!({"conversationId": bad})).await.refused;
        assert_eq!(refused.as_deref(), Some("Invalid conversation"));
    }
    let gone = server.join(user, json!({"conversationId": "665f1f77bcf86cd799439011"})).await.conversation().await;
    assert_ne!(gone, "665f1f77bcf86cd799439011", "a client cannot choose an id");
    server.stop().await;
}

#[actix_rt::test]
async fn sockets_end_with_their_token() {
    let server = ChatServer::start(DEADLINE);
    let user = UserId::generate();
    let (token, claims) = server.tokens.issue(user, Role::User, Timestamp::now()).unwrap();
    let (mut first, mut second) =
        (server.join_with(&token, json!({})).await, server.join_with(&token, json!({})).await);
    let mut other = server.join(user, json!({})).await;
    for client in [&mut first, &mut second, &mut other] {
        client.conversation().await;
    }
    server.revoked.insert(&claims.jti, claims.exp, Timestamp::now());
    for client in [&mut first, &mut second] {
        let (event, error) = client.event().await;
        assert_eq!((event.as_str(), &error["message"]), ("error", &json!("Invalid token")));
        assert_eq!(client.packet().await, "41");
    }
    other.say("still here").await;
    assert_eq!(other.turn().await.1, "message");
    assert_eq!(server.join_with(&token, json!({})).await.refused.as_deref(), Some("Invalid token"));
    server.stop().await;
}

#[actix_rt::test]
async fn a_user_has_a_daily_token_limit() {
    let server = ChatServer::start(DEADLINE);
    let budget = StoredBudget::new(server.stores.conversations.clone(), 1_000);
    let (user, other) = (UserId::generate(), UserId::generate());
    assert_eq!(budget.left(user).await, 1_000);
    budget.spend(user, 300).await;
    budget.spend(user, 300).await;
    assert_eq!((budget.left(user).await, budget.left(other).await), (400, 1_000));
    budget.spend(user, 900).await;
    assert_eq!(budget.left(user).await, 0);
    server.stop().await;
}
