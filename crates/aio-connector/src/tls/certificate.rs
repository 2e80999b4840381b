//! What is read off a certificate that rustls refuses, or cannot read.
//!
//! The bytes come from the network: what cannot be read is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use der::asn1::Uint;
use der::oid::db::{rfc5280, rfc5912};
use der::{Decode, Encode};
use rustls::pki_types::{SubjectPublicKeyInfoDer, UnixTime};
use x509_cert::certificate::{CertificateInner, Raw, TbsCertificateInner, Version};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::name::Name;

/// A certificate of any version, and with any number: OpenSSL takes them so.
pub(super) struct Certificate(CertificateInner<Raw>);

impl Certificate {
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        CertificateInner::from_der(der).ok().map(Self)
    }

    fn fields(&self) -> &TbsCertificateInner<Raw> {
        self.0.tbs_certificate()
    }

    pub(super) fn issuer(&self) -> &Name {
        self.fields().issuer()
    }

    pub(super) fn subject(&self) -> &Name {
        self.fields().subject()
    }

    pub(super) fn is_self_signed(&self) -> bool {
        self.issuer() == self.subject()
    }

    pub(super) fn not_before(&self) -> UnixTime {
        UnixTime::since_unix_epoch(self.fields().validity().not_before.to_unix_duration())
    }

    pub(super) fn not_after(&self) -> UnixTime {
        UnixTime::since_unix_epoch(self.fields().validity().not_after.to_unix_duration())
    }

    /// Returns the `SubjectPublicKeyInfo`.
    pub(super) fn key(&self) -> Option<SubjectPublicKeyInfoDer<'static>> {
        let key = self.fields().subject_public_key_info().to_der().ok()?;
        Some(key.into())
    }

    /// Gives the names and addresses that it is for.
    pub(super) fn names(&self) -> Vec<Box<str>> {
        let Ok(Some((_, SubjectAltName(names)))) = self.fields().get_extension() else {
            return Vec::new();
        };
        let told = names.iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(shown(name.as_str())),
            GeneralName::IpAddress(bytes) => Some(address(bytes.as_bytes())?.to_string().into()),
            _ => None,
        });
        told.collect()
    }

    /// Tells whether a server may show it, as OpenSSL does; webpki looks at the purposes
    /// alone, and not at what the key is used for.
    pub(super) fn is_for_servers(&self) -> bool {
        let purposes = self.fields().get_extension();
        let has_purpose = purposes.is_ok_and(|found| {
            found.is_none_or(|(_, ExtendedKeyUsage(all))| all.contains(&rfc5280::ID_KP_SERVER_AUTH))
        });
        let uses = self.fields().get_extension::<KeyUsage>();
        has_purpose
            && uses.is_ok_and(|found| {
                found.is_none_or(|(_, uses)| {
                    uses.digital_signature() || uses.key_encipherment() || uses.key_agreement()
                })
            })
    }

    /// Tells whether it may sign for others, as OpenSSL does, which asks roots, too; of those
    /// before version 3 none can say that it may not.
    pub(super) fn is_authority(&self) -> bool {
        let limits = self.fields().get_extension::<BasicConstraints>();
        let uses = self.fields().get_extension::<KeyUsage>();
        let (Ok(limits), Ok(uses)) = (limits, uses) else {
            return false;
        };
        let signs = uses.map(|(_, uses)| uses.key_cert_sign());
        match limits {
            Some((_, limits)) => limits.ca && signs != Some(false),
            None => signs.unwrap_or(self.fields().version() != Version::V3),
        }
    }

    /// Returns how many bits its key has, if that is one of RSA.
    pub(super) fn rsa_bits(&self) -> Option<usize> {
        let key = self.fields().subject_public_key_info();
        if key.algorithm.oid != rfc5912::RSA_ENCRYPTION {
            return None;
        }
        // RFC 8017 A.1.1: the modulus and the exponent.
        let numbers = Vec::<Uint>::from_der(key.subject_public_key.raw_bytes()).ok()?;
        let modulus = numbers.first()?.as_bytes();
        Some(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
    }
}

/// Tells whose name this is: the common one, or else that of the organization.
pub(super) fn name(name: &Name) -> Option<Box<str>> {
    let readings = [
        Name::common_name,
        Name::organization,
        Name::organization_unit,
    ];
    let mut readings = readings.iter().filter_map(|read| read(name).ok()?);
    let found = readings.find(|found| !found.value().is_empty())?;
    Some(shown(&found.value()))
}

/// Escapes what is no printable character, so that a terminal takes it for text, and cuts
/// what is long.
pub(super) fn shown(text: &str) -> Box<str> {
    const LONGEST: usize = 100;
    let mut shown = String::new();
    for (place, c) in text.chars().enumerate() {
        match c {
            _ if place == LONGEST => {
                shown.push('…');
                break;
            }
            '\'' | '"' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown.into()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).into());
    let either = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|it| Ipv6Addr::from(it).into()));
    either.ok()
}

#[cfg(test)]
pub(super) mod tests;
