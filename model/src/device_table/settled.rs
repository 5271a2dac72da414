// SPDX-License-Identifier: GPL-2.0

//! What entries held when software last said that they are finished.
//!
//! Software says so with INVALIDATE_DEVTAB_ENTRY. A request in between may meet the entry from
//! before the change or the one from after it, and nothing else. What it met is kept until the
//! next invalidation shows what the change led to.
//!
//! A mixture that blocks is none: a driver that takes the rights away first, and writes the rest
//! then, lets no request through in between.

use alloc::vec::Vec;

use crate::caches::Sets;
use crate::device_table::{DeviceEntry, Half};

/// Most uses that wait for their invalidation. Later ones are not judged.
const MOST: usize = 64;

/// Settled entries, and uses of others.
#[derive(Debug)]
pub(crate) struct Settled {
    known: Sets<u16, DeviceEntry>,
    open: Vec<Use>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Use {
    device: u16,
    entry: DeviceEntry,
    half: Half,
}

impl Settled {
    /// Nothing is known.
    pub(crate) fn new() -> Self {
        Settled {
            known: Sets::new(128),
            open: Vec::new(),
        }
    }

    /// A request used `entry`. The first one after a reset is taken for settled, because boot
    /// software may have left it without any invalidation.
    pub(crate) fn note(&mut self, device: u16, entry: DeviceEntry, half: Half) {
        match self.known.find(&device) {
            None => self.known.insert(device, entry),
            Some(last) if entry.leads_as(last, half) => {}
            Some(_) if half == Half::Memory && entry.blocks() => {}
            Some(_) => self.wait(Use {
                device,
                entry,
                half,
            }),
        }
    }

    fn wait(&mut self, case: Use) {
        if self.open.len() < MOST && !self.open.contains(&case) {
            self.open.push(case);
        }
    }

    /// Software finished a change that led to `entry`. Returns an entry that was used before
    /// although neither the old nor the new one agrees with it.
    pub(crate) fn settle(&mut self, device: u16, entry: DeviceEntry) -> Option<DeviceEntry> {
        let torn = self
            .open
            .iter()
            .find(|case| case.device == device && !case.entry.leads_as(&entry, case.half))
            .map(|case| case.entry);
        self.open.retain(|case| case.device != device);
        self.known.insert(device, entry);
        torn
    }

    /// Everything was invalidated: whatever is found next is settled.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.open.clear();
    }
}
