// SPDX-License-Identifier: GPL-2.0

//! The life of a guest's IOMMU as a state machine (hardware reference 7.2 to 7.9).
//!
//! [`step`] decides what happens at each event. The driver executes the actions, in their order.
//!
//! ```text
//! state                 event        next state
//! Vacant                Init         Parentless
//! Parentless            Attach       Armed, one device
//! Armed                 Attach       Armed, one device more; refused under another parent
//! Armed, one device     Detach, Lost Parentless
//! Armed, more devices   Detach, Lost Armed, one device less
//! Armed                 ParentFreed  Parentless
//! Parentless, Armed     Reset        the same
//! Parentless, Armed     IommuGone    Gone
//! all but Vacant        Destroy      Vacant
//! ```
//!
//! Nothing of a parent outlives it: no device, and so no domain, whose domain ID of the host is
//! listed at one parent only. A guest that kept one for its next parent would miss the flushes of
//! that.
//!
//! # Failures
//!
//! Actions that give something may fail. What remains of the list is left out then, and another
//! event follows: after a failed Init or Reset [`Event::Destroy`] or another Reset, after a failed
//! Attach [`Event::Detach`]. Actions that take something away are carried out as far as possible,
//! and the list goes on: an engine that does not stop in time loses the table behind its addresses
//! all the same. All actions may be repeated.

mod domain;

pub use domain::{set_entry, Users, LAST_USER_LEAVES};

/// Where a guest's IOMMU is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// There is none.
    Vacant,
    /// Without a parent, so that the guest's addresses resolve to nothing. The engine is stopped,
    /// and the entry of the translate ID blocks.
    Parentless,
    /// With a parent and devices. The engine runs if the guest and the VMM want it.
    Armed {
        /// How many.
        devices: u32,
    },
    /// The host's IOMMU has been taken away.
    Gone,
}

/// What happens to a guest's IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// It is made. Guest ID and translate ID have been chosen, and the entry of the translate ID
    /// blocks, as that of every ID without a device does.
    Init,
    /// A device has been lent to the guest. If the event is refused it has to be taken back.
    Attach {
        /// The device is under the parent that the guest has already. Without meaning while it has
        /// none.
        same_parent: bool,
    },
    /// The VMM takes a device away.
    Detach,
    /// A device has left: the IOMMU core has given it another entry already.
    Lost,
    /// The parent is about to be freed. Devices that are still there end.
    ParentFreed,
    /// The guest starts anew.
    Reset,
    /// It is given up.
    Destroy,
    /// The host's IOMMU is taken away. The hardware may or may not answer.
    IommuGone,
}

/// What the driver does. An action that names a device or a domain is about the one of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// RESET_VMMIO, and wait. The guest's page forgets everything.
    ResetRegisters,
    /// Map the device map and the domain map, every entry of which names the sink.
    MapTables,
    /// Unmap the maps, flush, and free what was copied.
    UnmapTables,
    /// Write the translate ID into the guest's register.
    NameTranslateId,
    /// Write 0 there.
    ForgetTranslateId,
    /// Put the translate ID under the parent.
    OpenTranslate,
    /// Block the entry of the translate ID, flush, wait, and leave the parent.
    CloseTranslate,
    /// The guest's page has a parent.
    StartEngine,
    /// The guest's page has no parent. The engine has stopped.
    StopEngine,
    /// Take the VF page from all that map it.
    RevokePage,
    /// Point the guest's device ID to the device.
    MapDevice,
    /// Point the guest's device ID to the sink.
    SinkDevice,
    /// Give the device its plain entry back: the lease ends.
    TakeBack,
    /// Execute [`END_DEVICE`] for each device.
    EndDevices,
    /// Let each device have all that its parent maps, as after it came: [`set_entry`] without a
    /// domain.
    RestoreDevices,
    /// Let go of the guest ID and the translate ID.
    ReleaseIds,
    /// [`Users::join`]. The first one takes a domain ID of the host and lists it at the parent, so
    /// that no flush misses it.
    JoinDomain,
    /// Change the entry of the device.
    SetEntry,
    /// Point the guest's domain ID to the host's, if the device is the first one in the domain.
    MapDomain,
    /// [`Users::leave`]. [`LAST_USER_LEAVES`] if the device was the last one; nothing if it was in
    /// no domain.
    LeaveDomain,
    /// Point the guest's domain ID to the sink.
    SinkDomain,
    /// Forget all translations under the domain ID of the host, those of the guest's tables and
    /// those of the parent.
    FlushDomain,
    /// Take the domain ID of the host off the parent's list, and give it back.
    ReleaseDomain,
}

use Action as A;

/// What ends the use of a device whose guest goes on or ends.
pub const END_DEVICE: &[Action] = &[A::SinkDevice, A::TakeBack, A::LeaveDomain];

const INIT: &[Action] = &[A::ResetRegisters, A::MapTables, A::NameTranslateId];

const ARM: &[Action] = &[A::OpenTranslate, A::MapDevice, A::StartEngine];

/// Domains are listed at the parent, which goes after them.
const DETACH_LAST: &[Action] = &[
    A::StopEngine,
    A::SinkDevice,
    A::TakeBack,
    A::LeaveDomain,
    A::CloseTranslate,
];

const LOSE_LAST: &[Action] = &[
    A::StopEngine,
    A::SinkDevice,
    A::LeaveDomain,
    A::CloseTranslate,
];

const LOSE: &[Action] = &[A::SinkDevice, A::LeaveDomain];

const PARENT_FREED: &[Action] = &[A::StopEngine, A::EndDevices, A::CloseTranslate];

/// RESET_VMMIO may clear the translate ID (OQ-30).
const RESET: &[Action] = &[
    A::StopEngine,
    A::RestoreDevices,
    A::ResetRegisters,
    A::NameTranslateId,
];

const RESET_ARMED: &[Action] = &[
    A::StopEngine,
    A::RestoreDevices,
    A::ResetRegisters,
    A::NameTranslateId,
    A::StartEngine,
];

/// The maps go last: entries are changed by the hardware, which needs them mapped.
const DESTROY: &[Action] = &[
    A::StopEngine,
    A::RevokePage,
    A::EndDevices,
    A::CloseTranslate,
    A::ResetRegisters,
    A::ForgetTranslateId,
    A::UnmapTables,
    A::ReleaseIds,
];

/// The hardware may answer, if only the driver goes. Then its registers do not keep the translate
/// ID, which is free for others.
const GONE: &[Action] = &[
    A::StopEngine,
    A::RevokePage,
    A::EndDevices,
    A::CloseTranslate,
    A::ForgetTranslateId,
];

/// The driver has switched the engine of all guests off and blocked the IOMMU's own entry by now.
const DESTROY_GONE: &[Action] = &[A::UnmapTables, A::ReleaseIds];

const NONE: &[Action] = &[];

/// The event makes no sense in the state. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Works out the next state of a guest's IOMMU, and what has to be done to get there.
///
/// # Errors
///
/// [`Refused`] if the event makes no sense in the state. What ends something is refused only where
/// there is nothing to end.
pub fn step(state: State, event: Event) -> Result<(State, &'static [Action]), Refused> {
    use {Event as E, State as S};

    match (state, event) {
        (S::Vacant, E::Init) => Ok((S::Parentless, INIT)),
        (S::Parentless, E::Attach { .. }) => Ok((S::Armed { devices: 1 }, ARM)),
        (S::Armed { devices }, E::Attach { same_parent: true }) => {
            let devices = devices.checked_add(1).ok_or(Refused)?;
            Ok((S::Armed { devices }, &[A::MapDevice]))
        }
        (S::Armed { devices }, E::Detach) => Ok(leave(devices, DETACH_LAST, END_DEVICE)),
        (S::Armed { devices }, E::Lost) => Ok(leave(devices, LOSE_LAST, LOSE)),
        (S::Armed { .. }, E::ParentFreed) => Ok((S::Parentless, PARENT_FREED)),
        (S::Parentless, E::Reset) => Ok((state, RESET)),
        (S::Armed { .. }, E::Reset) => Ok((state, RESET_ARMED)),
        (S::Parentless | S::Armed { .. }, E::IommuGone) => Ok((S::Gone, GONE)),
        (S::Parentless | S::Armed { .. }, E::Destroy) => Ok((S::Vacant, DESTROY)),
        (S::Gone, E::Destroy) => Ok((S::Vacant, DESTROY_GONE)),
        (S::Parentless | S::Gone, E::ParentFreed) | (S::Gone, E::IommuGone) => Ok((state, NONE)),
        (
            S::Vacant,
            E::Attach { .. }
            | E::Detach
            | E::Lost
            | E::ParentFreed
            | E::Reset
            | E::Destroy
            | E::IommuGone,
        )
        | (S::Parentless, E::Init | E::Detach | E::Lost)
        | (S::Armed { .. }, E::Init | E::Attach { same_parent: false })
        | (S::Gone, E::Init | E::Attach { .. } | E::Detach | E::Lost | E::Reset) => Err(Refused),
    }
}

/// One of the devices leaves. The last one leaves the guest without a parent.
fn leave(
    devices: u32,
    last: &'static [Action],
    other: &'static [Action],
) -> (State, &'static [Action]) {
    match devices {
        0 | 1 => (State::Parentless, last),
        _ => (
            State::Armed {
                devices: devices - 1,
            },
            other,
        ),
    }
}
