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
//!
//! # Guests
//!
//! A device on a page table can be lent to a guest, for which that table, the parent, is then what
//! memory is to a host. The lease is part of Claimed:
//!
//! ```text
//! lease     event                     lease      entry
//! none      Lend                      Stage2     the parent's, marked as the guest's
//! any       SetGuest                  as set     as the guest wants; blocked while suspended
//! any       SetGuestFailed            Blocked    blocked, marked as the guest's
//! any       Attach(Blocked)           suspended  blocked, marked as the guest's
//! any       Attach(the parent)        as before  as the guest wants
//! any       TakeBack                  none       as attached
//! any       ParentFreed               none       blocked
//! any       any other that is legal   none       as above
//! ```
//!
//! So a reset, for which the core attaches the blocking domain and then the parent again, leaves the
//! guest's entry as it was. The device stays a member of the parent until the lease ends.

mod lease;

pub use lease::{Entry, Lease};

use crate::dte::{GuestEntry, GuestIds};

/// What the IOMMU core attaches a device to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Memory requests are aborted.
    Blocked,
    /// They pass through, under this domain ID.
    Identity(u16),
    /// They are translated by the page table of the domain with this ID.
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
        /// What the core has attached.
        target: Target,
        /// The core has attached something since the claim. Until then the entry is the one from
        /// before.
        attached: bool,
        /// The guest that has the device. Then `target` is the lease's parent, or
        /// [`Target::Blocked`] while the lease is suspended.
        lease: Option<Lease>,
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
    /// The output of the last event has been executed, but the hardware has not confirmed the new
    /// entry. The core goes on as if the domain before were still attached, and may free either of
    /// them, so the device may use neither.
    AttachFailed,
    /// The device is lent to a guest over the page table that it is attached to.
    Lend(GuestIds),
    /// The guest wants another entry. Its domain ID is the host's.
    SetGuest(GuestEntry),
    /// The output of the last [`Event::SetGuest`] has been executed, but the hardware has not
    /// confirmed the new entry.
    SetGuestFailed,
    /// The guest gives the device back.
    TakeBack,
    /// The page table that the device was lent over is about to be freed. Nothing is attached to it
    /// by then, but a lease may be suspended.
    ParentFreed,
    /// The IOMMU core gives the device back. The domain ID is the one of identity, for a device
    /// whose claim has failed half-way.
    Release(u16),
    /// The IOMMU is being taken away and cannot refuse.
    IommuGone,
}

/// What the hardware may have cached under an entry that is not in force any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stale {
    /// The tag of the translations.
    pub domain_id: u16,
    /// There are translations of a guest table among them.
    pub guest: bool,
}

/// What the driver has to do, in the order of the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Put the device on the list of the domain with this ID, so that an unmap that comes while the
    /// entry changes already reaches this IOMMU.
    pub join: Option<u16>,
    /// Bring the entry to this, through [`crate::sequence`].
    pub write: Option<Entry>,
    /// Invalidate all of this and wait: what the hardware cached while the old entry was in force
    /// outlives the entry (hardware reference 3.9).
    pub flush: Option<Stale>,
    /// Take the device off the list of the domain with this ID, whose page table may be freed
    /// afterwards.
    pub leave: Option<u16>,
    /// Tell the owner of the lease that it has ended without having been asked.
    pub lost: bool,
}

/// The event cannot happen in the state. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl State {
    /// What the entry of the device is in this state; `None` if the hardware is out of reach.
    pub fn entry(self) -> Option<Entry> {
        match self {
            Self::Absent => Some(Entry::Plain(Target::Blocked)),
            Self::Untouched(id) => Some(Entry::Plain(Target::Identity(id))),
            Self::Claimed { target, lease, .. } => Some(lease::entry(target, lease)),
            Self::Gone => None,
        }
    }

    /// The domain with a page table on whose list the device is.
    pub fn domain(self) -> Option<u16> {
        match self {
            Self::Claimed { target, lease, .. } => {
                lease.map(|lease| lease.parent).or(target.paging())
            }
            Self::Absent | Self::Untouched(_) | Self::Gone => None,
        }
    }

    /// The guest that has the device.
    pub fn lease(self) -> Option<Lease> {
        match self {
            Self::Claimed { lease, .. } => lease,
            Self::Absent | Self::Untouched(_) | Self::Gone => None,
        }
    }
}

impl Target {
    /// The domain with a page table behind it.
    fn paging(self) -> Option<u16> {
        match self {
            Self::Paging(id) => Some(id),
            Self::Blocked | Self::Identity(_) => None,
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
        (S::Absent, E::LeaveAlone(id)) => Ok(change(state, S::Untouched(id))),
        (S::Absent, E::Probe) => Ok((claim(Target::Blocked), Output::default())),
        (S::Untouched(id), E::Probe) => Ok((claim(Target::Identity(id)), Output::default())),
        (S::Claimed { lease, .. }, E::Attach(new)) => {
            Ok(change(state, attached(new, lease::kept(lease, new))))
        }
        (S::Claimed { .. }, E::AttachFailed) => Ok(rewrite(state, attached(Target::Blocked, None))),
        (
            S::Claimed {
                target, attached, ..
            },
            E::Release(identity),
        ) => Ok(change(state, released(target, attached, identity))),
        (S::Claimed { .. }, E::IommuGone) => {
            let (_, output) = change(state, attached(Target::Blocked, None));
            Ok((S::Gone, output))
        }
        (S::Absent | S::Untouched(_), E::IommuGone)
        | (S::Gone, E::Attach(_) | E::AttachFailed | E::Release(_) | E::IommuGone) => {
            Ok((S::Gone, Output::default()))
        }
        (S::Claimed { target, lease, .. }, event) => guest(state, target, lease, event),
        (S::Absent | S::Untouched(_) | S::Gone, _) => Err(Refused),
    }
}

/// What guests do, and what is done to them, while the device is claimed.
fn guest(
    state: State,
    target: Target,
    lease: Option<Lease>,
    event: Event,
) -> Result<(State, Output), Refused> {
    use Event as E;

    match (lease, event) {
        (None, E::Lend(ids)) => {
            let parent = target.paging().ok_or(Refused)?;
            let lease = Lease::new(parent, ids);
            Ok(change(state, attached(target, Some(lease))))
        }
        (Some(lease), E::SetGuest(entry)) => {
            let lease = lease.with_guest(entry);
            Ok(change(state, attached(target, Some(lease))))
        }
        (Some(lease), E::SetGuestFailed) => {
            let lease = lease.with_guest(GuestEntry::Blocked);
            Ok(rewrite(state, attached(target, Some(lease))))
        }
        (Some(_), E::TakeBack) => {
            let (next, output) = change(state, attached(target, None));
            let asked = Output {
                lost: false,
                ..output
            };
            Ok((next, asked))
        }
        (Some(_), E::ParentFreed) => Ok(change(state, attached(Target::Blocked, None))),
        _ => Err(Refused),
    }
}

/// The state after a claim that finds the entry like this.
fn claim(target: Target) -> State {
    State::Claimed {
        target,
        attached: false,
        lease: None,
    }
}

/// The state after the core has attached this.
fn attached(target: Target, lease: Option<Lease>) -> State {
    State::Claimed {
        target,
        attached: true,
        lease,
    }
}

/// The state of a device that the core has given back.
///
/// If firmware's regions need it, the core attaches identity, and not the blocking domain, before
/// it gives a device back. That stays.
fn released(target: Target, attached: bool, identity: u16) -> State {
    match target {
        _ if !attached => State::Untouched(identity),
        Target::Identity(id) => State::Untouched(id),
        Target::Blocked | Target::Paging(_) => State::Absent,
    }
}

/// What it takes to go from one state to another.
fn change(old: State, new: State) -> (State, Output) {
    let (_, output) = rewrite(old, new);
    if old.entry() != new.entry() {
        return (new, output);
    }

    let unwritten = Output {
        write: None,
        flush: None,
        ..output
    };
    (new, unwritten)
}

/// As [`change`], for a device whose entry may not have arrived in the hardware: it is written even
/// if it should be what it is already.
fn rewrite(old: State, new: State) -> (State, Output) {
    let (before, after) = (old.domain(), new.domain());
    let output = Output {
        join: after.filter(|_| before != after),
        write: new.entry(),
        flush: old.entry().and_then(Entry::stale),
        leave: before.filter(|_| before != after),
        lost: old.lease().is_some() && new.lease().is_none(),
    };

    (new, output)
}
