// SPDX-License-Identifier: GPL-2.0

//! Events about guests that wait until somebody is told, in a bounded list for all guests of an IOMMU.
//!
//! One guest can fill any list with faults of its devices, and with more effort with errors of its queues. The
//! failure of another guest's IOMMU, which is told only once, must find room nevertheless: the fewer of its
//! kind a guest can make, the more of the list an event may use.

use crate::event::{Event, Kind, RawEvent};
use core::ops::DerefMut;

/// Events that wait, as many as `S` has places.
pub struct Backlog<S> {
    places: S,
    count: usize,
}

impl<S: DerefMut<Target = [RawEvent]>> Backlog<S> {
    /// Nothing waits.
    pub fn new(places: S) -> Self {
        Self { places, count: 0 }
    }

    /// Adds an event if there is room for one of its kind. Returns whether it will be told.
    ///
    /// A failure of a guest's IOMMU stops it as a whole, so that one of each guest is enough.
    pub fn put(&mut self, raw: RawEvent) -> bool {
        let event = raw.decode();
        if event.kind() == Kind::ViommuHardwareError && self.has_failure_of(event.guest_id()) {
            return true;
        }
        if self.count + self.reserve(&event) >= self.places.len() {
            return false;
        }
        let Some(place) = self.places.get_mut(self.count) else {
            return false;
        };
        *place = raw;
        self.count += 1;
        true
    }

    /// How many places an event leaves free.
    fn reserve(&self, event: &Event) -> usize {
        match event.kind() {
            Kind::ViommuHardwareError => 0,
            _ if event.engine().bits() != 0 => self.places.len() / 4,
            _ => self.places.len() / 2,
        }
    }

    fn has_failure_of(&self, guest: Option<u16>) -> bool {
        let mut events = self.events().iter().map(|raw| raw.decode());
        events.any(|event| event.kind() == Kind::ViommuHardwareError && event.guest_id() == guest)
    }

    /// The events, the oldest first.
    pub fn events(&self) -> &[RawEvent] {
        self.places.get(..self.count).unwrap_or_default()
    }

    /// All have been told.
    pub fn clear(&mut self) {
        self.count = 0;
    }
}
