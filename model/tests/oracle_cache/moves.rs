// SPDX-License-Identifier: GPL-2.0

//! A change of the host table under the tables of a guest: whatever the walk of the guest went
//! through is forgotten when that guest address is invalidated with GN = 0 (hardware.md 3.4).

use amd_iommu_model::request::{Access, Answer};

use crate::support::machine::FIRST;
use crate::support::{command, Bench, Dte, Gcr3, HostTables, PageTables, Rights, GUEST_OFFSET};

const DEVICE: u16 = 0x0100;
const DOMAIN: u16 = 0x11;
const PASID: u32 = 5;
const FROM: u64 = 0x7f00_1234_5000;

struct Nested {
    bench: Bench,
    host: HostTables,
    /// Guest addresses of all that a walk reads, and of the page at its end.
    steps: Vec<u64>,
}

fn nested() -> Nested {
    let mut bench = Bench::genoa();
    let machine = &mut bench.machine;
    let host = HostTables::new(machine, 4);
    let guest = PageTables::new(machine, 4, GUEST_OFFSET);
    let gcr3 = Gcr3::new(machine, 1, GUEST_OFFSET);
    gcr3.set(machine, PASID, &guest);
    let page = machine.page() - GUEST_OFFSET;
    guest.map(machine, FROM, page, 0x1000, Rights::ALL);
    let entry = gcr3.entry(machine, PASID);
    let mut steps = vec![gcr3.pointer, entry - GUEST_OFFSET];
    steps.extend(guest.path(machine, FROM).iter().map(|at| at - GUEST_OFFSET));
    steps.push(page);
    for number in 0..machine.handed_out() {
        let to = FIRST + number * 0x1000;
        host.map(machine, to - GUEST_OFFSET, to, 0x1000, Rights::ALL);
    }
    let entry = Dte::guest(DOMAIN, gcr3.pointer, 1).nested_on(host.root, 4);
    bench.install(DEVICE, &entry);
    Nested { bench, host, steps }
}

fn reaches(bench: &mut Bench) -> bool {
    let answer = bench.dma(DEVICE, FROM, Access::Read, Some(PASID));
    answer != Answer::Abort
}

#[test]
fn nothing_of_a_page_that_was_taken_away_is_used_after_its_invalidation() {
    let steps = nested().steps.len();
    assert_eq!(steps, 7, "two GCR3 entries, four table entries, a page");
    for step in 0..steps {
        let Nested {
            mut bench,
            host,
            steps,
        } = nested();
        assert!(reaches(&mut bench));
        let page = steps[step] & !0xfff;
        host.unmap(&mut bench.machine, page, 0x1000);
        let words = command::invalidate_pages(DOMAIN, None, page, page + 0xfff, true);
        bench.execute(&[words]);
        assert!(!reaches(&mut bench), "step {step}");
        assert_eq!(bench.violations(), Vec::<String>::new(), "step {step}");
    }
}

/// Without the invalidation the final translation stays, and the referee sees that it is old when
/// the time for the invalidation is over.
#[test]
fn a_page_that_was_taken_away_is_still_used_before_its_invalidation() {
    let Nested {
        mut bench,
        host,
        steps,
    } = nested();
    assert!(reaches(&mut bench));
    for step in steps {
        host.unmap(&mut bench.machine, step & !0xfff, 0x1000);
    }
    assert!(reaches(&mut bench));
    bench.end_grace();
    assert_ne!(bench.violations(), Vec::<String>::new());
}
