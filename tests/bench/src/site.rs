//! Where the server listens, as one process tells another.

use std::{
    fmt,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    str::FromStr,
};

use crate::{Fallible, rows::Link};

#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Of HTTP, of HTTPS, and of HTTPS without resumption.
    pub(crate) ports: [u16; 3],
    /// What the server's certificate is checked with, in PEM.
    pub(crate) certificate: String,
}

impl Site {
    pub(crate) fn address(&self, link: Link) -> SocketAddr {
        let [plain, resuming, forgetful] = self.ports;
        let port = match link {
            Link::Kept | Link::Fresh => plain,
            Link::TlsKept | Link::TlsResumed => resuming,
            Link::TlsFull => forgetful,
        };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    pub(crate) fn url(&self, link: Link, path: &str) -> String {
        let scheme = if link.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address(link))
    }

    /// Returns how many TLS handshakes the server has seen, and how many of them resumed.
    pub(crate) fn handshakes(&self) -> Fallible<Handshakes> {
        let mut stream = TcpStream::connect(self.address(Link::Fresh))?;
        stream.write_all(b"GET /handshakes HTTP/1.1\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (all, resumed) = answer.split_once(' ').ok_or("not two numbers")?;
        Ok(Handshakes {
            all: all.parse()?,
            resumed: resumed.parse()?,
        })
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshakes {
    pub(crate) all: u64,
    pub(crate) resumed: u64,
}

impl Handshakes {
    /// Returns the share of resumed handshakes since.
    pub(crate) fn resumed_until(self, now: Self) -> f64 {
        (now.resumed - self.resumed) as f64 / (now.all - self.all) as f64
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [plain, resuming, forgetful] = self.ports;
        write!(f, "{plain} {resuming} {forgetful}\n{}", self.certificate)
    }
}

impl FromStr for Site {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(text: &str) -> Fallible<Self> {
        let (ports, certificate) = text.split_once('\n').ok_or("a site of one line")?;
        let ports: Vec<u16> = ports.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self {
            ports: ports.try_into().map_err(|_| "a site has three ports")?,
            certificate: certificate.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_read_as_it_is_written() {
        let site = Site {
            ports: [1, 2, 3],
            certificate: "a\nb\n".to_owned(),
        };
        let again: Site = site.to_string().parse().expect("written above");
        assert_eq!(
            (again.ports, again.certificate),
            (site.ports, site.certificate)
        );
    }
}
