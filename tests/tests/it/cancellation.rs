//! Dropping a request at any await leaves the pool right and nothing open behind.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aio_client::{
    AddressFamily, Body, BoxFuture, ClientError, ClientRequest, ClientSession, CloseCode, Next,
    Resolved, Resolver, TcpConnector, TlsConfig,
};
use aio_tests::http_server::{Body as Answer, Request, Response, TestServer};
use aio_tests::socks::{Rules, SocksProxy};
use aio_tests::tls::Authority;
use aio_tests::tunnel::TunnelProxy;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A script of calls that a user might make.
type Script = fn(ClientSession, String) -> BoxFuture<'static, Result<(), ClientError>>;

/// Polls a future so many times, then drops it.
struct Polls<F> {
    future: Option<Pin<Box<F>>>,
    left: usize,
}

impl<F: Future> Future for Polls<F> {
    /// Whether the future completed.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left > 0
            && let Some(future) = &mut self.future
        {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            self.left -= 1;
        }
        if self.left > 0 {
            return Poll::Pending;
        }
        self.future = None;
        Poll::Ready(None)
    }
}

/// A server that counts its connections.
enum Server<'a> {
    /// Answers when it has read the request.
    Whole(&'a TestServer),
    /// The same over TLS, and how to trust it.
    Tls(&'a TestServer, &'a Authority),
    /// The same behind a proxy, whose connections are those that count.
    Proxied(&'a TestServer, &'a Authority, &'a TunnelProxy),
    /// The same, with or without TLS, behind a proxy with this scheme and userinfo.
    Socks(
        &'a TestServer,
        &'a Authority,
        &'a SocksProxy,
        (&'a str, &'a str),
    ),
    Early(&'a Early),
}

impl Server<'_> {
    fn url(&self, path: &str) -> String {
        match self {
            Self::Whole(server)
            | Self::Tls(server, _)
            | Self::Proxied(server, ..)
            | Self::Socks(server, ..) => server.url(path),
            Self::Early(server) => format!("http://{}{path}", server.address),
        }
    }

    /// How a session trusts it; a session of its own resumes nothing.
    fn trusted(&self) -> TlsConfig {
        match self {
            Self::Tls(_, authority)
            | Self::Proxied(_, authority, _)
            | Self::Socks(_, authority, ..) => authority.client(),
            Self::Whole(_) | Self::Early(_) => TlsConfig::new(),
        }
    }

    fn session(&self, limit: usize) -> ClientSession {
        let connector = TcpConnector::builder()
            .limit(limit)
            .resolver(Arc::new(Slow))
            .tls(self.trusted())
            .build()
            .expect("valid settings");
        let builder = ClientSession::builder().connector(connector);
        let builder = match self {
            Self::Proxied(_, _, proxy) => builder.proxy(proxy.url()),
            Self::Socks(_, _, proxy, (scheme, userinfo)) => {
                builder.proxy(proxy.url(scheme, userinfo))
            }
            _ => builder,
        };
        builder.build().expect("valid settings")
    }

    fn open(&self) -> usize {
        match self {
            Self::Whole(server) | Self::Tls(server, _) => server.open(),
            Self::Proxied(_, _, proxy) => proxy.open(),
            Self::Socks(_, _, proxy, _) => proxy.open(),
            Self::Early(server) => *server.open.borrow(),
        }
    }

    async fn wait_for_open(&self, open: usize) {
        match self {
            Self::Whole(server) | Self::Tls(server, _) => server.wait_for_open(open).await,
            Self::Proxied(_, _, proxy) => proxy.wait_for_open(open).await,
            Self::Socks(_, _, proxy, _) => proxy.wait_for_open(open).await,
            Self::Early(server) => {
                let mut now = server.open.subscribe();
                now.wait_for(|now| *now == open).await.expect("it counts");
            }
        }
    }
}

/// Answers an upload when it has read its head; a GET with "small".
struct Early {
    address: SocketAddr,
    open: watch::Sender<usize>,
    acceptor: JoinHandle<()>,
}

impl Early {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let open = watch::Sender::new(0);
        let counted = open.clone();
        let acceptor = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.send_modify(|open| *open += 1);
                let counted = counted.clone();
                tokio::spawn(async move {
                    // That the client leaves is no error.
                    _ = Self::serve(stream).await;
                    counted.send_modify(|open| *open -= 1);
                });
            }
        });
        Self {
            address,
            open,
            acceptor,
        }
    }

    async fn serve(stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        loop {
            let head = Self::read_until(&mut stream, b"\r\n\r\n").await?;
            if head.starts_with(b"GET") {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall";
                stream.write_all(answer).await?;
                continue;
            }
            let answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nearly";
            stream.write_all(answer).await?;
            Self::read_until(&mut stream, b"\r\n0\r\n\r\n").await?;
        }
    }

    async fn read_until(stream: &mut BufReader<TcpStream>, end: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut read = Vec::new();
        while !read.ends_with(end) {
            read.push(stream.read_u8().await?);
        }
        Ok(read)
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

/// Most polls that a script may take; one that takes more hangs.
const MOST: usize = 5_000;

/// How long a server may take to see that a connection was closed.
const SOON: Duration = Duration::from_secs(10);

/// Drops `script` after each number of polls until it completes; `idle` connections are
/// then in the pool.
async fn sweep(server: &Server<'_>, (name, limit, idle, script): (&str, usize, usize, Script)) {
    for polls in 0.. {
        assert!(polls < MOST, "{name} does not end");
        let session = server.session(limit);
        let future = script(session.clone(), server.url(""));
        // In a task of its own, which on two workers need not be on this thread.
        let task = tokio::spawn(Polls {
            future: Some(Box::pin(future)),
            left: polls,
        });
        let outcome = task.await.expect("no panic");

        let stats = session.connector().stats();
        let shown = format!("{name} after {polls} polls: {stats:?}");
        assert_eq!(stats.waiting, 0, "{shown}");
        assert_eq!(stats.open, stats.idle, "{shown}");
        assert!(stats.open <= limit, "{shown}");
        if outcome.is_some() {
            assert_eq!(stats.idle, idle, "{shown}");
        }
        let closed = tokio::time::timeout(SOON, server.wait_for_open(stats.open)).await;
        assert!(
            closed.is_ok(),
            "{shown}, but the server has {} open",
            server.open()
        );

        // The session is as good as new.
        let again = text(&session, server.url("/small")).await;
        assert_eq!(again.expect("a body"), "small", "{shown}");
        session.close().await;
        let closed = tokio::time::timeout(SOON, server.wait_for_open(0)).await;
        assert!(
            closed.is_ok(),
            "{shown}, and closing leaves {} open",
            server.open()
        );
        if let Some(outcome) = outcome {
            return outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// A resolver that takes its time.
#[derive(Debug)]
struct Slow;

impl Resolver for Slow {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, std::io::Result<Resolved>> {
        Box::pin(async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Ok(vec![([127, 0, 0, 1], port).into()].into())
        })
    }
}

const LARGE: usize = 1024 * 1024;

fn chunks() -> Vec<String> {
    (0..20).map(|n| format!("chunk {n}\n")).collect()
}

async fn answer(request: Request) -> Response {
    match request.target.as_str() {
        "/small" => Response::ok("small"),
        "/large" => {
            let block = Bytes::from(vec![7; 64 * 1024]);
            Response::new(200).body(Answer::Repeat {
                block,
                length: LARGE as u64,
            })
        }
        "/chunked" => {
            let chunks = chunks().into_iter().map(Bytes::from);
            Response::new(200).body(Answer::Chunked(chunks.collect()))
        }
        "/gzip" => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&vec![b'x'; 200_000]).expect("in memory");
            let gzip = gzip.finish().expect("in memory");
            Response::ok(gzip).header("Content-Encoding", "gzip")
        }
        "/ws" => Response::websocket(&request),
        "/close" => Response::ok("bye").header("Connection", "close"),
        "/length" => Response::ok(request.body.len().to_string()),
        _ => Response::new(404),
    }
}

async fn text(session: &ClientSession, url: String) -> Result<String, ClientError> {
    session.get(url).send().await?.text().await
}

/// A stream whose pieces are not there at once.
struct Pieces(usize, bool);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.1 = !self.1;
        if self.1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Bytes::from_static(&[7; 1000]))))
    }
}

/// A stream that waits a millisecond for each piece.
struct Timed(usize, Option<Pin<Box<tokio::time::Sleep>>>);

impl futures_core::Stream for Timed {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        let sleep = || Box::pin(tokio::time::sleep(Duration::from_millis(1)));
        ready!(self.1.get_or_insert_with(sleep).as_mut().poll(cx));
        *self = Self(left, None);
        Poll::Ready(Some(Ok(Bytes::from_static(b"0123456789"))))
    }
}

/// Polls a read so many times, then drops it; gives what it gave, if it was over by then.
async fn give_up<T>(
    polls: usize,
    read: impl Future<Output = Result<T, ClientError>>,
) -> Result<Option<T>, ClientError> {
    let polls = Polls {
        future: Some(Box::pin(read)),
        left: polls,
    };
    polls.await.transpose()
}

/// A name, the limit of the connector, and how many connections are idle when it is over.
const SCRIPTS: [(&str, usize, usize, Script); 18] = [
    ("a small GET", 10, 1, |session, server| {
        Box::pin(async move {
            assert_eq!(text(&session, server + "/small").await?, "small");
            Ok(())
        })
    }),
    ("two GETs in turn", 10, 1, |session, server| {
        Box::pin(async move {
            assert_eq!(text(&session, format!("{server}/small")).await?, "small");
            assert_eq!(text(&session, server + "/small").await?, "small");
            Ok(())
        })
    }),
    (
        "a WebSocket, from its handshake to its close",
        1,
        0,
        |session, server| {
            Box::pin(async move {
                assert_eq!(text(&session, format!("{server}/small")).await?, "small");
                let mut ws = session.ws_connect(server + "/ws").await?;
                ws.send_str("echo").await.expect("it is open");
                assert_eq!(ws.receive_str().await.expect("it is open"), "echo");
                assert!(ws.close(CloseCode::OK, "").await);
                assert_eq!(ws.close_code(), Some(1000));
                Ok(())
            })
        },
    ),
    ("a large body, chunk by chunk", 10, 1, |session, server| {
        Box::pin(async move {
            let mut response = session.get(server + "/large").await?;
            let mut len = 0;
            while let Some(chunk) = response.content().chunk().await? {
                len += chunk.len();
            }
            assert_eq!(len, LARGE);
            Ok(())
        })
    }),
    ("a large body at once", 10, 1, |session, server| {
        Box::pin(async move {
            assert_eq!(
                session.get(server + "/large").await?.read().await?.len(),
                LARGE
            );
            Ok(())
        })
    }),
    ("a chunked body", 10, 1, |session, server| {
        Box::pin(async move {
            let body = text(&session, server + "/chunked").await?;
            assert!(body.starts_with("chunk 0\n") && body.ends_with("chunk 19\n"));
            Ok(())
        })
    }),
    ("lines of a body", 10, 1, |session, server| {
        Box::pin(async move {
            let mut response = session.get(server + "/chunked").await?;
            let mut lines = 0;
            while response.content().line().await?.is_some() {
                lines += 1;
            }
            assert_eq!(lines, 20);
            Ok(())
        })
    }),
    ("a gzip body", 10, 1, |session, server| {
        Box::pin(async move {
            assert_eq!(text(&session, server + "/gzip").await?.len(), 200_000);
            Ok(())
        })
    }),
    ("a small POST", 10, 1, |session, server| {
        Box::pin(async move {
            let mut response = session.post(server + "/length").body("12345").await?;
            assert_eq!(response.text().await?, "5");
            Ok(())
        })
    }),
    ("a chunked upload", 10, 1, |session, server| {
        Box::pin(async move {
            let body = Body::stream(Pieces(20, false));
            let mut response = session.post(server + "/length").body(body).await?;
            assert_eq!(response.text().await?, "20000");
            Ok(())
        })
    }),
    (
        "two requests under a limit of one",
        1,
        1,
        |session, server| {
            Box::pin(async move {
                let first = text(&session, format!("{server}/small"));
                let second = text(&session, server + "/chunked");
                let (first, second) = tokio::join!(first, second);
                assert!(first? == "small" && second?.len() > 100);
                Ok(())
            })
        },
    ),
    (
        "a name to resolve, and another host that has to give way",
        1,
        1,
        |session, server| {
            Box::pin(async move {
                assert_eq!(text(&session, format!("{server}/small")).await?, "small");
                let named = server.replace("127.0.0.1", "some.host") + "/small";
                assert_eq!(text(&session, named).await?, "small");
                Ok(())
            })
        },
    ),
    (
        "a connection that the server closes",
        10,
        0,
        |session, server| {
            Box::pin(async move {
                assert_eq!(text(&session, format!("{server}/close")).await?, "bye");
                assert_eq!(text(&session, server + "/close").await?, "bye");
                Ok(())
            })
        },
    ),
    ("a response released unread", 10, 1, |session, server| {
        Box::pin(async move {
            session.get(format!("{server}/large")).await?.release();
            drop(session.get(format!("{server}/chunked")).await?);
            session.get(server + "/small").await?.close();
            Ok(())
        })
    }),
    (
        "a source that waits for a timer",
        10,
        1,
        |session, server| {
            Box::pin(async move {
                let body = Body::stream(Timed(3, None));
                let mut response = session.post(server + "/length").body(body).await?;
                assert_eq!(response.text().await?, "30");
                Ok(())
            })
        },
    ),
    (
        "a read behind one that was dropped",
        10,
        1,
        |session, server| {
            Box::pin(async move {
                for polls in 1..4 {
                    let mut response = session.get(format!("{server}/large")).await?;
                    give_up(polls, response.read()).await?;
                    assert!(response.read().await? == vec![7; LARGE]);
                    let mut response = session.get(format!("{server}/chunked")).await?;
                    give_up(polls, response.text()).await?;
                    assert_eq!(response.text().await?, chunks().concat());
                }
                Ok(())
            })
        },
    ),
    (
        "lines behind a read that was dropped",
        10,
        1,
        |session, server| {
            Box::pin(async move {
                let mut response = session.get(server + "/chunked").await?;
                let read = give_up(1, response.content().read_all()).await?;
                let mut body = read.unwrap_or_default().to_vec();
                while let Some(line) = response.content().line().await? {
                    body.extend_from_slice(&line);
                }
                assert_eq!(body, chunks().concat().as_bytes());
                Ok(())
            })
        },
    ),
    ("a middleware that sends twice", 10, 1, |session, server| {
        Box::pin(async move {
            let twice = |request: ClientRequest, next: Next| async move {
                if let Some(request) = request.try_clone() {
                    next.clone().run(request).await?.read().await?;
                }
                next.run(request).await
            };
            let connector = session.connector().clone();
            let builder = ClientSession::builder()
                .connector(connector)
                .connector_owner(false);
            let session = builder.middleware(twice).build()?;
            assert_eq!(text(&session, server + "/small").await?, "small");
            Ok(())
        })
    }),
];

/// As [`SCRIPTS`], with a server that answers an upload before it has read it.
const EARLY: [(&str, usize, usize, Script); 3] = [
    (
        "a body that is read before its upload is out",
        10,
        1,
        |session, server| {
            Box::pin(async move {
                let body = Body::stream(Pieces(20, false));
                let mut response = session.post(server + "/").body(body).await?;
                assert_eq!(response.text().await?, "early");
                Ok(())
            })
        },
    ),
    (
        "an upload that waits for a timer behind its response",
        10,
        1,
        |session, server| {
            Box::pin(async move {
                let body = Body::stream(Timed(3, None));
                let mut response = session.post(server + "/").body(body).await?;
                assert_eq!(response.text().await?, "early");
                Ok(())
            })
        },
    ),
    (
        "a response dropped before its upload is out",
        10,
        0,
        |session, server| {
            Box::pin(async move {
                let body = Body::stream(Timed(usize::MAX, None));
                drop(session.post(server + "/").body(body).await?);
                Ok(())
            })
        },
    ),
];

async fn sweep_all() {
    let server = TestServer::start(answer).await.expect("a server");
    for script in SCRIPTS {
        sweep(&Server::Whole(&server), script).await;
    }
    let authority = Authority::new();
    let tls = authority.server(&["127.0.0.1", "some.host"]);
    let server = TestServer::start_tls(tls, answer).await;
    let server = server.expect("a server");
    for script in SCRIPTS {
        sweep(&Server::Tls(&server, &authority), script).await;
    }
    // From the dial by the request for a tunnel to TLS, once or twice.
    let (address, tls) = (server.address(), authority.server(&["127.0.0.1"]));
    for proxy in [
        TunnelProxy::start(address).await,
        TunnelProxy::start_tls(address, tls).await,
    ] {
        let proxy = proxy.expect("a proxy");
        for script in SCRIPTS.iter().take(3) {
            sweep(&Server::Proxied(&server, &authority, &proxy), *script).await;
        }
    }
    // From the look-up by the answers of each version to TLS.
    let login = Some(("ada", "pw"));
    let plain = TestServer::start(answer).await.expect("a server");
    for (server, login, told) in [
        (&server, login, ("socks5h", "ada:pw")),
        (&plain, None, ("socks5", "")),
        (&plain, None, ("socks4", "ada")),
    ] {
        let (address, refusals) = (server.address(), Vec::new());
        let proxy = SocksProxy::start(address, Rules { login, refusals }).await;
        let proxy = proxy.expect("a proxy");
        for script in SCRIPTS.iter().take(3) {
            sweep(&Server::Socks(server, &authority, &proxy, told), *script).await;
        }
    }
    let server = Early::start().await;
    for script in EARLY {
        sweep(&Server::Early(&server), script).await;
    }
}

#[test]
fn a_dropped_request_leaves_nothing_behind_on_one_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(sweep_all());
}

#[test]
fn a_dropped_request_leaves_nothing_behind_on_two_workers() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(sweep_all());
}
