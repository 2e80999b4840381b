//! What the types promise, whatever they hold.

use aio_client::{
    ClientError, ClientResponse, ClientSession, ClientWebSocketResponse, CloseCode, Content,
    Environment, EventSource, EventStream, MultipartReader, Proxy, ProxyError, ReconnectError,
    ReconnectingWebSocket, RequestBuilder, SocksError, TcpConnector, TlsConfig, TlsConfigBuilder,
    TlsConfigError, UsageError, WsRequestBuilder,
};

fn is_send<T: Send>(_: &T) {}

fn is_shared<T: Clone + Send + Sync + Unpin + 'static>() {}

fn is_owned<T: Send + Unpin + 'static>() {}

fn is_error<T: std::error::Error + Clone + Send + Sync + 'static>() {}

#[test]
fn sessions_are_shared_and_responses_are_sent() {
    is_shared::<ClientSession>();
    is_shared::<TcpConnector>();
    is_shared::<TlsConfig>();
    is_shared::<TlsConfigBuilder>();
    is_shared::<Proxy>();
    is_shared::<Environment>();
    is_owned::<ClientResponse>();
    is_owned::<Content>();
    is_owned::<EventSource>();
    is_owned::<EventStream>();
    is_owned::<MultipartReader<'static>>();
    is_owned::<RequestBuilder>();
    is_owned::<ClientWebSocketResponse>();
    is_owned::<WsRequestBuilder>();
    is_owned::<ReconnectingWebSocket>();
    is_error::<ClientError>();
    is_error::<ReconnectError>();
    is_error::<UsageError>();
    is_error::<ProxyError>();
    is_error::<SocksError>();
    is_error::<TlsConfigError>();
}

/// The largest future that [`RequestBuilder::send`] may be.
const SEND: usize = 2048;

#[test]
fn a_request_in_flight_is_small() {
    let future = ClientSession::new().get("http://127.0.0.1/").send();
    is_send(&future);
    let size = size_of_val(&future);
    assert!(size <= SEND, "{size} bytes");
    let future = ClientSession::new().ws_connect("ws://127.0.0.1/").send();
    is_send(&future);
    let size = size_of_val(&future);
    assert!(size <= 2 * SEND, "{size} bytes");
    assert!(
        size_of::<ClientError>() <= 48,
        "{} bytes",
        size_of::<ClientError>()
    );
}

#[test]
fn every_future_can_go_to_another_thread() {
    let check = async |mut response: ClientResponse, session: ClientSession| {
        is_send(&response.events().expect("events").next());
        is_send(&response.read());
        is_send(&response.text());
        is_send(&response.json::<String>());
        is_send(&response.content().chunk());
        is_send(&response.content().chunk_of(1));
        is_send(&response.content().http_chunk());
        is_send(&response.content().line());
        is_send(&response.content().until(b"x"));
        is_send(&response.content().exactly(1));
        is_send(&response.content().read(1));
        is_send(&response.content().read_all());
        if let Ok(mut reader) = response.multipart() {
            is_send(&reader.next());
            if let Ok(Some(mut part)) = reader.next().await {
                is_send(&part.read());
                is_send(&part.decoded_chunk());
                is_send(&part.line());
                is_send(&part.json::<String>());
                is_send(&part.form());
            }
        }
        is_send(&session.close());
        is_send(&session.get("http://127.0.0.1/").into_future());
        let mut ws = session.ws_connect("ws://127.0.0.1/").await?;
        is_send(&session.ws_connect("ws://127.0.0.1/").send());
        let mut again = session.ws_connect("ws://127.0.0.1/").reconnecting();
        is_send(&again.next_event());
        is_send(&again.connected());
        is_send(&again.send("x"));
        is_send(&again.send_json("x"));
        is_send(&again.close(CloseCode::OK, ""));
        is_send(&ws.receive());
        is_send(&ws.receive_json::<String>());
        is_send(&ws.send_json("x"));
        is_send(&ws.send_str("x"));
        is_send(&ws.close(CloseCode::OK, ""));
        Ok::<(), ClientError>(())
    };
    // It need only compile.
    let _ = check;
}
