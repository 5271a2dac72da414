// SPDX-License-Identifier: GPL-2.0

//! The invalidations after a change of a page table that is walked under several domain IDs.
//!
//! What the hardware caches of a walk is tagged with the domain ID of the device's entry. A guest has
//! domain IDs of its own, one for each domain that it makes. Which of a guest's addresses lead to a
//! page of its memory is not known, so what is cached under its domain IDs is dropped whole (hardware
//! reference 3.4).

use super::{Command, Range};

/// Commands to be given to the hardware at once, with one doorbell and one wait.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    commands: [Command; Self::MAX],
    len: usize,
}

impl Batch {
    /// The most commands in a batch. It has to fit on a stack in any context, and into a command ring
    /// that others use too.
    ///
    /// It is also where naming domain IDs stops to be worth it. INVALIDATE_IOMMU_ALL makes everybody
    /// behind the IOMMU walk again, so a table that few domain IDs use must not cost the others
    /// that; but what has to be done for one unmap is bounded.
    pub const MAX: usize = 32;

    /// The next commands of a flush, and the place to go on from, if there are more.
    ///
    /// The flush begins with `own`, and covers the domain IDs in `nested` from the place `from` on, 0
    /// at first. Those may come and go between two calls, as long as none changes its place: one
    /// that comes has not been used with the table as it was before. With `all` one command does
    /// for everything.
    pub fn next(
        own: Command,
        nested: &[Option<u16>],
        from: usize,
        all: bool,
    ) -> (Self, Option<usize>) {
        let mut batch = Self::empty();
        if all {
            batch.push(Command::invalidate_iommu_all());
            return (batch, None);
        }
        if from == 0 {
            batch.push(own);
        }
        let mut rest = (0..).zip(nested).skip(from);
        while batch.len < Self::MAX {
            match rest.next() {
                None => return (batch, None),
                Some((_, None)) => {}
                Some((_, Some(id))) => {
                    batch.push(Command::invalidate_iommu_pages(*id, Range::ALL, true));
                }
            }
        }
        (batch, rest.next().map(|(place, _)| place))
    }

    /// The commands.
    pub fn commands(&self) -> &[Command] {
        self.commands.get(..self.len).unwrap_or_default()
    }

    fn empty() -> Self {
        Self {
            commands: [Command::default(); Self::MAX],
            len: 0,
        }
    }

    /// Adds a command if there is room.
    fn push(&mut self, command: Command) {
        if let Some(place) = self.commands.get_mut(self.len) {
            *place = command;
            self.len += 1;
        }
    }
}
