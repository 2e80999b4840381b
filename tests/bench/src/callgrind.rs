//! Instructions per request, user space: the same work twice under callgrind, and the difference.

use std::{env, fs, io, net::SocketAddr, path::Path, process::Command};

use crate::{Fallible, batch::RUNS, peers::Peer, rows::Row};

/// Prints a line per row and peer, or why there is none.
pub(crate) fn measure(address: SocketAddr) -> Fallible<()> {
    let found = Command::new("valgrind").arg("--version").output();
    if matches!(&found, Err(error) if error.kind() == io::ErrorKind::NotFound) {
        println!("\ninstructions: skipped, valgrind is not installed");
        return Ok(());
    }
    let directory = env::temp_dir().join(format!("aio-bench-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    println!(
        "\nInstructions per request, user space (callgrind; profiles in {})",
        directory.display()
    );
    for row in [Row::Get, Row::Headers] {
        for peer in Peer::ALL {
            let [short, long] = RUNS.map(|count| run(peer, row, count, address, &directory));
            let each = (long? - short?) / (RUNS[1] - RUNS[0]);
            println!("{:<9} {:<7} {each:>8}", row.name(), peer.name());
        }
    }
    Ok(())
}

/// Returns the instructions of a whole run.
fn run(peer: Peer, row: Row, count: u64, address: SocketAddr, directory: &Path) -> Fallible<u64> {
    let profile = directory.join(format!("{}-{}-{count}.callgrind", row.name(), peer.name()));
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(env::current_exe()?)
        .args([
            "batch",
            peer.name(),
            row.name(),
            &count.to_string(),
            &address.to_string(),
        ])
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
