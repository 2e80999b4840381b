//! A name server that the test itself plays, over UDP.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::{JoinHandle, JoinSet};

/// The type of a record with an IPv4 address.
pub const A: u16 = 1;
/// The type of a record with an IPv6 address.
pub const AAAA: u16 = 28;

/// A name server on a free port of 127.0.0.1 that runs until it is dropped.
///
/// ```
/// use std::net::Ipv4Addr;
/// use aio_tests::dns_script::{Answer, DnsScript};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let server = DnsScript::start(async |question| match question.name.as_str() {
///     "a.test" => Some(Answer::of([Ipv4Addr::LOCALHOST.into()], 5)),
///     _ => None, // it stays silent
/// })
/// .await?;
/// println!("{}", server.address());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct DnsScript {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Question>>>,
    server: JoinHandle<()>,
}

/// What it is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The name, without the dot at its end.
    pub name: String,
    /// The type of the records: [`A`], [`AAAA`].
    pub kind: u16,
}

/// What it answers.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    code: u8,
    ttl: u32,
    addresses: Vec<IpAddr>,
}

impl Answer {
    /// These addresses, but those of the type that is not asked for, with a TTL in seconds.
    #[must_use]
    pub fn of(addresses: impl IntoIterator<Item = IpAddr>, ttl: u32) -> Self {
        let addresses = addresses.into_iter().collect();
        Self {
            code: 0,
            ttl,
            addresses,
        }
    }

    /// A response code (RFC 1035 4.1.1): 2 is SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
    #[must_use]
    pub fn failed(code: u8) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }

    fn bytes(&self, query: &[u8], end: usize, kind: u16) -> Vec<u8> {
        let records = self.addresses.iter().filter_map(|address| match address {
            IpAddr::V4(address) if kind == A => Some(address.octets().to_vec()),
            IpAddr::V6(address) if kind == AAAA => Some(address.octets().to_vec()),
            _ => None,
        });
        let records: Vec<_> = records.collect();
        let mut bytes = query[..2].to_vec();
        // A response, recursion desired and available; one question.
        bytes.extend([
            0x81,
            0x80 | self.code,
            0,
            1,
            0,
            records.len() as u8,
            0,
            0,
            0,
            0,
        ]);
        bytes.extend(&query[12..end]);
        for data in records {
            // The name is that of the question; the class is IN.
            bytes.extend([0xc0, 12, 0, kind as u8, 0, 1]);
            bytes.extend(self.ttl.to_be_bytes());
            bytes.extend([0, data.len() as u8]);
            bytes.extend(data);
        }
        bytes
    }
}

impl DnsScript {
    /// Starts one; each question is answered by `handler`, or not at all.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub async fn start<H, F>(handler: H) -> io::Result<Self>
    where
        H: Fn(Question) -> F + Send + 'static,
        F: Future<Output = Option<Answer>> + Send + 'static,
    {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let address = socket.local_addr()?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let serving = serve(socket, handler, Arc::clone(&asked));
        Ok(Self {
            address,
            asked,
            server: tokio::spawn(serving),
        })
    }

    /// Returns where it is asked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what it was asked so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Question> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

impl Drop for DnsScript {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve<H, F>(socket: Arc<UdpSocket>, handler: H, asked: Arc<Mutex<Vec<Question>>>)
where
    H: Fn(Question) -> F,
    F: Future<Output = Option<Answer>> + Send + 'static,
{
    let mut answering = JoinSet::new();
    let mut packet = [0; 512];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut packet).await else {
            continue;
        };
        let query = packet[..length].to_vec();
        let Some((question, end)) = read(&query) else {
            continue;
        };
        let kind = question.kind;
        let mut all = asked.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(question.clone());
        drop(all);
        let (answer, socket) = (handler(question), Arc::clone(&socket));
        answering.spawn(async move {
            if let Some(answer) = answer.await {
                _ = socket.send_to(&answer.bytes(&query, end, kind), from).await;
            }
        });
        while answering.try_join_next().is_some() {}
    }
}

/// Reads the question of a query, and tells where it ends.
fn read(query: &[u8]) -> Option<(Question, usize)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += length;
    }
    let kind = query.get(at..at + 2)?.try_into().ok()?;
    let question = Question {
        name: labels.join("."),
        kind: u16::from_be_bytes(kind),
    };
    Some((question, at + 4))
}

/// Makes a query for a name.
pub(crate) fn query(name: &str, kind: u16) -> Vec<u8> {
    // Any id; recursion desired; one question.
    let mut bytes = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, kind as u8, 0, 1]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_it_was_made() {
        let bytes = query("a.bc.test", AAAA);
        let question = Question {
            name: "a.bc.test".to_owned(),
            kind: AAAA,
        };
        assert_eq!(read(&bytes), Some((question, bytes.len())));
        assert_eq!(read(&bytes[..15]), None);
    }
}
