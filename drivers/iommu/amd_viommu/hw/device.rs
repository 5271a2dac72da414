// SPDX-License-Identifier: GPL-2.0

//! The life of a device as a state machine.
//!
//! [`step`] is the only place that decides what a device's table entry becomes. It is a pure
//! function: the driver feeds it events and executes the [`Output`], in the order in which the
//! fields are listed there.
//!
//! ```text
//! state      event       next state
//! Absent     LeaveAlone  Untouched
//! Absent     Probe       Claimed (blocked)
//! Untouched  Probe       Claimed (blocked)
//! Claimed    Attach      Claimed (as attached)
//! Claimed    Release     Absent
//! any        Remove      Absent
//! any        IommuGone   Gone, which nothing leaves
//! ```
//!
//! Aliases of a device get the same entry and have no state of their own.

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
    /// The device had a driver before this one came, which started it without translation. Its
    /// entry is an identity under this domain ID, and the IOMMU core does not know the device.
    Untouched(u16),
    /// The IOMMU core has the device, and its entry is what the core attached.
    Claimed(Target),
    /// The IOMMU has been taken away. The device keeps the entry that it got then.
    Gone,
}

/// What happens to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The device already has a driver when the IOMMU is switched on. The domain ID is the one of
    /// identity.
    LeaveAlone(u16),
    /// The IOMMU core takes the device over. It has no driver.
    Probe,
    /// The IOMMU core attaches the device to a domain.
    Attach(Target),
    /// The IOMMU core gives the device back.
    Release,
    /// The device has been removed from the bus.
    Remove,
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
            Self::Claimed(target) => Some(target),
            Self::Gone => None,
        }
    }
}

/// Works out the next state of a device, and what has to be done to get there.
///
/// # Errors
///
/// [`Refused`] if the event makes no sense in the state. Attaching to the blocking domain and
/// giving up a device never fail once the device is claimed, because the IOMMU core relies on both,
/// even when the IOMMU is gone.
pub fn step(state: State, event: Event) -> Result<(State, Output), Refused> {
    use {Event as E, State as S};

    let next = match (state, event) {
        (S::Gone, E::Attach(Target::Blocked) | E::Release | E::Remove | E::IommuGone) => S::Gone,
        (S::Absent, E::LeaveAlone(id)) => S::Untouched(id),
        (S::Absent | S::Untouched(_), E::Probe) => S::Claimed(Target::Blocked),
        (S::Claimed(_), E::Attach(target)) => S::Claimed(target),
        (S::Claimed(_), E::Release) => S::Absent,
        (S::Absent | S::Untouched(_) | S::Claimed(_), E::Remove) => S::Absent,
        (S::Absent | S::Untouched(_) | S::Claimed(_), E::IommuGone) => S::Gone,
        (S::Absent, E::Attach(_) | E::Release)
        | (S::Untouched(_), E::LeaveAlone(_) | E::Attach(_) | E::Release)
        | (S::Claimed(_), E::LeaveAlone(_) | E::Probe)
        | (S::Gone, E::LeaveAlone(_) | E::Probe | E::Attach(_)) => return Err(Refused),
    };
    let output = match (state.target(), final_target(state, next)) {
        (Some(old), Some(new)) => change(old, new),
        _ => Output::default(),
    };

    Ok((next, output))
}

/// The entry that the device has when it arrives in `next`.
///
/// When the IOMMU goes, claimed devices are blocked as long as the hardware still listens; a device
/// that was never claimed goes on undisturbed.
fn final_target(state: State, next: State) -> Option<Target> {
    match (state, next) {
        (State::Claimed(_), State::Gone) => Some(Target::Blocked),
        (_, State::Gone) => None,
        (_, next) => next.target(),
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
