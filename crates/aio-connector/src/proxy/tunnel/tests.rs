//! Proxies in memory: what is kept of a refusal, and answers of any bytes in any pieces.

use std::pin::Pin;
use std::task::Context;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::io::{AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::time::{sleep, timeout};

use super::*;

/// Sends parts of an answer one after the other, and checks what is kept of its body.
async fn check(parts: &[&str], closes: bool, want: &str, takes: Duration) {
    let (near, mut far) = duplex(1 << 20);
    let mut stream = Transport::over(near);
    let saying = async {
        for part in parts {
            far.write_all(part.as_bytes()).await.expect("open");
            sleep(Duration::from_millis(10)).await;
        }
        (!closes).then_some(far)
    };
    let begun = Instant::now();
    let asking = async {
        let Err(Failure::Refused(head, received)) = ask(b"", &mut stream).await else {
            panic!("it refuses");
        };
        let body = beginning(&head, &mut stream, received).await;
        (body, begun.elapsed())
    };
    let ((body, took), _far) = tokio::join!(asking, saying);
    assert_eq!((&body[..], took), (want.as_bytes(), takes), "{parts:?}");
}

#[tokio::test(start_paused = true)]
async fn the_beginning_of_a_body_may_come_behind_its_head() {
    let (at_once, ten) = (Duration::ZERO, Duration::from_millis(10));
    let sized = "HTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\n";
    check(&[sized, "denied and more"], false, "denied", ten).await;
    check(&[sized, "den", "ied"], false, "denied", 2 * ten).await;
    check(&[sized, "den"], true, "den", 2 * ten).await;
    check(&[sized, "den"], false, "den", PATIENCE).await;
    let open = "HTTP/1.1 403 No\r\n\r\n";
    check(&[open, "den", "ied"], true, "denied", 3 * ten).await;
    check(&[open], false, "", PATIENCE).await;
    let chunked = "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nden";
    check(
        &[chunked, "\r\n3\r\nied\r\n0\r\n\r\n"],
        false,
        "denied",
        ten,
    )
    .await;
    check(&[chunked, "\r\nnone"], false, "den", ten).await;
    let none = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
    check(&[none], false, "", at_once).await;
    let long = "x".repeat(MOST + 1);
    check(&[open, &long], false, &long[1..], ten).await;
}

/// A proxy that takes nothing any more, and says this by TLS.
struct Gone(io::ErrorKind);

impl AsyncRead for Gone {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
}

impl AsyncWrite for Gone {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn an_alert_comes_before_the_write_that_failed_for_it() {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, InvalidData};
    for (read, want) in [(InvalidData, InvalidData), (ConnectionReset, BrokenPipe)] {
        let mut stream = Transport::over(Gone(read));
        let Err(Failure::Io(error)) = ask(b"CONNECT", &mut stream).await else {
            panic!("it is gone");
        };
        assert_eq!(error.kind(), want);
    }
}

/// How long a proxy may keep anybody who has no timeouts; the clock is paused.
const LONG: Duration = Duration::from_secs(3600);

const RIGHT: &str = "HTTP/1.1 200 Connection established\r\nVia: 1.1 p\r\n\r\n";

/// Asks a proxy that does so, which has `room` bytes between itself and the client.
async fn asked<T>(
    sent: &[u8],
    room: usize,
    play: impl AsyncFnOnce(DuplexStream) -> T,
) -> (Result<(), Failure>, T) {
    let (near, far) = duplex(room);
    let asking = async {
        let mut stream = Transport::over(near);
        let asked = ask(sent, &mut stream).await;
        let Err(Failure::Refused(head, received)) = asked else {
            return asked;
        };
        let body = beginning(&head, &mut stream, received.clone()).await;
        assert!(body.len() <= MOST);
        Err(Failure::Refused(head, received))
    };
    let both = async { tokio::join!(asking, play(far)) };
    timeout(LONG, both).await.expect("it comes to an end")
}

/// Says these pieces one after the other, and leaves.
async fn say(mut far: DuplexStream, pieces: &[&[u8]]) {
    for piece in pieces {
        if far.write_all(piece).await.is_err() {
            return;
        }
        // All that is there is read before more comes.
        sleep(Duration::from_millis(1)).await;
    }
}

/// Says this over and over until the client has had enough; tells how much it took.
async fn flood(mut far: DuplexStream, begin: &str, again: &str) -> usize {
    let mut taken = 0;
    let mut next = begin;
    while far.write_all(next.as_bytes()).await.is_ok() {
        taken += next.len();
        next = again;
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_come_in_any_pieces_and_end_anywhere() {
    let right = RIGHT.as_bytes();
    for cut in 0..right.len() {
        let (begin, end) = right.split_at(cut);
        let (whole, ()) = asked(b"", 64, async |far| say(far, &[begin, end]).await).await;
        assert!(whole.is_ok(), "{cut}");
        let (left, ()) = asked(b"", 64, async |far| say(far, &[begin]).await).await;
        let Err(Failure::Disconnected(partial)) = left else {
            panic!("{cut}: there is no answer");
        };
        assert_eq!(&*partial, begin);
    }
    let bytes: Vec<_> = right.chunks(1).collect();
    let (bytewise, ()) = asked(b"", 64, async |far| say(far, &bytes).await).await;
    assert!(bytewise.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_never_ends_is_taken_in_part() {
    let limits = Limits::default();
    let field = "X: y\r\n";
    let value = "x".repeat(1000);
    let ok = "HTTP/1.1 200 OK\r\n";
    let no = "HTTP/1.1 407 No\r\n";
    let chunked = format!("{no}Transfer-Encoding: chunked\r\n\r\n");
    let most = limits.max_head_size() + 64 * 1024;
    for (begin, again, most) in [
        ("", "x", 1),
        ("", "\r\n", 64),
        ("HTTP/1.1 ", "2", 64 * 1024),
        ("HTTP/1.1 200 ", value.as_str(), 64 * 1024),
        (ok, field, 64 * 1024),
        (&format!("{ok}X: "), &value, 64 * 1024),
        (&format!("{ok}X: y"), "\r\n z", 64 * 1024),
        (&format!("{ok}X:"), " ", 64 * 1024),
        (&format!("{ok}X: y"), "\r\n ", most),
        (ok, &format!("X: {value}{value}\r\n"), most),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", 64 * 1024),
        ("", &format!("HTTP/1.1 100 Go\r\nX: {value}\r\n\r\n"), most),
        (&format!("{ok}\r\n"), "x", 64 * 1024),
        (&format!("{no}\r\n"), "x", 64 * 1024),
        (&chunked, "1\r\nx\r\n", 64 * 1024),
        (&chunked, &format!("1;{value}\r\nx\r\n"), 64 * 1024),
        (&format!("{chunked}0\r\n"), field, 64 * 1024),
        (&chunked, "0", 64 * 1024),
    ] {
        let (answered, taken) = asked(b"", 1024, async |far| flood(far, begin, again).await).await;
        assert!(answered.is_err(), "{begin:?} {again:?}");
        assert!(
            taken <= begin.len() + again.len() + most + 1024,
            "{begin:?} {again:?}: {taken}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_heard_though_the_request_is_not() {
    // It has read enough to know that this is too much.
    let sent = [b'x'; 4096];
    let refusal = "HTTP/1.1 431 Too much\r\n\r\n";
    let (stays, _far) = asked(&sent, 64, async |mut far: DuplexStream| {
        far.write_all(refusal.as_bytes()).await.expect("open");
        far
    })
    .await;
    let (leaves, ()) = asked(&sent, 64, async |far| say(far, &[refusal.as_bytes()]).await).await;
    for answered in [stays, leaves] {
        let Err(Failure::Refused(head, _)) = answered else {
            panic!("it refuses");
        };
        assert_eq!(head.status, 431);
    }
    // It cannot have been asked yet.
    let (early, ()) = asked(&sent, 64, async |far| say(far, &[RIGHT.as_bytes()]).await).await;
    assert!(matches!(early, Err(Failure::Talkative)));
    let (gone, ()) = asked(&sent, 64, async |far: DuplexStream| drop(far)).await;
    assert!(matches!(gone, Err(Failure::Io(_))));
}

/// What an answer is made of, in some order.
fn scrap() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 407 \r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 X\r\n\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\n",
        "X: y\r\n",
        " folded\r\n",
        "\r\n",
        "\n",
        "\r",
        "\0",
        ":",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        RIGHT,
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_proxy_says_is_understood_or_refused(
        scraps in vec(scrap(), 0..8),
        changes in vec((any::<Index>(), any::<u8>()), 0..3),
        cuts in vec(any::<Index>(), 0..4),
    ) {
        let mut said = scraps.concat();
        for (place, byte) in changes.iter().filter(|_| !scraps.concat().is_empty()) {
            let place = place.index(said.len());
            said[place] = *byte;
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(said.len() + 1)).collect();
        cuts.extend([0, said.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &said[cut[0]..cut[1]]).collect();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
        let (answered, ()) = runtime.block_on(asked(b"", 64, async |far| say(far, &pieces).await));
        // What comes later is for TLS to judge.
        let is_right = |&end: &usize| {
            let said = &said[..end];
            let is_ok = said.windows(13).any(|part| {
                part.starts_with(b"HTTP/1.") && part[8..].starts_with(b" 200")
            });
            is_ok && (said.ends_with(b"\n\r\n") || said.ends_with(b"\n\n"))
        };
        if answered.is_ok() {
            prop_assert!(cuts.iter().any(is_right), "{}", said.escape_ascii());
        }
    }
}
