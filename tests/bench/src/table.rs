//! How results are printed.

use crate::{peers::Peer, rounds::Ratio, rows::Row};

/// Whom all are compared with.
pub(crate) const BASES: [&str; 3] = ["raw", "hyper", "reqwest"];

pub(crate) fn paired_head() -> String {
    let to = BASES.map(|base| format!("{:<21}", format!("to {base}")));
    format!(
        "CPU per request, median of per-round ratios [95 % interval]; compare within this run only.\n\
         {:<11}{}CPU µs (of this run, no promise)",
        "",
        to.concat()
    )
}

pub(crate) fn about_line(row: Row) -> String {
    format!("{}: {}\n", row.name, row.about)
}

pub(crate) fn paired_line(
    peer: Peer,
    ratios: &[Option<Ratio>],
    micros: f64,
    resumed: Option<f64>,
) -> String {
    let ratios: String = ratios
        .iter()
        .map(|to| format!("{:<21}", to.map(ratio).unwrap_or_default()))
        .collect();
    let resumed = resumed.map_or(String::new(), |share| {
        format!("  {:.0} % of handshakes resumed", share * 100.0)
    });
    format!("{:<11}{ratios}{micros:>7.2}{resumed}\n", peer.name)
}

pub(crate) fn ratio(Ratio { median, low, high }: Ratio) -> String {
    format!("{median:.3} [{low:.3}–{high:.3}]")
}
