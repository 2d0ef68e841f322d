//! The real program, serving one service or all, as a process that can be killed and started again.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

const WITHIN: Duration = Duration::from_secs(60);

/// The settings of every node.
pub struct NodeSettings {
    pub mongo: String,
    pub rabbit: String,
    pub redis: Option<String>,
    pub prefix: String,
    pub secret: &'static str,
    /// The payment window.
    pub window: &'static str,
    /// The port of each peer.
    pub peers: Vec<(&'static str, u16)>,
}

/// A process of the shop.
pub struct Node {
    child: Child,
    ready: Receiver<()>,
}

/// The program with the settings to serve `service`, or everything.
pub fn command(settings: &NodeSettings, service: Option<&str>, port: u16, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microbazaar"));
    command.env_clear().current_dir(folder).args(["serve", "--port", &port.to_string()]);
    if let Some(service) = service {
        command.args(["--services", service]);
    }
    command.arg("--data-dir").arg(folder);
    for (service, port) in &settings.peers {
        command.env(format!("MICROBAZAAR_PEERS__{}", service.to_uppercase()), format!("http://127.0.0.1:{port}"));
    }
    command.env("MONGO_URI", &settings.mongo).env("RABBIT_URL", &settings.rabbit).env("JWT_SECRET", settings.secret);
    command.env("MICROBAZAAR_MONGO__DATABASE_PREFIX", &settings.prefix);
    if let Some(redis) = &settings.redis {
        command.env("REDIS_URL", redis).env("MICROBAZAAR_REDIS__PREFIX", &settings.prefix);
    }
    for (key, value) in [
        ("RATE_LIMIT__ENABLED", "false"),
        ("ORDER__PAYMENT_WINDOW", settings.window),
        ("RAZORPAY__RECONCILE_EVERY", "1s"),
        ("HTTP__WORKERS", "1"),
        ("PASSWORDS__CONCURRENCY", "1"),
        ("LOG__LEVEL", "error"),
    ] {
        command.env(format!("MICROBAZAAR_{key}"), value);
    }
    command.stdin(Stdio::null());
    command
}

impl Node {
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, ready) = mpsc::channel();
        // Reads to the end, so that the program never blocks on its output.
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if line.contains("is ready at ") {
                    let _gone = tell.send(());
                }
            }
        });
        Self { child, ready }
    }

    /// Waits until it listens.
    pub fn listens(&self) {
        self.ready.recv_timeout(WITHIN).expect("the program is ready in time");
    }
}

impl Node {
    /// Freezes it (SIGSTOP) or resumes it (SIGCONT).
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Node {
    /// SIGKILL.
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
