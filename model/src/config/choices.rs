// SPDX-License-Identifier: GPL-2.0

//! The readings of the open questions: one type for each question, the default first.

macro_rules! reading {
    ($(#[$doc:meta])* $name:ident { $(#[$d0:meta])* $first:ident = $n0:literal, $($(#[$d:meta])* $other:ident = $n:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            #[default]
            $(#[$d0])*
            $first,
            $($(#[$d])* $other),+
        }

        impl $name {
            /// Every reading, the default first.
            pub const ALL: &'static [$name] = &[$name::$first, $($name::$other),+];

            /// The names of all readings, the default first.
            pub const NAMES: &'static [&'static str] = &[$n0, $($n),+];

            /// The name of this reading as a setting.
            pub const fn name(self) -> &'static str {
                match self {
                    $name::$first => $n0,
                    $($name::$other => $n),+
                }
            }
        }
    };
}

reading!(
    /// OQ-7.
    GuestFaults {
        /// The hardware writes it into the guest's event log when that is enabled.
        GuestLog = "guest-log",
        /// The hardware writes it into the host's event log, as the fault of any device: it was
        /// no access of an engine, so no vIOMMU flag is set (hardware.md 3.5). Software finds
        /// the guest by the requester ID, which is the host's, and inserts the event with
        /// INSERT_GUEST_EVENT.
        HostLog = "host-log",
    }
);
reading!(
    /// OQ-8.
    ResetAllBit {
        /// dw0 bit 28; bit 27 is reserved.
        Bit28 = "28",
        /// dw0 bit 27; bit 28 is reserved.
        Bit27 = "27",
    }
);
reading!(
    /// OQ-8: what All and vCmd of RESET_VMMIO reach. A driver that sets both meets the same in all
    /// readings.
    ResetFlags {
        /// All is every register of the guest, vCmd those of its command engine.
        Engine = "engine",
        /// vCmd is the command engine, All everything that has no bit of its own, so that only
        /// both together are every register.
        Apart = "apart",
        /// Each of them is every register of the guest.
        Whole = "whole",
    }
);
reading!(
    /// OQ-10.
    NestedSpaTable {
        /// Only the pointer to the first GCR3 table is a system address.
        FirstPointer = "first",
        /// All pointers of the GCR3 table are system addresses; guest tables stay guest addresses.
        WholeTable = "table",
    }
);
reading!(
    /// OQ-11.
    GuestInvalidateAll {
        /// An illegal command.
        Illegal = "illegal",
        /// Drops what is cached for the IDs that this guest has in its maps.
        OwnOnly = "own",
    }
);
reading!(
    /// OQ-14.
    UnmappedId {
        /// VIOMMU_HARDWARE_ERROR with vCmd, and the guest's engine stops.
        StopWithHardwareError = "stop",
        /// ILLEGAL_COMMAND_ERROR with vCmd, and the guest's engine stops.
        IllegalCommand = "illegal",
        /// The command has no effect.
        Ignore = "ignore",
    }
);
reading!(
    /// OQ-14: the event for an access of an engine to guest memory that fails. The engine stops in
    /// every reading.
    GuestAccess {
        /// VIOMMU_HARDWARE_ERROR.
        HardwareError = "hardware-error",
        /// IO_PAGE_FAULT of the translate device ID, with the flag of the engine (hardware.md
        /// 3.5: codes 1 to 4 have these flags as well).
        PageFault = "page-fault",
        /// COMMAND_HARDWARE_ERROR with vCmd, as in the command ring of the host; for an event log
        /// VIOMMU_HARDWARE_ERROR.
        CommandError = "command-error",
    }
);
reading!(
    /// OQ-14: what a guest sees when its command engine stops.
    GuestNotice {
        /// CmdBufRun = 0 and nothing else.
        Nothing = "nothing",
        /// The event of a base IOMMU in its own log as well, with guest physical addresses.
        Event = "event",
    }
);
reading!(
    /// OQ-15.
    DirtyShift {
        /// 32 bytes for each low byte of a guest ID.
        Five = "5",
        /// 16 bytes, as the reference driver has it.
        Four = "4",
    }
);
reading!(
    /// OQ-16.
    MiscBits {
        /// They read as 0.
        Zero = "zero",
        /// They keep what is written.
        Kept = "kept",
    }
);
reading!(
    /// OQ-20.
    MapClear {
        /// The entry becomes invalid.
        Invalidates = "invalid",
        /// Valid is not looked at: the entry maps to the ID that was written.
        Ignored = "ignored",
    }
);
reading!(
    /// OQ-20: what a DID_MAP_CONTROL register reads.
    MapRead {
        /// What was written, without the Write bit.
        Value = "value",
        /// 0. The read is a barrier all the same.
        Zero = "zero",
    }
);
reading!(
    /// OQ-29: what the enables in GUEST_CMD_CONTROL, GUEST_EVT_CONTROL and GUEST_PPR_CONTROL read.
    ControlRead {
        /// What was written.
        Value = "value",
        /// 0.
        Zero = "zero",
    }
);
reading!(
    /// OQ-18: the lengths of the tables for the interrupts of guests.
    ExternalLengths {
        /// They bound the indices, as those of any interrupt table.
        Limits = "limits",
        /// Others than 10 and 8 are illegal.
        Exact = "exact",
    }
);
reading!(
    /// OQ-30.
    ResetScope {
        /// All VF and VFCTRL registers.
        Registers = "registers",
        /// The registers and the guest's dirty-status bit.
        RegistersAndDirty = "registers+dirty",
        /// The registers without GUEST_MISC_CONTROL and the map registers, which software
        /// programs after the reset in any case.
        RegistersButMisc = "registers-misc",
    }
);
reading!(
    /// OQ-32: how much of the address PAGE_TAB_HARDWARE_ERROR shows.
    EntryAddress {
        /// Bits 63:3, enough to tell every entry of a page table.
        From3 = "63:3",
        /// Bits 63:4.
        From4 = "63:4",
    }
);
reading!(
    /// OQ-33.
    RefusedHead {
        /// The head stays on the refused command.
        OnCommand = "on",
        /// The head stands behind the refused command.
        BehindCommand = "behind",
        /// The head stands at the tail; the rest is lost.
        AtTail = "tail",
    }
);
reading!(
    /// OQ-34.
    OverflowRun {
        /// Run goes to 0.
        Clears = "clears",
        /// Run stays 1; nothing is logged until the overflow bit is cleared.
        Stays = "stays",
    }
);
reading!(
    /// OQ-36.
    InterruptEdge {
        /// An interrupt when the status bit goes from 0 to 1.
        Rising = "rising",
        /// An interrupt for every event.
        Every = "every",
    }
);
reading!(
    /// OQ-37.
    GuestDisabled {
        /// ILLEGAL_DEV_TABLE_ENTRY.
        Illegal = "illegal",
        /// GV, GLX, GIOV and the GCR3 pointer are not looked at.
        Ignored = "ignored",
    }
);
reading!(
    /// OQ-38. What an interrupt meets whose pass bit is 0, no question asks; here it is the same.
    InterruptAbort {
        /// IO_PAGE_FAULT with I = 1, PR = 0.
        Logged = "logged",
        /// No event.
        Silent = "silent",
    }
);
reading!(
    /// OQ-39.
    ApertureGate {
        /// Registers hold values; writes to the ID maps need vIommuEn.
        Held = "held",
        /// Reads give 0, writes are dropped.
        Dead = "dead",
    }
);
reading!(
    /// OQ-40.
    ControlReset {
        /// Head and tail stay.
        Keeps = "keeps",
        /// They go to 0, as with a base register of the host.
        Resets = "resets",
    }
);
reading!(
    /// OQ-41.
    PrivateFault {
        /// VIOMMU_HARDWARE_ERROR.
        HardwareError = "hardware-error",
        /// IO_PAGE_FAULT of the IOMMU's own requester ID.
        PageFault = "page-fault",
    }
);
reading!(
    /// OQ-42.
    InterruptRead {
        /// PAGE_TAB_HARDWARE_ERROR with I = 1, latched too.
        HardwareError = "hardware-error",
        /// No event.
        Silent = "silent",
    }
);
