//! Server-sent events: from the bytes of a `text/event-stream` to events.

use std::time::Duration;

use memchr::memchr2;

/// The longest id that counts. Each event from then on has a copy of it, and no server takes
/// more in a header.
const MAX_ID: usize = 8 * 1024;

/// An event of a `text/event-stream`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerSentEvent {
    /// What kind of event it is; `message` if the server does not say.
    pub event: String,
    /// What it says: its `data` lines with line feeds between them.
    pub data: String,
    /// The last id that the server gave, with this event or before; empty if none. One of
    /// more than 8 KiB is passed over.
    pub id: String,
}

/// An event that takes more bytes than [`EventParser::with_limit`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event of more than {limit} bytes")]
pub struct EventTooLong {
    /// The limit in bytes.
    pub limit: usize,
}

/// Makes events of the bytes of a stream as they come, wherever they are cut; the rules are
/// those of the WHATWG, that browsers follow.
///
/// What an event takes in memory is bounded. An event that the end of the stream cuts off
/// is none.
///
/// ```
/// use aio_core::EventParser;
///
/// let mut parser = EventParser::default();
/// let mut bytes = &b"data: one\n\ndata: two\nid: 2\n\nda"[..];
/// assert_eq!(parser.next(&mut bytes)?.unwrap().data, "one");
/// assert_eq!(parser.next(&mut bytes)?.unwrap().data, "two");
/// assert_eq!(parser.next(&mut bytes)?, None);
/// let mut bytes = &b"ta: three\n\n"[..];
/// let event = parser.next(&mut bytes)?.unwrap();
/// assert_eq!((&*event.event, &*event.data, &*event.id), ("message", "three", "2"));
/// # Ok::<(), aio_core::EventTooLong>(())
/// ```
#[derive(Debug)]
pub struct EventParser {
    limit: usize,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// What came last was a CR: an LF behind it ends no line of its own.
    after_cr: bool,
    begun: bool,
    event: String,
    /// A line feed stands behind each line.
    data: String,
    /// The id that came since the last event.
    id: Option<String>,
    last_event_id: String,
    retry: Option<Duration>,
    failed: bool,
}

impl Default for EventParser {
    /// With [`EventParser::LIMIT`].
    fn default() -> Self {
        Self::with_limit(Self::LIMIT)
    }
}

impl EventParser {
    /// What an event may take if nothing else is said: 1 MiB.
    pub const LIMIT: usize = 1024 * 1024;

    /// Begins a stream whose events take `limit` bytes at most, each of their lines
    /// included.
    pub const fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            after_cr: false,
            begun: false,
            event: String::new(),
            data: String::new(),
            id: None,
            last_event_id: String::new(),
            retry: None,
            failed: false,
        }
    }

    /// Takes bytes off `input` until an event is whole; `None` if more have to come.
    ///
    /// # Errors
    /// If an event is longer than the limit, and from then on.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<ServerSentEvent>, EventTooLong> {
        let limit = self.limit;
        let event = self.parse(input).ok_or(EventTooLong { limit });
        self.failed |= event.is_err();
        event
    }

    /// Begins another stream that goes on where this one broke off: forgets what of an
    /// event has come, and keeps the last id and how long to wait.
    pub fn restart(&mut self) {
        *self = Self {
            last_event_id: std::mem::take(&mut self.last_event_id),
            retry: self.retry,
            ..Self::with_limit(self.limit)
        };
    }

    /// Returns the id of the last whole event that had one, empty if there was none: what
    /// goes into `Last-Event-ID` to have what comes behind it.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Returns how long to wait before asking again once the stream has ended, if the
    /// server said so.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// `None` if the limit is passed.
    fn parse(&mut self, input: &mut &[u8]) -> Option<Option<ServerSentEvent>> {
        if self.failed {
            return None;
        }
        while !input.is_empty() {
            if std::mem::take(&mut self.after_cr)
                && let Some(rest) = input.strip_prefix(b"\n")
            {
                *input = rest;
                continue;
            }
            let len = memchr2(b'\r', b'\n', input).unwrap_or(input.len());
            let held = self.line.len() + self.data.len() + self.event.len();
            if held + len > self.limit {
                return None;
            }
            let (piece, rest) = input.split_at(len);
            *input = rest;
            let Some((end, rest)) = rest.split_first() else {
                self.line.extend_from_slice(piece);
                break;
            };
            *input = rest;
            self.after_cr = *end == b'\r';
            let event = if self.line.is_empty() {
                self.line_ended(piece)
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(piece);
                self.line_ended(&line)
            };
            if event.is_some() {
                return Some(event);
            }
        }
        Some(None)
    }

    fn line_ended(&mut self, line: &[u8]) -> Option<ServerSentEvent> {
        let is_first = !std::mem::replace(&mut self.begun, true);
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if is_first => rest,
            _ => line,
        };
        if line.is_empty() {
            return self.dispatched();
        }
        // Lines end in ASCII, so each can be decoded by itself.
        let line = String::from_utf8_lossy(line);
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if value.len() <= MAX_ID && !value.contains('\0') => {
                self.id = Some(value.to_owned());
            }
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A number beyond all bounds is none.
                self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry);
            }
            // A comment has no name.
            _ => {}
        }
        None
    }

    fn dispatched(&mut self) -> Option<ServerSentEvent> {
        if let Some(id) = self.id.take() {
            self.last_event_id = id;
        }
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        // An event without a line of data is none.
        data.pop()?;
        Some(ServerSentEvent {
            event: if event.is_empty() {
                "message".to_owned()
            } else {
                event
            },
            data,
            id: self.last_event_id.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event as its kind, its data and the id that holds then.
    type Want<'a> = (&'a str, &'a str, &'a str);

    /// Checks a stream in one piece, byte by byte, and cut in two at each place.
    #[track_caller]
    fn check(stream: impl AsRef<[u8]>, want: &[Want<'_>]) {
        let stream = stream.as_ref();
        let mut cuts: Vec<Vec<&[u8]>> = (0..stream.len())
            .map(|at| vec![&stream[..at], &stream[at..]])
            .collect();
        cuts.push(stream.chunks(1).collect());
        for pieces in cuts {
            let mut parser = EventParser::with_limit(1000);
            let mut events = Vec::new();
            for mut piece in pieces {
                while let Some(event) = parser.next(&mut piece).expect("short events") {
                    events.push(event);
                }
                assert!(piece.is_empty());
            }
            let have: Vec<Want<'_>> = events
                .iter()
                .map(|event| (&*event.event, &*event.data, &*event.id))
                .collect();
            assert_eq!(have, want, "{}", stream.escape_ascii());
        }
    }

    // https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6: the examples.
    #[test]
    fn examples_of_the_specification() {
        check(
            "data: YHOO\ndata: +2\ndata: 10\n\n",
            &[("message", "YHOO\n+2\n10", "")],
        );
        check(
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            &[
                ("message", "first event", "1"),
                ("message", "second event", ""),
            ],
        );
        check(
            "data\n\ndata\ndata\n\ndata:",
            &[("message", "", ""), ("message", "\n", "")],
        );
        check(
            "data:test\n\ndata: test\n\n",
            &[("message", "test", ""), ("message", "test", "")],
        );
        check(
            "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
            &[
                ("add", "73857293", ""),
                ("remove", "2153", ""),
                ("add", "113411", ""),
            ],
        );
    }

    #[test]
    fn lines_end_with_cr_lf_or_both() {
        let want = [("x", "a\nb", "1"), ("message", "c", "1")];
        for end in ["\n", "\r", "\r\n"] {
            let stream = "event: x|data: a|data: b|id: 1||data: c||".replace('|', end);
            check(stream, &want);
        }
        check(
            "data: a\r\rdata: b\n\r\n",
            &[("message", "a", ""), ("message", "b", "")],
        );
        check(
            "data: a\r\n\ndata: b\r\n\r",
            &[("message", "a", ""), ("message", "b", "")],
        );
        check("data: a\n\n\n\r\n\r\r", &[("message", "a", "")]);
    }

    #[test]
    fn an_event_that_is_cut_off_is_none() {
        check("data: a\n\ndata: b\n", &[("message", "a", "")]);
        check("data: a", &[]);
        check("data: a\n", &[]);
        check("", &[]);
    }

    #[test]
    fn a_byte_order_mark_counts_in_front_only() {
        check("\u{feff}data: a\n\n", &[("message", "a", "")]);
        check("\u{feff}\u{feff}data: a\n\n", &[]);
        check("data: a\n\u{feff}data: b\n\n", &[("message", "a", "")]);
        check("\n\u{feff}data: b\n\n", &[]);
        check("data: \u{feff}a\n\n", &[("message", "\u{feff}a", "")]);
    }

    #[test]
    fn fields_that_nobody_knows_and_comments_mean_nothing() {
        check(
            "foo: x\nData: x\n data: x\n: data: x\n:\ndata : x\ndata: a\n\n",
            &[("message", "a", "")],
        );
    }

    #[test]
    fn one_blank_in_front_of_a_value_goes() {
        check(
            "data:  a \nevent:\tb\ndata:\u{3000}c: d\n\n",
            &[("\tb", " a \n\u{3000}c: d", "")],
        );
    }

    #[test]
    fn without_data_there_is_no_event_but_its_id_counts() {
        check("event: x\n\ndata: a\n\n", &[("message", "a", "")]);
        check("id: 7\n\ndata: a\n\n", &[("message", "a", "7")]);
        check("event: x\nevent\ndata: a\n\n", &[("message", "a", "")]);
    }

    #[test]
    fn an_id_with_nul_is_none() {
        check("id: 1\nid: 2\0\ndata: a\n\n", &[("message", "a", "1")]);
    }

    // A few bytes for an event must not cost as many as the longest line has.
    #[test]
    fn an_id_that_no_header_takes_is_none() {
        let mut parser = EventParser::default();
        for (len, want) in [(8 * 1024, 8 * 1024), (8 * 1024 + 1, 8 * 1024), (0, 0)] {
            let stream = format!("id: {}\ndata: a\n\n", "i".repeat(len));
            let event = parser
                .next(&mut stream.as_bytes())
                .expect("short")
                .expect("whole");
            assert_eq!((event.id.len(), parser.last_event_id().len()), (want, want));
        }
    }

    #[test]
    fn what_is_no_utf8_is_replaced() {
        check(
            b"data: \xff\xe2\x82\ndata: \x82\xac\n\n",
            &[("message", "\u{fffd}\u{fffd}\n\u{fffd}\u{fffd}", "")],
        );
    }

    #[track_caller]
    fn check_retry(stream: &'static str, want: Option<u64>) {
        let mut parser = EventParser::default();
        let mut bytes = stream.as_bytes();
        assert_eq!(parser.next(&mut bytes), Ok(None));
        assert_eq!(
            parser.retry(),
            want.map(Duration::from_millis),
            "{stream:?}"
        );
    }

    #[test]
    fn retry_is_digits() {
        check_retry("", None);
        check_retry("retry: 0300\n", Some(300));
        check_retry("retry: 0\n", Some(0));
        for ignored in [
            "retry\n",
            "retry: x\n",
            "retry: +3\n",
            "retry: 3 \n",
            "retry: 1.5\n",
        ] {
            check_retry(ignored, None);
        }
        check_retry("retry: 1\nretry: 99999999999999999999\n", Some(1));
    }

    // Whoever asks again must not skip an event that did not come whole.
    #[test]
    fn the_last_event_id_is_that_of_a_whole_event() {
        let mut parser = EventParser::default();
        let mut bytes = "id: 1\ndata: a\n\nid: 2\ndata: b\n".as_bytes();
        assert!(parser.next(&mut bytes).is_ok_and(|event| event.is_some()));
        assert_eq!(parser.next(&mut bytes), Ok(None));
        assert_eq!(parser.last_event_id(), "1");
    }

    #[test]
    fn a_restart_keeps_the_last_id_and_retry() {
        let mut parser = EventParser::with_limit(50);
        let mut bytes = "retry: 5\nid: 1\ndata: a\n\nid: 2\nevent: x\ndata: b\nda".as_bytes();
        assert!(parser.next(&mut bytes).is_ok_and(|event| event.is_some()));
        assert_eq!(parser.next(&mut bytes), Ok(None));
        parser.restart();
        let mut bytes = "\u{feff}data: c\n\n".as_bytes();
        let event = parser.next(&mut bytes).expect("short").expect("whole");
        assert_eq!(
            (&*event.event, &*event.data, &*event.id),
            ("message", "c", "1")
        );
        assert_eq!(parser.retry(), Some(Duration::from_millis(5)));
    }

    #[track_caller]
    fn check_limit(limit: usize, pieces: impl IntoIterator<Item = &'static str>) {
        let mut parser = EventParser::with_limit(limit);
        let failed = pieces.into_iter().any(|piece| {
            let result = parser.next(&mut piece.as_bytes());
            let id = parser.id.as_deref().unwrap_or_default();
            let held = parser.event.len() + parser.data.len() + id.len();
            assert!(parser.line.len() + held <= 2 * limit + 1);
            result.is_err()
        });
        assert!(failed);
        assert_eq!(
            parser.next(&mut "\n\n".as_bytes()),
            Err(EventTooLong { limit })
        );
    }

    #[test]
    fn what_an_event_takes_is_bounded() {
        let endless = || std::iter::repeat_n("abc", 100);
        check_limit(20, endless());
        check_limit(20, std::iter::once("data: ").chain(endless()));
        check_limit(20, std::iter::once("id: ").chain(endless()));
        check_limit(20, std::iter::once("event: ").chain(endless()));
        check_limit(20, std::iter::once(":").chain(endless()));
        check_limit(20, std::iter::repeat_n("data: a\n", 100));
        check_limit(20, std::iter::repeat_n("data\n", 100));
        check_limit(20, ["data: 4567890123456789\n"]);
        check(
            format!("data: {}\n\n", "a".repeat(994)),
            &[("message", &"a".repeat(994), "")],
        );
    }

    #[test]
    fn a_stream_without_end_of_short_events_fits() {
        let mut parser = EventParser::with_limit(20);
        for _ in 0..1000 {
            let mut bytes = ": comment\nid: 1\nevent: x\ndata: a\n\n".as_bytes();
            assert!(parser.next(&mut bytes).is_ok_and(|event| event.is_some()));
            assert_eq!(parser.next(&mut bytes), Ok(None));
        }
    }
}
