//! The host of a request, as cookies are looked up by it.

use std::borrow::Cow;

use url::Url;

use crate::domain::Domain;

/// RFC 1035 3.1: 253 octets, and the dot at its end. A longer host is in no domain: looking
/// each of them up would take the square of its length.
const MAX_NAME: usize = 254;

/// The host of a URL, spelt as [`Domain`]s are; for usual hosts without a copy.
#[derive(Debug)]
pub(crate) struct Host<'a> {
    text: Cow<'a, str>,
    is_ip: bool,
}

impl<'a> Host<'a> {
    pub(crate) fn of(url: &'a Url) -> Option<Self> {
        let has_name = |name: &str| {
            let labels = name.trim_end_matches('.');
            labels.ends_with(|c: char| c.is_ascii_lowercase())
        };
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        match url.host()? {
            // Without capitals and with a letter at its end, it is spelt as it should be.
            url::Host::Domain(name) if has_name(name) && name.bytes().all(is_plain) => Some(Self {
                text: Cow::Borrowed(name),
                is_ip: false,
            }),
            // Numbers with dots have one spelling.
            url::Host::Ipv4(_) => Some(Self {
                text: Cow::Borrowed(url.host_str()?),
                is_ip: true,
            }),
            _ => {
                let domain = Domain::from_host(url.host_str()?)?;
                Some(Self {
                    text: Cow::Owned(domain.as_str().to_owned()),
                    is_ip: domain.is_ip(),
                })
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_ip(&self) -> bool {
        self.is_ip
    }

    /// The host and the domains that it is in, from the longest to the shortest.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &str> {
        let is_alone = self.is_ip || self.text.len() > MAX_NAME;
        let end = if is_alone { 1 } else { usize::MAX };
        std::iter::successors(Some(&*self.text), |name| Some(name.split_once('.')?.1))
            .filter(|name| !name.is_empty())
            .take(end)
    }
}
