//! The modules of `src` form layers: a module imports only lower ones.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// From the lowest to the highest. A module may import the ones before it.
const ROOMS: [&str; 15] = [
    "domain",
    "trace",
    "crash",
    "config",
    "telemetry",
    "runtime",
    "store",
    "views",
    "bus",
    "integrations",
    "actors",
    "ws",
    "http",
    "app",
    "cli",
];

fn files(of: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(of).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The source without comments and without its tests, which may import anything.
fn code(path: &Path) -> String {
    let source = fs::read_to_string(path).unwrap();
    let end = source.find("#[cfg(test)]\nmod tests {").unwrap_or(source.len());
    let lines = source[..end].lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules of all `crate::` paths, including groups.
fn imported(code: &str) -> Vec<String> {
    let mut rooms: Vec<String> =
        Regex::new(r"crate::(\w+)").unwrap().captures_iter(code).map(|found| found[1].to_owned()).collect();
    for group in code.split("crate::{").skip(1) {
        let (mut depth, mut name, mut wanted) = (1, String::new(), true);
        for character in group.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth > 1 {
                continue;
            }
            match character {
                ',' => (name, wanted) = (String::new(), true),
                ':' if wanted => {
                    rooms.push(name.trim().to_owned());
                    wanted = false;
                }
                _ => name.push(character),
            }
        }
    }
    rooms
}

#[test]
fn a_module_imports_only_lower_layers() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let floor = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut wrong = vec![];
    for path in files(&src) {
        let inner = path.strip_prefix(&src).unwrap();
        let is_test = inner.iter().any(|part| part.to_string_lossy().contains("test"));
        let room = inner.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        if is_test || ["lib", "main", "peers"].contains(&room.as_str()) {
            continue;
        }
        let own = floor(&room).unwrap_or_else(|| panic!("{room} stands on no floor: give it one in ROOMS"));
        let above = |imported: &String| floor(imported).is_some_and(|floor| floor > own);
        wrong.extend(
            imported(&code(&path)).into_iter().filter(above).map(|above| format!("{} -> {above}", inner.display())),
        );
    }
    wrong.sort();
    wrong.dedup();
    assert_eq!(wrong, Vec::<String>::new(), "arrows that point up");
}

#[test]
fn imports_are_read() {
    let code = "use crate::{\n    a::{self, b::C},\n    d::E,\n};\nuse crate::f::G;\nfn h() { crate::i::j() }";
    let mut rooms = imported(code);
    rooms.sort();
    assert_eq!(rooms, ["a", "d", "f", "i"]);
}
