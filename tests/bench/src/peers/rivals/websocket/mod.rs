//! The WebSockets of others.

mod fastwebsockets;
mod tungstenite;
mod yawc;

use super::super::{Peer, crew};
use crate::rows::Messages;

/// Who takes part.
pub(crate) fn peers(messages: Messages) -> Vec<Peer> {
    let fastwebsockets = Peer {
        name: "fastwebsockets",
        open: |row, site| crew::<fastwebsockets::Fast>(row, site),
    };
    let tungstenite = Peer {
        name: "tungstenite",
        open: |row, site| crew::<tungstenite::Tungstenite>(row, site),
    };
    let yawc = Peer {
        name: "yawc",
        open: |row, site| crew::<yawc::Yawc>(row, site),
    };
    match messages {
        // The others do not compress.
        Messages::Deflated => vec![yawc, Peer::OURS],
        _ => vec![Peer::RAW, fastwebsockets, tungstenite, yawc, Peer::OURS],
    }
}
