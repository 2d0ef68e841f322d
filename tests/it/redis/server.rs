//! A Redis of the test's own, which can be killed.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use microbazaar::domain::ids::UserId;

use crate::redis::DEADLINE;

/// It ends with this value, and keeps nothing over a restart.
pub struct Server {
    port: u16,
    child: Child,
    folder: PathBuf,
}

fn run(port: u16, folder: &PathBuf) -> Option<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
    command.arg("--dir").arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

impl Server {
    /// Starts one; prints a note and returns `None` where the program is not installed.
    pub fn start() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("microbazaar-redis-{}", UserId::generate()));
        std::fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let Some(child) = run(port, &folder) else {
            eprintln!("left out: there is no redis-server");
            let _gone = std::fs::remove_dir_all(&folder);
            return None;
        };
        let server = Self { port, child, folder };
        server.until_it_answers();
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, empty.
    pub fn start_again(&mut self) {
        self.child = run(self.port, &self.folder).unwrap();
        self.until_it_answers();
    }

    /// Freezes or resumes it: it keeps its connections and answers nothing.
    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    fn until_it_answers(&self) {
        let started = Instant::now();
        while redis::Client::open(self.url()).unwrap().get_connection().is_err() {
            assert!(started.elapsed() < DEADLINE, "in time: Redis answers");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}
