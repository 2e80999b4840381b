//! Starts the server as a child; dropping the handle ends it.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::{Fallible, site::Site};

pub(crate) struct ServerProcess {
    pub(crate) site: Site,
    child: Child,
}

impl ServerProcess {
    /// Starts it on this core, or on any.
    pub(crate) fn start(core: Option<usize>) -> Fallible<Self> {
        let core = core.map_or("any".to_owned(), |core| core.to_string());
        let mut child = Command::new(env::current_exe()?)
            .args(["server", &core])
            // The server ends when this pipe does, even if we are killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("server without output")?;
        let mut site = String::new();
        for line in BufReader::new(output).lines() {
            let line = line?;
            if line.is_empty() {
                break;
            }
            site.push_str(&line);
            site.push('\n');
        }
        Ok(Self {
            site: site.parse()?,
            child,
        })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
