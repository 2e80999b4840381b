//! A server in a process of its own: this same program, with other arguments.

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

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

/// Waits, in the server, until whoever started it wants no more of it.
pub async fn unwanted() {
    let read = || io::stdin().read_to_end(&mut Vec::new());
    // Whatever the error: nobody is there any more.
    _ = tokio::task::spawn_blocking(read).await;
}
