//! Why a name has no address.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::op::ResponseCode;

/// A look-up that failed.
#[derive(Debug)]
struct LookupError {
    text: &'static str,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl Error for LookupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_ref()?;
        Some(&**source)
    }
}

/// Says in our words why a look-up failed; `failure` is what a connection failed for last.
pub(super) fn of_lookup(error: NetError, failure: Option<Arc<io::Error>>) -> io::Error {
    use io::ErrorKind::{NotConnected, NotFound, Other, PermissionDenied, TimedOut};
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => told(NotFound, "no such name (NXDOMAIN)"),
            _ => told(NotFound, "the name has no such address (NODATA)"),
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => told(
            PermissionDenied,
            "the name server refuses to answer (REFUSED)",
        ),
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => {
            told(Other, "the name server has failed (SERVFAIL)")
        }
        NetError::Timeout => told(TimedOut, "no name server answers in time"),
        NetError::NoConnections => match failure {
            Some(source) => not_reached(source),
            None => told(NotConnected, "there is no name server to ask"),
        },
        NetError::Io(source) => not_reached(source),
        other => caused(Other, "the look-up failed", Arc::new(other)),
    }
}

/// Says that a host is no name that could be asked for.
pub(super) fn of_name(error: ProtoError) -> io::Error {
    caused(
        io::ErrorKind::InvalidInput,
        "the host is no name for DNS",
        Arc::new(error),
    )
}

fn not_reached(source: Arc<io::Error>) -> io::Error {
    caused(source.kind(), "cannot talk to a name server", source)
}

fn told(kind: io::ErrorKind, text: &'static str) -> io::Error {
    io::Error::new(kind, LookupError { text, source: None })
}

fn caused(
    kind: io::ErrorKind,
    text: &'static str,
    source: Arc<dyn Error + Send + Sync>,
) -> io::Error {
    let source = Some(source);
    io::Error::new(kind, LookupError { text, source })
}
