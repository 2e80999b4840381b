//! What Autobahn|Testsuite tests: echoes all messages of each case, for
//! `cargo xtask conformance autobahn`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that is tested says how far it is"
)]

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use aio_client::{ClientSession, ClientWebSocketResponse, WsMessage};
use tokio::runtime;
use tokio::time::timeout;

/// The suite gives up on the longest cases after 480 s.
const HUNG: Duration = Duration::from_secs(500);

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let [url, agent] = words.as_slice() else {
        eprintln!("usage: autobahn ws://HOST:PORT AGENT");
        return ExitCode::FAILURE;
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(url, agent)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str, agent: &str) -> Fallible<()> {
    let session = ClientSession::new();
    let mut socket = open(&session, &format!("{url}/getCaseCount")).await?;
    let count: u32 = socket.receive_str().await?.parse()?;
    println!("{count} cases");
    for case in 1..=count {
        let url = format!("{url}/runCase?case={case}&agent={agent}");
        // What goes wrong is for the suite to judge, but for hanging.
        match timeout(HUNG, echo(&session, &url)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => println!("case {case}: {error}"),
            Err(_) => return Err(format!("case {case} hangs").into()),
        }
    }
    let mut socket = open(&session, &format!("{url}/updateReports?agent={agent}")).await?;
    while timeout(HUNG, socket.receive()).await??.is_some() {}
    Ok(())
}

async fn open(session: &ClientSession, url: &str) -> Fallible<ClientWebSocketResponse> {
    // The largest message has 16 MiB.
    let request = session.ws_connect(url).max_msg_size(32 * 1024 * 1024);
    Ok(request.compress(15).await?)
}

async fn echo(session: &ClientSession, url: &str) -> Fallible<()> {
    let mut socket = open(session, url).await?;
    while let Some(message) = socket.receive().await? {
        match message {
            WsMessage::Text(_) | WsMessage::Binary(_) => socket.send(message).await?,
            _ => {}
        }
    }
    Ok(())
}
