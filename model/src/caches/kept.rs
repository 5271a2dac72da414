// SPDX-License-Identifier: GPL-2.0

//! What the caches keep of tables.

use crate::walk::{Page, Rights, Table};

/// A final translation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// The page; `None` for a page that is not present, which only a part with NpCache keeps.
    pub(crate) page: Option<Page>,
    /// What the guest's table allows, nothing if it has no page: what it forbids is the guest's
    /// own fault, the rest is not.
    pub(crate) guest: Rights,
    /// First and last guest physical address of what the page stands on, if it is nested.
    pub(crate) through: Option<(u64, u64)>,
}

/// A directory entry: where the walk goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directory {
    /// The next table, with the rights up to there.
    pub(crate) table: Table,
    /// Guest physical address of the entry, first and last byte, if it is nested.
    pub(crate) through: Option<(u64, u64)>,
}

/// An entry of a GCR3 table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    /// Guest CR3.
    pub(crate) address: u64,
    /// Guest physical address of the entry, first and last byte, if it is nested.
    pub(crate) through: Option<(u64, u64)>,
}
