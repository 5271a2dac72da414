// SPDX-License-Identifier: GPL-2.0

//! Interrupts of guests through the table of the IOMMU's own device-table entry (hardware.md 6.4).

mod levels;

use amd_iommu_model::config::{GuestInvalidateAll, InterruptAbort, InterruptEdge};
use amd_iommu_model::referee::Rule;
use amd_iommu_model::request::Access;
use amd_iommu_model::Interrupt;

use crate::support::viommu::{ctl, page, Guest, Host, VCMD, VEVENT, WAIT_INT};
use crate::support::{command, Dte, Irte, IrteTable, Logged};

const OWN: u16 = 2;
const GID: u16 = 0x105;
/// I = 1, PR = 0, and with PR = 1, RZ = 1; the DomainID of the private address space.
const NOT_PRESENT: u32 = 0x2008_0020;
const RESERVED: u32 = 0x2098_0020;

/// A host whose own entry leads to tables for the interrupts of guests, and a running guest.
struct Scene {
    host: Host,
    guest: Guest,
    own: Dte,
    first: u64,
    second: IrteTable,
}

impl Scene {
    fn new() -> Self {
        Self::on(Host::new())
    }

    fn on(mut host: Host) -> Self {
        let machine = &mut host.bench.machine;
        let first = machine.pages(2);
        let second = IrteTable::new(machine, true);
        machine.poke(first + 8 * u64::from(GID >> 8), second.at | 8 << 2 | 1);
        let id = u64::from(GID & 0xff);
        second.put(machine, id, &Irte::fixed(3, 0x51));
        let own = Dte {
            iv: true,
            int_ctl: 2,
            int_tab_len: 10,
            int_table: first,
            ..Dte::host(0x20, host.private.root, 3)
        };
        host.bench.install(OWN, &own);
        let guest = host.running_guest(GID);
        host.bench.events();
        host.bench.machine.interrupts.clear();
        Scene {
            host,
            guest,
            own,
            first,
            second,
        }
    }

    fn reading(change: impl FnOnce(&mut amd_iommu_model::config::Readings)) -> Self {
        Self::on(Host::reading(change))
    }

    /// A COMPLETION_WAIT of the guest with i; what that led to.
    fn complete(&mut self) -> Vec<Interrupt> {
        let guest = self.guest;
        self.host.set_vf(&guest, page::STATUS, WAIT_INT);
        assert!(self
            .host
            .submit(&guest, &[command::completion_wait(None, true)]));
        self.host.bench.machine.interrupts.drain(..).collect()
    }

    /// A fault in the guest's own tables, which goes to its log.
    fn fault(&mut self) {
        let gcr3 = self.host.bench.machine.page();
        let entry = Dte::guest(0x11, gcr3, 0).of_guest(GID, 0x108);
        self.host.bench.install(0x300, &entry);
        self.host.bench.dma(0x300, 0x5000, Access::Read, None);
    }

    /// The events of the host; interrupts that tell of them are no matter here.
    fn events(&mut self) -> Vec<Logged> {
        let events = self.host.bench.events();
        self.host.bench.machine.interrupts.clear();
        events
    }

    /// Puts an entry for the guest and tells the IOMMU.
    fn put(&mut self, entry: &Irte) {
        let index = u64::from(GID & 0xff);
        self.second.put(&mut self.host.bench.machine, index, entry);
        self.invalidate();
    }

    fn invalidate(&mut self) {
        self.host
            .bench
            .execute(&[command::invalidate_interrupts(OWN)]);
    }

    fn delivered(&self) -> u64 {
        let counters = self.host.bench.iommu.counters();
        let delivered = &counters.guest_interrupts_delivered;
        delivered.get(&GID).copied().unwrap_or(0)
    }
}

fn message(address: u64, data: u32) -> Vec<Interrupt> {
    vec![Interrupt::Message { address, data }]
}

/// The one event about an interrupt of this engine.
fn refusal(word: u32, vflags: u8) -> Vec<Logged> {
    let dw0 = u32::from(OWN) | u32::from(vflags) << 27;
    vec![Logged([dw0, word, 0, 0])]
}

#[test]
fn a_completion_of_a_guest_is_raised_through_its_entry() {
    let mut scene = Scene::new();
    assert_eq!(scene.complete(), message(0xfee0_3000, 0x51));
    assert_eq!(
        (scene.host.interrupts(&scene.guest), scene.delivered()),
        (1, 1)
    );
    assert!(scene.events().is_empty());
    assert!(scene.host.bench.violations().is_empty());
}

#[test]
fn an_interrupt_needs_the_enable_of_the_guest_and_a_status_bit_that_rises() {
    let mut scene = Scene::new();
    let guest = scene.guest;
    let wait = [command::completion_wait(None, true)];
    scene.complete();
    // The status bit is set still.
    scene.host.submit(&guest, &wait);
    assert!(scene.host.bench.machine.interrupts.is_empty());
    let control = scene.host.get(&guest, ctl::COMMAND);
    scene.host.set(&guest, ctl::COMMAND, control & !0x200);
    assert!(scene.complete().is_empty());
    scene.host.set(&guest, ctl::COMMAND, control);
    assert_eq!(scene.complete(), message(0xfee0_3000, 0x51));

    let mut scene = Scene::reading(|readings| readings.interrupt_edge = InterruptEdge::Every);
    scene.complete();
    let guest = scene.guest;
    scene.host.submit(&guest, &wait);
    assert_eq!(scene.host.bench.machine.interrupts.len(), 1);
}

/// The event log of a guest has the same external ID as its completions.
#[test]
fn an_event_of_a_guest_is_raised_through_the_same_entry() {
    let mut scene = Scene::new();
    scene.fault();
    let found = scene.host.guest_events(&scene.guest);
    let interrupts: Vec<_> = scene.host.bench.machine.interrupts.drain(..).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(interrupts, message(0xfee0_3000, 0x51));
}

/// An event-log interrupt that is refused names the engine of the log.
#[test]
fn the_engine_that_raised_a_refused_interrupt_is_in_the_event() {
    let mut scene = Scene::new();
    scene.put(&Irte::default());
    scene.fault();
    assert_eq!(scene.events(), refusal(NOT_PRESENT, VEVENT));
}

#[test]
fn without_a_usable_own_entry_nothing_is_sent() {
    for (change, events) in [
        (
            Dte {
                iv: false,
                ..Dte::default()
            },
            vec![],
        ),
        (
            Dte {
                iv: true,
                int_ctl: 1,
                ..Dte::default()
            },
            vec![],
        ),
        (
            Dte {
                iv: true,
                ..Dte::default()
            },
            refusal(NOT_PRESENT, VCMD),
        ),
        (
            Dte {
                iv: true,
                ig: true,
                ..Dte::default()
            },
            vec![],
        ),
        (
            Dte {
                iv: true,
                int_ctl: 3,
                ..Dte::default()
            },
            refusal(0x1088_0000, VCMD),
        ),
        (
            Dte {
                iv: true,
                int_ctl: 2,
                int_tab_len: 12,
                ..Dte::default()
            },
            refusal(0x1008_0000, VCMD),
        ),
    ] {
        let mut scene = Scene::new();
        let own = Dte {
            iv: change.iv,
            int_ctl: change.int_ctl,
            int_tab_len: change.int_tab_len,
            ig: change.ig,
            ..scene.own
        };
        scene.host.bench.install(OWN, &own);
        let sent = scene.complete();
        assert!(sent.iter().all(|i| matches!(i, Interrupt::Msi { .. })));
        assert_eq!(scene.events(), events, "{change:?}");
        assert_eq!(
            (scene.host.interrupts(&scene.guest), scene.delivered()),
            (1, 0)
        );
    }
    let mut scene = Scene::reading(|readings| readings.interrupt_abort = InterruptAbort::Silent);
    let own = Dte {
        int_ctl: 0,
        ..scene.own
    };
    scene.host.bench.install(OWN, &own);
    assert!(scene.complete().is_empty());
    assert!(scene.events().is_empty());
}

/// A guest's INVALIDATE_INTERRUPT_TABLE reaches the table of the device that its ID stands for, and so does
/// its INVALIDATE_IOMMU_ALL if it may (OQ-11).
#[test]
fn a_guest_drops_the_interrupts_of_its_own_device() {
    for words in [
        command::invalidate_interrupts(0x108),
        command::invalidate_all(),
    ] {
        drop_by(words);
    }
}

fn drop_by(words: [u32; 4]) {
    let mut scene = Scene::reading(|r| r.guest_invalidate_all = GuestInvalidateAll::OwnOnly);
    let guest = scene.guest;
    let machine = &mut scene.host.bench.machine;
    let table = IrteTable::new(machine, true);
    table.put(machine, 1, &Irte::fixed(5, 0x41));
    for device in [0x300, 0x301] {
        scene.host.bench.install(device, &table.remapping(9));
        scene.host.bench.interrupt(device, 1);
    }
    scene.host.map_device(&guest, 0x108, 0x300);
    table.put(&mut scene.host.bench.machine, 1, &Irte::fixed(6, 0x42));
    assert!(scene.host.submit(&guest, &[words]));
    let mut vector = |device| scene.host.bench.interrupt(device, 1).map(|(_, data)| data);
    assert_eq!((vector(0x300), vector(0x301)), (Some(0x42), Some(0x41)));
    // The device that is not the guest's has used an old entry: that was for the host to invalidate.
    assert_eq!(scene.host.bench.late(Rule::StaleInterruptEntry), 1);
}
