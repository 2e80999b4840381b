//! A WebSocket that is opened again, against a server of its own that is gone again and again.
//!
//! Exits with 1 when a message is lost without being told of.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints"
)]

use std::process::ExitCode;
use std::time::Duration;

use aio_client::ws::server;
use aio_client::{ClientSession, CloseCode, WsEvent};
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error>;

const MESSAGES: usize = 20;

#[tokio::main]
async fn main() -> ExitCode {
    match chat().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reconnecting: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn chat() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/chat", listener.local_addr()?);
    let serving = tokio::spawn(serve(listener));

    let session = ClientSession::new();
    let request = session.ws_connect(url);
    let mut ws = request
        .heartbeat(Duration::from_secs(20))
        .reconnecting()
        .backoff(Duration::from_millis(20), Duration::from_secs(1))
        .max_failures(10)
        .retry_if(|error| {
            println!("  gone: {error}");
            error.may_pass()
        })
        .resubscribe(|socket, lost| {
            Box::pin(async move {
                socket.send_str(format!("join, lost {lost}")).await?;
                println!("  {}", socket.receive_str().await?);
                Ok(())
            })
        });
    let (mut answers, mut in_doubt) = (0, 0);
    for number in 0..MESSAGES {
        let sent = ws.send(format!("message {number}")).await?;
        match ws.next_event().await? {
            Some(WsEvent::Message(message)) => {
                // Better knowledge than that of a pong.
                ws.confirm(sent);
                answers += 1;
                println!("{:?}", message.as_text());
            }
            Some(WsEvent::Gap { unconfirmed }) => {
                in_doubt += unconfirmed.messages.len();
                println!("in doubt: {unconfirmed:?}");
            }
            other => return Err(format!("got {other:?}").into()),
        }
    }
    println!("{answers} answers to {MESSAGES} messages, {in_doubt} in doubt");
    if answers + in_doubt != MESSAGES || in_doubt == 0 {
        return Err("that does not add up".into());
    }
    ws.close(CloseCode::OK, "done").await;
    serving.abort();
    Ok(())
}

/// Echoes four messages on each connection, and restarts.
async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(mut socket) = server(stream).await else {
            continue;
        };
        for _ in 0..4 {
            let Ok(text) = socket.receive_str().await else {
                break;
            };
            let echo = format!("echo of {:?}", text.as_str());
            if socket.send_str(echo).await.is_err() {
                break;
            }
        }
        socket.close(CloseCode::SERVICE_RESTART, "back soon").await;
    }
}
