//! An authority and a certificate for 127.0.0.1, made by openssl for one test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Three PEM files.
pub struct Certificate {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Made in `folder`.
    pub fn make(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        let [authority, certificate, key] = ["ca.pem", "cert.pem", "key.pem"].map(file);
        let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        openssl(
            folder,
            &[&["req", "-x509", "-days", "2", "-subj", "/CN=Test", "-keyout", "ca.key", "-out", "ca.pem"], &ec[..]]
                .concat(),
        );
        openssl(
            folder,
            &[&["req", "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "leaf.csr"], &ec[..]].concat(),
        );
        fs::write(file("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
        let sign = ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        openssl(folder, &[&sign[..], &["-days", "2", "-extfile", "names", "-out", "cert.pem"]].concat());
        Self { authority, certificate, key }
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("openssl");
    let ran = command.current_dir(folder).args(arguments).stdin(Stdio::null()).output().expect("openssl runs");
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}
