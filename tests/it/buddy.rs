//! The node program of docs/ai-buddy.md, run as printed against the real program.

use std::fs;

use test_support::{Folder, finish, servers};

use super::readme::serve;

const PAGE: &str = include_str!("../../docs/ai-buddy.md");
/// The address in the program.
const PRINTED: &str = "http://127.0.0.1:8080";

#[test]
fn the_node_program_of_the_document_works() {
    let program = PAGE.split_once("```js\n").expect("a program").1.split_once("```").expect("its end").0;
    assert!(program.contains("require('socket.io-client')") && program.contains(PRINTED), "{program}");
    assert_eq!(program.lines().count(), 11 - 1, "the document promises ten lines");
    let folder = Folder::new();
    let file = folder.0.join("buddy.cjs");
    let Some(node) = servers::node(&file) else { return };
    let server = serve(&folder);
    fs::write(&file, program.replace(PRINTED, &server.base())).unwrap();
    let ended = finish(node);
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{printed} {}", String::from_utf8_lossy(&ended.stderr));
    assert!(printed.to_lowercase().contains("lamp"), "{printed}");
}
