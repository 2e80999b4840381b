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

#[cfg(test)]
mod tests {
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConnection, Connection, NamedGroup, ServerConfig, ServerConnection};

    use super::super::client::client_config;
    use super::super::settings::{Settings, Trust};
    use super::*;

    fn server() -> ServerConnection {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]);
        let made = made.expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("its key");
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("it speaks them")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("the key belongs to the certificate");
        ServerConnection::new(config.into()).expect("valid settings")
    }

    fn client() -> ClientConnection {
        let settings = Settings {
            trust: Trust::Anyone,
            ..Settings::default()
        };
        let config = client_config(&settings).expect("valid settings");
        let name = ServerName::try_from("a.test").expect("a name");
        ClientConnection::new(config, name).expect("valid settings")
    }

    /// Carries what one has to say to the other.
    fn carry(from: &mut Connection, to: &mut Connection) {
        let mut said = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut said).expect("room");
        }
        let mut said = said.as_slice();
        while !said.is_empty() {
            to.read_tls(&mut said).expect("room");
            to.process_new_packets().expect("they agree");
        }
    }

    /// Whichever are built in, nothing is asked of the process: that would panic where it
    /// is two.
    #[test]
    fn a_handshake_takes_the_key_exchange_that_is_preferred() {
        let (mut client, mut server) = (client().into(), server().into());
        for _ in 0..2 {
            carry(&mut client, &mut server);
            carry(&mut server, &mut client);
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        let group = client.negotiated_key_exchange_group().map(|it| it.name());
        let want = if cfg!(feature = "aws-lc") {
            NamedGroup::X25519MLKEM768
        } else {
            NamedGroup::X25519
        };
        assert_eq!(group, Some(want));
        assert!(CryptoProvider::get_default().is_none());
    }

    /// The extension with this number in a ClientHello that one record has.
    #[cfg(feature = "aws-lc")]
    fn extension(hello: &[u8], number: u16) -> &[u8] {
        let length = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        };
        // RFC 8446 4.1.2: a record's head, a message's head, the version, 32 random bytes.
        let mut rest = &hello[5 + 4 + 2 + 32..];
        // The session, the suites, the compressions.
        for prefix in [1, 2, 1] {
            rest = &rest[prefix + length(&rest[..prefix])..];
        }
        rest = &rest[2..];
        loop {
            let (head, behind) = rest.split_at(4);
            let (found, behind) = behind.split_at(length(&head[2..]));
            if head[..2] == number.to_be_bytes() {
                return found;
            }
            rest = behind;
        }
    }

    #[cfg(feature = "aws-lc")]
    #[test]
    fn post_quantum_keys_are_offered_first() {
        let mut hello = Vec::new();
        let mut client = client();
        while client.wants_write() {
            client.write_tls(&mut hello).expect("room");
        }
        // X25519MLKEM768, behind the length of the list.
        assert_eq!(extension(&hello, 10)[2..4], [0x11, 0xEC]);
        assert_eq!(extension(&hello, 51)[2..4], [0x11, 0xEC]);
    }
}
