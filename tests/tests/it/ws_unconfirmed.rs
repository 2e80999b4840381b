//! What a WebSocket that is opened again knows of the messages that a lost connection had
//! taken.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use aio_client::ws::WebSocket;
use aio_client::{CloseCode, ReconnectError, ReconnectingWebSocket, WsEvent, WsMessage};
use tokio::time::timeout;

use crate::ws_reconnecting::{
    Far, Server, Told, URL, feed, listed, next, session, settle, short, vanish, within,
};

/// Opens the first connection.
async fn open(change: fn(ReconnectingWebSocket) -> ReconnectingWebSocket) -> Opened {
    let (ws, mut server) = feed();
    let mut ws = change(ws);
    let (socket, opened) = tokio::join!(server.accept(), ws.connected());
    opened.expect("it opens");
    (ws, server, socket)
}

type Opened = (ReconnectingWebSocket, Server, WebSocket<Far>);

fn same(ws: ReconnectingWebSocket) -> ReconnectingWebSocket {
    ws
}

async fn send(ws: &mut ReconnectingWebSocket, texts: impl IntoIterator<Item = &'static str>) {
    for text in texts {
        within(ws.send(text)).await.expect("it is open");
    }
}

/// Has the server read so many messages, and answer the pings before them and behind.
async fn read(socket: &mut WebSocket<Far>, count: usize) {
    for _ in 0..count {
        within(socket.receive())
            .await
            .expect("it is open")
            .expect("a message");
    }
    let more = timeout(Duration::from_millis(1), socket.receive()).await;
    assert!(more.is_err(), "{more:?}");
}

/// Ends the connection; gives what the client is told behind the next one has begun.
async fn lose(
    ws: &mut ReconnectingWebSocket,
    server: &mut Server,
    socket: WebSocket<Far>,
) -> String {
    vanish(socket);
    let (next, told) = tokio::join!(server.accept(), next(ws));
    vanish(next);
    told
}

#[tokio::test(start_paused = true)]
async fn what_the_server_did_not_read_is_unconfirmed() {
    let (mut ws, mut server, socket) = open(same).await;
    send(&mut ws, ["a", "b", "c"]).await;
    settle(&mut ws).await;
    let told = lose(&mut ws, &mut server, socket).await;
    assert_eq!(told, r#"gap ["0:a", "1:b", "2:c"]+0"#);
    // It is told once.
    let (_socket, told) = tokio::join!(server.accept(), next(&mut ws));
    assert_eq!(told, "gap []+0");
}

#[tokio::test(start_paused = true)]
async fn what_the_server_read_is_confirmed_by_pongs() {
    let (mut ws, mut server, mut socket) = open(same).await;
    send(&mut ws, ["a", "b", "c"]).await;
    // The ping behind the first is answered; its pong brings the ping behind the last.
    for _ in 0..2 {
        let receiving = timeout(Duration::from_millis(2), socket.receive());
        let (received, ()) = tokio::join!(receiving, settle(&mut ws));
        drop(received);
    }
    read(&mut socket, 1).await;
    settle(&mut ws).await;
    read(&mut socket, 0).await;
    settle(&mut ws).await;
    assert_eq!(lose(&mut ws, &mut server, socket).await, "gap []+0");
}

#[tokio::test(start_paused = true)]
async fn a_pong_that_was_not_received_confirms_nothing() {
    let (mut ws, mut server, mut socket) = open(same).await;
    send(&mut ws, ["a", "b"]).await;
    read(&mut socket, 2).await;
    // Only the ping behind the first is here, and its pong is received behind a message.
    socket.send_str("x").await.expect("it is open");
    assert_eq!(next(&mut ws).await, "x");
    assert_eq!(lose(&mut ws, &mut server, socket).await, r#"gap ["1:b"]+0"#);

    // What came before the end is received before it.
    let (mut ws, mut server, mut socket) = open(same).await;
    send(&mut ws, ["a"]).await;
    read(&mut socket, 1).await;
    assert_eq!(lose(&mut ws, &mut server, socket).await, "gap []+0");
}

#[tokio::test(start_paused = true)]
async fn without_pings_the_user_confirms() {
    let (mut ws, mut server, mut socket) = open(|ws| ws.confirm_by_pings(false)).await;
    send(&mut ws, ["a", "b", "c", "d"]).await;
    read(&mut socket, 4).await;
    settle(&mut ws).await;
    for number in [1, 3, 3, 99] {
        ws.confirm(number);
    }
    assert_eq!(
        lose(&mut ws, &mut server, socket).await,
        r#"gap ["0:a", "2:c"]+0"#
    );
}

#[tokio::test(start_paused = true)]
async fn numbers_go_on_and_can_be_confirmed_behind_a_loss() {
    let (mut ws, mut server, socket) = open(same).await;
    send(&mut ws, ["a", "b"]).await;
    vanish(socket);
    // It is away, and nobody has asked for the gap.
    settle(&mut ws).await;
    ws.confirm(0);
    let (mut socket, number) = tokio::join!(server.accept(), within(ws.send("c")));
    assert_eq!(number.expect("it is open"), 2);
    read(&mut socket, 1).await;
    assert_eq!(next(&mut ws).await, r#"gap ["1:b"]+0"#);
    settle(&mut ws).await;
    assert_eq!(lose(&mut ws, &mut server, socket).await, "gap []+0");
}

#[tokio::test(start_paused = true)]
async fn two_losses_that_nobody_asked_for_are_one_gap() {
    let (mut ws, mut server, socket) = open(same).await;
    send(&mut ws, ["a"]).await;
    vanish(socket);
    settle(&mut ws).await;
    let (socket, sent) = tokio::join!(server.accept(), within(ws.send("b")));
    assert_eq!(sent.expect("it is open"), 1);
    vanish(socket);
    // The first message finds out that the connection is gone, the second one waits.
    send(&mut ws, ["c"]).await;
    let (_socket, sent) = tokio::join!(server.accept(), within(ws.send("d")));
    assert_eq!(sent.expect("it is open"), 3);
    assert_eq!(next(&mut ws).await, r#"gap ["0:a", "1:b", "2:c"]+0"#);
    assert_eq!(listed(&ws.take_unconfirmed()), r#"["3:d"]+0"#);
    assert!(ws.take_unconfirmed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_end_is_not_lost_to_who_sends() {
    let (mut ws, mut server, mut socket) = open(same).await;
    for text in ["x", "y"] {
        socket.send_str(text).await.expect("it is open");
    }
    vanish(socket);
    send(&mut ws, ["a"]).await;
    let (mut socket, sent) = tokio::join!(server.accept(), within(ws.send("b")));
    assert_eq!(sent.expect("it is open"), 1);
    socket.send_str("z").await.expect("it is open");
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(next(&mut ws).await);
    }
    assert_eq!(told, ["x", "y", r#"gap ["0:a"]+0"#, "z"]);

    // And that the server does not want it back is known.
    let (mut ws, _server, mut socket) = open(same).await;
    socket.send_str("x").await.expect("it is open");
    let closing = socket.close(CloseCode::POLICY_VIOLATION, "");
    assert!(timeout(Duration::from_millis(1), closing).await.is_err());
    drop(socket);
    send(&mut ws, ["a"]).await;
    let error = within(ws.send("b")).await.expect_err("it has ended");
    assert!(matches!(error, ReconnectError::Closed(_)), "{error:?}");
    assert_eq!(next(&mut ws).await, "x");
    assert!(next(&mut ws).await.contains("1008"));
    assert_eq!(listed(&ws.take_unconfirmed()), r#"["0:a"]+0"#);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_has_bounds() {
    let (mut ws, mut server, socket) = open(|ws| ws.keep_unconfirmed(2, 10)).await;
    send(&mut ws, ["a", "b", "c", "d"]).await;
    assert_eq!(
        lose(&mut ws, &mut server, socket).await,
        r#"gap ["2:c", "3:d"]+2"#
    );

    let (mut ws, mut server, socket) = open(|ws| ws.keep_unconfirmed(9, 10)).await;
    send(&mut ws, ["12345", "12345", "6", "a text that is too long"]).await;
    assert_eq!(lose(&mut ws, &mut server, socket).await, "gap []+4");
}

#[tokio::test(start_paused = true)]
async fn pings_and_pongs_are_not_kept_and_its_own_are_not_shown() {
    let (session, mut server) = session();
    let request = session.ws_connect(URL).autoping(false);
    let mut ws = request.reconnecting();
    let (mut socket, opened) = tokio::join!(server.accept(), ws.connected());
    opened.expect("it opens");
    for message in [
        WsMessage::Ping("mine".into()),
        WsMessage::Pong("?".into()),
        "a".into(),
    ] {
        within(ws.send(message)).await.expect("it is open");
    }
    read(&mut socket, 1).await;
    socket.ping("yours").await.expect("it is open");
    for want in [
        WsMessage::Pong("mine".into()),
        WsMessage::Ping("yours".into()),
    ] {
        let event = within(ws.next_event()).await;
        assert_eq!(message(event), want);
    }
    settle(&mut ws).await;
    assert_eq!(lose(&mut ws, &mut server, socket).await, "gap []+0");
}

fn message(told: Told) -> WsMessage {
    match told {
        Ok(Some(WsEvent::Message(message))) => message,
        other => panic!("{}", short(other)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_is_not_sent_or_is_unconfirmed() {
    // Without a connection, it is not sent.
    let (mut ws, mut server) = feed();
    let dropped = timeout(Duration::from_millis(1), ws.send("dropped")).await;
    assert!(dropped.is_err(), "nobody answers");
    let (socket, opened) = tokio::join!(server.accept(), ws.connected());
    opened.expect("it opens");
    // With one that takes no more, it is, up to 256 KiB of them.
    let large = "x".repeat(100_000);
    for _ in 0..4 {
        let sending = within(timeout(Duration::from_millis(1), ws.send(&*large))).await;
        assert!(sending.is_err(), "nobody reads");
    }
    vanish(socket);
    let (_socket, told) = tokio::join!(server.accept(), within(ws.next_event()));
    let Ok(Some(WsEvent::Gap { unconfirmed })) = told else {
        panic!("{}", short(told));
    };
    let lengths: Vec<_> = unconfirmed
        .messages
        .iter()
        .map(|(number, message)| (*number, message.as_text().map(str::len)))
        .collect();
    let long = Some(large.len());
    assert_eq!(lengths, [(0, long), (1, long), (2, long)]);
    assert_eq!(unconfirmed.forgotten, 0);
}

#[tokio::test(start_paused = true)]
async fn every_poll_of_a_send_may_be_the_last() {
    for polls in 0..20 {
        let (ws, mut server) = feed();
        let mut ws = ws.max_failures(9).resubscribe(|socket, _| {
            Box::pin(async move {
                socket.send_str("hook").await?;
                Ok(())
            })
        });
        let serve = tokio::spawn(async move {
            let mut socket = server.accept().await;
            socket.receive_str().await.expect("the hook's message");
            socket.send_str("x").await.expect("it is open");
            vanish(socket);
            let mut socket = server.accept().await;
            let mut got = Vec::new();
            while let Ok(Ok(text)) = timeout(Duration::from_secs(60), socket.receive_str()).await {
                got.push(text);
            }
            vanish(socket);
            drop(server);
            got
        });
        assert_eq!(next(&mut ws).await, "x");
        let mut left = polls;
        let mut sent = false;
        {
            let mut sending = pin!(ws.send("message"));
            within(std::future::poll_fn(|cx| {
                if left == 0 {
                    return std::task::Poll::Ready(());
                }
                left -= 1;
                sending.as_mut().poll(cx).map(|told| sent = told.is_ok())
            }))
            .await;
        }
        // In the end nobody listens any more.
        let mut told = vec![next(&mut ws).await];
        while told.last().is_some_and(|last| last.starts_with("gap")) {
            told.push(next(&mut ws).await);
        }
        told.push(listed(&ws.take_unconfirmed()));
        let got = within(serve).await.expect("no panic");
        let arrived = got.iter().filter(|text| **text == "message").count();
        let kept = told.iter().filter(|gap| gap.contains("0:message")).count();
        assert!(arrived <= 1 && kept <= 1, "{polls}: {got:?} {told:?}");
        if sent {
            assert!(arrived + kept >= 1, "{polls}: {got:?} {told:?}");
        }
        assert_eq!(got.first().map(|text| &**text), Some("hook"));
    }
}
