//! `guard`: no workload of ours may cost more instructions than what is kept in guard.txt,
//! as a ratio to the raw loop counted in the same run, and the small GET no more allocations;
//! nor may a cookie cost more to find among many.
//! `guard --keep` writes the file anew.

use std::fs;

use crate::{
    Fallible,
    allocations::{self, Allocated},
    callgrind::Callgrind,
    cookies,
    peers::Peer,
    rows::Row,
    server_process::ServerProcess,
    site::Site,
};

/// The body's row is there for copies. `gzip` would hide them behind its decoder, and the
/// 64 MiB of `download` come in a number of reads that differs between runs.
const GUARDED: [Row; 5] = [Row::GET, Row::TEXT_URL, Row::HEADERS, Row::POST, Row::BODY];

/// Runs differ by less than 1 %; the rest is for other compilers and libraries.
const ALLOWED: f64 = 1.03;

/// What the small GET of a warm session may allocate at most, whatever is kept (PERF.md).
const MOST: Allocated = Allocated {
    count: 4.0,
    bytes: 2000.0,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guard.txt");

/// Prints a line per workload, and fails if one has grown.
pub(crate) fn check() -> Fallible<()> {
    let file = fs::read_to_string(FILE)?;
    let server = ServerProcess::start(None)?;
    let mut grown = Vec::new();

    let Allocated { count, bytes } = allocations::per_request(Peer::OURS, Row::GET, &server.site)?;
    let kept = kept(&file, ALLOCATIONS)?;
    println!("Allocations of the small GET: {count:.2} (kept {kept:.2}), {bytes:.0} bytes");
    if count > kept * ALLOWED || count > MOST.count || bytes > MOST.bytes {
        grown.push(ALLOCATIONS);
    }

    println!("Instructions per request, and their ratio to raw");
    println!("           ours    raw   ratio    kept   change");
    let callgrind = Callgrind::find()?.ok_or("valgrind is not installed")?;
    for counted in count_all(&callgrind, &server.site)? {
        let (ratio, name) = (counted.ratio(), counted.row.name);
        let kept = self::kept(&file, name)?;
        let change = (ratio / kept - 1.0) * 100.0;
        println!(
            "{name:<9} {:>5} {:>6} {ratio:>7.3} {kept:>7.3} {change:>+6.2} %",
            counted.ours, counted.raw
        );
        if ratio > kept * ALLOWED {
            grown.push(name);
        }
    }
    if !cookies::check(&callgrind)? {
        return Err("cookies of other domains cost a request more than they may".into());
    }
    if grown.is_empty() {
        return Ok(());
    }
    let grown = grown.join(", ");
    Err(format!("more than 3 % above what is kept: {grown} (see tests/bench/guard.txt)").into())
}

/// Writes the file anew; its comments stay.
pub(crate) fn keep() -> Fallible<()> {
    let file = fs::read_to_string(FILE)?;
    let server = ServerProcess::start(None)?;
    let Allocated { count, bytes } = allocations::per_request(Peer::OURS, Row::GET, &server.site)?;
    let callgrind = Callgrind::find()?.ok_or("valgrind is not installed")?;
    let counts = count_all(&callgrind, &server.site)?;
    let comments = file.lines().filter(|line| line.starts_with('#'));
    let lines: Vec<String> = comments
        .map(str::to_owned)
        .chain(counts.iter().map(Counted::line))
        .chain([format!("{ALLOCATIONS} {count:.2}  {bytes:.0} bytes")])
        .collect();
    let file = lines.join("\n") + "\n";
    print!("{file}");
    Ok(fs::write(FILE, file)?)
}

/// The name of what the small GET allocates.
const ALLOCATIONS: &str = "allocations";

/// What one request costs.
struct Counted {
    row: Row,
    ours: u64,
    raw: u64,
}

impl Counted {
    fn ratio(&self) -> f64 {
        self.ours as f64 / self.raw as f64
    }

    fn line(&self) -> String {
        let (ratio, name) = (self.ratio(), self.row.name);
        format!("{name:<9} {ratio:.3}  {} / {}", self.ours, self.raw)
    }
}

fn count_all(callgrind: &Callgrind, site: &Site) -> Fallible<Vec<Counted>> {
    let count = |peer, row| callgrind.count(peer, row, site);
    GUARDED
        .into_iter()
        .map(|row| {
            Ok(Counted {
                row,
                ours: count(Peer::OURS, row)?,
                raw: count(Peer::RAW, row)?,
            })
        })
        .collect()
}

fn kept(file: &str, name: &str) -> Fallible<f64> {
    let words = file.lines().map(|line| line.split_whitespace());
    let kept = words
        .filter_map(|mut words| (words.next() == Some(name)).then(|| words.next()))
        .next();
    let ratio = kept.flatten();
    Ok(ratio
        .ok_or_else(|| format!("nothing is kept for {name}"))?
        .parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_line_is_read_again() {
        let counted = Counted {
            row: Row::GET,
            ours: 12_330,
            raw: 1991,
        };
        let file = format!("# get is the small one\n{}\n", counted.line());
        assert_eq!(kept(&file, "get").expect("written above"), 6.193);
        assert!(kept(&file, "post").is_err());
    }
}
