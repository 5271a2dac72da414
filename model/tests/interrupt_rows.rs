// SPDX-License-Identifier: GPL-2.0

//! The table "Interrupt requests" of hardware.md 3.9, row by row, with the events of 3.5.

mod entries;

use amd_iommu_model::config::{Features, InterruptAbort};
use amd_iommu_model::request::Access;
use amd_iommu_model::{Answer, Config, Message};

use crate::support::bench::{control, reg};
use crate::support::{Bench, Dte, Irte, IrteTable, Logged};

const DEVICE: u16 = 0x0300;
/// Address of a physical and of a logical destination.
const PHYSICAL: u64 = 0xfee0_1000;
const LOGICAL: u64 = 0xfee0_1004;
/// I = 1, PR = 0, DomainID 5.
const NOT_PRESENT: u32 = 0x2008_0005;
/// I = 1, PR = 1, RZ = 1, DomainID 5.
const RESERVED: u32 = 0x2098_0005;
/// ILLEGAL_DEV_TABLE_ENTRY with I = 1: a reserved bit, a bad value.
const ILLEGAL_RESERVED: u32 = 0x1088_0000;
const ILLEGAL_VALUE: u32 = 0x1008_0000;

/// One part, one device with a table of 512 entries whose entry 0x25 leads to APIC 5, vector 41h.
struct Scene {
    bench: Bench,
    table: IrteTable,
}

/// What a message led to: where it went, and the second word of its event.
type Outcome = (Option<(u64, u32)>, Option<u32>);

impl Scene {
    fn new(long: bool) -> Self {
        Self::on(Config::new(Features::genoa()), long)
    }

    fn on(config: Config, long: bool) -> Self {
        let mut bench = Bench::on(config);
        if !long {
            bench.clear_control(control::GUEST_APIC);
        }
        let table = IrteTable::new(&mut bench.machine, long);
        table.put(&mut bench.machine, 0x25, &Irte::fixed(5, 0x41));
        Scene { bench, table }
    }

    /// With a device-table entry, and with entry 25h of the table.
    fn raise(&mut self, entry: &Dte, address: u64, data: u32) -> Outcome {
        self.bench.install(DEVICE, entry);
        let sent = self.bench.message(&Message {
            requester: DEVICE,
            address,
            data,
            pasid: None,
        });
        (sent, self.word(address))
    }

    /// The second word of the one event there may be; the others are the same in all rows.
    fn word(&mut self, address: u64) -> Option<u32> {
        let events = self.bench.events();
        assert!(events.len() < 2, "{events:?}");
        let Logged([device, word, low, high]) = *events.first()?;
        assert_eq!((device, low, high), (0x300, address as u32, 0));
        Some(word)
    }

    /// Changes entry 25h and raises it.
    fn entry(&mut self, entry: &Irte, ig: bool) -> Outcome {
        self.table.put(&mut self.bench.machine, 0x25, entry);
        let device = Dte {
            ig,
            ..self.table.remapping(9)
        };
        self.raise(&device, PHYSICAL, 0x25)
    }
}

fn both_forms() -> impl Iterator<Item = bool> {
    [false, true].into_iter()
}

#[test]
fn a_disabled_iommu_forwards_every_message() {
    let mut bench = Bench::off(Config::new(Features::genoa()));
    for data in [0x25, 0x300, 0x400] {
        assert_eq!(bench.interrupt(DEVICE, data), Some((0xfee0_0000, data)));
    }
    assert_eq!(bench.iommu.counters().caches.device_table.misses, 0);
}

#[test]
fn without_iv_every_message_goes_on_whatever_else_the_entry_says() {
    for data in [0x25, 0x125, 0x225, 0x325, 0x425, 0x525, 0x625, 0x725] {
        for (int_ctl, int_tab_len) in [(0, 0), (2, 15), (3, 9)] {
            let mut scene = Scene::new(true);
            let entry = Dte {
                iv: false,
                int_ctl,
                int_tab_len,
                extra: [0, 0, 3 << 52, 0x7fff],
                ..scene.table.remapping(0)
            };
            let outcome = scene.raise(&entry, LOGICAL, data);
            assert_eq!(outcome, (Some((LOGICAL, data)), None), "{data:x}");
        }
    }
}

#[test]
fn intctl_decides_over_fixed_and_lowest_priority_alone() {
    let remapped = Some((0xfee0_5000, 0x41));
    for long in both_forms() {
        for (int_ctl, v, expected) in [
            (0, true, (None, Some(NOT_PRESENT))),
            (0, false, (None, Some(NOT_PRESENT))),
            (1, true, (Some((PHYSICAL, 0x25)), None)),
            (1, false, (Some((PHYSICAL, 0x25)), None)),
            (2, true, (remapped, None)),
            (2, false, (remapped, None)),
            (3, true, (None, Some(ILLEGAL_RESERVED))),
        ] {
            let mut scene = Scene::new(long);
            let entry = Dte {
                v,
                int_ctl,
                ..scene.table.remapping(9)
            };
            let found = scene.raise(&entry, PHYSICAL, 0x25);
            assert_eq!(found, expected, "{long} {int_ctl} {v}");
        }
    }
}

/// INITPass, EIntPass, NMIPass are bits 0, 1, 2 of `pass`. IntCtl says nothing about these modes.
#[test]
fn pass_bits_decide_over_nmi_init_and_extint() {
    for (mode, bit) in [(4, 2), (5, 0), (7, 1)] {
        for pass in 0..8 {
            for int_ctl in 0..3 {
                for address in [PHYSICAL, LOGICAL] {
                    let mut scene = Scene::new(true);
                    let entry = Dte {
                        pass,
                        int_ctl,
                        ..scene.table.remapping(9)
                    };
                    let data = mode << 8 | 0x25;
                    let passes = pass >> bit & 1 != 0 && address == PHYSICAL;
                    let expected = if passes {
                        (Some((address, data)), None)
                    } else {
                        (None, Some(NOT_PRESENT))
                    };
                    let found = scene.raise(&entry, address, data);
                    assert_eq!(found, expected, "{mode} {pass} {int_ctl} {address:x}");
                }
            }
        }
    }
}

#[test]
fn smi_goes_on_and_reserved_modes_end_silently() {
    for (mode, address, expected) in [
        (2, PHYSICAL, (Some((PHYSICAL, 0x225)), None)),
        (2, LOGICAL, (None, Some(NOT_PRESENT))),
        (3, PHYSICAL, (None, None)),
        (6, PHYSICAL, (None, None)),
    ] {
        let mut scene = Scene::new(true);
        let entry = Dte {
            pass: 7,
            ..scene.table.remapping(11)
        };
        let found = scene.raise(&entry, address, mode << 8 | 0x25);
        assert_eq!(found, expected, "{mode} {address:x}");
    }
}

/// OQ-38, for IntCtl = 0 and for what a pass bit forbids.
#[test]
fn what_the_entry_aborts_is_logged_or_silent() {
    for (reading, logged) in [
        (InterruptAbort::Logged, Some(NOT_PRESENT)),
        (InterruptAbort::Silent, None),
    ] {
        for (data, ig, expected) in [
            (0x25, false, logged),
            (0x425, false, logged),
            (0x25, true, None),
        ] {
            let mut config = Config::new(Features::genoa());
            config.readings.interrupt_abort = reading;
            let mut scene = Scene::on(config, true);
            let entry = Dte {
                int_ctl: 0,
                ig,
                ..scene.table.remapping(9)
            };
            assert_eq!(scene.raise(&entry, PHYSICAL, data), (None, expected));
        }
    }
}

#[test]
fn a_table_has_at_most_2048_entries() {
    for (length, expected) in [
        (11, (Some((0xfee0_5000, 0x41)), None)),
        (12, (None, Some(ILLEGAL_VALUE))),
        (15, (None, Some(ILLEGAL_VALUE))),
    ] {
        let mut scene = Scene::new(true);
        let entry = Dte {
            ig: true,
            ..scene.table.remapping(length)
        };
        assert_eq!(scene.raise(&entry, PHYSICAL, 0x25), expected, "{length}");
        // Nobody looks at the length of a table that is not used.
        let forwarding = Dte {
            int_ctl: 1,
            ..entry
        };
        let found = scene.raise(&forwarding, PHYSICAL, 0x25);
        assert_eq!(found, (Some((PHYSICAL, 0x25)), None), "{length}");
    }
}

#[test]
fn an_index_beyond_the_table_is_not_present() {
    for long in both_forms() {
        for length in 0..10u32 {
            let mut scene = Scene::new(long);
            for index in 0..0x200 {
                let entry = Irte::fixed(index & 0xff, 0x30);
                scene.table.put(&mut scene.bench.machine, index, &entry);
            }
            let entry = scene.table.remapping(length.into());
            let last = (1 << length) - 1;
            let to = 0xfee0_0000 | u64::from(last & 0xff) << 12;
            let found = scene.raise(&entry, PHYSICAL, last);
            assert_eq!(found, (Some((to, 0x30)), None), "{long} {length}");
            if length < 9 {
                let found = scene.raise(&entry, PHYSICAL, last + 1);
                assert_eq!(found, (None, Some(NOT_PRESENT)), "{long} {length}");
            }
        }
    }
}

#[test]
fn a_message_with_a_pasid_is_a_page_fault_unless_nobody_looks() {
    for (iv, pass, data, expected) in [
        (false, 0, 0x25, None),
        (true, 0, 0x25, Some(0x200d_2345)),
        (true, 7, 0x425, Some(0x200d_2345)),
    ] {
        let mut scene = Scene::new(true);
        let entry = Dte {
            iv,
            pass,
            ..scene.table.remapping(9)
        };
        scene.bench.install(DEVICE, &entry);
        let sent = scene.bench.message(&Message {
            requester: DEVICE,
            address: PHYSICAL,
            data,
            pasid: Some(0x1_2345),
        });
        assert_eq!(sent.is_some(), expected.is_none());
        let events = scene.bench.events();
        let words: Vec<_> = events.iter().map(|e| (e.0[0], e.0[1])).collect();
        let expected: Vec<_> = expected.map(|word| (0x1_0300, word)).into_iter().collect();
        assert_eq!(words, expected);
    }
}

#[test]
fn a_requester_beyond_the_table_and_an_entry_that_cannot_be_read_abort() {
    let mut bench = Bench::genoa();
    bench.set(reg::DEVICE_TABLE, bench.device_table);
    assert_eq!(bench.interrupt(DEVICE, 0x25), None);
    assert_eq!(bench.only_event().0, [0x300, 0x2008_0000, 0, 0]);
    let mut bench = Bench::genoa();
    let at = bench.device_table + 0x6000;
    bench.machine.remove(at);
    assert_eq!(bench.interrupt(DEVICE, 0x25), None);
    let found = bench.only_event();
    assert_eq!(found.0, [0x300, 0x3408_0000, at as u32, (at >> 32) as u32]);
}

/// Who only translates cannot be told what becomes of the data.
#[test]
fn a_translation_says_of_an_interrupt_only_whether_it_stays_as_it_is() {
    let mut scene = Scene::new(true);
    scene
        .table
        .put(&mut scene.bench.machine, 0, &Irte::fixed(1, 0x41));
    for (int_ctl, goes) in [(1, true), (2, false)] {
        let entry = Dte {
            int_ctl,
            ..scene.table.remapping(9)
        };
        scene.bench.install(DEVICE, &entry);
        let answer = scene.bench.dma(DEVICE, PHYSICAL, Access::Write, None);
        assert_eq!(answer != Answer::Abort, goes);
        assert!(scene.bench.events().is_empty());
    }
}
