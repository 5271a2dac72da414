// SPDX-License-Identifier: GPL-2.0

//! What the stages give each by itself, and how they come together.

use std::collections::HashMap;

use amd_iommu_model::Request;

use crate::oracle::{Fault, Reach, Verdict};
use crate::support::{Dte, Machine, PageTables};

/// What a table gives for reads and for writes, before the rights of the device and, if it is
/// nested, before the host table.
pub type Outcome = [Verdict; 2];

/// What the host table below gives for the guest addresses that leaves point to.
pub type Below = HashMap<u64, Outcome>;

/// What the table of a guest gives by itself.
pub fn guest_outcome(tables: &PageTables, machine: &Machine, address: u64) -> Outcome {
    let path = tables.path(machine, address);
    let entry = path.last().map_or(0, |at| machine.peek(*at));
    if entry & 1 == 0 {
        return [Verdict::Fault(Fault::NotPresent); 2];
    }
    let size = 1 << (12 + 9 * (usize::from(tables.levels) - path.len()));
    let reach = Verdict::Forward(Reach {
        address: entry & 0xf_ffff_ffff_f000 | address & (size - 1),
        size,
        read: true,
        write: entry & 2 != 0,
    });
    if entry & 2 != 0 {
        [reach; 2]
    } else {
        [reach, Verdict::Fault(Fault::Permission)]
    }
}

/// An outcome of a nested table after the host table below; of another one it is the end.
pub fn through(outcome: Verdict, below: &Below, write: bool) -> Verdict {
    let Verdict::Forward(reach) = outcome else {
        return outcome;
    };
    match below
        .get(&(reach.address & !0xfff))
        .map(|pair| pair[usize::from(write)])
    {
        None => outcome,
        Some(Verdict::Forward(end)) => Verdict::Forward(Reach {
            write: reach.write && end.write,
            size: reach.size.min(end.size),
            ..end
        }),
        Some(fault) => fault,
    }
}

/// An outcome under the rights of a device.
pub fn under(entry: &Dte, outcome: Verdict, write: bool, request: &Request) -> Verdict {
    if write && !entry.iw {
        return Verdict::Fault(Fault::Permission);
    }
    match outcome {
        Verdict::Forward(reach) => Verdict::Forward(Reach {
            address: reach.address + request.address % 0x1000,
            write: reach.write && entry.iw,
            ..reach
        }),
        other => other,
    }
}
