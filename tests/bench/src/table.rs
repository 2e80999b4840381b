//! How results are printed.

use crate::{peers::Peer, rounds::Ratio, rows::Row};

pub(crate) const PAIRED_HEAD: &str = "\
CPU per request, median of per-round ratios [95 % interval]; compare within this run only.
row       peer    to raw               to hyper             CPU µs (of this run, no promise)";

pub(crate) fn paired_line(
    row: Row,
    peer: Peer,
    to_raw: Ratio,
    to_hyper: Ratio,
    micros: f64,
) -> String {
    let about = if peer == Peer::ALL[0] {
        row.about()
    } else {
        ""
    };
    let line = format!(
        "{:<9} {:<7} {:<20} {:<20} {micros:>10.2}  {about}",
        row.name(),
        peer.name(),
        ratio(to_raw),
        ratio(to_hyper),
    );
    format!("{}\n", line.trim_end())
}

fn ratio(Ratio { median, low, high }: Ratio) -> String {
    format!("{median:.3} [{low:.3}–{high:.3}]")
}
