//! A server that remembers what it was asked.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aio_client::{
    AddressFamily, BoxFuture, ClientSession, ClientSessionBuilder, Resolved, Resolver, TcpConnector,
};
use aio_tests::http_server::{Request, Response, TestServer};

/// A server that remembers what it was asked.
pub(crate) struct Site {
    server: TestServer,
    pub(crate) seen: Arc<Mutex<Vec<Request>>>,
}

impl Site {
    pub(crate) async fn new(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let server = TestServer::start(move |request: Request| {
            let response = answer(&request);
            log.lock().expect("no panic").push(request);
            std::future::ready(response)
        });
        Self {
            server: server.await.expect("a port"),
            seen,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    pub(crate) fn host(&self) -> String {
        self.url("").trim_start_matches("http://").to_owned()
    }

    /// Gives what was asked so far: method, target and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("no panic");
        let line = |request: &Request| {
            let body = String::from_utf8_lossy(&request.body);
            format!("{} {} {body}", request.method, request.target)
                .trim_end()
                .to_owned()
        };
        seen.iter().map(line).collect()
    }

    /// Gives the values of a header in the last request.
    pub(crate) fn last_values(&self, name: &str) -> Vec<String> {
        let seen = self.seen.lock().expect("no panic");
        let headers = &seen.last().expect("a request").headers;
        let named = headers
            .iter()
            .filter(|(have, _)| have.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.clone()).collect()
    }

    /// Gives the last request.
    pub(crate) fn last(&self) -> Request {
        let seen = self.seen.lock().expect("no panic");
        seen.last().expect("a request").clone()
    }

    /// Begins a session for which each host is this server.
    pub(crate) fn session(&self) -> ClientSessionBuilder {
        let everywhere = Everywhere(self.server.address());
        let connector = TcpConnector::builder().resolver(Arc::new(everywhere));
        ClientSession::builder().connector(connector.build().expect("valid"))
    }
}

/// Finds each host at one place.
#[derive(Debug)]
struct Everywhere(SocketAddr);

impl Resolver for Everywhere {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        Box::pin(async { Ok(vec![self.0].into()) })
    }
}
