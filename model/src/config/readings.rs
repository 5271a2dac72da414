// SPDX-License-Identifier: GPL-2.0

//! The open questions that change behaviour, one setting each. The default is the reading that
//! `Documentation/hardware.md` takes. A question with several halves has a setting for each.
//!
//! These questions of hardware.md 9.1 have no setting:
//!
//! * Settled: OQ-2, 6, 12, 19. What lies in the upper part of the first private region (OQ-12)
//!   no source says, so that the model cannot touch it in any way that would not be invented.
//! * About a part that the model does not have: OQ-4, 17 and 28 (page requests), OQ-13 and 24
//!   (guest buffers in the private address space).
//! * About a driver or its interface, not about hardware: OQ-21, 22, 26, 27. Memory of the model
//!   is coherent, and it takes all 65536 guest IDs, as the layout of the apertures does.
//! * OQ-1: at 00h the register would lie on the header of its own capability.
//! * OQ-3: whether GstBufferTRPMode can be set is a feature, [`super::Features`].
//! * OQ-5, 9, 23: fields of which no source says anything. Whatever they held would be invented:
//!   the vIOMMU status reads 0, vNR is 0, the second quadword of a map entry is 0, and the source
//!   codes are this model's own.
//! * OQ-20, first half: whether an entry is written when the write of the register returns is a
//!   matter of asynchrony, [`super::Config::asynchrony`].
//! * OQ-25: an entry without GV has no second way to be walked.
//! * OQ-31: which parts have mode 1 is the choice of features.
//! * OQ-35: no device of the model causes an event of code 8.

use super::choices::*;

/// All readings together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// OQ-7: who writes the fault of a guest's device.
    pub guest_faults: GuestFaults,
    /// OQ-8: bit of RESET_VMMIO that means All.
    pub reset_all_bit: ResetAllBit,
    /// OQ-8: what All and vCmd of RESET_VMMIO reach.
    pub reset_flags: ResetFlags,
    /// OQ-10: nesting while GCR3TRPMode = 0.
    pub nested_spa_table: NestedSpaTable,
    /// OQ-11: INVALIDATE_IOMMU_ALL from a guest.
    pub guest_invalidate_all: GuestInvalidateAll,
    /// OQ-14: an ID that has no map entry in a guest's command.
    pub unmapped_id: UnmappedId,
    /// OQ-14: the event for a failed access of an engine to guest memory.
    pub guest_access: GuestAccess,
    /// OQ-14: what a guest sees when its command engine stops.
    pub guest_notice: GuestNotice,
    /// OQ-15: shift of the low byte of the guest ID in the dirty-status region.
    pub dirty_shift: DirtyShift,
    /// OQ-16: bits of GUEST_MISC_CONTROL other than TransDevID.
    pub misc_bits: MiscBits,
    /// OQ-18: lengths of the tables for the interrupts of guests. The sources' constants settle
    /// which work; whether others do is this setting.
    pub external_lengths: ExternalLengths,
    /// OQ-20: a DID_MAP_CONTROL write with Valid = 0.
    pub map_clear: MapClear,
    /// OQ-20: what a DID_MAP_CONTROL register reads.
    pub map_read: MapRead,
    /// OQ-29: what the enables in VFCTRL read.
    pub control_read: ControlRead,
    /// OQ-30: what RESET_VMMIO clears beside the registers of the guest.
    pub reset_scope: ResetScope,
    /// OQ-32: how much of the address PAGE_TAB_HARDWARE_ERROR shows.
    pub entry_address: EntryAddress,
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
    /// OQ-42: an entry of an interrupt table that cannot be read.
    pub interrupt_read: InterruptRead,
}

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
    "oq-8-scope" => reset_flags: ResetFlags,
    "oq-10" => nested_spa_table: NestedSpaTable,
    "oq-11" => guest_invalidate_all: GuestInvalidateAll,
    "oq-14" => unmapped_id: UnmappedId,
    "oq-14-access" => guest_access: GuestAccess,
    "oq-14-guest" => guest_notice: GuestNotice,
    "oq-15" => dirty_shift: DirtyShift,
    "oq-16" => misc_bits: MiscBits,
    "oq-18" => external_lengths: ExternalLengths,
    "oq-20" => map_clear: MapClear,
    "oq-20-read" => map_read: MapRead,
    "oq-29" => control_read: ControlRead,
    "oq-30" => reset_scope: ResetScope,
    "oq-32" => entry_address: EntryAddress,
    "oq-33" => refused_head: RefusedHead,
    "oq-34" => overflow_run: OverflowRun,
    "oq-36" => interrupt_edge: InterruptEdge,
    "oq-37" => guest_disabled: GuestDisabled,
    "oq-38" => interrupt_abort: InterruptAbort,
    "oq-39" => aperture_gate: ApertureGate,
    "oq-40" => control_reset: ControlReset,
    "oq-41" => private_fault: PrivateFault,
    "oq-42" => interrupt_read: InterruptRead,
}
