//! The commands of the README, run as printed against the real program.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

const README: &str = include_str!("../../README.md");
/// The address in the README's commands, and the heading of their section.
const PRINTED: &str = "http://127.0.0.1:8080";
const HEADING: &str = "## From registration to a confirmed order";
const DEADLINE: Duration = Duration::from_secs(120);

/// Ends a process and removes its folder, at any end of the test.
pub struct Running {
    child: Child,
    folder: Option<PathBuf>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        if let Some(folder) = &self.folder {
            let _removed = fs::remove_dir_all(folder);
        }
    }
}

impl Running {
    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.as_deref().expect("a server has a folder")
    }
}

/// The result of `read`, which runs on its own thread, with a deadline.
pub fn in_time<T: Send + 'static>(what: &str, read: impl FnOnce() -> T + Send + 'static) -> T {
    let (reported, answer) = mpsc::channel();
    thread::spawn(move || reported.send(read()));
    answer.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{what} took too long"))
}

/// The `sh` blocks of the section, in order.
fn walk() -> String {
    let section = README.split_once(HEADING).expect("the walk's heading").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split_once("```").expect("the end of a block").0).collect()
}

/// A server on a free port, and its address.
pub fn serve() -> (Running, String) {
    let folder =
        std::env::temp_dir().join(format!("microbazaar-readme-{}", microbazaar::domain::ids::UserId::generate()));
    fs::create_dir_all(&folder).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_microbazaar"))
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(folder.join("data"))
        // Without settings of the machine and of the working directory.
        .env_clear()
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let running = Running { child, folder: Some(folder) };
    let first = in_time("starting", move || lines.next());
    let first = first.expect("a first line").unwrap();
    let address = first.split_whitespace().last().expect("an address").to_owned();
    assert!(address.starts_with("http://127.0.0.1:"), "{first}");
    (running, address)
}

/// The output of `script`.
fn run(script: &str, folder: &Path) -> String {
    let file = folder.join("walk.sh");
    fs::write(&file, script).unwrap();
    let mut child = Command::new("bash")
        .args(["-euo", "pipefail"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash, which the walk needs beside curl");
    let mut out = child.stdout.take().unwrap();
    let mut running = Running { child, folder: None };
    let printed = in_time("the walk", move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let (printed, status) = (printed.unwrap(), running.child.wait().unwrap());
    assert!(status.success(), "the walk ended with {status}:\n{printed}");
    printed
}

#[test]
fn the_commands_of_the_readme_end_in_a_confirmed_order() {
    let (server, address) = serve();
    let script = walk();
    assert!(script.contains(PRINTED), "the walk names {PRINTED}");
    let printed = run(&script.replace(PRINTED, &address), server.folder.as_deref().unwrap());
    let last: Vec<&str> = printed.lines().rev().take(3).collect();
    assert_eq!(last[0], "\"CONFIRMED\":1", "{printed}");
    assert!(last[1].starts_with("Payment received"), "{printed}");
    assert_eq!(last[2], "CONFIRMED", "{printed}");
    assert!(printed.contains("\"onHand\":5,\"reserved\":2,\"available\":3"), "{printed}");
}

#[test]
fn every_link_of_the_documentation_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|page| root.join(page)).into();
    for folder in [root.join("docs"), root.join("docs/adr")] {
        let found = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(found.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let outside = file.is_empty() || file.contains("://");
            assert!(outside || page.parent().unwrap().join(file).exists(), "{}: {link}", page.display());
        }
    }
}
