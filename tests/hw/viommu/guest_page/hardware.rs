// SPDX-License-Identifier: GPL-2.0

//! What the hardware demands of writes to a guest's registers (hardware reference 3.2, 6.2).

use hw::viommu::guest_page::{Place, Write};

/// Index of GUEST_CMD_CONTROL.
pub const CMD: usize = 4;
/// Index of GUEST_EVT_CONTROL.
pub const EVT: usize = 5;

/// CmdBufEn and EventLogEn.
const ENABLE: u64 = 1 << 8;

/// Address and length code.
const WHERE: u64 = 0x000F_FFFF_FFFF_F00F;

/// The registers of a guest.
#[derive(Default)]
pub struct Hardware {
    /// VFCTRL.
    pub control: [u64; 8],
    /// Head and tail of the command buffer, head and tail of the event log.
    pub page: [u64; 4],
}

impl Hardware {
    pub fn write(&mut self, write: Write) {
        match write.place {
            Place::Control => self.write_control(write),
            Place::Page => self.write_page(write),
        }
    }

    fn write_control(&mut self, write: Write) {
        let (index, run) = match write.offset {
            0x20 => (CMD, 1 << 4),
            0x28 => (EVT, 1 << 3),
            _ => panic!("{write:x?}"),
        };
        let old = self.control[index];
        assert_ne!(old, write.value, "a write without effect");

        let moves = (old ^ write.value) & WHERE != 0;
        assert!(old & ENABLE == 0 || !moves, "moves while it runs");

        let stops = old & ENABLE != 0 && write.value & ENABLE == 0;
        assert_eq!(write.until_clear, if stops { run } else { 0 });

        self.control[index] = write.value;
    }

    fn write_page(&mut self, write: Write) {
        let index = write.offset / 8;
        let queue = if index < 2 { CMD } else { EVT };

        assert_eq!((write.offset % 8, write.until_clear), (0, 0));
        assert_eq!(self.control[queue] & ENABLE, 0, "moves while it runs");
        self.page[index] = write.value;
    }
}
