//! Attacks on the real program from outside. Each costs it a bounded amount of memory, and while it goes on other
//! visitors are served.

use std::{
    io::{Cursor, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use futures_util::future::join_all;
use image::{DynamicImage, ImageFormat};
use reqwest::multipart::{Form, Part};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use test_support::{Client, Person, Process, Settings, done, eventually, program};
use tokio::io::AsyncWriteExt;

/// What may become resident beyond what an idle program has: 50 MiB of the 300 that a container of 512 has for it. A debug
/// build has more when it is idle.
const GROWTH_MAX: u64 = 250;
/// How long a visitor waits: shorter than the server's patience with those who do nothing.
const PATIENCE: Duration = Duration::from_secs(15);

fn shop(settings: &Settings) -> Process {
    // The test holds as many connections as the program.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    Process::start(settings)
}

/// `microbazaar serve` under limits, which a shell sets.
fn limited(settings: &Settings, limits: &str) -> Command {
    let plain = settings.command(&["serve"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limits}; exec \"$0\" serve")]).arg(program()).env_clear().stdin(Stdio::null());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(settings.folder());
    command
}

/// Other visitors are served, each over a connection of its own.
async fn visits(shop: &Process) {
    for _ in 0..3 {
        let visitor =
            reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0).no_proxy().build().unwrap();
        for path in ["/healthz", "/api/products", "/"] {
            let answer = visitor.get(format!("{}{path}", shop.base())).send().await;
            let answer = answer.unwrap_or_else(|error| panic!("{path} is answered: {error}"));
            assert_eq!(answer.status(), 200, "{path}");
            answer.bytes().await.unwrap_or_else(|error| panic!("{path} is answered whole: {error}"));
        }
    }
}

/// Whether what it has had resident at most is what it may.
#[track_caller]
fn is_small(shop: &Process, idle: u64) {
    let grown = shop.peak_mib() - idle;
    println!("{grown} MiB above {idle} MiB");
    assert!(grown < GROWTH_MAX, "{grown} MiB above {idle} MiB were resident");
}

fn connect(shop: &Process) -> TcpStream {
    TcpStream::connect(shop.base().strip_prefix("http://").unwrap()).unwrap()
}

/// Asks 80 times on each of many connections, and reads nothing.
async fn unread(shop: &Process, path: &str) -> Vec<TcpStream> {
    let idle = shop.peak_mib();
    let ask =
        |coding: &str| format!("GET {path} HTTP/1.1\r\nhost: shop\r\naccept-encoding: {coding}\r\n\r\n").repeat(80);
    let asked = ["identity", "gzip"].map(ask);
    let connections: Vec<TcpStream> = (0..1_300)
        .map(|at| {
            let mut connection = connect(shop);
            connection.write_all(asked[at % 2].as_bytes()).unwrap();
            connection
        })
        .collect();
    visits(shop).await;
    is_small(shop, idle);
    connections
}

/// Until the server has closed all of these.
async fn until_over(connections: &[TcpStream]) {
    eventually("those who read nothing are let go", async || {
        connections.iter().all(|connection| {
            connection.set_nonblocking(true).unwrap();
            // What had been sent is still there to read; behind it the connection is reset or closed.
            connection.take_error().unwrap().is_some() || is_over(connection)
        })
    })
    .await;
}

/// Whether nothing can be sent any more.
fn is_over(mut connection: &TcpStream) -> bool {
    connection.write_all(b"\n").is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn those_who_do_not_read_documents() {
    let settings = Settings::new();
    let shop = shop(&settings);
    let connections = unread(&shop, "/docs").await;
    until_over(&connections).await;
    visits(&shop).await;
}

#[tokio::test]
async fn those_who_do_not_read_what_is_made_for_them() {
    let settings = Settings::new();
    let shop = shop(&settings);
    let seller = shop.client.seller("mira").await;
    let described =
        |at| json!({"title": format!("Lamp {at}"), "priceAmount": 5, "stock": 1, "description": "lamp ".repeat(400)});
    for at in 0..100 {
        shop.client.do_as(&seller.token, "/api/products", &described(at)).await;
    }
    drop(unread(&shop, "/api/products?limit=100").await);
}

#[tokio::test]
async fn bodies_that_do_not_end() {
    let settings = Settings::new();
    let shop = shop(&settings);
    let idle = shop.peak_mib();
    for path in ["/api/auth/login", "/api/payments/webhook"] {
        let address = shop.base().strip_prefix("http://").unwrap().to_owned();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n"
        );
        let body = vec![b' '; 999_000];
        let held = join_all((0..450).map(async |_| {
            let mut connection = tokio::net::TcpStream::connect(&address).await.unwrap();
            // Refused ones are closed before everything is sent.
            let sent = async {
                connection.write_all(head.as_bytes()).await?;
                connection.write_all(&body).await
            };
            let _refused = tokio::time::timeout(Duration::from_secs(3), sent).await;
            connection
        }));
        let held = held.await;
        visits(&shop).await;
        // Somebody else logs in meanwhile.
        let login = json!({"email": "nobody@example.com", "password": "not the password"});
        assert_eq!(shop.client.login(&login).await.status, 401, "{path}");
        drop(held);
    }
    is_small(&shop, idle);
}

/// The smallest GIF, whose header says that it is large.
fn boastful_gif() -> Vec<u8> {
    let side = 5_000_u16.to_le_bytes();
    let screen = [b"GIF89a".as_slice(), &side, &side, &[0x80, 0, 0], &[255; 3], &[0; 3]].concat();
    let picture = [&[b','][..], &[0; 4], &side, &side, &[0, 2, 2, 0x44, 1, 0, b';']].concat();
    [screen, picture].concat()
}

fn large(color: image::ColorType, format: ImageFormat) -> Vec<u8> {
    let picture = DynamicImage::new(5_000, 5_000, color);
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

#[tokio::test]
async fn pictures_that_are_large() {
    let settings = Settings::new();
    let shop = shop(&settings);
    let idle = shop.peak_mib();
    let seller = shop.client.seller("mira").await;
    let upload = async |bytes: Vec<u8>| {
        let picture = Part::bytes(bytes).file_name("picture");
        let form =
            Form::new().text("title", "Lamp").text("priceAmount", "5").text("stock", "1").part("images", picture);
        shop.client.post("/api/products").token(&seller.token).form(form).send().await
    };
    assert_eq!(boastful_gif().len(), 35);
    let boastful = join_all((0..2).map(|_| upload(boastful_gif())));
    let (answers, ()) = tokio::join!(boastful, visits(&shop));
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 400 | 413 | 415 | 429)), "{answers:?}");
    is_small(&shop, idle);

    let deep = upload(large(image::ColorType::Rgba16, ImageFormat::Png)).await;
    assert_eq!(deep.status, 415, "more than is decoded at once");
    let [jpeg, png] = [(image::ColorType::Rgb8, ImageFormat::Jpeg), (image::ColorType::Rgba8, ImageFormat::Png)]
        .map(|(color, format)| large(color, format));
    let honest = join_all((0..12).map(|at| upload(if at % 2 == 0 { jpeg.clone() } else { png.clone() })));
    let (answers, ()) = tokio::join!(honest, visits(&shop));
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert!(statuses.iter().all(|status| matches!(status, 201 | 429)) && statuses.contains(&201), "{statuses:?}");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.header("retry-after").is_some()));
    is_small(&shop, idle);
}

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// A session of Socket.IO, by polling.
struct Chat<'a> {
    client: &'a Client,
    path: String,
}

impl<'a> Chat<'a> {
    async fn open(client: &'a Client) -> Self {
        let opened = client.http.get(format!("{}{POLLING}", client.base())).send().await.unwrap();
        assert_eq!(opened.status(), 200);
        let handshake: Value = serde_json::from_slice(&opened.bytes().await.unwrap()[1..]).unwrap();
        Self { client, path: format!("{}{POLLING}&sid={}", client.base(), handshake["sid"].as_str().unwrap()) }
    }

    async fn join(client: &'a Client, who: &Person) -> Self {
        let chat = Self::open(client).await;
        assert_eq!(chat.say(&format!("40{}", json!({"token": who.token}))).await, 200);
        chat.hears("40{").await;
        chat
    }

    async fn say(&self, packet: &str) -> u16 {
        self.client.http.post(&self.path).body(packet.to_owned()).send().await.unwrap().status().as_u16()
    }

    async fn hears(&self, packet: &str) {
        eventually(packet, async || {
            let answer = self.client.http.get(&self.path).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.text().await.unwrap().contains(packet)
        })
        .await;
    }
}

#[tokio::test]
async fn sessions_of_sockets_without_a_token() {
    let settings = Settings::new();
    let shop = shop(&settings);
    let idle = shop.peak_mib();
    let client = &shop.client;
    let (early, late) = (client.user("early").await, client.user("late").await);
    let first = Chat::join(client, &early).await;
    let stranger = Chat::open(client).await;
    thread::scope(|scope| {
        for _ in 0..20 {
            let mut connection = connect(&shop);
            let mut sends = connection.try_clone().unwrap();
            scope.spawn(move || {
                let ask = format!("GET {POLLING} HTTP/1.1\r\nhost: shop\r\n");
                let _ends_early = sends.write_all(format!("{ask}\r\n").repeat(999).as_bytes());
                let _ends_early = sends.write_all(format!("{ask}connection: close\r\n\r\n").as_bytes());
            });
            scope.spawn(move || {
                let mut answers = vec![];
                let _until_closed = connection.read_to_end(&mut answers);
            });
        }
    });
    // At once, while all of them are as good as new.
    let second = Chat::join(client, &late).await;
    for chat in [&first, &second] {
        assert_eq!(chat.say(r#"42["message","hello"]"#).await, 200);
        chat.hears(r#"["message","#).await;
    }
    visits(&shop).await;
    eventually("who shows no token is let go", async || stranger.say("3").await == 400).await;
    is_small(&shop, idle);
}

#[tokio::test]
async fn silent_connections_beyond_a_soft_limit_on_files() {
    let settings = Settings::new();
    drop(shop(&settings));
    std::fs::remove_dir_all(settings.data()).unwrap();
    for (limits, count) in [("ulimit -Sn 1024", 2_000), ("ulimit -n 1024", 1_200)] {
        let mut shop = Process::spawn(limited(&settings, limits));
        shop.until_ready().unwrap();
        let idle = shop.peak_mib();
        let silent: Vec<TcpStream> = (0..count).map(|_| connect(&shop)).collect();
        visits(&shop).await;
        // What it needs files for goes on.
        shop.client.seller("mira").await;
        drop(silent);
        is_small(&shop, idle);
        assert!(shop.terminate().success());
        std::fs::remove_dir_all(settings.data()).unwrap();
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads() {
    let settings = Settings::new().set("MICROBAZAAR_LOG__LEVEL", "trace");
    let mut command = settings.command(&["serve"]);
    command.stderr(Stdio::piped());
    let mut shop = Process::spawn(command);
    shop.until_ready().unwrap();
    let idle = shop.peak_mib();
    eventually("lines are left out", async || {
        visits(&shop).await;
        let metrics = shop.client.get("/metrics").send().await;
        let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
        metrics.lines().any(|line| line.starts_with("log_lines_dropped_total") && !line.ends_with(" 0"))
    })
    .await;
    visits(&shop).await;
    is_small(&shop, idle);
    assert!(shop.terminate().success());
}

#[tokio::test]
async fn a_limit_on_files_that_is_too_low_to_start() {
    let (code, _, said) = done(limited(&Settings::new(), "ulimit -n 24")).await;
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains("24 files") && said.contains("ulimit -n"), "{said}");
}
