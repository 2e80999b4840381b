//! A fixed number of requests in a runtime of their own, for counts that are exact.

use crate::{Fallible, crew::Stint, peers::Peer, rows::Row, site::Site};

/// Requests in the two runs; the longer less the shorter leaves out connecting and warming up.
pub(crate) const RUNS: [u64; 2] = [1000, 2000];

pub(crate) fn send(peer: Peer, row: Row, count: u64, site: &Site) -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        peer.open(row, site)
            .await?
            .work(Stint::Requests(count))
            .await?;
        Ok(())
    })
}
