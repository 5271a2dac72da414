// SPDX-License-Identifier: GPL-2.0

//! Entries of interrupt tables (10.10), and the tests' own builders against the same values.

use amd_iommu_model::interrupt::entry::{InterruptEntry, ReservedSet, Target};

use crate::support::Irte;

const PHYSICAL: Target = Target {
    destination: 5,
    logical: false,
    lowest_priority: false,
    vector: 0x41,
};

#[test]
fn short_entries_are_read_and_built_as_in_the_worked_examples() {
    let logical = Target {
        logical: true,
        lowest_priority: true,
        ..PHYSICAL
    };
    let fixed = Irte::fixed(5, 0x41);
    let lowest = Irte {
        logical: true,
        kind: 1,
        ..fixed
    };
    for (number, value, target, built) in [
        ("W111", 0x0041_0501, PHYSICAL, fixed),
        ("W112", 0x0041_0545, logical, lowest),
    ] {
        assert_eq!(
            InterruptEntry::Short(value).target(),
            Ok(target),
            "{number}"
        );
        assert_eq!(built.short(), value, "{number}");
    }
}

#[test]
fn long_entries_are_read_and_built_as_in_the_worked_examples() {
    let far = Target {
        destination: 0x0100_0005,
        ..PHYSICAL
    };
    let w113 = [0x501, 0x0100_0000_0000_0041];
    assert_eq!(InterruptEntry::Long(w113).target(), Ok(far), "W113");
    assert_eq!(Irte::fixed(0x0100_0005, 0x41).long(), w113, "W113");
    // Guest mode, which no part of the model has.
    let w114 = InterruptEntry::Long([0x0100_0007_0000_05c5, 0x1_2345_6041]);
    assert!(w114.is_valid());
    assert_eq!(w114.target(), Err(ReservedSet), "W114");
}
