//! A database of the test's own, which can be killed.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use microbazaar::domain::ids::UserId;

use crate::replicas::DEADLINE;

/// A server with MongoDB's protocol, which `scripts/test` names in `MONGO_PROGRAM`. It ends with this value, and
/// keeps over a restart what it answered.
pub struct Database {
    program: String,
    port: u16,
    child: Child,
    folder: PathBuf,
}

fn run(program: &str, port: u16, folder: &Path) -> Option<Child> {
    let mut command = Command::new(program);
    command.args(["--standalone", "--port", &port.to_string(), "--cache-size", "256M", "--log-level", "WARNING"]);
    // Without this the substitute answers `j: true` before its log is on disk, and loses answered writes.
    command.arg("--sync-on-commit");
    command.arg("--storage-path").arg(folder.join("data")).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

impl Database {
    /// Starts one; prints a note and returns `None` where `MONGO_PROGRAM` is not set.
    pub fn start() -> Option<Self> {
        let Ok(program) = std::env::var("MONGO_PROGRAM") else {
            eprintln!("left out: MONGO_PROGRAM names no server to start");
            return None;
        };
        let folder = std::env::temp_dir().join(format!("microbazaar-mongo-{}", UserId::generate()));
        std::fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let Some(child) = run(&program, port, &folder) else {
            eprintln!("left out: there is no {program}");
            let _gone = std::fs::remove_dir_all(&folder);
            return None;
        };
        let database = Self { program, port, child, folder };
        database.until_it_listens();
        Some(database)
    }

    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/", self.port)
    }

    /// Like `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.child = run(&self.program, self.port, &self.folder).unwrap();
        self.until_it_listens();
    }

    fn until_it_listens(&self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < DEADLINE, "in time: the database listens");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}
