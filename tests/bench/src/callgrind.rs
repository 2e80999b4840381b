//! Instructions per request, user space: the same work twice under callgrind, and the difference.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Fallible, batch::RUNS, peers::Peer, rows::Row, site::Site};

/// Prints a line per row and peer, or why there is none.
pub(crate) fn measure(site: &Site) -> Fallible<()> {
    let Some(callgrind) = Callgrind::find()? else {
        println!("\ninstructions: skipped, valgrind is not installed");
        return Ok(());
    };
    println!(
        "\nInstructions per request, user space (callgrind; profiles in {})",
        callgrind.profiles.display()
    );
    for row in [
        Row::GET,
        Row::TEXT_URL,
        Row::HEADERS,
        Row::POST,
        Row::TLS,
        Row::ECHO,
        Row::FLOOD,
    ] {
        for peer in Peer::of(row) {
            let each = callgrind.count(peer, row, site)?;
            println!("{:<10} {:<14} {each:>8}", row.name, peer.name);
        }
    }
    Ok(())
}

/// valgrind, and where it leaves the profiles of this run.
pub(crate) struct Callgrind {
    profiles: PathBuf,
}

impl Callgrind {
    /// Returns nothing when valgrind is not installed.
    pub(crate) fn find() -> Fallible<Option<Self>> {
        let found = Command::new("valgrind").arg("--version").output();
        if matches!(&found, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let profiles = env::temp_dir().join(format!("aio-bench-{}", std::process::id()));
        fs::create_dir_all(&profiles)?;
        Ok(Some(Self { profiles }))
    }

    /// Returns the instructions of one request.
    pub(crate) fn count(&self, peer: Peer, row: Row, site: &Site) -> Fallible<u64> {
        let [short, long] = RUNS.map(|count| self.least(peer, row, count, site));
        Ok((long? - short?) / (RUNS[1] - RUNS[0]))
    }

    /// Returns the instructions inside of a function, when this program is started with these
    /// words.
    pub(crate) fn inside(&self, function: &str, words: &[String]) -> Fallible<u64> {
        let profile = self.profiles.join(words.join("-"));
        let counted = run_with(&profile, &[format!("--toggle-collect={function}")], words)?;
        match counted {
            0 => Err(format!("callgrind has not seen {function}").into()),
            counted => Ok(counted),
        }
    }

    /// Returns the instructions of the cheapest of some runs: on a busy machine answers come
    /// in more pieces, which can only add polls.
    fn least(&self, peer: Peer, row: Row, count: u64, site: &Site) -> Fallible<u64> {
        let mut least = u64::MAX;
        for _ in 0..TRIES {
            least = least.min(run(peer, row, count, site, &self.profiles)?);
        }
        Ok(least)
    }
}

/// With three the guarded counts differ by less than 1 % between runs of a busy machine.
const TRIES: usize = 3;

/// Returns the instructions of a whole run.
fn run(peer: Peer, row: Row, count: u64, site: &Site, directory: &Path) -> Fallible<u64> {
    let words = [
        "batch".to_owned(),
        peer.name.to_owned(),
        row.name.to_owned(),
        count.to_string(),
        site.to_string(),
    ];
    let profile = format!("{}-{}-{count}", row.name, peer.name);
    run_with(&directory.join(profile), &[], &words)
}

/// Returns what callgrind, told so, counts when this program is started with these words.
fn run_with(profile: &Path, options: &[String], words: &[String]) -> Fallible<u64> {
    let profile = profile.with_extension("callgrind");
    let output = Command::new("valgrind")
        // Blocks are taken from and given to glibc's quick lists alone: the way around them
        // costs some 200 instructions more or less per request from one build to the next.
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=1000")
        .arg("--tool=callgrind")
        .args(options)
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(env::current_exe()?)
        .args(words)
        .output()?;
    if !output.status.success() {
        return Err(format!("valgrind: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let profile = fs::read_to_string(profile)?;
    let summary = profile
        .lines()
        .find_map(|line| line.strip_prefix("summary: "));
    Ok(summary
        .ok_or("callgrind wrote no summary")?
        .trim()
        .parse()?)
}
