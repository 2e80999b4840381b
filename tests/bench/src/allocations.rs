//! Allocations per request: the same work twice, and the difference.

use stats_alloc::Region;

use crate::{
    ALLOCATOR, Fallible,
    batch::{self, RUNS},
    peers::Peer,
    rows::Row,
    site::Site,
};

/// Prints a line per row and peer.
pub(crate) fn measure(site: &Site) -> Fallible<()> {
    println!("\nAllocations per request (growing a block counts as one)");
    for row in [Row::GET, Row::HEADERS, Row::POST, Row::ECHO, Row::FLOOD] {
        for peer in Peer::of(row) {
            let Allocated { count, bytes } = per_request(peer, row, site)?;
            println!(
                "{:<10} {:<14} {count:>8.2} {bytes:>8.0} bytes",
                row.name, peer.name
            );
        }
    }
    Ok(())
}

pub(crate) struct Allocated {
    pub(crate) count: f64,
    pub(crate) bytes: f64,
}

/// Returns what one request of a warm peer allocates.
pub(crate) fn per_request(peer: Peer, row: Row, site: &Site) -> Fallible<Allocated> {
    // What is set up once per process is set up here.
    batch::send(peer, row, RUNS[0], site)?;
    let [short, long] = RUNS.map(|count| allocated(peer, row, count, site));
    let (short, long) = (short?, long?);
    let requests = (RUNS[1] - RUNS[0]) as f64;
    Ok(Allocated {
        count: (long.count - short.count) / requests,
        bytes: (long.bytes - short.bytes) / requests,
    })
}

/// Returns what a whole run allocated.
fn allocated(peer: Peer, row: Row, count: u64, site: &Site) -> Fallible<Allocated> {
    let region = Region::new(ALLOCATOR);
    batch::send(peer, row, count, site)?;
    let stats = region.change();
    Ok(Allocated {
        count: (stats.allocations + stats.reallocations) as f64,
        bytes: stats.bytes_allocated as f64,
    })
}
