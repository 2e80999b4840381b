//! Who does the cryptography.
//!
//! It is given to rustls each time and is never that of the process: others may have set
//! another, or none.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
#[cfg(feature = "aws-lc")]
use rustls::crypto::aws_lc_rs as chosen;
// Where both are built in somebody asked for the other one.
#[cfg(not(feature = "aws-lc"))]
use rustls::crypto::ring as chosen;

pub(super) use self::chosen::cipher_suite::TLS13_AES_128_GCM_SHA256;

pub(super) fn provider() -> Arc<CryptoProvider> {
    chosen::default_provider().into()
}
