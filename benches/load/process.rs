//! A server as a child process.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{Run, client::Connection, fixture};

/// The deadline for its start and end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Process {
    child: Child,
    /// The address that it listens on.
    pub address: SocketAddr,
    /// From its start to the first 200.
    pub ready_after: Duration,
}

impl Process {
    /// Starts the real server on this data directory.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn server(run: &Run, data: &Path) -> Result<Self> {
        Self::of(microbazaar(run, data)).await
    }

    /// Starts the real server with a prepared command.
    ///
    /// # Errors
    /// As [`Process::server`].
    pub async fn of(mut command: Command) -> Result<Self> {
        let port = free_port()?;
        command.args(["serve", "--port", &port.to_string()]);
        Self::start(&mut command, port, "/readyz").await
    }

    /// Starts the bare handler.
    ///
    /// # Errors
    /// As [`Process::server`].
    pub async fn bare(body: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bare", "--port", &port.to_string(), "--body-file"]).arg(body);
        Self::start(&mut command, port, "/").await
    }

    async fn start(command: &mut Command, port: u16, path: &str) -> Result<Self> {
        let began = Instant::now();
        let child = command.stdout(Stdio::null()).spawn().context("the server cannot be started")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut process = Self { child, address, ready_after: Duration::ZERO };
        loop {
            if let Ok(mut connection) = Connection::open(address).await
                && let Ok((200, _)) = connection.ask(&fixture::get(path, None)).await
            {
                process.ready_after = began.elapsed();
                return Ok(process);
            }
            if let Some(status) = process.child.try_wait()? {
                bail!("the server ended at once: {status}");
            }
            if began.elapsed() > PATIENCE {
                bail!("the server does not get ready");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The resident memory, in MiB.
    ///
    /// # Errors
    /// When it is gone.
    pub fn resident_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// The CPU time that it has used, of all threads.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let mut ticks = 0.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The fields after the program's name, which may contain spaces: fields 3 and on.
        let fields = stat.rsplit_once(')').context("no stat")?.1;
        for field in fields.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<f64>()?;
        }
        Ok(ticks / 100.0)
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<()> {
        if let Ok(id) = i32::try_from(self.child.id())
            && let Some(pid) = rustix::process::Pid::from_raw(id)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                bail!("the server does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After an error; killing an ended process fails, which does not matter.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The program with the settings that all measurements share.
pub fn microbazaar(run: &Run, data: &Path) -> Command {
    let mut command = Command::new(&run.server);
    command
        .env("JWT_SECRET", fixture::SECRET)
        .env("MICROBAZAAR_DATA_DIR", data)
        .env("MICROBAZAAR_RATE_LIMIT__ENABLED", "false")
        .env("MICROBAZAAR_LOG__LEVEL", "warn")
        // Unpaid orders do not expire during a measurement.
        .env("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "1h");
    command
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
