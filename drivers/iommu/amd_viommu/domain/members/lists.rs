// SPDX-License-Identifier: GPL-2.0

//! Who uses a page table. Nothing here allocates: the lists are guarded by a spinlock.

use super::Form;
use crate::{domain::requester::Requester, iommu::Iommu};
use kernel::{prelude::*, sync::Arc};
use kernel_ext::iommu::generic_pt::Top;

/// An IOMMU that has walked the table.
pub(super) struct Walker {
    pub(super) iommu: Arc<Iommu>,
    /// Devices behind it that are attached now.
    pub(super) devices: usize,
    /// The domain IDs of guests under which it walks the table. An ID stays where it is, because
    /// flushes go through the places one after the other.
    pub(super) nested: KVec<Option<u16>>,
    /// How many of those places are taken.
    pub(super) nested_count: usize,
}

/// A requester whose entries may use the table.
pub(super) struct Member {
    requester: Arc<Requester>,
    /// How they use it; `None` as long as they do not.
    pub(super) form: Option<Form>,
}

/// What a list lacks.
pub(super) enum Room {
    /// Room for so many walkers and so many members.
    Members(usize, usize),
    /// Room for so many domain IDs at a walker.
    Nested(Arc<Iommu>, usize),
    /// Nothing that memory could help with.
    None,
}

/// Memory for lists.
pub(super) enum Memory {
    Members(KVec<Walker>, KVec<Member>),
    Nested(Arc<Iommu>, KVec<Option<u16>>),
}

impl Room {
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` when memory does not help.
    pub(super) fn allocate(self) -> Result<Memory> {
        match self {
            Self::Members(walkers, members) => Ok(Memory::Members(
                KVec::with_capacity(walkers, GFP_KERNEL)?,
                KVec::with_capacity(members, GFP_KERNEL)?,
            )),
            Self::Nested(iommu, places) => Ok(Memory::Nested(
                iommu,
                KVec::with_capacity(places, GFP_KERNEL)?,
            )),
            Self::None => Err(ENODEV),
        }
    }
}

/// The lists of one table.
pub(super) struct Lists {
    /// Where the table begins; `None` before it exists and when it is about to be freed.
    pub(super) top: Option<Top>,
    /// Never shrinks while the domain lives, so that a position stays what it is.
    pub(super) walkers: KVec<Walker>,
    members: KVec<Member>,
    /// Places that are kept for devices of the core, taken or not.
    places: usize,
}

impl Lists {
    /// Empty lists, with places for `devices` devices of the core.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(devices: usize) -> Result<Self> {
        Ok(Self {
            top: None,
            walkers: KVec::with_capacity(1, GFP_KERNEL)?,
            members: KVec::with_capacity(devices, GFP_KERNEL)?,
            places: devices,
        })
    }

    /// Adds a member if there is room. One that is no device of the core takes no place of those that
    /// are.
    pub(super) fn add(&mut self, requester: &Arc<Requester>) -> Result<(), Room> {
        if self.top.is_none() {
            return Err(Room::None);
        }
        let bare = self
            .members
            .iter()
            .filter(|m| m.requester.is_bare())
            .count();
        let devices = self.members.len() - bare;
        let (places, bare) = match requester.is_bare() {
            true => (self.places, bare + 1),
            false => (self.places.max(devices + 1), bare),
        };
        let walker = self.walker(requester.iommu());
        let walkers = self.walkers.len() + usize::from(walker.is_none());
        if self.members.capacity() < places + bare || self.walkers.capacity() < walkers {
            return Err(Room::Members(walkers, places + bare));
        }
        self.places = places;
        self.push(requester, walker)
            .map_err(|_| Room::Members(walkers, places + bare))
    }

    /// Adds a member; there is room.
    fn push(&mut self, requester: &Arc<Requester>, walker: Option<usize>) -> Result {
        match walker.and_then(|at| self.walkers.get_mut(at)) {
            Some(walker) => walker.devices += 1,
            None => self
                .walkers
                .push_within_capacity(Walker {
                    iommu: requester.iommu().clone(),
                    devices: 1,
                    nested: KVec::new(),
                    nested_count: 0,
                })
                .map_err(|_| ENOMEM)?,
        }
        self.members
            .push_within_capacity(Member {
                requester: requester.clone(),
                form: None,
            })
            .map_err(|_| ENOMEM)
    }

    /// Takes a member off. What is given back is to be dropped outside the lock.
    pub(super) fn remove(&mut self, requester: &Arc<Requester>) -> Option<Member> {
        let at = self.position(requester)?;
        let last = self.members.len() - 1;
        self.members.swap(at, last);
        if let Some(walker) = self.walker_mut(requester.iommu()) {
            walker.devices -= 1;
        }
        self.members.pop()
    }

    /// A member.
    pub(super) fn find(&mut self, requester: &Arc<Requester>) -> Option<&mut Member> {
        let at = self.position(requester)?;
        self.members.get_mut(at)
    }

    /// Any of the members.
    pub(super) fn last(&self) -> Option<Arc<Requester>> {
        self.members.last().map(|member| member.requester.clone())
    }

    /// The members whose entries use the table now.
    pub(super) fn in_use(&self) -> impl Iterator<Item = (&Requester, Form)> {
        self.members
            .iter()
            .filter_map(|member| Some((&*member.requester, member.form?)))
    }

    /// Adds a guest's domain ID if there is room.
    pub(super) fn add_nested(&mut self, iommu: &Arc<Iommu>, domain_id: u16) -> Result<(), Room> {
        let freed = self.top.is_none();
        let walker = self.walker_mut(iommu).ok_or(Room::None)?;
        if freed || walker.devices == 0 {
            return Err(Room::None);
        }
        let free = walker.nested.iter_mut().find(|place| place.is_none());
        match free {
            Some(place) => *place = Some(domain_id),
            None => {
                let wanted = walker.nested.len() + 1;
                walker
                    .nested
                    .push_within_capacity(Some(domain_id))
                    .map_err(|_| Room::Nested(iommu.clone(), wanted.next_power_of_two()))?;
            }
        }
        walker.nested_count += 1;
        Ok(())
    }

    /// Takes a guest's domain ID away.
    pub(super) fn remove_nested(&mut self, iommu: &Arc<Iommu>, domain_id: u16) {
        let Some(walker) = self.walker_mut(iommu) else {
            return;
        };
        let taken = walker
            .nested
            .iter_mut()
            .find(|place| **place == Some(domain_id));
        if let Some(place) = taken {
            *place = None;
            walker.nested_count -= 1;
        }
    }

    /// Whether a guest's domain ID is there.
    pub(super) fn knows_nested(&self, iommu: &Arc<Iommu>, domain_id: u16) -> bool {
        self.walker(iommu)
            .and_then(|at| self.walkers.get(at))
            .is_some_and(|walker| walker.nested.contains(&Some(domain_id)))
    }

    /// Moves a list to new memory, unless it has grown as far meanwhile.
    pub(super) fn grow(&mut self, memory: &mut Memory) {
        match memory {
            Memory::Members(walkers, members) => {
                move_all(&mut self.walkers, walkers);
                move_all(&mut self.members, members);
            }
            Memory::Nested(iommu, places) => {
                if let Some(walker) = self.walker_mut(iommu) {
                    move_all(&mut walker.nested, places);
                }
            }
        }
    }

    fn walker(&self, iommu: &Arc<Iommu>) -> Option<usize> {
        self.walkers
            .iter()
            .position(|walker| Arc::ptr_eq(&walker.iommu, iommu))
    }

    fn walker_mut(&mut self, iommu: &Arc<Iommu>) -> Option<&mut Walker> {
        self.walkers
            .iter_mut()
            .find(|walker| Arc::ptr_eq(&walker.iommu, iommu))
    }

    fn position(&self, requester: &Arc<Requester>) -> Option<usize> {
        self.members
            .iter()
            .position(|member| Arc::ptr_eq(&member.requester, requester))
    }
}

fn move_all<T>(from: &mut KVec<T>, to: &mut KVec<T>) {
    if to.capacity() <= from.capacity() {
        return;
    }
    core::mem::swap(from, to);
    for value in to.drain_all() {
        // There is room for more than there were.
        let _ = from.push_within_capacity(value);
    }
}
