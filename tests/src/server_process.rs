//! A server in a process of its own: this same program, with other arguments.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;

/// The server; dropping it ends it.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl ServerProcess {
    /// Starts this program once more with these arguments, and returns the first line that
    /// it prints: where it listens.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or prints nothing.
    pub fn start(arguments: &[&str]) -> io::Result<(Self, String)> {
        let mut child = Command::new(env::current_exe()?)
            .args(arguments)
            // The server ends when this pipe does, even if we are killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut server = Self {
            child,
            output: BufReader::new(output),
        };
        let mut line = String::new();
        if server.output.read_line(&mut line)? == 0 {
            return Err(io::Error::other("the server does not say where it listens"));
        }
        Ok((server, line))
    }

    /// Has the server end, and returns what it prints then.
    ///
    /// # Errors
    ///
    /// If it prints something that is no text.
    pub fn end(mut self) -> io::Result<String> {
        drop(self.child.stdin.take());
        let mut report = String::new();
        self.output.read_to_string(&mut report)?;
        Ok(report)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Is the server: says where it listens, and answers each connection in a task of its own,
/// until nobody wants more of it.
///
/// # Errors
///
/// If there is no address to listen on.
pub fn serve<A: Future<Output: Send> + Send + 'static>(
    answer: impl Fn(TcpStream) -> A + Send + 'static,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        unwanted().await;
        Ok(())
    })
}

/// Waits, in the server, until whoever started it wants no more of it.
pub async fn unwanted() {
    let read = || io::stdin().read_to_end(&mut Vec::new());
    // Whatever the error: nobody is there any more.
    _ = tokio::task::spawn_blocking(read).await;
}
