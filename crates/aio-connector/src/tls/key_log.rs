//! The secrets of connections, written down for whoever is to decrypt what was captured.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use rustls::KeyLog;

use crate::error::TlsConfigError;

/// A file in the key log format of NSS, which grows by a line for each secret.
#[derive(Debug)]
pub(super) struct KeyLogFile(File);

impl KeyLogFile {
    pub(super) fn open(path: &Path) -> Result<Self, TlsConfigError> {
        let file = open(path).map_err(|error| TlsConfigError::File {
            file: path.to_owned(),
            reason: error.to_string().into(),
        })?;
        Ok(Self(file))
    }
}

/// Opens it for whoever runs this and nobody else.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = String::from(label);
        for bytes in [client_random, secret] {
            line.push(' ');
            for byte in bytes {
                _ = write!(line, "{byte:02x}");
            }
        }
        line.push('\n');
        // One write per line: others may append to the file, too. That it is full need not
        // end a connection.
        _ = (&self.0).write(line.as_bytes());
    }
}
