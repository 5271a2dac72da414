// SPDX-License-Identifier: GPL-2.0

//! The open questions that change behaviour, one setting each. The default is the reading that
//! `Documentation/hardware.md` takes.

/// All readings together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// OQ-7: who writes the fault of a guest's device.
    pub guest_faults: GuestFaults,
    /// OQ-8: bit of RESET_VMMIO that means All.
    pub reset_all_bit: ResetAllBit,
    /// OQ-10: nesting while GCR3TRPMode = 0.
    pub nested_spa_table: NestedSpaTable,
    /// OQ-11: INVALIDATE_IOMMU_ALL from a guest.
    pub guest_invalidate_all: GuestInvalidateAll,
    /// OQ-14: an ID that has no map entry in a guest's command.
    pub unmapped_id: UnmappedId,
    /// OQ-15: shift of the low byte of the guest ID in the dirty-status region.
    pub dirty_shift: DirtyShift,
    /// OQ-16: bits of GUEST_MISC_CONTROL other than TransDevID.
    pub misc_bits: MiscBits,
    /// OQ-20: a DID_MAP_CONTROL write with Valid = 0.
    pub map_clear: MapClear,
    /// OQ-30: what RESET_VMMIO clears beside the registers of the guest.
    pub reset_scope: ResetScope,
    /// OQ-33: the command head after a refused command.
    pub refused_head: RefusedHead,
    /// OQ-34: the Run bit of a log that overflows.
    pub overflow_run: OverflowRun,
    /// OQ-36: when a status bit raises its interrupt.
    pub interrupt_edge: InterruptEdge,
    /// OQ-37: GV = 1 in an entry while GTEn = 0.
    pub guest_disabled: GuestDisabled,
    /// OQ-38: event for an interrupt that IntCtl = 0 aborts.
    pub interrupt_abort: InterruptAbort,
    /// OQ-39: VF and VFCTRL registers while vIommuEn = 0.
    pub aperture_gate: ApertureGate,
    /// OQ-40: whether writing a base in VFCTRL resets the guest's head and tail.
    pub control_reset: ControlReset,
    /// OQ-41: a private-space access that no mapping serves.
    pub private_fault: PrivateFault,
}

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
    /// OQ-30.
    ResetScope {
        /// Only VF and VFCTRL registers.
        Registers = "registers",
        /// The registers and the guest's dirty-status bit.
        RegistersAndDirty = "registers+dirty",
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
    /// OQ-38.
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

/// A setting that could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingError {
    /// No open question with that name changes behaviour.
    UnknownQuestion,
    /// The question has no reading with that name.
    UnknownReading,
}

macro_rules! questions {
    ($($name:literal => $field:ident : $kind:ident),+ $(,)?) => {
        impl Readings {
            /// Every question with the names of its readings, the default first.
            pub const QUESTIONS: &'static [(&'static str, &'static [&'static str])] =
                &[$(($name, $kind::NAMES)),+];

            /// Takes one setting by its names, for example `oq-7` and `host-log`.
            ///
            /// # Errors
            ///
            /// [`SettingError`] if one of the names is unknown; nothing changes then.
            pub fn set(&mut self, question: &str, reading: &str) -> Result<(), SettingError> {
                match question {
                    $($name => {
                        self.$field = $kind::ALL
                            .iter()
                            .copied()
                            .find(|choice| choice.name() == reading)
                            .ok_or(SettingError::UnknownReading)?;
                    })+
                    _ => return Err(SettingError::UnknownQuestion),
                }
                Ok(())
            }

            /// The name of the reading in force.
            ///
            /// # Errors
            ///
            /// [`SettingError::UnknownQuestion`].
            pub fn get(&self, question: &str) -> Result<&'static str, SettingError> {
                match question {
                    $($name => Ok(self.$field.name()),)+
                    _ => Err(SettingError::UnknownQuestion),
                }
            }
        }
    };
}

questions! {
    "oq-7" => guest_faults: GuestFaults,
    "oq-8" => reset_all_bit: ResetAllBit,
    "oq-10" => nested_spa_table: NestedSpaTable,
    "oq-11" => guest_invalidate_all: GuestInvalidateAll,
    "oq-14" => unmapped_id: UnmappedId,
    "oq-15" => dirty_shift: DirtyShift,
    "oq-16" => misc_bits: MiscBits,
    "oq-20" => map_clear: MapClear,
    "oq-30" => reset_scope: ResetScope,
    "oq-33" => refused_head: RefusedHead,
    "oq-34" => overflow_run: OverflowRun,
    "oq-36" => interrupt_edge: InterruptEdge,
    "oq-37" => guest_disabled: GuestDisabled,
    "oq-38" => interrupt_abort: InterruptAbort,
    "oq-39" => aperture_gate: ApertureGate,
    "oq-40" => control_reset: ControlReset,
    "oq-41" => private_fault: PrivateFault,
}
