//! TLS: trust, resumption, and connections that stay good or do not.

use aio_client::{ClientSession, TcpConnector, TlsConfig};
use aio_tests::http_server::{Request, Response, TestServer};
use aio_tests::tls::Authority;

const LOCALHOST: &[&str] = &["127.0.0.1"];

fn session(tls: TlsConfig) -> ClientSession {
    let connector = TcpConnector::builder().tls(tls).build();
    let connector = connector.expect("valid settings");
    let session = ClientSession::builder().connector(connector).build();
    session.expect("valid settings")
}

async fn echo(request: Request) -> Response {
    Response::ok(request.body)
}

#[tokio::test]
async fn requests_over_tls_share_a_connection() {
    let authority = Authority::new();
    let server = TestServer::start_tls(authority.server(LOCALHOST), echo).await;
    let server = server.expect("a server");
    let session = session(authority.client());
    for _ in 0..3 {
        let mut response = session
            .post(server.url("/"))
            .body("hello")
            .await
            .expect("an answer");
        assert_eq!(response.text().await.expect("a body"), "hello");
    }
    assert_eq!(server.connections(), 1);
}
