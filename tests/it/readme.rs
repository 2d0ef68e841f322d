//! The commands of the README, run as printed against the real program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use test_support::{Folder, Process, finish, program};

const README: &str = include_str!("../../README.md");
/// The address in the README's commands, and the heading of their section.
const PRINTED: &str = "http://127.0.0.1:8080";
const HEADING: &str = "## From registration to a confirmed order";

/// The `sh` blocks of the section, in order.
fn walk() -> String {
    let section = README.split_once(HEADING).expect("the walk's heading").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split_once("```").expect("the end of a block").0).collect()
}

/// A server in a folder, on a free port.
pub fn serve(folder: &Folder) -> Process {
    let mut command = Command::new(program());
    command.args(["serve", "--port", "0", "--data-dir"]).arg(folder.0.join("data"));
    // Without settings of the machine and of the working directory.
    command.env_clear().current_dir(&folder.0);
    let mut server = Process::spawn(command);
    server.until_ready().unwrap();
    server
}

/// The output of `script`.
fn run(script: &str, folder: &Path) -> String {
    let file = folder.join("walk.sh");
    fs::write(&file, script).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail"]).arg(&file).stdin(Stdio::null());
    let ended = finish(bash);
    let printed = String::from_utf8(ended.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "the walk ended with {}:\n{printed}\n{complaint}", ended.status);
    printed
}

#[test]
fn the_commands_of_the_readme_end_in_a_confirmed_order() {
    let folder = Folder::new();
    let server = serve(&folder);
    let script = walk();
    assert!(script.contains(PRINTED), "the walk names {PRINTED}");
    let printed = run(&script.replace(PRINTED, &server.base()), &folder.0);
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
