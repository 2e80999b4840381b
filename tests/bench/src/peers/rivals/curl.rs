//! The program curl: one process per slice, one connection, one request at a time.

use std::{
    fs,
    io::Write as _,
    pin::Pin,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::super::Peer;
use crate::{
    Fallible,
    crew::{Stint, Work},
    rows::{Reading, Row},
};

/// Only where it does much for each request: else its start is what is measured.
pub(crate) const PEER: Peer = Peer {
    name: "curl",
    open: |row, site| {
        let curl = Curl {
            url: site.url(row.link, row.path),
            decodes: matches!(row.reading, Reading::Decoded(_)),
            spent: Duration::ZERO,
        };
        Box::pin(async move { Ok(Box::new(curl) as Box<dyn Work>) })
    },
};

/// Tells whether it is installed, and takes part in this row.
pub(crate) fn takes_part(row: Row) -> bool {
    matches!(row.reading, Reading::Chunks | Reading::Decoded(_))
        && Command::new("curl")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

struct Curl {
    url: String,
    decodes: bool,
    /// On the CPU, by all processes so far.
    spent: Duration,
}

impl Work for Curl {
    fn work(&mut self, stint: Stint) -> Pin<Box<dyn Future<Output = Fallible<u64>> + '_>> {
        // Enough that its start, a few milliseconds, hardly counts.
        let requests = match stint {
            Stint::For(_) => 2000,
            Stint::Requests(count) => count * 4,
        };
        Box::pin(async move {
            self.run(requests)?;
            Ok(requests)
        })
    }

    fn spent(&self) -> Duration {
        self.spent
    }
}

impl Curl {
    fn run(&mut self, requests: u64) -> Fallible<()> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--http1.1", "--write-out", "%{http_code}\n"]);
        if self.decodes {
            curl.arg("--compressed");
        }
        let mut curl = curl
            .args(["--config", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut config = curl.stdin.take().ok_or("no stdin")?;
        let line = format!("url = \"{}\"\noutput = /dev/null\n", self.url);
        config.write_all(line.repeat(usize::try_from(requests)?).as_bytes())?;
        drop(config);
        self.spent += time_on_cpu(&curl)?;
        let told = curl.wait_with_output()?;
        let told = String::from_utf8(told.stdout)?;
        let good = told.lines().filter(|line| *line == "200").count();
        if good as u64 != requests {
            return Err(format!("curl: {good} of {requests} requests went well").into());
        }
        Ok(())
    }
}

/// Waits until the process has ended, and tells how long it was on the CPU.
fn time_on_cpu(child: &Child) -> Fallible<Duration> {
    let pid = Pid::from_raw(child.id().try_into()?).ok_or("no process")?;
    // It stays to be asked until it is waited for in earnest.
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), ended)?;
    let stat = fs::read_to_string(format!("/proc/{}/schedstat", child.id()))?;
    let nanos = stat.split(' ').next().ok_or("an empty schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}
