//! Undoes the coding (`Content-Encoding`) of a copy of an answer, so that it can be read: the provider is asked for plain
//! bytes, and one that compresses all the same must not cost its calls their usage. What the client gets is not touched.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use brotli_decompressor::DecompressorWriter as BrotliDecoder;
use flate2::write::MultiGzDecoder as GzipDecoder;
use std::io::{self, Write};
use zstd::stream::write::Decoder as ZstdDecoder;

/// Decoded at once, so that what comes out at once is little too.
const PIECE_BYTES: usize = 1024;
/// What a piece may become. gzip makes a thousand bytes of one at most; from the others, more than this is a bomb.
const MAX_PIECE_BYTES: usize = 4 * 1024 * 1024;
/// What an answer may become: a stream of 128,000 tokens has about 25 MiB. Beyond it, as many times what came.
const FIRST_BYTES: usize = 64 * 1024 * 1024;
const MAX_RATIO: usize = 100;
const BROTLI_BUFFER_BYTES: usize = 16 * 1024;
/// 8 MiB, the most that a sender may use over HTTP (RFC 9659).
const MAX_ZSTD_WINDOW_LOG: u32 = 23;

/// How an answer's bytes are to be read.
pub enum Coding {
    Plain,
    Coded(Decoder),
    /// In a way that is not known here, or not what it said, or far larger than any answer.
    Unreadable,
}

pub enum Decoder {
    Gzip(Box<GzipDecoder<Decoded>>),
    Brotli(Box<BrotliDecoder<Decoded>>),
    Zstd(Box<ZstdDecoder<'static, Decoded>>),
}

/// What came out and was not read yet.
pub struct Decoded {
    bytes: Vec<u8>,
    /// What may still come out.
    room: usize,
}

impl Coding {
    pub fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let (first, second) = (values.next(), values.next());
        let name = first.map_or(Ok("identity"), |value| value.to_str()).unwrap_or_default().trim();
        if second.is_some() {
            return Self::Unreadable;
        }
        match name.to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Plain,
            "gzip" | "x-gzip" => Self::Coded(Decoder::Gzip(Box::new(GzipDecoder::new(Decoded::new())))),
            "br" => Self::Coded(Decoder::Brotli(Box::new(BrotliDecoder::new(Decoded::new(), BROTLI_BUFFER_BYTES)))),
            "zstd" => zstd_decoder().map_or(Self::Unreadable, |decoder| Self::Coded(Decoder::Zstd(Box::new(decoder)))),
            _ => Self::Unreadable,
        }
    }

    /// Hands on what the bytes stand for, as far as they tell. After the first that cannot be decoded, nothing more.
    pub fn decode(&mut self, bytes: &[u8], mut read: impl FnMut(&[u8])) {
        let decoder = match self {
            Self::Plain => return read(bytes),
            Self::Coded(decoder) => decoder,
            Self::Unreadable => return,
        };
        for piece in bytes.chunks(PIECE_BYTES) {
            let is_decoded = decoder.decode(piece).is_ok();
            read(&std::mem::take(&mut decoder.decoded().bytes));
            if !is_decoded {
                *self = Self::Unreadable;
                return;
            }
        }
    }

    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable)
    }
}

impl Decoder {
    fn decode(&mut self, piece: &[u8]) -> io::Result<()> {
        self.decoded().room += piece.len() * MAX_RATIO;
        let decoder: &mut dyn Write = match self {
            Self::Gzip(decoder) => decoder,
            Self::Brotli(decoder) => decoder,
            Self::Zstd(decoder) => decoder,
        };
        decoder.write_all(piece)?;
        // So that no byte waits for the next one.
        decoder.flush()
    }

    fn decoded(&mut self) -> &mut Decoded {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

impl Decoded {
    fn new() -> Self {
        Self { bytes: Vec::new(), room: FIRST_BYTES }
    }
}

impl Write for Decoded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.room || self.bytes.len() + bytes.len() > MAX_PIECE_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.room -= bytes.len();
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn zstd_decoder() -> io::Result<ZstdDecoder<'static, Decoded>> {
    let mut decoder = ZstdDecoder::new(Decoded::new())?;
    decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    const NAMES: [&str; 3] = ["gzip", "br", "zstd"];

    fn coding(name: &'static str) -> Coding {
        Coding::of(&HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(name))]))
    }

    fn encoded(name: &str, plain: &[u8]) -> Vec<u8> {
        let mut coded = Vec::new();
        match name {
            "gzip" => {
                let mut encoder = flate2::write::GzEncoder::new(&mut coded, flate2::Compression::default());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap();
            }
            "br" => brotli::CompressorWriter::new(&mut coded, 4096, 9, 22).write_all(plain).unwrap(),
            _ => zstd::stream::copy_encode(plain, &mut coded, 19).unwrap(),
        }
        coded
    }

    /// What comes out of these pieces, and whether all of it could be decoded.
    fn decoded<'a>(name: &'static str, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, bool) {
        let (mut coding, mut plain) = (coding(name), Vec::new());
        pieces.into_iter().for_each(|piece| coding.decode(piece, |bytes| plain.extend_from_slice(bytes)));
        (plain, !coding.is_unreadable())
    }

    #[test]
    fn every_coding_comes_out_as_it_went_in_at_every_split_point() {
        let event = |n: u32| format!("event: content_block_delta\ndata: {{\"delta\":{{\"text\":\"{}\"}}}}\n\n", n * n);
        let plain: String = (0..40).map(event).collect();
        for name in NAMES {
            let coded = encoded(name, plain.as_bytes());
            for split in 0..=coded.len() {
                let (one, two) = coded.split_at(split);
                assert!(decoded(name, [one, two]) == (plain.clone().into_bytes(), true), "{name}, split at {split}");
            }
            assert!(decoded(name, coded.chunks(1)) == (plain.clone().into_bytes(), true), "{name}, byte by byte");
        }
    }

    #[test]
    fn names_are_read_as_http_spells_them_and_others_are_not_read() {
        assert!(Coding::of(&HeaderMap::new()).is_plain() && coding("identity").is_plain());
        assert!(matches!(coding(" GZip"), Coding::Coded(_)));
        assert!(matches!(coding("x-gzip"), Coding::Coded(_)));
        assert!(coding("gzip, br").is_unreadable() && coding("deflate").is_unreadable());
        let mut headers = HeaderMap::new();
        for name in ["gzip", "br"] {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        assert!(Coding::of(&headers).is_unreadable());
    }

    #[test]
    fn a_bomb_is_let_go_before_it_fills_memory() {
        let zeros = vec![0; 80 * 1024 * 1024];
        for name in NAMES {
            let bomb = encoded(name, &zeros);
            let (mut coding, mut total, mut largest) = (coding(name), 0, 0);
            coding.decode(&bomb, |bytes| {
                total += bytes.len();
                largest = largest.max(bytes.len());
            });
            assert!(coding.is_unreadable(), "{name}");
            let most = FIRST_BYTES + bomb.len() * MAX_RATIO;
            assert!(largest <= MAX_PIECE_BYTES && total <= most, "{name}: {largest} of {total}");
        }
    }

    #[test]
    fn what_came_before_a_fault_is_read_and_nothing_after_it() {
        for name in NAMES {
            // Not to be compressed, so that it spreads over the bytes.
            let plain: Vec<u8> = (0_u32..20_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
            let mut coded = encoded(name, &plain);
            let middle = coded.len() / 2;
            coded.splice(middle..middle, [0xff; 64]);
            let (before, is_decoded) = decoded(name, [coded.as_slice(), &coded]);
            assert!(!is_decoded, "{name}");
            assert!(before.len() <= plain.len() + 64 * 1024, "{name}: {}", before.len());
        }
    }

    proptest! {
        #[test]
        fn garbage_is_no_trouble(bytes in prop::collection::vec(any::<u8>(), 0..2_000), at in 0_usize..200, with: u8) {
            for name in NAMES {
                decoded(name, [bytes.as_slice()]);
                let mut coded = encoded(name, &bytes);
                let at = at.min(coded.len() - 1);
                coded[at] ^= with;
                decoded(name, coded.chunks(7));
            }
        }
    }
}
