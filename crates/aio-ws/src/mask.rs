//! Masks and unmasks payloads (RFC 6455 5.3).

/// Masks a payload piece by piece, or unmasks it: the two are the same.
///
/// ```
/// use aio_ws::Mask;
///
/// let mut payload = *b"hello, world";
/// let (a, b) = payload.split_at_mut(5);
/// let mut mask = Mask::new([1, 2, 3, 4]);
/// mask.apply(a);
/// mask.apply(b);
/// assert_eq!(&payload[..4], b"igoh");
///
/// Mask::new([1, 2, 3, 4]).apply(&mut payload);
/// assert_eq!(&payload, b"hello, world");
/// ```
#[derive(Debug, Clone)]
pub struct Mask {
    /// The key, turned so that its first byte is for the next byte of payload.
    key: [u8; 4],
}

impl Mask {
    /// Makes a mask for the start of a payload.
    pub const fn new(key: [u8; 4]) -> Self {
        Self { key }
    }

    /// Masks the next piece of the payload.
    #[inline]
    pub fn apply(&mut self, piece: &mut [u8]) {
        let [a, b, c, d] = self.key;
        let twice = [a, b, c, d, a, b, c, d];
        let (blocks, rest) = piece.as_chunks_mut::<32>();
        for block in blocks {
            mask_words(block, twice);
        }
        let tail = mask_words(rest, twice);
        for (byte, key) in tail.iter_mut().zip(twice) {
            *byte ^= key;
        }
        let turned = 8 * (tail.len() as u32 % 4);
        self.key = u32::from_le_bytes(self.key)
            .rotate_right(turned)
            .to_le_bytes();
    }
}

/// Masks all whole words, and returns what is behind them.
#[inline]
fn mask_words(piece: &mut [u8], key: [u8; 8]) -> &mut [u8] {
    let (words, tail) = piece.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(key)).to_ne_bytes();
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// Masks bytewise, as RFC 6455 5.3 puts it.
    fn masked(payload: &[u8]) -> Vec<u8> {
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ KEY[at % 4])
            .collect()
    }

    #[test]
    fn payload_is_masked_as_in_the_rfc() {
        let mut payload = *b"Hello";
        Mask::new(KEY).apply(&mut payload);
        assert_eq!(payload, *b"\x7f\x9f\x4d\x51\x58");
    }

    #[test]
    fn every_length_and_split_is_masked_as_bytewise() {
        let payload: Vec<u8> = (0..70).collect();
        for len in 0..=payload.len() {
            let want = masked(&payload[..len]);
            for cut in 0..=len {
                let mut payload = payload[..len].to_vec();
                let (a, b) = payload.split_at_mut(cut);
                let mut mask = Mask::new(KEY);
                mask.apply(a);
                mask.apply(b);
                assert_eq!(payload, want, "{len} {cut}");
            }
        }
    }

    #[test]
    fn pieces_of_every_size_are_masked_as_bytewise() {
        let payload: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for size in 1..40 {
            let mut pieces = payload.clone();
            let mut mask = Mask::new(KEY);
            for piece in pieces.chunks_mut(size) {
                mask.apply(piece);
            }
            assert_eq!(pieces, masked(&payload), "{size}");
        }
    }

    #[test]
    fn unaligned_payload_is_masked_as_bytewise() {
        let payload: Vec<u8> = (0..100).collect();
        for start in 0..16 {
            let mut shifted = payload.clone();
            Mask::new(KEY).apply(&mut shifted[start..]);
            assert_eq!(shifted[start..], masked(&payload[start..]), "{start}");
        }
    }
}
