// SPDX-License-Identifier: GPL-2.0

//! The trapped first page of a guest, against hardware that is written here anew.

mod hardware;
mod random;

use hardware::{Hardware, CMD, EVT};
use hw::regs::{Efr, Efr2};
use hw::viommu::guest_page::{BadQueue, Changes, GuestPage, Queue};

/// GTSup, GATS 1, GLXSup 1, PASmax Fh, GIoSup.
const EFR: u64 = 0x0001_000F_0000_5010;

/// Registers of the first page.
const DEV_TAB: u32 = 0;
const CMD_BASE: u32 = 8;
const EVT_BASE: u32 = 0x10;
const CONTROL: u32 = 0x18;

/// IommuEn, EventLogEn, CmdBufEn.
const ON: u64 = (1 << 12) | (1 << 2) | 1;

/// A page and the hardware behind it.
struct Guest {
    page: GuestPage,
    hardware: Hardware,
}

impl Guest {
    /// A guest with a parent, which has written nothing.
    fn new() -> Self {
        let mut guest = Self {
            page: GuestPage::new(Efr(EFR), Efr2(0)),
            hardware: Hardware::default(),
        };
        let changes = guest.page.set_parent(true);
        guest.execute(changes);
        guest
    }

    /// A guest with command buffer and event log that run.
    fn running() -> Self {
        let mut guest = Self::new();
        guest.accept(Queue::Command, 0x1234_0000, 0x2000);
        guest.accept(Queue::Event, 0x1235_0000, 0x2000);
        guest.write(CMD_BASE, 8, 0x0900_0000_1234_0000);
        guest.write(EVT_BASE, 8, 0x0900_0000_1235_0000);
        guest.write(CONTROL, 8, ON);
        assert_eq!(guest.registers(), [0x1234_0109, 0x1235_0109]);
        guest
    }

    fn execute(&mut self, changes: Changes) {
        assert_eq!(changes.is_empty(), changes.writes().count() == 0);
        for write in changes.writes() {
            self.hardware.write(write);
        }
    }

    fn write(&mut self, offset: u32, length: u32, value: u64) {
        let changes = self.page.write(offset, length, value);
        self.execute(changes);
    }

    fn accept(&mut self, queue: Queue, address: u64, length: u64) {
        let changes = self.page.accept_queue(queue, address, length).unwrap();
        self.execute(changes);
    }

    fn run(&mut self, run: bool) {
        let changes = self.page.set_run(run);
        self.execute(changes);
    }

    fn parent(&mut self, parent: bool) {
        let changes = self.page.set_parent(parent);
        self.execute(changes);
    }

    fn interrupts(&mut self, interrupts: bool) {
        let changes = self.page.set_interrupts(interrupts);
        self.execute(changes);
    }

    fn read(&self, offset: u32) -> u64 {
        self.page.read(offset, 8)
    }

    /// GUEST_CMD_CONTROL and GUEST_EVT_CONTROL.
    fn registers(&self) -> [u64; 2] {
        [self.hardware.control[CMD], self.hardware.control[EVT]]
    }
}

/// The part of W138 and W139 that a guest has.
#[test]
fn w138_w139_bits_move_to_their_registers() {
    let mut guest = Guest::running();
    guest.interrupts(true);
    guest.write(CONTROL, 8, 0x0000_0400_8000_F01C | 1);

    assert_eq!(guest.registers(), [0x1234_0309, 0x1235_0309]);
    assert_eq!(guest.read(CONTROL), 0x101D);
    assert!(guest.page.fetches());
}

/// While nobody takes the interrupts to the guest their enables stay in its own view.
#[test]
fn interrupts_are_enabled_only_while_they_get_somewhere() {
    let mut guest = Guest::running();
    guest.write(CONTROL, 8, ON | 0x18);
    assert_eq!(guest.registers(), [0x1234_0109, 0x1235_0109]);

    guest.interrupts(true);
    assert_eq!(guest.registers(), [0x1234_0309, 0x1235_0309]);
    guest.write(CONTROL, 8, ON | 0x10);
    assert_eq!(guest.registers(), [0x1234_0309, 0x1235_0109]);

    guest.interrupts(false);
    assert_eq!(guest.registers(), [0x1234_0109, 0x1235_0109]);
    assert_eq!(guest.read(CONTROL), ON | 0x10);

    // It outlasts a reset.
    guest.interrupts(true);
    guest.hardware = Hardware::default();
    guest.page.reset();
    guest.write(CONTROL, 8, 0x18);
    assert_eq!(guest.registers(), [0x200, 0x200]);
}

#[test]
fn the_first_page_has_these_registers_and_no_others() {
    let mut guest = Guest::new();
    for offset in (0..0x4000).step_by(4) {
        guest.write(offset, 4, u64::MAX);
    }

    for offset in (0..0x4000).step_by(8) {
        let expected = match offset {
            DEV_TAB => 0x000F_FFFF_FFFF_F1FF,
            CMD_BASE | EVT_BASE => 0x0F0F_FFFF_FFFF_F000,
            CONTROL => 0x0001_1FFF,
            0x30 => EFR,
            _ => 0,
        };
        assert_eq!(guest.read(offset), expected, "{offset:#x}");
        assert_eq!(guest.page.read(offset, 4), expected & 0xFFFF_FFFF);
        assert_eq!(guest.page.read(offset + 4, 4), expected >> 32);
    }
}

#[test]
fn the_second_feature_register_is_read_only_too() {
    let mut page = GuestPage::new(Efr(EFR), Efr2(8));

    assert!(page.write(0x1A0, 8, 0).is_empty());
    assert_eq!((page.read(0x1A0, 8), page.read(0x1A4, 4)), (8, 0));
}

#[test]
fn other_widths_and_alignments_do_nothing() {
    let mut guest = Guest::running();
    let before = guest.page;

    for (offset, length) in [
        (0x18, 0),
        (0x18, 1),
        (0x18, 2),
        (0x18, 16),
        (0x18, u32::MAX),
        (0x1C, 8),
        (0x02, 4),
        (0x03, 4),
        (0x06, 4),
        (0x02, 8),
        (0x1A, 4),
        (0x19, 8),
        (u32::MAX, 4),
        (u32::MAX - 3, 8),
        (0xFFFF_FFF8, 8),
    ] {
        guest.write(offset, length, 0);
        guest.write(offset, length, u64::MAX);
        assert_eq!(guest.page.read(offset, length), 0);
        assert_eq!(guest.page, before);
    }
}

/// Hardware reference 3.2: Linux enables the command buffer before the IOMMU, others after.
#[test]
fn a_queue_runs_as_soon_as_both_enables_are_set() {
    for first in [1, (1 << 12) | (1 << 2)] {
        let mut guest = Guest::running();
        guest.write(CONTROL, 8, first);
        assert_eq!(guest.registers(), [0x1234_0009, 0x1235_0009]);
        assert!(!guest.page.fetches());

        guest.write(CONTROL, 8, ON);
        assert_eq!(guest.registers(), [0x1234_0109, 0x1235_0109]);
    }
}

/// Linux copies base registers by halves of 32 bits, low half first.
#[test]
fn bases_may_be_written_by_halves() {
    for halves in [[0, 4], [4, 0]] {
        let mut guest = Guest::new();
        guest.accept(Queue::Command, 0x5_1234_0000, 0x2000);
        guest.write(CONTROL, 4, (1 << 12) | 1);
        for half in halves {
            assert_eq!(guest.registers(), [0, 0]);
            guest.write(CMD_BASE + half, 4, 0x0900_0005_1234_0000 >> (8 * half));
        }

        assert_eq!(guest.read(CMD_BASE), 0x0900_0005_1234_0000);
        assert_eq!(guest.registers(), [0x5_1234_0109, 0]);
    }
}

#[test]
fn halves_of_control_keep_each_other() {
    let mut guest = Guest::running();
    guest.write(CONTROL + 4, 4, u64::MAX);
    assert_eq!(guest.read(CONTROL), ON);

    guest.write(CONTROL, 4, ON | (1 << 3));
    assert_eq!(guest.read(CONTROL), ON | (1 << 3));
    assert_eq!(guest.registers(), [0x1234_0109, 0x1235_0109]);
}

#[test]
fn a_base_is_ignored_while_its_queue_runs() {
    let mut guest = Guest::running();
    let before = guest.page;
    guest.write(CMD_BASE, 8, 0x0800_0000_5555_0000);
    guest.write(EVT_BASE, 8, 0x0800_0000_5555_0000);
    guest.write(EVT_BASE, 4, 0);
    assert_eq!(guest.page, before);

    // The guest cannot know that the VMM has stopped it.
    guest.run(false);
    guest.write(CMD_BASE, 8, 0x0800_0000_5555_0000);
    assert_eq!(guest.read(CMD_BASE), 0x0900_0000_1234_0000);
}

#[test]
fn a_base_resets_head_and_tail() {
    let mut guest = Guest::running();
    guest.hardware.page = [0x40, 0x80, 0x50, 0x90];
    guest.write(CONTROL, 8, 0);
    guest.write(CMD_BASE, 8, 0x0900_0000_1234_0000);
    assert_eq!(guest.hardware.page, [0, 0, 0x50, 0x90]);

    guest.write(EVT_BASE, 8, 0x0900_0000_1235_0000);
    assert_eq!(guest.hardware.page, [0; 4]);

    // Not with a length that hardware does not accept.
    guest.hardware.page = [0x40, 0x80, 0x50, 0x90];
    guest.write(CMD_BASE, 8, 0x0700_0000_1234_0000);
    guest.write(EVT_BASE, 8, 0x0000_0000_1235_0000);
    assert_eq!(guest.hardware.page, [0x40, 0x80, 0x50, 0x90]);
}

#[test]
fn a_queue_needs_the_base_and_the_length_that_the_vmm_presented() {
    for (address, length) in [
        (0x1234_0000, 0x1000),
        (0x1234_0000, 0x4000),
        (0x1234_1000, 0x2000),
        (0, 0),
    ] {
        let mut guest = Guest::running();
        guest.accept(Queue::Command, address, length);

        assert_eq!(guest.registers(), [0, 0x1235_0109]);
        assert_eq!(guest.read(CONTROL), ON);
        assert_eq!(guest.read(CMD_BASE), 0x0900_0000_1234_0000);

        guest.accept(Queue::Command, 0x1234_0000, 0x2000);
        assert_eq!(guest.registers(), [0x1234_0109, 0x1235_0109]);
    }
}

#[test]
fn lengths_below_8_are_no_queue() {
    for code in 0..16u64 {
        let mut guest = Guest::new();
        guest.write(CMD_BASE, 8, (code << 56) | 0x1234_0000);
        guest.write(CONTROL, 8, ON);
        let accepted = guest
            .page
            .accept_queue(Queue::Command, 0x1234_0000, 16 << code);

        match code < 8 {
            true => assert_eq!(accepted, Err(BadQueue)),
            false => guest.execute(accepted.unwrap()),
        }
        let expected = if code < 8 { 0 } else { 0x1234_0100 | code };
        assert_eq!(guest.registers(), [expected, 0]);
    }
}

#[test]
fn what_is_no_queue_is_refused_and_changes_nothing() {
    let mut guest = Guest::running();
    let before = guest.page;

    for (address, length) in [
        (0x1234_0008, 0x2000),
        (1 << 52, 0x2000),
        (u64::MAX, 0x2000),
        (0x1234_0000, 0x3000),
        (0x1234_0000, 0x0800),
        (0x1234_0000, 0x10_0000),
        (0x1234_0000, (1 << 32) | 0x2000),
        (0x1234_0000, u64::MAX),
    ] {
        let accepted = guest.page.accept_queue(Queue::Command, address, length);
        assert_eq!(accepted, Err(BadQueue));
        assert_eq!(guest.page, before);
    }
}

#[test]
fn a_stopped_guest_sees_its_own_bits() {
    let mut guest = Guest::running();
    guest.run(false);
    assert_eq!(guest.registers(), [0x1234_0009, 0x1235_0009]);
    assert_eq!(guest.read(CONTROL), ON);

    // Whatever it changes meanwhile takes effect later.
    guest.write(CONTROL, 8, ON & !(1 << 2));
    assert_eq!(guest.registers(), [0x1234_0009, 0x1235_0009]);
    guest.run(true);
    assert_eq!(guest.registers(), [0x1234_0109, 0x1235_0009]);
}

#[test]
fn a_guest_without_a_parent_does_not_run() {
    let mut guest = Guest::running();
    guest.parent(false);
    assert_eq!(guest.registers(), [0x1234_0009, 0x1235_0009]);

    // Neither permission stands for the other.
    guest.run(true);
    assert!(!guest.page.fetches());
    guest.run(false);
    guest.parent(true);
    assert!(!guest.page.fetches());
    guest.run(true);
    assert_eq!(guest.registers(), [0x1234_0109, 0x1235_0109]);

    let fresh = GuestPage::new(Efr(EFR), Efr2(0));
    let mut orphan = Guest {
        page: fresh,
        hardware: Hardware::default(),
    };
    orphan.accept(Queue::Command, 0, 0x1000);
    orphan.write(CMD_BASE, 8, 8 << 56);
    orphan.write(CONTROL, 8, ON);
    assert_eq!(orphan.registers(), [8, 0]);
}

#[test]
fn reset_forgets_the_guest_and_keeps_the_host() {
    let mut guest = Guest::running();
    guest.run(false);
    guest.page.reset();
    guest.hardware = Hardware::default();

    for offset in [DEV_TAB, CMD_BASE, EVT_BASE, CONTROL] {
        assert_eq!(guest.read(offset), 0);
    }
    assert_eq!(guest.read(0x30), EFR);

    // The queue has to be presented again, and the VMM's stop holds.
    guest.write(CMD_BASE, 8, 0x0900_0000_1234_0000);
    guest.write(CONTROL, 8, ON);
    assert_eq!(guest.registers(), [0, 0]);
    guest.accept(Queue::Command, 0x1234_0000, 0x2000);
    assert_eq!(guest.registers(), [0x1234_0009, 0]);
    guest.run(true);
    assert_eq!(guest.registers(), [0x1234_0109, 0]);
}

#[test]
fn nothing_is_written_twice() {
    let mut guest = Guest::running();

    assert!(guest.page.write(CONTROL, 8, ON).is_empty());
    assert!(guest.page.set_run(true).is_empty());
    assert!(guest.page.set_parent(true).is_empty());
    let same = guest
        .page
        .accept_queue(Queue::Event, 0x1235_0000, 0x2000)
        .unwrap();
    assert!(same.is_empty());
}

/// An event of the command engine would be lost if the log ran for a shorter time.
#[test]
fn the_event_log_starts_first_and_stops_last() {
    let mut guest = Guest::running();
    let offsets = |changes: Changes| changes.writes().map(|w| w.offset).collect::<Vec<_>>();

    assert_eq!(offsets(guest.page.write(CONTROL, 8, 0)), [0x20, 0x28]);
    assert_eq!(offsets(guest.page.write(CONTROL, 8, ON)), [0x28, 0x20]);
}

/// Hardware reference 6.2: disable first.
#[test]
fn a_queue_that_moves_stops_before() {
    let mut guest = Guest::running();
    let moved = guest
        .page
        .accept_queue(Queue::Command, 0x5000_0000, 0x2000)
        .unwrap();

    let writes: Vec<_> = moved.writes().map(|w| (w.value, w.until_clear)).collect();
    assert_eq!(writes, [(0x1234_0009, 1 << 4), (0, 0)]);
}

/// Nothing but a reset lets the queues of a guest run on whose behalf the hardware has failed.
#[test]
fn a_guest_that_failed_rests_until_it_is_reset() {
    let mut guest = Guest::running();
    let changes = guest.page.fail();
    guest.execute(changes);
    assert_eq!(guest.registers(), [0x1234_0009, 0x1235_0009]);
    assert_eq!(guest.read(CONTROL), ON);

    guest.run(false);
    guest.run(true);
    guest.parent(false);
    guest.parent(true);
    guest.write(CONTROL, 8, 0);
    guest.write(CONTROL, 8, ON);
    guest.accept(Queue::Command, 0x1234_0000, 0x2000);
    assert_eq!(guest.registers(), [0x1234_0009, 0x1235_0009]);
    assert!(!guest.page.fetches());

    guest.hardware = Hardware::default();
    guest.page.reset();
    guest.accept(Queue::Command, 0x1234_0000, 0x2000);
    guest.write(CMD_BASE, 8, 0x0900_0000_1234_0000);
    guest.write(CONTROL, 8, ON);
    assert_eq!(guest.registers(), [0x1234_0109, 0]);
}
