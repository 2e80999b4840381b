//! CPU time of all peers, interleaved: one process, shuffled slices, paired by round.

use std::net::SocketAddr;

use crate::{
    Fallible, cpu,
    peers::Peer,
    random::Random,
    rounds::{Ratio, median},
    rows::Row,
    table,
};

/// Enough for intervals of a few percent on a noisy machine.
const ROUNDS: usize = 60;

/// The same for rows whose slice is one transfer, whose costs differ more.
const BULK_ROUNDS: usize = 240;

fn rounds(row: Row) -> usize {
    match row {
        Row::Download | Row::Upload => BULK_ROUNDS,
        _ => ROUNDS,
    }
}

/// Runs all peers in turn and returns their lines of the table.
pub(crate) fn measure(row: Row, address: SocketAddr) -> Fallible<String> {
    let mut random = Random::seeded(0x0a10);
    let costs = measure_costs(row, address, &mut random)?;
    let of = |peer: Peer| &costs[position(peer)][..];
    Ok(Peer::ALL
        .into_iter()
        .map(|peer| {
            let to_raw = Ratio::of(of(peer), of(Peer::Raw), &mut random);
            let to_hyper = Ratio::of(of(peer), of(Peer::Hyper), &mut random);
            table::paired_line(row, peer, to_raw, to_hyper, median(of(peer)))
        })
        .collect())
}

/// Returns CPU microseconds per request, for each peer and round.
fn measure_costs(row: Row, address: SocketAddr, random: &mut Random) -> Fallible<Vec<Vec<f64>>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut crews = Vec::new();
        for peer in Peer::ALL {
            let mut crew = peer.open(row, address).await?;
            // Warms caches, buffers and the server's connection; not counted.
            crew.work(row.slice()).await?;
            crews.push(crew);
        }
        let mut costs = vec![Vec::with_capacity(rounds(row)); crews.len()];
        let mut order: Vec<usize> = (0..crews.len()).collect();
        for _ in 0..rounds(row) {
            random.shuffle(&mut order);
            for &peer in &order {
                let begin = cpu::process_time();
                let requests = crews[peer].work(row.slice()).await?;
                let spent = cpu::process_time() - begin;
                costs[peer].push(spent.as_secs_f64() * 1e6 / requests as f64);
            }
        }
        Ok(costs)
    })
}

fn position(peer: Peer) -> usize {
    Peer::ALL
        .iter()
        .position(|&other| other == peer)
        .expect("ALL holds every peer")
}
