// SPDX-License-Identifier: GPL-2.0

//! Guests stay apart from each other, and no sequence of accesses to the apertures, of commands or
//! of requests hurts.

use amd_iommu_model::config::{
    ApertureGate, ControlReset, GuestInvalidateAll, MapClear, MiscBits, PrivateFault, Readings,
    RefusedHead, ResetScope, UnmappedId,
};
use amd_iommu_model::request::Access;
use proptest::prelude::*;

use crate::support::bench::control;
use crate::support::viommu::*;
use crate::support::{command, random_cases, Dte};

fn pick<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

fn readings() -> impl Strategy<Value = Readings> {
    (
        pick(UnmappedId::ALL),
        pick(RefusedHead::ALL),
        pick(ControlReset::ALL),
        pick(ApertureGate::ALL),
        pick(MapClear::ALL),
        pick(MiscBits::ALL),
        pick(PrivateFault::ALL),
        pick(ResetScope::ALL),
        pick(GuestInvalidateAll::ALL),
    )
        .prop_map(|all| Readings {
            unmapped_id: all.0,
            refused_head: all.1,
            control_reset: all.2,
            aperture_gate: all.3,
            map_clear: all.4,
            misc_bits: all.5,
            private_fault: all.6,
            reset_scope: all.7,
            guest_invalidate_all: all.8,
            ..Readings::default()
        })
}

/// Something that software does to the apertures or to the control register, or a device.
#[derive(Clone, Debug)]
enum Poke {
    Page {
        gid: u16,
        offset: u64,
        value: u64,
    },
    Block {
        gid: u16,
        offset: u64,
        value: u64,
    },
    Wild {
        offset: u64,
        size: u8,
        value: u64,
        block: bool,
    },
    Control(u64),
    Host([u32; 4]),
    Ring {
        at: u64,
        words: [u32; 4],
    },
    Dma,
}

/// What concerns these guests and nobody else.
fn own_poke(gids: std::ops::Range<u16>) -> impl Strategy<Value = Poke> {
    let value = || {
        prop_oneof![
            any::<u64>(),
            (0..0x1000u64).prop_map(|v| v & !0xf),
            (8..16u64, any::<bool>())
                .prop_map(|(code, on)| { (1u64 << 31) | code | u64::from(on) << 8 }),
            (0..8u64, 0..8u64).prop_map(|(from, to)| 1u64 << 63 | from << 46 | to << 14 | 1),
        ]
    };
    let command = || {
        prop_oneof![
            any::<[u32; 4]>(),
            (0..8u16).prop_map(command::invalidate_entry),
            (0..8u16).prop_map(|id| command::invalidate_domain(id, None)),
            Just(command::invalidate_all()),
            Just(command::completion_wait(Some((0x8000_0000, 1)), true)),
        ]
    };
    prop_oneof![
        4 => (gids.clone(), 0..0x10u64, value())
            .prop_map(|(gid, at, value)| Poke::Page { gid, offset: at * 8, value }),
        4 => (gids, 0..8u64, value())
            .prop_map(|(gid, at, value)| Poke::Block { gid, offset: at * 8, value }),
        2 => (0..0x600u64, command()).prop_map(|(at, words)| Poke::Ring { at: at * 16, words }),
        1 => Just(Poke::Dma),
    ]
}

/// The same, and what only the host can do.
fn poke() -> impl Strategy<Value = Poke> {
    let bits = vec![
        control::VIOMMU,
        control::VCMD,
        control::GUEST_APIC,
        control::GUEST_BUFFER_TRP,
        control::IOMMU,
    ];
    prop_oneof![
        11 => own_poke(0..4),
        1 => (any::<u64>(), any::<u8>(), any::<u64>(), any::<bool>())
            .prop_map(|(offset, size, value, block)| Poke::Wild { offset, size, value, block }),
        1 => proptest::sample::select(bits).prop_map(Poke::Control),
        1 => (0..4u16, any::<u8>()).prop_map(|(gid, kind)| Poke::Host(match kind % 3 {
            0 => command::insert_guest_event(gid),
            1 => [0x8000_0000 | u32::from(gid), 0xa000_0000, 0, 0],
            _ => command::reset_vmmio(gid),
        })),
    ]
}

fn apply(host: &mut Host, guest: &Guest, poke: &Poke) {
    let other = |gid| Guest { gid, ..*guest };
    match *poke {
        Poke::Page { gid, offset, value } => host.set_vf(&other(gid), offset, value),
        Poke::Block { gid, offset, value } => host.set(&other(gid), offset, value),
        Poke::Wild {
            offset,
            size,
            value,
            block,
        } => {
            let (iommu, machine) = (&mut host.bench.iommu, &mut host.bench.machine);
            if block {
                iommu.vf_control_write(machine, offset, size, value);
                iommu.vf_control_read(machine, offset, size);
            } else {
                iommu.vf_write(machine, offset, size, value);
                iommu.vf_read(machine, offset, size);
            }
        }
        Poke::Control(bit) => {
            let value = host.bench.get(0x18);
            host.bench.set(0x18, value ^ bit);
        }
        Poke::Host(words) => {
            if host.bench.get(0x2020) & 0x10 != 0 {
                host.bench.submit(&[words]);
            }
        }
        Poke::Ring { at, words } => {
            let place = guest.ring + at % (16 << guest.code);
            host.bench.machine.poke_words(place, words);
        }
        Poke::Dma => {
            host.bench.dma(0x300, 0x7777_7000, Access::Write, None);
        }
    }
}

/// The entry of a device of guest 1 whose GCR3 table is empty: its faults go to the guest's log.
fn faulting(host: &mut Host) -> Dte {
    Dte::guest(0x42, host.bench.machine.page(), 0).of_guest(1, 8)
}

/// Everything of a guest that somebody else could disturb.
fn image(host: &mut Host, guest: &Guest) -> Vec<u64> {
    let mut seen: Vec<u64> = (0..8).map(|at| host.get(guest, 8 * at)).collect();
    seen.extend((0..16).map(|at| host.vf(guest, 8 * at)));
    for (start, bytes) in [
        (guest.ring, 4096),
        (guest.log, 4096),
        (guest.devices, 256),
        (guest.domains, 128),
    ] {
        let words = (0..bytes).step_by(8);
        seen.extend(words.map(|at| host.bench.machine.peek(start + at)));
    }
    seen.push(host.interrupts(guest));
    seen
}

proptest! {
    #![proptest_config(random_cases(96))]

    #[test]
    fn a_guest_and_its_vmm_never_touch_another_guest(
        readings in readings(),
        pokes in proptest::collection::vec(own_poke(1..2), 0..60),
    ) {
        let mut host = Host::with(config(readings, None));
        let (guest, other) = (host.running_guest(1), host.running_guest(2));
        host.confine(&guest);
        host.map_device(&other, 1, 0x301);
        host.map_domain(&other, 1, 0x41);
        let entry = faulting(&mut host);
        host.bench.install(0x300, &entry);
        let before = image(&mut host, &other);
        for poke in &pokes {
            // The translate device ID is the host's choice, and the maps lead where it says.
            if !matches!(poke, Poke::Block { offset: 0x10, .. }) {
                apply(&mut host, &guest, poke);
            }
        }
        prop_assert_eq!(image(&mut host, &other), before);
        prop_assert!(host.submit(&other, &[command::invalidate_entry(1), command::invalidate_domain(1, None)]));
    }

    #[test]
    fn no_sequence_of_accesses_hurts(
        readings in readings(),
        seed in proptest::option::of(any::<u64>()),
        pokes in proptest::collection::vec(poke(), 0..80),
    ) {
        let mut host = Host::with(config(readings, seed));
        let guest = host.running_guest(1);
        let entry = faulting(&mut host);
        host.bench.install(0x300, &entry);
        for poke in &pokes {
            apply(&mut host, &guest, poke);
        }
        host.bench.advance();
        for offset in (0..0x40).step_by(8) {
            host.get(&guest, offset);
            host.vf(&guest, offset);
        }
    }
}
