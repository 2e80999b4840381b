//! Names to addresses by the table of a scenario.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use aio_client::{AddressFamily, BoxFuture, Resolved, Resolver};
use serde_json::{Map, Value};
use tokio::time::sleep;

use super::options;

/// Knows the names of its table and `localhost`; no other.
#[derive(Debug)]
pub(super) struct Table {
    entries: HashMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    delay: Duration,
    addresses: Vec<IpAddr>,
}

impl Table {
    /// Reads the `resolve` part of a scenario.
    pub(super) fn parse(table: &Map<String, Value>) -> Result<Self, String> {
        let localhost = Entry {
            delay: Duration::ZERO,
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
        };
        let mut entries = HashMap::from([("localhost".to_owned(), localhost)]);
        for (name, value) in table {
            entries.insert(name.clone(), Entry::parse(value)?);
        }
        Ok(Self { entries })
    }
}

impl Entry {
    /// Reads an address, a list of them, or `{"ip", "delay"}`; without `ip` the name has none.
    fn parse(value: &Value) -> Result<Self, String> {
        let (found, delay) = match value {
            Value::Object(entry) => (entry.get("ip"), entry.get("delay")),
            _ => (Some(value), None),
        };
        let addresses = match found {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => list.iter().map(address).collect::<Result<_, _>>()?,
            Some(one) => vec![address(one)?],
        };
        Ok(Self {
            delay: delay.map(options::seconds).transpose()?.unwrap_or_default(),
            addresses,
        })
    }
}

fn address(value: &Value) -> Result<IpAddr, String> {
    let text = options::text(value)?;
    text.parse().map_err(|error| format!("{text}: {error}"))
}

impl Resolver for Table {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        Box::pin(async move {
            let entry = self.entries.get(host);
            // Even a sleep of no time waits for the timer.
            if let Some(entry) = entry.filter(|entry| !entry.delay.is_zero()) {
                sleep(entry.delay).await;
            }
            let addresses = entry
                .map(|entry| entry.addresses.as_slice())
                .unwrap_or_default();
            if addresses.is_empty() {
                let error = format!("no address for {host}");
                return Err(io::Error::new(io::ErrorKind::NotFound, error));
            }
            let with_port = |address: &IpAddr| SocketAddr::new(*address, port);
            Ok(addresses.iter().map(with_port).collect::<Vec<_>>().into())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, delay: u64, addresses: &[[u8; 4]]) {
        let want = Entry {
            delay: Duration::from_millis(delay),
            addresses: addresses.iter().map(|address| (*address).into()).collect(),
        };
        assert_eq!(Entry::parse(value), Ok(want), "{value}");
    }

    #[test]
    fn entries_have_three_forms() {
        check(&json!("127.0.0.2"), 0, &[[127, 0, 0, 2]]);
        check(
            &json!(["127.0.0.3", "127.0.0.1"]),
            0,
            &[[127, 0, 0, 3], [127, 0, 0, 1]],
        );
        check(
            &json!({"ip": "127.0.0.1", "delay": 0.2}),
            200,
            &[[127, 0, 0, 1]],
        );
        check(&json!({"delay": 0.2}), 200, &[]);
        assert!(Entry::parse(&json!("somewhere")).is_err());
    }

    #[tokio::test]
    async fn names_outside_the_table_are_not_found() {
        let table = Table::parse(&Map::new()).expect("well formed");
        let localhost = table.resolve("localhost", 80, AddressFamily::Any).await;
        assert_eq!(
            localhost.expect("is known").addresses,
            [([127, 0, 0, 1], 80).into()]
        );
        let error = table
            .resolve("h.test", 80, AddressFamily::Any)
            .await
            .expect_err("is unknown");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
