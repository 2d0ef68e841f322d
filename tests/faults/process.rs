//! The real program as a process that can be killed.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

const WITHIN: Duration = Duration::from_secs(30);

/// A `microbazaar serve` on a port of its own.
pub struct Process {
    child: Child,
    /// Its address: `http://127.0.0.1:port`.
    pub base: String,
}

/// The program with the settings of these tests, to run `arguments` over `data`.
pub fn microbazaar(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microbazaar"));
    command.env_clear().current_dir(data).args(arguments).arg("--data-dir").arg(data);
    command.env("MICROBAZAAR_RATE_LIMIT__ENABLED", "false");
    command.env("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "4s");
    command.env("MICROBAZAAR_RAZORPAY__RECONCILE_EVERY", "1s");
    command.env("MICROBAZAAR_LOG__LEVEL", "error");
    command.stdin(Stdio::null());
    command
}

/// Runs a command and waits for its end, with a deadline.
pub fn finish(data: &Path, arguments: &[&str]) -> Output {
    finish_with(data, arguments, &[])
}

/// Runs a command with more settings and waits for its end, with a deadline.
pub fn finish_with(data: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = microbazaar(data, arguments);
    command.envs(settings.iter().copied());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ends = Instant::now() + WITHIN;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() >= ends {
            let _ended = child.kill();
            panic!("{arguments:?} ends in time: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

impl Process {
    /// Starts it and waits until it is ready.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// Starts it with more settings.
    pub fn start_with(data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::launch(data, settings).unwrap_or_else(|status| panic!("the program is ready and did not end: {status}"))
    }

    /// Starts it, or returns how it ended before it was ready.
    pub fn launch(data: &Path, settings: &[(&str, &str)]) -> Result<Self, ExitStatus> {
        let mut command = microbazaar(data, &["serve", "--port", "0"]);
        command.envs(settings.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, reported) = mpsc::channel();
        // Reads to the end, so that the program never blocks on its output.
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some((_, base)) = line.split_once("is ready at ") {
                    let _gone = tell.send(base.trim().to_owned());
                }
            }
        });
        match reported.recv_timeout(WITHIN) {
            Ok(base) => Ok(Self { child, base }),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(child.wait().unwrap()),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ended = child.kill();
                panic!("the program is ready in time");
            }
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; returns how it ended.
    pub fn terminate(mut self) -> ExitStatus {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let ends = Instant::now() + WITHIN;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < ends, "the program ends in time");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The folder of the program's data within a test's own folder.
pub fn data_of(dir: &Path) -> PathBuf {
    let data = dir.join("data");
    std::fs::create_dir_all(&data).unwrap();
    data
}
