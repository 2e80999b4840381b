//! CPU time of all peers, interleaved: one process, shuffled slices, paired by round.

use crate::{
    Fallible,
    peers::Peer,
    random::Random,
    rounds::{Ratio, median},
    rows::Row,
    site::Site,
    table,
};

/// Runs all peers in turn and returns their lines of the table.
pub(crate) fn measure(row: Row, site: &Site) -> Fallible<String> {
    let mut random = Random::seeded(0x0a10);
    let measured = run(row, site, &mut random)?;
    let mut lines = table::about_line(row);
    for of in &measured {
        let ratios: Vec<Option<Ratio>> = table::bases(row)
            .iter()
            .map(|base| {
                let base = measured.iter().find(|other| other.peer.name == *base)?;
                Some(Ratio::of(&of.costs, &base.costs, &mut random))
            })
            .collect();
        lines.push_str(&table::paired_line(
            of.peer,
            &ratios,
            median(&of.costs),
            of.resumed,
        ));
    }
    Ok(lines)
}

struct Measured {
    peer: Peer,
    /// CPU microseconds per request, by round.
    costs: Vec<f64>,
    /// The share of resumed handshakes, where there is one per request.
    resumed: Option<f64>,
}

fn run(row: Row, site: &Site, random: &mut Random) -> Fallible<Vec<Measured>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut crews = Vec::new();
        let mut measured = Vec::new();
        for peer in Peer::of(row) {
            let mut crew = peer.open(row, site).await?;
            // Warms caches, buffers and the server's connection; not counted.
            crew.work(row.slice).await?;
            measured.push(Measured {
                peer,
                costs: Vec::with_capacity(row.rounds),
                resumed: None,
            });
            crews.push(crew);
        }
        let mut order: Vec<usize> = (0..crews.len()).collect();
        for _ in 0..row.rounds {
            random.shuffle(&mut order);
            for &peer in &order {
                let begin = crews[peer].spent();
                let requests = crews[peer].work(row.slice).await?;
                let spent = crews[peer].spent() - begin;
                let cost = spent.as_secs_f64() * 1e6 / requests as f64;
                measured[peer].costs.push(cost);
            }
        }
        if row.link.is_tls() && !row.link.is_kept() {
            for (crew, measured) in crews.iter_mut().zip(&mut measured) {
                let before = site.handshakes()?;
                crew.work(row.slice).await?;
                measured.resumed = Some(before.resumed_until(site.handshakes()?));
            }
        }
        Ok(measured)
    })
}
