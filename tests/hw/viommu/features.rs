// SPDX-License-Identifier: GPL-2.0

use hw::regs::{Control, Efr, Efr2};
use hw::viommu::features::{check, shown, Missing};

/// vIommuSup, GIoSup, GASup, GTSup.
const NEEDED: u64 = 0x0081_0000_0000_0090;

/// GCR3TRPMode.
const NEEDED2: u64 = 1 << 3;

#[test]
fn what_guests_need_is_enough() {
    assert_eq!(check(Efr(NEEDED), Efr2(NEEDED2)), Ok(()));
    assert_eq!(check(Efr(NEEDED | (2 << 10)), Efr2(u64::MAX)), Ok(()));
}

#[test]
fn each_feature_that_is_missing_has_its_name() {
    for (bit, name) in [
        (55, "vIommuSup"),
        (48, "GIoSup"),
        (7, "GASup"),
        (4, "GTSup"),
    ] {
        let efr = Efr(NEEDED & !(1 << bit));
        assert_eq!(check(efr, Efr2(NEEDED2)), Err(Missing(name)));
    }

    assert_eq!(
        check(Efr(NEEDED), Efr2(!NEEDED2)),
        Err(Missing("GCR3TRPMode"))
    );
    // The reserved value: there are no host tables to nest on.
    assert_eq!(
        check(Efr(NEEDED | (3 << 10)), Efr2(NEEDED2)),
        Err(Missing("HATS"))
    );
}

/// GT 4, GA 7, GATS 13:12 = 1, GIo 48.
#[test]
fn a_guest_sees_v2_tables_and_nothing_else() {
    let all = Efr(u64::MAX);

    assert_eq!(shown(all), (Efr(0x0001_0000_0000_1090), Efr2(0)));
    assert_eq!(shown(Efr(0)), (Efr(0), Efr2(0)));
}

#[test]
fn a_guest_never_sees_more_than_the_hardware_has() {
    for efr in (0..64).map(|bit| !(1u64 << bit)).chain([0x5_0010]) {
        let (shown, _) = shown(Efr(efr));

        assert!(!shown.gt_sup() || Efr(efr).gt_sup());
        assert!(!shown.gio_sup() || Efr(efr).gio_sup());
        assert!(shown.gats() <= Efr(efr).gats());
    }
}

/// Bits 12:0 and, with GTSup, bit 16. No PPR (15:13), GA, XT, IRTCacheDis, vCmdEn, vIommuEn,
/// GCR3TRPMode, GstBufferTRPMode.
#[test]
fn control_bits_without_a_feature_are_not_kept() {
    let all = Control(u64::MAX);

    assert_eq!(all.kept_for_guest(Efr(1 << 4)).0, 0x0001_1FFF);
    assert_eq!(all.kept_for_guest(Efr(!(1 << 4))).0, 0x1FFF);
    assert_eq!(Control(0).kept_for_guest(Efr(u64::MAX)).0, 0);
}
