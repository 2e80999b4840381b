//! What stands in the place of TLS with name servers where it is not built in.

use std::io;

use hickory_resolver::TlsConfig;
use hickory_resolver::config::NameServerConfig;

/// No name server is asked by TLS.
#[derive(Default)]
pub(super) struct Encryption(());

impl Encryption {
    pub(super) async fn with(&self, _: &[NameServerConfig]) -> io::Result<TlsConfig> {
        TlsConfig::new().map_err(io::Error::other)
    }
}
