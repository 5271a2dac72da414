// SPDX-License-Identifier: GPL-2.0

//! The life of a device as a state machine.
//!
//! [`step`] is the only place that decides what a device's table entry becomes. It is a pure
//! function: the driver feeds it events and executes the [`Output`], in the order in which the
//! fields are listed there.
//!
//! ```text
//! state                  event        next state             entry
//! Absent                 LeaveAlone   Untouched              identity
//! Absent, Untouched      Probe        Claimed, not attached  as it is
//! Claimed                Attach       Claimed, attached      as attached
//! Claimed                AttachFailed Claimed, attached      blocked
//! Claimed, not attached  Release      Untouched              identity
//! Claimed, attached      Release      Untouched              identity, if it is one already
//!                                     Absent                 blocked, if it is anything else
//! Claimed                IommuGone    Gone                   blocked
//! Absent, Untouched      IommuGone    Gone                   as it is
//! ```
//!
//! Nothing leaves Gone. Aliases of a device get the same entry and have no state of their own.

/// What the table entry of a device does with memory requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Aborts them.
    Blocked,
    /// Passes them through, under this domain ID.
    Identity(u16),
    /// Translates them by the page table of the domain with this ID.
    Paging(u16),
}

/// Where a device is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// There is no such device, or nobody uses it. Its entry blocks.
    Absent,
    /// The device works without translation, because it had a driver before this one came, or
    /// because it could not be claimed. Its entry is an identity under this domain ID, and the
    /// IOMMU core does not know the device.
    Untouched(u16),
    /// The IOMMU core has the device.
    Claimed {
        /// What its entry is.
        target: Target,
        /// The core has attached something since the claim. Until then the entry is the one from
        /// before.
        attached: bool,
    },
    /// The IOMMU has been taken away. The device keeps the entry that it got then.
    Gone,
}

/// What happens to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The device already has a driver when the IOMMU is switched on. The domain ID is the one of
    /// identity.
    LeaveAlone(u16),
    /// The IOMMU core takes the device over. It has no driver. The entry stays as it is, because
    /// firmware may still use the device, and because the claim may fail later.
    Probe,
    /// The IOMMU core attaches the device to a domain.
    Attach(Target),
    /// The output of the last [`Event::Attach`] has been executed, but the hardware has not
    /// confirmed the new entry. The core goes on as if the domain before were still attached, and
    /// may free either of them, so the device may use neither.
    AttachFailed,
    /// The IOMMU core gives the device back. The domain ID is the one of identity, for a device
    /// whose claim has failed half-way.
    Release(u16),
    /// The IOMMU is being taken away and cannot refuse.
    IommuGone,
}

/// What the driver has to do, in the order of the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Put the device on the list of the domain with this ID, so that an unmap that comes while the
    /// entry changes already reaches this IOMMU.
    pub join: Option<u16>,
    /// Bring the entry to this, through [`crate::sequence`].
    pub write: Option<Target>,
    /// Invalidate everything under this domain ID and wait: what the hardware cached while the old
    /// entry was in force outlives the entry (hardware reference 3.9).
    pub flush: Option<u16>,
    /// Take the device off the list of the domain with this ID, whose page table may be freed
    /// afterwards.
    pub leave: Option<u16>,
}

/// The event cannot happen in the state. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Target {
    /// The domain ID under which translations are cached.
    fn domain_id(self) -> Option<u16> {
        match self {
            Self::Blocked => None,
            Self::Identity(id) | Self::Paging(id) => Some(id),
        }
    }

    /// The domain with a page table behind it.
    fn paging(self) -> Option<u16> {
        match self {
            Self::Paging(id) => Some(id),
            Self::Blocked | Self::Identity(_) => None,
        }
    }
}

impl State {
    /// What the entry of the device is in this state; `None` if the hardware is out of reach.
    pub fn target(self) -> Option<Target> {
        match self {
            Self::Absent => Some(Target::Blocked),
            Self::Untouched(id) => Some(Target::Identity(id)),
            Self::Claimed { target, .. } => Some(target),
            Self::Gone => None,
        }
    }
}

/// Works out the next state of a device, and what has to be done to get there.
///
/// # Errors
///
/// [`Refused`] if the event makes no sense in the state. Once a device is claimed, attaching it and
/// giving it up are never refused, even when the IOMMU is gone: the IOMMU core has paths that must
/// not fail, and the device stays blocked, whatever the core believes.
pub fn step(state: State, event: Event) -> Result<(State, Output), Refused> {
    use {Event as E, State as S};

    match (state, event) {
        (S::Absent, E::LeaveAlone(id)) => Ok((
            S::Untouched(id),
            change(Target::Blocked, Target::Identity(id)),
        )),
        (S::Absent, E::Probe) => Ok((claim(Target::Blocked), Output::default())),
        (S::Untouched(id), E::Probe) => Ok((claim(Target::Identity(id)), Output::default())),
        (S::Claimed { target, .. }, E::Attach(new)) => Ok((attached(new), change(target, new))),
        (S::Claimed { target, .. }, E::AttachFailed) => {
            Ok((attached(Target::Blocked), cut_off(target)))
        }
        (S::Claimed { target, attached }, E::Release(identity)) => {
            let (next, entry) = released(target, attached, identity);
            Ok((next, change(target, entry)))
        }
        (S::Claimed { target, .. }, E::IommuGone) => Ok((S::Gone, change(target, Target::Blocked))),
        (S::Absent | S::Untouched(_), E::IommuGone)
        | (S::Gone, E::Attach(_) | E::AttachFailed | E::Release(_) | E::IommuGone) => {
            Ok((S::Gone, Output::default()))
        }
        (S::Absent, E::Attach(_) | E::AttachFailed | E::Release(_))
        | (S::Untouched(_), E::LeaveAlone(_) | E::Attach(_) | E::AttachFailed | E::Release(_))
        | (S::Claimed { .. }, E::LeaveAlone(_) | E::Probe)
        | (S::Gone, E::LeaveAlone(_) | E::Probe) => Err(Refused),
    }
}

/// The state after a claim that finds the entry like this.
fn claim(target: Target) -> State {
    State::Claimed {
        target,
        attached: false,
    }
}

/// The state after the core has attached this.
fn attached(target: Target) -> State {
    State::Claimed {
        target,
        attached: true,
    }
}

/// The state and the entry of a device that the core has given back.
///
/// If firmware's regions need it, the core attaches identity, and not the blocking domain, before
/// it gives a device back. That stays.
fn released(target: Target, attached: bool, identity: u16) -> (State, Target) {
    match target {
        _ if !attached => (State::Untouched(identity), Target::Identity(identity)),
        Target::Identity(id) => (State::Untouched(id), target),
        Target::Blocked | Target::Paging(_) => (State::Absent, Target::Blocked),
    }
}

/// What it takes to change the entry of a device.
fn change(old: Target, new: Target) -> Output {
    if old == new {
        return Output::default();
    }

    Output {
        join: new.paging(),
        write: Some(new),
        flush: old.domain_id(),
        leave: old.paging(),
    }
}

/// What it takes to block a device whose entry should be `target` but may not have arrived in the
/// hardware. So the entry is written even if it should block already.
fn cut_off(target: Target) -> Output {
    Output {
        join: None,
        write: Some(Target::Blocked),
        flush: target.domain_id(),
        leave: target.paging(),
    }
}
