//! Dropping a request at any await leaves the pool right and nothing open behind.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aio_client::{
    Body, BoxFuture, ClientError, ClientRequest, ClientSession, Next, Resolver, TcpConnector,
};
use aio_tests::http_server::{Body as Answer, Request, Response, TestServer};
use bytes::Bytes;

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

/// Most polls that a script may take; one that takes more hangs.
const MOST: usize = 5_000;

/// How long a server may take to see that a connection was closed.
const SOON: Duration = Duration::from_secs(10);

/// Drops `script` after each number of polls until it completes.
async fn sweep(name: &str, limit: usize, script: Script) {
    let server = TestServer::start(answer).await.expect("a server");
    for polls in 0.. {
        assert!(polls < MOST, "{name} does not end");
        let session = session(limit);
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
        let closed = tokio::time::timeout(SOON, server.wait_for_open(stats.open)).await;
        assert!(
            closed.is_ok(),
            "{shown}, but the server has {} open",
            server.open()
        );

        // The session is as good as new.
        let again = session
            .get(server.url("/small"))
            .await
            .expect("a response")
            .text()
            .await;
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

fn session(limit: usize) -> ClientSession {
    let connector = TcpConnector::builder()
        .limit(limit)
        .resolver(Arc::new(Slow))
        .build()
        .expect("valid settings");
    ClientSession::builder()
        .connector(connector)
        .build()
        .expect("valid settings")
}

/// A resolver that takes its time.
#[derive(Debug)]
struct Slow;

impl Resolver for Slow {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
    ) -> BoxFuture<'a, std::io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Ok(vec![([127, 0, 0, 1], port).into()])
        })
    }
}

const LARGE: usize = 1024 * 1024;

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
            let chunks = (0..20)
                .map(|n| Bytes::from(format!("chunk {n}\n")))
                .collect();
            Response::new(200).body(Answer::Chunked(chunks))
        }
        "/gzip" => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&vec![b'x'; 200_000]).expect("in memory");
            let gzip = gzip.finish().expect("in memory");
            Response::ok(gzip).header("Content-Encoding", "gzip")
        }
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

const SCRIPTS: [(&str, usize, Script); 14] = [
    ("a small GET", 10, |session, server| {
        Box::pin(async move {
            assert_eq!(text(&session, server + "/small").await?, "small");
            Ok(())
        })
    }),
    ("two GETs in turn", 10, |session, server| {
        Box::pin(async move {
            assert_eq!(text(&session, format!("{server}/small")).await?, "small");
            assert_eq!(text(&session, server + "/small").await?, "small");
            Ok(())
        })
    }),
    ("a large body, chunk by chunk", 10, |session, server| {
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
    ("a large body at once", 10, |session, server| {
        Box::pin(async move {
            assert_eq!(
                session.get(server + "/large").await?.read().await?.len(),
                LARGE
            );
            Ok(())
        })
    }),
    ("a chunked body", 10, |session, server| {
        Box::pin(async move {
            let body = text(&session, server + "/chunked").await?;
            assert!(body.starts_with("chunk 0\n") && body.ends_with("chunk 19\n"));
            Ok(())
        })
    }),
    ("lines of a body", 10, |session, server| {
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
    ("a gzip body", 10, |session, server| {
        Box::pin(async move {
            assert_eq!(text(&session, server + "/gzip").await?.len(), 200_000);
            Ok(())
        })
    }),
    ("a small POST", 10, |session, server| {
        Box::pin(async move {
            let mut response = session.post(server + "/length").body("12345").await?;
            assert_eq!(response.text().await?, "5");
            Ok(())
        })
    }),
    ("a chunked upload", 10, |session, server| {
        Box::pin(async move {
            let body = Body::stream(Pieces(20, false));
            let mut response = session.post(server + "/length").body(body).await?;
            assert_eq!(response.text().await?, "20000");
            Ok(())
        })
    }),
    ("two requests under a limit of one", 1, |session, server| {
        Box::pin(async move {
            let first = text(&session, format!("{server}/small"));
            let second = text(&session, server + "/chunked");
            let (first, second) = tokio::join!(first, second);
            assert!(first? == "small" && second?.len() > 100);
            Ok(())
        })
    }),
    (
        "a name to resolve, and another host that has to give way",
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
        |session, server| {
            Box::pin(async move {
                assert_eq!(text(&session, format!("{server}/close")).await?, "bye");
                assert_eq!(text(&session, server + "/close").await?, "bye");
                Ok(())
            })
        },
    ),
    ("a response released unread", 10, |session, server| {
        Box::pin(async move {
            session.get(format!("{server}/large")).await?.release();
            drop(session.get(format!("{server}/chunked")).await?);
            session.get(server + "/small").await?.close();
            Ok(())
        })
    }),
    ("a middleware that sends twice", 10, |session, server| {
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

async fn sweep_all() {
    for (name, limit, script) in SCRIPTS {
        sweep(name, limit, script).await;
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
