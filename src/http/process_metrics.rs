//! What `/metrics` reports of the process itself, under the names that Prometheus's own clients use. The collector of
//! `prometheus` is not used, since it reads `/proc` by a second version of `rustix`.

use std::{
    fs,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus::{
    Counter, Gauge, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rustix::process::{Resource, getrlimit};

static STARTED: LazyLock<f64> =
    LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());

/// Reads its values when it is collected.
pub(super) struct ProcessMetrics {
    cpu: Counter,
    resident: Gauge,
    virtual_memory: Gauge,
    threads: Gauge,
    open_files: Gauge,
    files_max: Gauge,
    started: Gauge,
}

impl ProcessMetrics {
    /// To be made at the start of the process.
    pub(super) fn new() -> prometheus::Result<Self> {
        let gauge = |name, help| Gauge::with_opts(Opts::new(name, help));
        let metrics = Self {
            cpu: Counter::with_opts(Opts::new(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            ))?,
            resident: gauge("process_resident_memory_bytes", "Resident memory size in bytes.")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            threads: gauge("process_threads", "Number of OS threads in the process.")?,
            open_files: gauge("process_open_fds", "Number of open file descriptors.")?,
            files_max: gauge("process_max_fds", "Maximum number of open file descriptors.")?,
            started: gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")?,
        };
        metrics.started.set(*STARTED);
        Ok(metrics)
    }

    fn parts(&self) -> [&dyn Collector; 7] {
        let Self { cpu, resident, virtual_memory, threads, open_files, files_max, started } = self;
        [cpu, resident, virtual_memory, threads, open_files, files_max, started]
    }

    fn read(&self) {
        self.cpu.inc_by((cpu_seconds().unwrap_or_default() - self.cpu.get()).max(0.0));
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| -> Option<f64> {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            value.split_whitespace().next()?.parse().ok()
        };
        for (gauge, name, unit) in [
            (&self.resident, "VmRSS", 1024.0),
            (&self.virtual_memory, "VmSize", 1024.0),
            (&self.threads, "Threads", 1.0),
        ] {
            if let Some(value) = field(name) {
                gauge.set(value * unit);
            }
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // One of them is the folder that is being read.
            self.open_files.set(f64::from(u32::try_from(files.count().saturating_sub(1)).unwrap_or(u32::MAX)));
        }
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a limit")]
        self.files_max.set(getrlimit(Resource::Nofile).current.map_or(f64::INFINITY, |max| max as f64));
    }
}

/// The time in user mode and in the kernel: the fields 14 and 15 of `/proc/self/stat`, in hundredths of a second.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, a name in parentheses, may have spaces.
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks = rest.split(' ').skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>().ok()?;
    Some(ticks / 100.0)
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        self.parts().into_iter().flat_map(Collector::collect).collect()
    }
}
