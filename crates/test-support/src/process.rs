//! The real program as a process that can be killed.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::Instant,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Client, DEADLINE, Settings};

/// The program that was built with this test.
pub fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("CARGO_BIN_EXE_microbazaar") {
        return program.into();
    }
    // A test is in `target/<profile>/deps`.
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(std::path::Path::parent).unwrap().join("microbazaar")
}

/// Does one thing and waits for its end, with a deadline.
pub fn finish(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (id, (tell, told)) = (Pid::from_child(&child), mpsc::channel());
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let output = told.recv_timeout(DEADLINE).unwrap_or_else(|_| {
        let _gone = kill_process(id, Signal::KILL);
        panic!("{command:?} ends in time")
    });
    output.unwrap()
}

/// Does one thing by the real program: its exit code, what it printed and what it complained.
pub async fn done(command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || finish(command)).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Lets a process do nothing (SIGSTOP), or go on (SIGCONT).
pub fn freeze(child: &Child, frozen: bool) {
    let signal = if frozen { Signal::STOP } else { Signal::CONT };
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A `microbazaar serve`.
pub struct Process {
    child: Child,
    ready: Mutex<Receiver<String>>,
    /// Calls to where it listens.
    pub client: Client,
}

impl Process {
    /// Starts it and waits until it is ready.
    pub fn start(settings: &Settings) -> Self {
        Self::launch(settings, &[]).unwrap_or_else(|status| panic!("the program is ready and did not end: {status}"))
    }

    /// Starts it with more settings, or tells how it ended before it was ready.
    ///
    /// # Errors
    /// When it ended before it was ready.
    pub fn launch(settings: &Settings, more: &[(&str, &str)]) -> Result<Self, ExitStatus> {
        let mut command = settings.command(&["serve"]);
        command.envs(more.iter().copied());
        let mut process = Self::spawn(command);
        process.until_ready().map(|()| process)
    }

    /// Starts a `serve`, and does not wait for it. What it logs goes where `command` says, else to the test's own.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, ready) = mpsc::channel();
        // Reads on to the end, so that the program never waits for its reader.
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some((_, base)) = line.split_once("is ready at ") {
                    let _gone = tell.send(base.trim().to_owned());
                }
            }
        });
        Self { child, ready: Mutex::new(ready), client: Client::new("") }
    }

    /// Waits until it listens.
    ///
    /// # Errors
    /// When it ended before it was ready.
    pub fn until_ready(&mut self) -> Result<(), ExitStatus> {
        match self.ready.get_mut().recv_timeout(DEADLINE) {
            Ok(base) => self.client.redirect(&base),
            Err(RecvTimeoutError::Disconnected) => return Err(self.child.wait().unwrap()),
            Err(RecvTimeoutError::Timeout) => panic!("the program is ready in time"),
        }
        Ok(())
    }

    /// Where it listens: `http://127.0.0.1:port`.
    pub fn base(&self) -> String {
        self.client.base()
    }

    /// The most memory that it has had resident so far, in MiB.
    pub fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Lets it do nothing, or go on.
    pub fn freeze(&self, frozen: bool) {
        freeze(&self.child, frozen);
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; returns how it ended.
    pub fn terminate(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(started.elapsed() < DEADLINE, "the program ends in time");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    /// SIGKILL.
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
