//! Verification of a mail server's certificate.
//!
//! **Invariant:** a certificate is always checked, against the host's name and the authorities
//! of the system and of `smtp.ca_file`.

use lettre::transport::smtp::client::{Certificate, TlsParameters};

use super::SetupError;
use crate::config::{MailServer, MailTls};

/// The parameters for this server; `None` where nothing is ever encrypted.
pub(super) fn parameters(server: &MailServer) -> Result<Option<TlsParameters>, SetupError> {
    if server.tls == MailTls::None {
        return Ok(None);
    }
    let mut builder = TlsParameters::builder(server.host.clone());
    if let Some(file) = &server.ca_file {
        let wrong = |problem: String| SetupError::CaFile(file.clone(), problem);
        let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        if !pem.windows(17).any(|part| part == b"BEGIN CERTIFICATE") {
            return Err(wrong("it holds no certificate".to_owned()));
        }
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?);
    }
    builder.build().map(Some).map_err(|error| SetupError::Tls(error.to_string()))
}
