//! Record batches in an answer, found without the answer's schema: by the checksum that each has.

use std::ops::Range;

use super::Flip;

/// A batch of the current format, from `baseOffset` to its last record:
/// <https://kafka.apache.org/documentation/#recordbatch>.
const LENGTH: usize = 8;
const MAGIC: usize = 16;
const CHECKSUM: usize = 17;
const ATTRIBUTES: usize = 21;
const RECORDS: usize = 61;

/// Flips a bit amidst the records of the first batch of this kind; the batch's base offset, where there is
/// one.
pub(super) fn flip(frame: &mut [u8], flip: Flip) -> Option<i64> {
    let is_wanted =
        |range: &Range<usize>| flip == Flip::Records || frame[range.start + ATTRIBUTES + 1] & 7 != 0;
    let range = batches(frame).find(is_wanted)?;
    let batch = &mut frame[range];
    batch[RECORDS + (batch.len() - RECORDS) / 2] ^= 1;
    if flip == Flip::CompressedWithRightChecksum {
        let checksum = crc32c(&batch[ATTRIBUTES..]);
        batch[CHECKSUM..ATTRIBUTES].copy_from_slice(&checksum.to_be_bytes());
    }
    batch.first_chunk().map(|offset| i64::from_be_bytes(*offset))
}

/// Where the batches of an answer are. One that the answer's size cut off is none.
fn batches(frame: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        while next + RECORDS < frame.len() {
            let start = next;
            if let Some(length) = batch(&frame[start..]) {
                next += length;
                return Some(start..start + length);
            }
            next += 1;
        }
        None
    })
}

/// The length of the batch that begins here.
fn batch(bytes: &[u8]) -> Option<usize> {
    let number = |at: usize| bytes.get(at..)?.first_chunk().map(|number| u32::from_be_bytes(*number));
    let length = number(LENGTH)? as usize + LENGTH + 4;
    let is_batch = bytes.get(MAGIC) == Some(&2)
        && length > RECORDS
        && number(CHECKSUM)? == crc32c(bytes.get(ATTRIBUTES..length)?);
    is_batch.then_some(length)
}

/// CRC-32C, bit by bit.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 },
        )
    })
}
