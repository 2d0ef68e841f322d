//! An SMTP receiver: the npm package smtp-server, run by node, and the mails that it accepted.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::{Arc, mpsc},
};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{DEADLINE, servers};

/// A mail as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub to: String,
    pub from: String,
    pub secure: bool,
    pub user: Option<String>,
    pub raw: String,
    /// Unfolded, by lower-case name.
    pub headers: BTreeMap<String, Vec<String>>,
    pub body: String,
}

impl Arrived {
    fn read(reported: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let raw = text(&reported["raw"]);
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        for line in unfolded.split("\r\n") {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("a header: {line:?}"));
            headers.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
        }
        let body = body.to_owned();
        let user = reported["user"].as_str().map(ToOwned::to_owned);
        let secure = reported["secure"].as_bool().unwrap();
        Self { to: text(&reported["to"][0]), from: text(&reported["from"]), secure, user, headers, body, raw }
    }

    /// The only header of this name.
    pub fn header(&self, name: &str) -> &str {
        let all = self.headers.get(name).unwrap_or_else(|| panic!("{name}: {:?}", self.headers));
        assert_eq!(all.len(), 1, "one {name}: {all:?}");
        &all[0]
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }
}

/// A running receiver.
pub struct Receiver {
    child: Child,
    pub port: u16,
    reported: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    /// Starts one; prints a note and returns `None` where there is no node.
    pub fn start(options: &Value) -> Option<Self> {
        let mut command = servers::node("smtp-receiver.cjs")?;
        command.arg(options.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node runs, since NODE_PATH is set");
        let out = BufReader::new(child.stdout.take().unwrap());
        let reported: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (tell, port) = mpsc::channel();
        let keep = Arc::clone(&reported);
        // Reads to the end, so that the receiver never blocks on its output.
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let line: Value = serde_json::from_str(&line).unwrap();
                match line["port"].as_u64() {
                    Some(port) => drop(tell.send(port)),
                    None => keep.lock().push(line),
                }
            }
        });
        let mut receiver = Self { child, port: 0, reported };
        receiver.port = u16::try_from(port.recv_timeout(DEADLINE).expect("the receiver listens in time")).unwrap();
        Some(receiver)
    }

    /// One that accepts everything.
    pub fn plain() -> Option<Self> {
        Self::start(&json!({}))
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Every mail that it accepted, in the order of arrival.
    pub fn mails(&self) -> Vec<Arrived> {
        self.reported.lock().iter().filter(|line| line.get("raw").is_some()).map(Arrived::read).collect()
    }

    pub fn mails_to(&self, address: &str) -> Vec<Arrived> {
        self.mails().into_iter().filter(|mail| mail.to == address).collect()
    }

    /// The tokens that it refused.
    pub fn refused(&self) -> Vec<String> {
        self.reported.lock().iter().filter_map(|line| line["refused"].as_str().map(ToOwned::to_owned)).collect()
    }

    /// Kills it; returns its port.
    pub fn kill(mut self) -> u16 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.port
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
