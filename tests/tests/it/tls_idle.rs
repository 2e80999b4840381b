//! What a server sends over TLS while its connection is idle.

use aio_client::{ClientSession, TcpConnector};
use aio_tests::tls::Authority;
use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::version::TLS13;
use rustls::{ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::peer::{Peer, begin, soon};
use crate::tls::{TlsListener, ok, session, text};

/// A server, a session that trusts it, and a connection between them that is idle.
struct Idle {
    listener: TlsListener,
    session: ClientSession,
    peer: Peer<TlsStream<TcpStream>>,
}

impl Idle {
    async fn new() -> Self {
        let authority = Authority::new();
        let mut tls = authority.server_with(&["127.0.0.1"], rustls::ALL_VERSIONS);
        tls.enable_secret_extraction = true;
        // What comes then is not to be read before it is sent.
        tls.send_tls13_tickets = 0;
        let listener = TlsListener::new(tls).await;
        let session = session(authority.client());
        let (body, peer) = tokio::join!(text(&session, listener.url()), listener.serve("first"));
        assert_eq!(body.expect("a body"), "first");
        assert_eq!(session.connector().stats().idle, 1);
        Self {
            listener,
            session,
            peer,
        }
    }

    /// Checks that a POST goes out on a new connection.
    async fn check_replaced(self) {
        check_replaced(&self.listener, &self.session).await;
    }
}

async fn check_replaced(listener: &TlsListener, session: &ClientSession) {
    let post = begin(session.post(listener.url()).body("once").send()).await;
    let mut second = soon("a new connection", listener.accept()).await;
    second.until(b"once").await;
    second.send(ok("second")).await;
    let response = soon("the response", post).await.expect("no panic");
    let body = response.expect("a response").text().await;
    assert_eq!(body.expect("a body"), "second");
    assert_eq!(session.connector().stats().created, 2);
}

#[tokio::test]
async fn after_a_goodbye_nothing_is_sent() {
    let mut idle = Idle::new().await;
    idle.peer.0.get_mut().1.send_close_notify();
    // The socket stays open: the word alone counts.
    idle.peer.send("").await;
    idle.check_replaced().await;
}

#[tokio::test]
async fn a_connection_that_ended_without_a_word_is_not_used() {
    let mut idle = Idle::new().await;
    let socket = idle.peer.0.get_mut().0;
    socket2::SockRef::from(&*socket)
        .shutdown(std::net::Shutdown::Write)
        .expect("an open socket");
    idle.check_replaced().await;
}

#[tokio::test]
async fn what_nobody_asked_for_is_no_answer() {
    let mut idle = Idle::new().await;
    idle.peer.send(ok("poison")).await;
    idle.check_replaced().await;
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let mut idle = Idle::new().await;
    let socket = idle.peer.0.get_mut().0;
    let written = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
    written.expect("the client listens");
    idle.check_replaced().await;
}

#[tokio::test]
async fn new_keys_are_taken_in() {
    let mut idle = Idle::new().await;
    for body in ["second", "third"] {
        let keys = idle.peer.0.get_mut().1.refresh_traffic_keys();
        keys.expect("TLS 1.3");
        idle.peer.send("").await;
        let answer = async {
            idle.peer.head().await;
            idle.peer.send(ok(body)).await;
        };
        let (read, ()) = tokio::join!(text(&idle.session, idle.listener.url()), answer);
        assert_eq!(read.expect("a body"), body);
    }
    assert_eq!(idle.session.connector().stats().created, 1);
}

/// The server's end of a connection, below rustls: it can send what rustls would not.
struct Records {
    socket: TcpStream,
    encrypter: Box<dyn MessageEncrypter>,
    sent: u64,
}

impl Records {
    fn new(stream: TlsStream<TcpStream>) -> Self {
        let (socket, tls) = stream.into_inner();
        assert_eq!(tls.protocol_version(), Some(TLS13.version));
        let Some(SupportedCipherSuite::Tls13(suite)) = tls.negotiated_cipher_suite() else {
            panic!("TLS 1.3 has suites of its own");
        };
        let secrets = tls.dangerous_extract_secrets().expect("it is enabled");
        let (sent, secrets) = secrets.tx;
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("a cipher unknown here");
        };
        Self {
            socket,
            encrypter: suite.aead_alg.encrypter(key, iv),
            sent,
        }
    }

    async fn send(&mut self, typ: ContentType, bytes: &[u8]) {
        let plain = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_3,
            payload: OutboundChunks::Single(bytes),
        };
        let record = self
            .encrypter
            .encrypt(plain, self.sent)
            .expect("it is short");
        self.sent += 1;
        let written = self.socket.write_all(&record.encode()).await;
        written.expect("the client listens");
    }

    /// Receives a record, whatever is in it.
    async fn receive(&mut self) {
        let mut head = [0; 5];
        let read = self.socket.read_exact(&mut head).await;
        read.expect("the client goes on");
        let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        let read = self.socket.read_exact(&mut record).await;
        read.expect("the client goes on");
    }
}

/// RFC 8446 4.6.1, without extensions.
fn new_session_ticket(ticket: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&7200_u32.to_be_bytes());
    body.extend_from_slice(&1_u32.to_be_bytes());
    body.extend_from_slice(&[1, 0]);
    body.extend_from_slice(&u16::try_from(ticket.len()).expect("short").to_be_bytes());
    body.extend_from_slice(ticket);
    body.extend_from_slice(&[0, 0]);
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[4], &length[1..], &body].concat()
}

#[tokio::test]
async fn a_ticket_that_comes_late_is_kept_and_so_is_the_connection() {
    let Idle {
        listener,
        session,
        peer,
    } = Idle::new().await;
    let mut records = Records::new(peer.0);
    let ticket = b"a ticket that no server would give";
    let message = new_session_ticket(ticket);
    records.send(ContentType::Handshake, &message).await;

    let answer = async {
        records.receive().await;
        let bye = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbye";
        records
            .send(ContentType::ApplicationData, bye.as_bytes())
            .await;
    };
    let (body, ()) = tokio::join!(text(&session, listener.url()), answer);
    assert_eq!(body.expect("a body"), "bye");
    assert_eq!(session.connector().stats().created, 1);

    // The next connection offers it.
    let request = begin(session.get(listener.url()).send()).await;
    let mut socket = listener.accept_tcp().await;
    let mut hello = vec![0; 16 * 1024];
    let read = soon("the hello", socket.read(&mut hello)).await;
    let hello = &hello[..read.expect("the client's hello")];
    assert!(hello.windows(ticket.len()).any(|part| part == ticket));
    request.abort();
}

#[tokio::test]
async fn tickets_without_end_keep_nobody() {
    let Idle {
        listener,
        session,
        peer,
    } = Idle::new().await;
    let mut records = Records::new(peer.0);
    let message = new_session_ticket(&[7; 1000]);
    for _ in 0..300 {
        records.send(ContentType::Handshake, &message).await;
    }
    check_replaced(&listener, &session).await;
}

#[tokio::test]
async fn closing_tells_every_server() {
    // More than a task may do in one go.
    const CONNECTIONS: usize = 300;
    let authority = Authority::new();
    let tls = authority.server_with(&["127.0.0.1"], rustls::ALL_VERSIONS);
    let listener = TlsListener::new(tls).await;
    let builder = TcpConnector::builder().limit(None).tls(authority.client());
    let connector = builder.build().expect("valid");
    let session = ClientSession::builder().connector(connector).build();
    let session = session.expect("valid");
    let (mut requests, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..CONNECTIONS {
        let (session, url) = (session.clone(), listener.url());
        requests.push(tokio::spawn(async move { text(&session, url).await }));
        peers.push(listener.accept().await);
    }
    for peer in &mut peers {
        peer.head().await;
        peer.send(ok("fine")).await;
    }
    for request in requests {
        request.await.expect("no panic").expect("a body");
    }
    session.close().await;
    for mut peer in peers {
        let end = soon("the end", peer.0.read_to_end(&mut Vec::new())).await;
        end.expect("a goodbye");
    }
}

#[tokio::test]
async fn closing_tells_a_server_that_has_changed_its_keys() {
    let authority = Authority::new();
    let listener = TlsListener::new(authority.server_with(&["127.0.0.1"], &[&TLS13])).await;
    let session = session(authority.client());
    let request = {
        let (session, url) = (session.clone(), listener.url());
        tokio::spawn(async move { text(&session, url).await })
    };
    let mut peer = listener.accept().await;
    peer.head().await;
    let changed = peer.0.get_mut().1.refresh_traffic_keys();
    changed.expect("the handshake is over");
    peer.send(ok("fine")).await;
    request.await.expect("no panic").expect("a body");
    session.close().await;
    let end = soon("the end", peer.0.read_to_end(&mut Vec::new())).await;
    end.expect("a goodbye");
}
