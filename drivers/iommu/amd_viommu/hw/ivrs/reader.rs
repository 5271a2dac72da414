// SPDX-License-Identifier: GPL-2.0

//! Reading little-endian numbers from a part of the table, without ever leaving that part.

use core::marker::PhantomData;

use super::{Error, Fault};

/// A part of the table that knows where in the table it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    data: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads a whole table.
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, offset: 0 }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// All bytes.
    pub(super) fn data(&self) -> &'a [u8] {
        self.data
    }

    /// The sum of all bytes.
    pub(super) fn sum(&self) -> u8 {
        self.data
            .iter()
            .fold(0, |sum, byte| sum.wrapping_add(*byte))
    }

    /// An error about the start of this part.
    pub(super) fn error(&self, fault: Fault) -> Error {
        Error {
            offset: self.offset,
            fault,
        }
    }

    /// Divides the part after `len` bytes.
    pub(super) fn split(&self, len: usize) -> Result<(Self, Self), Error> {
        let (head, tail) = self
            .data
            .split_at_checked(len)
            .ok_or(self.error(Fault::Truncated))?;
        let tail = Self {
            data: tail,
            offset: self.offset.saturating_add(len),
        };

        Ok((
            Self {
                data: head,
                ..*self
            },
            tail,
        ))
    }

    /// The `N` bytes at `at`.
    pub(super) fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Error> {
        self.data
            .get(at..)
            .and_then(|data| data.first_chunk())
            .copied()
            .ok_or(self.error(Fault::Truncated))
    }

    pub(super) fn u8(&self, at: usize) -> Result<u8, Error> {
        self.array(at).map(u8::from_le_bytes)
    }

    pub(super) fn u16(&self, at: usize) -> Result<u16, Error> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&self, at: usize) -> Result<u32, Error> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&self, at: usize) -> Result<u64, Error> {
        self.array(at).map(u64::from_le_bytes)
    }
}

/// Something that stands in the table one behind the other, each with a length of its own.
pub(super) trait Take<'a>: Sized {
    /// Takes the first item off `rest`, which is not empty. What remains must be shorter.
    fn take(rest: Reader<'a>) -> Result<(Self, Reader<'a>), Error>;
}

/// The items of a part of the table. The first error is the last item.
pub(super) struct Items<'a, T> {
    rest: Option<Reader<'a>>,
    item: PhantomData<T>,
}

impl<'a, T> Items<'a, T> {
    pub(super) fn new(rest: Reader<'a>) -> Self {
        Self {
            rest: Some(rest),
            item: PhantomData,
        }
    }
}

impl<'a, T: Take<'a>> Iterator for Items<'a, T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take().filter(|rest| rest.len() > 0)?;

        Some(T::take(rest).map(|(item, rest)| {
            self.rest = Some(rest);
            item
        }))
    }
}
