//! How the two sides agree on permessage-deflate (RFC 7692 5 and 7.1).

use std::fmt::Write as _;

use super::{DeflateParams, WindowBits};
use crate::handshake::HandshakeCheck;

const NAME: &str = "permessage-deflate";
const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// The smallest window that RFC 7692 has, one smaller than zlib's.
const LEAST_BITS: u8 = 8;

impl DeflateParams {
    /// Returns what a client proposes, the value of its `Sec-WebSocket-Extensions`.
    ///
    /// ```
    /// use aio_ws::{DeflateParams, WindowBits};
    ///
    /// let params = DeflateParams::default();
    /// assert_eq!(params.offer(), "permessage-deflate; client_max_window_bits");
    /// let params = DeflateParams { server_max_window_bits: WindowBits::MIN, ..params };
    /// assert_eq!(params.offer(), "permessage-deflate; client_max_window_bits; server_max_window_bits=9");
    /// ```
    pub fn offer(&self) -> String {
        // Without a value it says that the server may choose one.
        let mut offer = format!("{NAME}; {CLIENT_BITS}");
        if self.client_max_window_bits < WindowBits::MAX {
            let _ = write!(offer, "={}", self.client_max_window_bits);
        }
        self.append(&mut offer, &[(SERVER_BITS, self.server_max_window_bits)]);
        offer
    }

    /// Reads how the server answers this offer, from its `Sec-WebSocket-Extensions` fields;
    /// `None` if it does not take it.
    ///
    /// Extensions with other names are passed over, as in aiohttp. So is the demand that
    /// what was offered comes back: what the answer lacks does not hold.
    ///
    /// # Errors
    ///
    /// [`HandshakeCheck::WindowSize`] for a window that there is not, or of 8 bits for the
    /// client; [`HandshakeCheck::Extension`] for a parameter that is unknown, malformed or
    /// there twice.
    pub fn answered<'a>(
        &self,
        fields: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, HandshakeCheck> {
        let mut fields = fields.into_iter();
        let Some(params) = fields.find_map(|field| proposals(field).next()) else {
            return Ok(None);
        };
        let answer = Params::parse(params).map_err(|wrong| match wrong {
            Wrong::WindowSize => HandshakeCheck::WindowSize,
            Wrong::Parameter => {
                let params = String::from_utf8_lossy(params).trim_end().to_owned();
                HandshakeCheck::Extension(params)
            }
        })?;
        // A name without a value is what a server sends that returns the offer as it is.
        let client_bits = answer.client_bits.flatten().unwrap_or(WindowBits::MAX.0);
        let client_bits = WindowBits::new(client_bits).map_err(|_| HandshakeCheck::WindowSize)?;
        let server_bits = answer.server_bits.flatten().unwrap_or(WindowBits::MAX.0);
        Ok(Some(Self {
            server_no_context_takeover: answer.server_no_takeover,
            client_no_context_takeover: answer.client_no_takeover
                || self.client_no_context_takeover,
            server_max_window_bits: at_least_min(server_bits),
            client_max_window_bits: client_bits.min(self.client_max_window_bits),
        }))
    }

    /// Takes the first of a client's proposals that can be taken, from its
    /// `Sec-WebSocket-Extensions` fields: what then holds, and the value of the server's field.
    ///
    /// `self` is what the server wants; the client may want less. `None` if there is none that
    /// a server can take: the connection is then one without compression.
    ///
    /// ```
    /// use aio_ws::{DeflateParams, WindowBits};
    ///
    /// let wanted = DeflateParams { client_no_context_takeover: true, ..DeflateParams::default() };
    /// let offer = "x-other, permessage-deflate; server_max_window_bits=10";
    /// let (agreed, answer) = wanted.accept([offer.as_bytes()]).expect("well-formed");
    /// assert_eq!(agreed.server_max_window_bits.get(), 10);
    /// assert_eq!(answer, "permessage-deflate; client_no_context_takeover; server_max_window_bits=10");
    /// ```
    pub fn accept<'a>(&self, fields: impl IntoIterator<Item = &'a [u8]>) -> Option<(Self, String)> {
        let mut proposals = fields.into_iter().flat_map(proposals);
        proposals.find_map(|params| {
            let offer = Params::parse(params).ok()?;
            let server_bits = match offer.server_bits {
                None => WindowBits::MAX,
                Some(bits) => WindowBits::new(bits?).ok()?,
            };
            // Only a client that names it can be told (RFC 7692 7.1.2.2).
            let client_bits = match offer.client_bits {
                None | Some(Some(LEAST_BITS)) => WindowBits::MAX,
                Some(bits) => {
                    at_least_min(bits.unwrap_or(WindowBits::MAX.0)).min(self.client_max_window_bits)
                }
            };
            let agreed = Self {
                server_no_context_takeover: self.server_no_context_takeover
                    || offer.server_no_takeover,
                client_no_context_takeover: self.client_no_context_takeover
                    || offer.client_no_takeover,
                server_max_window_bits: self.server_max_window_bits.min(server_bits),
                client_max_window_bits: client_bits,
            };
            let mut answer = NAME.to_owned();
            agreed.append(
                &mut answer,
                &[
                    (SERVER_BITS, agreed.server_max_window_bits),
                    (CLIENT_BITS, agreed.client_max_window_bits),
                ],
            );
            // What a client asks for is to come back, even the largest (RFC 7692 7.1.2.1).
            if offer.server_bits.is_some() && agreed.server_max_window_bits == WindowBits::MAX {
                let _ = write!(answer, "; {SERVER_BITS}={}", WindowBits::MAX);
            }
            Some((agreed, answer))
        })
    }

    fn append(&self, value: &mut String, windows: &[(&str, WindowBits)]) {
        let switches = [
            (SERVER_NO_TAKEOVER, self.server_no_context_takeover),
            (CLIENT_NO_TAKEOVER, self.client_no_context_takeover),
        ];
        for (name, _) in switches.into_iter().filter(|(_, is_on)| *is_on) {
            let _ = write!(value, "; {name}");
        }
        for (name, bits) in windows.iter().filter(|(_, bits)| *bits < WindowBits::MAX) {
            let _ = write!(value, "; {name}={bits}");
        }
    }
}

/// The window for `bits`, of which a peer may have one less than zlib: the larger one holds
/// what it sends.
fn at_least_min(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap_or(WindowBits::MIN)
}

/// The parameters of one proposal or answer. A window may be named without its size.
#[derive(Debug, Default)]
struct Params {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<Option<u8>>,
    client_bits: Option<Option<u8>>,
}

/// What can be wrong with parameters.
enum Wrong {
    /// The size of a window is a number, but not one of 8 to 15.
    WindowSize,
    Parameter,
}

impl Params {
    /// Reads what follows the name of the extension.
    fn parse(text: &[u8]) -> Result<Self, Wrong> {
        let mut params = Self::default();
        for param in split(text, b';').skip(1) {
            let (name, value) = match param.iter().position(|&b| b == b'=') {
                None => (param, None),
                Some(at) => {
                    let (name, value) = param.split_at(at);
                    (name.trim_ascii_end(), Some(unquoted(value)?))
                }
            };
            let is_new = match (&name.to_ascii_lowercase()[..], value) {
                (name, None) if name == SERVER_NO_TAKEOVER.as_bytes() => {
                    !std::mem::replace(&mut params.server_no_takeover, true)
                }
                (name, None) if name == CLIENT_NO_TAKEOVER.as_bytes() => {
                    !std::mem::replace(&mut params.client_no_takeover, true)
                }
                (name, value) if name == SERVER_BITS.as_bytes() => {
                    let bits = value.map(window_bits).transpose()?;
                    params.server_bits.replace(bits).is_none()
                }
                (name, value) if name == CLIENT_BITS.as_bytes() => {
                    let bits = value.map(window_bits).transpose()?;
                    params.client_bits.replace(bits).is_none()
                }
                _ => false,
            };
            if !is_new {
                return Err(Wrong::Parameter);
            }
        }
        Ok(params)
    }
}

/// Reads the size of a window: a number without leading zeros, 8 to 15 (RFC 7692 7.1.2).
fn window_bits(value: &[u8]) -> Result<u8, Wrong> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if !is_number || value.first() == Some(&b'0') {
        return Err(Wrong::Parameter);
    }
    let number: Option<u8> = str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok());
    match number {
        Some(bits @ LEAST_BITS..=15) => Ok(bits),
        _ => Err(Wrong::WindowSize),
    }
}

/// Reads `=value`, which may be a quoted string (RFC 6455 9.1).
fn unquoted(value: &[u8]) -> Result<&[u8], Wrong> {
    let value = value.get(1..).unwrap_or_default().trim_ascii_start();
    match value {
        [b'"', inner @ .., b'"'] => Ok(inner),
        [b'"', ..] | [] => Err(Wrong::Parameter),
        token => Ok(token),
    }
}

/// Returns for each permessage-deflate of a field what follows the name.
fn proposals(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(field, b',').filter_map(|extension| {
        let end = extension.iter().position(|&b| b == b';');
        let (name, params) = extension.split_at(end.unwrap_or(extension.len()));
        let is_ours = name.trim_ascii_end().eq_ignore_ascii_case(NAME.as_bytes());
        is_ours.then_some(params)
    })
}

/// Splits at each `separator` outside of quoted strings, and trims the parts.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |&b| {
        if escaped {
            escaped = false;
            return false;
        }
        match b {
            b'"' => quoted = !quoted,
            b'\\' => escaped = quoted,
            _ => {}
        }
        b == separator && !quoted
    })
    .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: DeflateParams = DeflateParams {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: WindowBits::MAX,
        client_max_window_bits: WindowBits::MAX,
    };

    fn bits(bits: u8) -> WindowBits {
        WindowBits::new(bits).expect("9 to 15")
    }

    /// Server and client without takeover, then the windows of both.
    fn params(no_takeover: (bool, bool), windows: (u8, u8)) -> DeflateParams {
        DeflateParams {
            server_no_context_takeover: no_takeover.0,
            client_no_context_takeover: no_takeover.1,
            server_max_window_bits: bits(windows.0),
            client_max_window_bits: bits(windows.1),
        }
    }

    #[track_caller]
    fn check_offer(offered: DeflateParams, want: &str) {
        assert_eq!(offered.offer(), want);
    }

    #[test]
    fn a_client_offers_what_aiohttp_does() {
        check_offer(ANY, "permessage-deflate; client_max_window_bits");
        check_offer(
            params((false, false), (9, 15)),
            "permessage-deflate; client_max_window_bits; server_max_window_bits=9",
        );
        check_offer(
            params((true, true), (15, 10)),
            "permessage-deflate; client_max_window_bits=10; server_no_context_takeover; \
             client_no_context_takeover",
        );
    }

    #[track_caller]
    fn check_answer(answer: &str, want: Option<DeflateParams>) {
        assert_eq!(ANY.answered([answer.as_bytes()]), Ok(want), "{answer:?}");
    }

    #[track_caller]
    fn check_refused(answer: &str, want: HandshakeCheck) {
        assert_eq!(ANY.answered([answer.as_bytes()]), Err(want), "{answer:?}");
    }

    #[test]
    fn an_answer_says_what_holds() {
        check_answer("permessage-deflate", Some(ANY));
        check_answer(" Permessage-Deflate ", Some(ANY));
        check_answer(
            "permessage-deflate; client_max_window_bits=10",
            Some(params((false, false), (15, 10))),
        );
        check_answer(
            "permessage-deflate ;server_max_window_bits = 9;client_max_window_bits=\"12\"",
            Some(params((false, false), (9, 12))),
        );
        check_answer(
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            Some(params((true, true), (15, 15))),
        );
        // What aiohttp takes too: a server that returns the offer as it came.
        check_answer("permessage-deflate; client_max_window_bits", Some(ANY));
        // A window that zlib does not have, but that a larger one holds.
        check_answer(
            "permessage-deflate; server_max_window_bits=8",
            Some(params((false, false), (9, 15))),
        );
    }

    #[test]
    fn without_an_answer_nothing_is_compressed() {
        check_answer("", None);
        check_answer("x-webkit-deflate-frame, x; permessage-deflate", None);
        check_answer("x; y=\", permessage-deflate\"", None);
        check_answer("x; y=\"\\\", permessage-deflate\"", None);
        assert_eq!(ANY.answered([]), Ok(None));
    }

    #[test]
    fn of_several_answers_the_first_holds() {
        let fields = ["x-other", "y, permessage-deflate", "permessage-deflate; z"];
        assert_eq!(ANY.answered(fields.map(str::as_bytes)), Ok(Some(ANY)));
    }

    #[test]
    fn windows_that_do_not_exist_are_refused() {
        for answer in [
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=271",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
        ] {
            check_refused(answer, HandshakeCheck::WindowSize);
        }
    }

    #[test]
    fn other_parameters_are_refused() {
        for params in [
            "; foo",
            "; foo=1; client_no_context_takeover",
            ";",
            "; client_no_context_takeover;",
            "; client_max_window_bits=",
            "; client_max_window_bits=\"",
            "; client_max_window_bits=\"9",
            "; client_max_window_bits=+9",
            "; client_max_window_bits=09",
            "; client_max_window_bits=9 9",
            "; client_max_window_bits=\u{e9}",
            "; client_no_context_takeover=1",
            "; client_no_context_takeover; client_no_context_takeover",
            "; server_no_context_takeover; server_no_context_takeover",
            "; server_max_window_bits=9; server_max_window_bits=9",
            "; client_max_window_bits; client_max_window_bits=9",
        ] {
            let refused = HandshakeCheck::Extension(params.to_owned());
            check_refused(&format!("permessage-deflate{params}"), refused);
        }
        let refused = HandshakeCheck::Extension("; foo".to_owned());
        let text = "Extension for deflate not supported; foo";
        assert_eq!(refused.to_string(), text);
    }

    #[test]
    fn a_client_keeps_to_what_it_offered() {
        let offered = params((true, true), (9, 10));
        let answered = |answer: &str| offered.answered([answer.as_bytes()]);
        let without = params((false, true), (15, 10));
        assert_eq!(answered("permessage-deflate"), Ok(Some(without)));
        let whole = offered.accept([offered.offer().as_bytes()]);
        let (agreed, answer) = whole.expect("taken");
        assert_eq!(agreed, offered);
        assert_eq!(answered(&answer), Ok(Some(offered)));
    }

    #[track_caller]
    fn check_accept(wanted: DeflateParams, offer: &str, want: Option<(DeflateParams, &str)>) {
        let accepted = wanted.accept([offer.as_bytes()]);
        let want = want.map(|(params, answer)| (params, answer.to_owned()));
        assert_eq!(accepted, want, "{offer:?}");
    }

    #[test]
    fn a_server_takes_the_first_proposal_it_can() {
        check_accept(
            ANY,
            "permessage-deflate; client_max_window_bits",
            Some((ANY, "permessage-deflate")),
        );
        check_accept(
            ANY,
            "permessage-deflate; server_max_window_bits=8, \
             permessage-deflate; server_max_window_bits, permessage-deflate; foo, \
             permessage-deflate; server_max_window_bits=11; client_max_window_bits=10",
            Some((
                params((false, false), (11, 10)),
                "permessage-deflate; server_max_window_bits=11; client_max_window_bits=10",
            )),
        );
        check_accept(ANY, "permessage-deflate; server_max_window_bits=8", None);
        check_accept(ANY, "x-other", None);
        check_accept(
            ANY,
            "permessage-deflate; client_max_window_bits=8",
            Some((ANY, "permessage-deflate")),
        );
    }

    // RFC 7692 7.1.2.1: what does not come back is not accepted.
    #[test]
    fn a_server_names_the_window_that_it_is_asked_for() {
        check_accept(
            ANY,
            "permessage-deflate; server_max_window_bits=15",
            Some((ANY, "permessage-deflate; server_max_window_bits=15")),
        );
    }

    #[test]
    fn a_server_asks_for_less_where_it_may() {
        let wanted = params((true, false), (12, 12));
        check_accept(
            wanted,
            "permessage-deflate; client_max_window_bits",
            Some((
                wanted,
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; \
                 client_max_window_bits=12",
            )),
        );
        // This client did not say that it can.
        check_accept(
            wanted,
            "permessage-deflate",
            Some((
                params((true, false), (12, 15)),
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=12",
            )),
        );
    }
}
