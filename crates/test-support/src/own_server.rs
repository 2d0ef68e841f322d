//! A Redis or a database of the test's own, to be killed.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{DEADLINE, Folder, servers};

/// A server that ends with this.
pub struct OwnServer {
    command: Command,
    scheme: &'static str,
    port: u16,
    child: Child,
    _folder: Folder,
}

impl OwnServer {
    /// A Redis, which keeps nothing over a restart; `None`, and a word about it, where the program is not there.
    pub fn redis() -> Option<Self> {
        Self::start("redis", "redis-server", |command, port, folder| {
            command.args(["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir"]);
            command.arg(folder);
        })
    }

    /// A server of MongoDB's protocol, which keeps over a restart what it answered; `None`, and a word about it, where
    /// there is none to start.
    pub fn mongo() -> Option<Self> {
        Self::start("mongodb", &servers::mongo_program()?, |command, port, folder| {
            command.args(["--standalone", "--port", port, "--cache-size", "256M", "--log-level", "WARNING"]);
            // Without this the stand-in answers `j: true` before its log is on disk, and loses what it answered.
            command.arg("--sync-on-commit").arg("--storage-path").arg(folder.join("data"));
        })
    }

    fn start(scheme: &'static str, program: &str, arguments: impl FnOnce(&mut Command, &str, &Path)) -> Option<Self> {
        let folder = Folder::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        arguments(&mut command, &port.to_string(), &folder.0);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            servers::missing(&format!("there is no {program}"));
            return None;
        };
        let server = Self { command, scheme, port, child, _folder: folder };
        server.until_it_listens();
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}/", self.scheme, self.port)
    }

    /// As by `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, once it was killed.
    pub fn start_again(&mut self) {
        self.child = self.command.spawn().unwrap();
        self.until_it_listens();
    }

    /// Has it stand still, or go on: it keeps its connections and answers nothing.
    pub fn freeze(&self, frozen: bool) {
        crate::process::freeze(&self.child, frozen);
    }

    fn until_it_listens(&self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < DEADLINE, "in time: {:?} listens", self.command);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
