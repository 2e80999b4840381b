//! Throw-away certificates, for servers that speak TLS and clients that trust them.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test that has no certificates cannot go on"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aio_client::TlsConfig;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams,
    CertifiedIssuer, DnType, IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

/// An authority that lives as long as a test.
///
/// ```
/// use aio_client::{ClientSession, TcpConnector};
/// use aio_tests::http_server::{Response, TestServer};
/// use aio_tests::tls::Authority;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = Authority::new();
/// let server = TestServer::start_tls(authority.server(&["127.0.0.1"]), async |_| {
///     Response::ok("hello")
/// })
/// .await?;
/// let connector = TcpConnector::builder().tls(authority.client()).build()?;
/// let session = ClientSession::builder().connector(connector).build()?;
/// assert_eq!(session.get(server.url("/")).await?.text().await?, "hello");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

static MADE: AtomicUsize = AtomicUsize::new(0);

impl Authority {
    /// Makes one.
    #[must_use]
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(authority(), key).expect("a certificate");
        Self { issuer }
    }

    /// Makes one that this one has signed for.
    #[must_use]
    pub fn intermediate(&self) -> Self {
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::signed_by(authority(), key, &self.issuer);
        let issuer = issuer.expect("a certificate");
        Self { issuer }
    }

    /// Returns its certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Returns its certificate.
    #[must_use]
    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Makes settings of a client that trusts it and nobody else.
    #[must_use]
    pub fn client(&self) -> TlsConfig {
        let builder = TlsConfig::builder().root_certificate_pem(self.pem().as_bytes());
        builder.build().expect("a certificate")
    }

    /// Returns what to trust, for rustls itself.
    #[must_use]
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let certificate = self.issuer.der().clone();
        roots.add(certificate).expect("it was just made");
        roots
    }

    /// Makes settings of a server with a certificate for these names and addresses.
    #[must_use]
    pub fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        Arc::new(self.server_with(names, rustls::ALL_VERSIONS))
    }

    /// Makes the same for some versions of TLS.
    #[must_use]
    pub fn server_with(
        &self,
        names: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let (chain, key) = self.certificate(names);
        let mut server = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(versions)
            .expect("ring speaks them")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key belongs to the certificate");
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        server
    }

    /// Makes a certificate for these names and addresses, and its key, both as PEM.
    #[must_use]
    pub fn server_pem(&self, names: &[&str]) -> (String, String) {
        let (certificate, key) = self.sign(&params(names));
        (certificate.pem(), key.serialize_pem())
    }

    /// Makes a certificate for these names and addresses, and its key, for rustls itself.
    #[must_use]
    pub fn certificate(
        &self,
        names: &[&str],
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        self.certificate_with(names, |_| {})
    }

    /// Makes the same of a certificate that is changed before it is signed.
    #[must_use]
    pub fn certificate_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut params = params(names);
        change(&mut params);
        let (certificate, key) = self.sign(&params);
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("it was just made");
        (vec![certificate.der().clone()], key)
    }

    /// Makes a certificate that says this, and its key.
    #[must_use]
    pub fn sign(&self, params: &CertificateParams) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate, key)
    }
}

impl Authority {
    /// Takes back the certificates with these serial numbers, in a list that is good up to
    /// the beginning of a year, as PEM.
    #[must_use]
    pub fn revocation_list(&self, serials: &[u64], until: i32) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2001, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2001, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = list.signed_by(&self.issuer).expect("a list");
        signed.pem().expect("PEM")
    }
}

/// What is the same in the certificate of every authority.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    // Who has another's name passes for one whose signature is wrong.
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("throw-away authority {number}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).expect("names and addresses")
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
