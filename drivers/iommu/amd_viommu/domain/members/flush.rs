// SPDX-License-Identifier: GPL-2.0

//! Dropping what IOMMUs have cached of a page table.

use super::{lists::Lists, Members};
use crate::iommu::Iommu;
use hw::command::{Batch, Command, Range};
use kernel::{prelude::*, sync::Arc};

/// How far a flush has come.
#[derive(Default)]
struct Position {
    walker: usize,
    /// Place among the walker's domain IDs.
    place: usize,
}

impl Members {
    /// Drops what the IOMMUs have cached of a range, for guests that use the table too.
    ///
    /// # Errors
    ///
    /// `EIO` when an IOMMU does not confirm. The domain ID is not used again then: translations may
    /// still be cached under it.
    pub(in crate::domain) fn flush(&self, range: Range, tables: bool) -> Result {
        let own = Command::invalidate_iommu_pages(self.id, range, tables);
        let mut at = Position::default();
        let mut result = Ok(());
        // Hardware is not waited for with the lock held.
        while let Some((iommu, batch)) = self.next_batch(&mut at, own) {
            result = result.and(iommu.invalidate(batch.commands()));
        }
        if result.is_err() {
            self.spoil();
        }
        result
    }

    fn next_batch(&self, at: &mut Position, own: Command) -> Option<(Arc<Iommu>, Batch)> {
        let lists = self.lists.lock();
        at.seek(&lists)?;
        at.take(&lists, own)
    }
}

impl Position {
    /// Goes on to the next IOMMU that has devices.
    fn seek(&mut self, lists: &Lists) -> Option<()> {
        while lists.walkers.get(self.walker)?.devices == 0 {
            self.go_on(None);
        }
        Some(())
    }

    /// Takes the next commands for an IOMMU.
    fn take(&mut self, lists: &Lists, own: Command) -> Option<(Arc<Iommu>, Batch)> {
        let walker = lists.walkers.get(self.walker)?;
        let all = walker.nested_count >= Batch::MAX && walker.iommu.can_invalidate_all();
        let (batch, rest) = Batch::next(own, &walker.nested, self.place, all);
        self.go_on(rest);
        Some((walker.iommu.clone(), batch))
    }

    fn go_on(&mut self, place: Option<usize>) {
        *self = match place {
            Some(place) => Self {
                walker: self.walker,
                place,
            },
            None => Self {
                walker: self.walker + 1,
                place: 0,
            },
        };
    }
}
