// SPDX-License-Identifier: GPL-2.0

//! Which devices and address spaces a world starts with.

use super::space::{Space, Table};
use super::world::{Kind, DOMAINS, PASID};
use crate::support::{Bench, Dte, Gcr3, HostTables, PageTables, GUEST_OFFSET};

/// Spaces, requesters with their entries, the host table below guests, the table of PASIDs.
pub type Setup = (
    [Space; 2],
    Vec<(u16, Dte)>,
    Option<HostTables>,
    Option<Gcr3>,
);

/// Two domains: one with two devices, one with a third.
pub fn host_spaces(bench: &mut Bench) -> Setup {
    let tables = [(); 2].map(|()| HostTables::new(&mut bench.machine, 4));
    let [first, second] = [0, 1].map(|n| Dte::host(DOMAINS[n], tables[n].root, 4));
    let sibling = Dte { iw: false, ..first };
    let spaces = [
        Space::new(DOMAINS[0], None, 0..2, Table::Host(tables[0])),
        Space::new(DOMAINS[1], None, 2..3, Table::Host(tables[1])),
    ];
    let entries = vec![(0x0100, first), (0x0101, sibling), (0x0200, second)];
    (spaces, entries, None, None)
}

/// Two address spaces of one domain: requests without PASID, and those with one.
pub fn guest_spaces(bench: &mut Bench, kind: Kind) -> Setup {
    let machine = &mut bench.machine;
    let offset = if kind == Kind::Nested {
        GUEST_OFFSET
    } else {
        0
    };
    let tables = [(); 2].map(|()| PageTables::new(machine, 4, offset));
    let gcr3 = Gcr3::new(machine, 1, offset);
    gcr3.set(machine, 0, &tables[0]);
    gcr3.set(machine, PASID, &tables[1]);
    let mut first = Dte::guest(DOMAINS[0], gcr3.pointer, 1);
    let mut below = None;
    if kind == Kind::Nested {
        let host = HostTables::new(machine, 4);
        host.map_guest_memory(machine);
        first = first.nested_on(host.root, 4);
        below = Some(host);
    }
    let sibling = Dte { iw: false, ..first };
    let spaces = [
        Space::new(DOMAINS[0], None, 0..2, Table::Guest(tables[0])),
        Space::new(DOMAINS[0], Some(PASID), 0..2, Table::Guest(tables[1])),
    ];
    (
        spaces,
        vec![(0x0100, first), (0x0101, sibling)],
        below,
        Some(gcr3),
    )
}
