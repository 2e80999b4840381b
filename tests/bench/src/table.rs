//! How results are printed.

use crate::{peers::Peer, rounds::Ratio, rows::Row};

/// Whom all are compared with.
pub(crate) fn bases(row: Row) -> &'static [&'static str] {
    if row.messages.is_some() {
        &["raw", "fastwebsockets", "tungstenite", "yawc"]
    } else {
        &["raw", "hyper", "reqwest"]
    }
}

pub(crate) fn paired_head(row: Row) -> String {
    let to: Vec<String> = bases(row)
        .iter()
        .map(|base| format!("{:<21}", format!("to {base}")))
        .collect();
    let unit = if row.messages.is_some() {
        "message"
    } else {
        "request"
    };
    format!(
        "CPU per {unit}, median of per-round ratios [95 % interval]; compare within this run only.\n\
         {:<15}{}CPU µs (of this run, no promise)",
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
    format!("{:<15}{ratios}{micros:>8.3}{resumed}\n", peer.name)
}

pub(crate) fn ratio(Ratio { median, low, high }: Ratio) -> String {
    format!("{median:.3} [{low:.3}–{high:.3}]")
}
