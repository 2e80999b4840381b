//! Allocations per request: the same work twice, and the difference.

use std::net::SocketAddr;

use stats_alloc::Region;

use crate::{
    ALLOCATOR, Fallible,
    batch::{self, RUNS},
    peers::Peer,
    rows::Row,
};

/// Prints a line per row and peer.
pub(crate) fn measure(address: SocketAddr) -> Fallible<()> {
    println!("\nAllocations per request (growing a block counts as one)");
    for row in [Row::Get, Row::Headers] {
        for peer in Peer::ALL {
            // What is set up once per process is set up here.
            batch::send(peer, row, RUNS[0], address)?;
            let [short, long] = RUNS.map(|count| allocated(peer, row, count, address));
            let (short, long) = (short?, long?);
            let requests = (RUNS[1] - RUNS[0]) as f64;
            let count = (long.count - short.count) / requests;
            let bytes = (long.bytes - short.bytes) / requests;
            println!(
                "{:<9} {:<7} {count:>8.2} {bytes:>8.0} bytes",
                row.name(),
                peer.name()
            );
        }
    }
    Ok(())
}

struct Allocated {
    count: f64,
    bytes: f64,
}

/// Returns what a whole run allocated.
fn allocated(peer: Peer, row: Row, count: u64, address: SocketAddr) -> Fallible<Allocated> {
    let region = Region::new(ALLOCATOR);
    batch::send(peer, row, count, address)?;
    let stats = region.change();
    Ok(Allocated {
        count: (stats.allocations + stats.reallocations) as f64,
        bytes: stats.bytes_allocated as f64,
    })
}
