//! The node program of docs/ai-buddy.md, run as printed against the real program.

use std::{
    fs,
    process::{Command, Stdio},
};

use super::readme::{in_time, serve};

const PAGE: &str = include_str!("../../docs/ai-buddy.md");
/// The address in the program.
const PRINTED: &str = "http://127.0.0.1:8080";

#[test]
fn the_node_program_of_the_document_works() {
    if std::env::var_os("NODE_PATH").is_none() {
        eprintln!("left out: NODE_PATH names no folder with socket.io-client");
        return;
    }
    let program = PAGE.split_once("```js\n").expect("a program").1.split_once("```").expect("its end").0;
    assert!(program.contains("require('socket.io-client')") && program.contains(PRINTED), "{program}");
    assert_eq!(program.lines().count(), 11 - 1, "the document promises ten lines");
    let (server, address) = serve();
    let file = server.folder().join("buddy.cjs");
    fs::write(&file, program.replace(PRINTED, &address)).unwrap();
    let node = Command::new("node").arg(&file).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let ended = in_time("the program", move || node.wait_with_output()).unwrap();
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{printed}");
    assert!(printed.to_lowercase().contains("lamp"), "{printed}");
}
