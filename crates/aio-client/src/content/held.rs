//! What was received and decoded, but not yet handed out.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

/// The bytes at hand: the last piece as it came, and what was before it.
///
/// A piece is copied only where it is handed out together with another one.
#[derive(Debug, Default)]
pub(super) struct Held {
    before: BytesMut,
    piece: Bytes,
}

impl Held {
    pub(super) fn len(&self) -> usize {
        self.before.len() + self.piece.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.piece.is_empty()
    }

    /// Puts a piece behind what is there.
    pub(super) fn push(&mut self, piece: Bytes) {
        self.before.extend_from_slice(&self.piece);
        self.piece = piece;
    }

    /// Gives what lies in one place, not empty unless all is.
    pub(super) fn front(&self) -> &[u8] {
        if self.before.is_empty() {
            &self.piece
        } else {
            &self.before
        }
    }

    /// Passes over `len` bytes of the front.
    pub(super) fn advance(&mut self, len: usize) {
        if self.before.is_empty() {
            self.piece.advance(len.min(self.piece.len()));
        } else {
            self.before.advance(len.min(self.before.len()));
        }
    }

    /// Takes the front.
    pub(super) fn take_front(&mut self) -> Bytes {
        if self.before.is_empty() {
            std::mem::take(&mut self.piece)
        } else {
            self.before.split().freeze()
        }
    }

    /// Takes `limit` bytes, or all if there are fewer.
    pub(super) fn take(&mut self, limit: usize) -> Bytes {
        let of_piece = limit.saturating_sub(self.before.len());
        let of_piece = self.piece.split_to(of_piece.min(self.piece.len()));
        if self.before.is_empty() {
            return of_piece;
        }
        self.before.extend_from_slice(&of_piece);
        let limit = limit.min(self.before.len());
        self.before.split_to(limit).freeze()
    }

    /// Gives all of it in one place, to be read into.
    pub(super) fn joined(&mut self) -> &mut BytesMut {
        self.push(Bytes::new());
        &mut self.before
    }

    /// Finds where the first `separator` ends; the first `searched` bytes have none in them.
    pub(super) fn find(&self, separator: &[u8], searched: usize) -> Option<usize> {
        // It may begin in what was searched and end in what came behind.
        let start = (searched + 1).saturating_sub(separator.len());
        let border = self.before.len();
        let find = |bytes: &[u8], offset: usize| {
            memmem::find(bytes, separator).map(|at| offset + at + separator.len())
        };
        let whole_in_before = || find(self.before.get(start..)?, start);
        let over_the_border = || {
            let start = start.max((border + 1).saturating_sub(separator.len()));
            let tail = self.before.get(start..).filter(|tail| !tail.is_empty())?;
            let len = (separator.len() - 1).min(self.piece.len());
            find(&[tail, self.piece.get(..len)?].concat(), start)
        };
        let whole_in_piece = || {
            let start = start.saturating_sub(border);
            find(self.piece.get(start..)?, border + start)
        };
        whole_in_before()
            .or_else(over_the_border)
            .or_else(whole_in_piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(pieces: &[&'static str]) -> Held {
        let mut held = Held::default();
        for piece in pieces {
            held.push(Bytes::from_static(piece.as_bytes()));
        }
        held
    }

    #[track_caller]
    fn check_find(pieces: &[&'static str], separator: &str, want: Option<usize>) {
        let held = held(pieces);
        assert_eq!(held.find(separator.as_bytes(), 0), want, "{pieces:?}");
        // What ends before the separator does may be searched already.
        for searched in 0..want.unwrap_or(held.len() + 1) {
            let found = held.find(separator.as_bytes(), searched);
            assert_eq!(found, want, "{pieces:?} from {searched}");
        }
    }

    #[test]
    fn a_separator_is_found_wherever_the_pieces_end() {
        check_find(&[], "--", None);
        check_find(&["a-", "-b"], "--", Some(3));
        check_find(&["a--", "-b"], "--", Some(3));
        check_find(&["ab", "--"], "--", Some(4));
        check_find(&["a", "b-", "c"], "--", None);
        check_find(&["a", "\r", "\n", "\r", "\n"], "\r\n\r\n", Some(5));
        check_find(&["a\r\n\r", "\r\n\r\n"], "\r\n\r\n", Some(8));
        check_find(&["\r\n", "\r"], "\r\n\r\n", None);
        check_find(&["a\nb", "c\nd"], "\n", Some(2));
        check_find(&["ab", "c\nd"], "\n", Some(4));
    }

    #[test]
    fn the_first_separator_is_found_as_in_one_piece() {
        // All texts of up to nine letters of two, cut at all places.
        for len in 0..10_u32 {
            for bits in 0..1_u32 << len {
                let text: Vec<u8> = (0..len).map(|at| b'a' + (bits >> at & 1) as u8).collect();
                for separator in [&b"b"[..], b"aa", b"aba", b"abab"] {
                    let found = memmem::find(&text, separator);
                    let want = found.map(|at| at + separator.len());
                    for cut in 0..=text.len() {
                        let (before, piece) = text.split_at(cut);
                        let mut held = Held::default();
                        held.push(Bytes::copy_from_slice(before));
                        held.push(Bytes::copy_from_slice(piece));
                        assert_eq!(held.find(separator, 0), want, "{text:?} at {cut}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_searched_is_not_searched_again() {
        // EDGE-150: else one byte after the other would be searched each time.
        let mut held = held(&["--a", "--"]);
        assert_eq!(held.find(b"--", 4), Some(5));
        assert_eq!(held.find(b"--", 5), None);
        held.push(Bytes::from_static(b"-"));
        assert_eq!(held.find(b"--", 5), Some(6));
        assert_eq!(held.find(b"-", 5), Some(6));
        assert_eq!(held.find(b"a", 5), None);
    }

    #[test]
    fn what_is_taken_is_what_came() {
        for limit in 0..8 {
            let mut held = held(&["ab", "cd", "ef"]);
            let taken = held.take(limit);
            assert_eq!(taken, "abcdef"[..limit.min(6)], "{limit}");
            assert_eq!(held.len(), 6 - limit.min(6), "{limit}");
            let rest = held.joined().split().freeze();
            assert_eq!(rest, "abcdef"[limit.min(6)..], "{limit}");
        }
    }

    #[test]
    fn a_piece_by_itself_is_not_copied() {
        let piece = Bytes::from(vec![7; 100]);
        let at = piece.as_ptr();
        let mut held = Held::default();
        held.push(piece);
        assert_eq!(held.take(10).as_ptr(), at);
        assert_eq!(held.front().as_ptr(), at.wrapping_add(10));
        held.advance(5);
        assert_eq!(held.take_front().as_ptr(), at.wrapping_add(15));
        assert!(held.is_empty());
    }

    #[test]
    fn the_front_is_empty_only_where_all_is() {
        let mut held = held(&["ab", "cd"]);
        held.advance(1);
        assert_eq!(held.take_front(), "b");
        assert_eq!(held.front(), b"cd");
        held.advance(9);
        assert!(held.front().is_empty() && held.is_empty());
    }
}
