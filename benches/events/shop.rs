//! The server as a child process, observed through its database.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, OpenFlags};

/// The deadline for its work and for its end.
const PATIENCE: Duration = Duration::from_secs(300);
/// The poll interval.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running server.
pub struct Shop {
    child: Child,
    began: Instant,
    data: PathBuf,
}

/// Opens the database of a data directory while the server uses it.
///
/// # Errors
/// When there is none.
pub fn database(data: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(data.join("microbazaar.db"), flags)?;
    database.busy_timeout(Duration::from_secs(5))?;
    Ok(database)
}

impl Shop {
    /// Starts the server; it reads these queues.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(server: &Path, data: &Path, broker: &str, consume: &str) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let child = Command::new(server)
            .args(["serve", "--port", &port.to_string()])
            .env("JWT_SECRET", "a-secret-for-benchmarks-only-0123456789")
            .env("RABBIT_URL", broker)
            .env("MICROBAZAAR_RABBIT__CONSUME", consume)
            .env("MICROBAZAAR_DATA_DIR", data)
            .env("MICROBAZAAR_LOG__LEVEL", "warn")
            .stdout(Stdio::null())
            .spawn()
            .context("the server cannot be started")?;
        Ok(Self { child, began: Instant::now(), data: data.to_owned() })
    }

    /// Waits for an empty outbox; returns the time since the start.
    ///
    /// # Errors
    ///
    /// At the deadline.
    pub async fn until_sent(&self) -> Result<Duration> {
        let database = database(&self.data)?;
        self.until(|| Ok(!database.query_row("SELECT EXISTS (SELECT 1 FROM outbox)", [], |row| row.get(0))?)).await
    }

    /// Waits for an empty outbox and this many events applied.
    ///
    /// # Errors
    ///
    /// At the deadline.
    pub async fn until_applied(&self, events: usize) -> Result<Duration> {
        self.until_sent().await?;
        let database = database(&self.data)?;
        let applied = || Ok(database.query_row("SELECT count(*) FROM dashboard_applied", [], |row| row.get(0))?);
        self.until(|| applied().map(|count: usize| count >= events)).await
    }

    async fn until(&self, holds: impl Fn() -> Result<bool>) -> Result<Duration> {
        while !holds()? {
            if self.began.elapsed() > PATIENCE {
                bail!("the server does not get done");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(self.began.elapsed())
    }

    /// Ends the process; returns the resources it used.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<String> {
        let used = self.used()?;
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
        Ok(used)
    }

    /// Its peak memory and its processor time.
    fn used(&self) -> Result<String> {
        let process = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{process}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: f64 = peak.trim().trim_end_matches(" kB").parse()?;
        let stat = fs::read_to_string(format!("{process}/stat"))?;
        // The fields after the program's name, which may contain spaces: fields 3 and on.
        let fields = stat.rsplit_once(')').context("no stat")?.1;
        let mut ticks = 0.0;
        for field in fields.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<f64>()?;
        }
        Ok(format!("peak {:.0} MiB, {:.1} s of processor", kib / 1024.0, ticks / 100.0))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // After an error; killing an ended process fails, which does not matter.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
