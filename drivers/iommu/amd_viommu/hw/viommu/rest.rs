// SPDX-License-Identifier: GPL-2.0

//! How long a device is kept quiet at least.
//!
//! A VMM may read at once that a device is kept quiet. If that ended the quiet, the storm would go on with the next
//! event, in which the hardware's log has as little room for others as before, and each turn would cost two changes of
//! the device's entry. So it ends when it has been read and a time has passed.

use super::storm::PERIOD;
use crate::dte::GuestIds;
use core::ops::DerefMut;

/// How long a device is quiet, in milliseconds: the storm's count has begun anew then.
pub const REST: u64 = PERIOD;

/// A guest's device, by one of the IDs that the hardware knows it by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resting {
    /// The host's requester ID.
    pub devid: u16,
    /// The guest's.
    pub ids: GuestIds,
}

/// The rest of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    device: Resting,
    begun: u64,
    /// Its VMM has read that it is quiet.
    is_read: bool,
}

/// The devices that have not been quiet for long, as many as `S` has places.
pub struct Rests<S> {
    places: S,
    count: usize,
}

impl<S: DerefMut<Target = [Rest]>> Rests<S> {
    /// No device rests.
    pub fn new(places: S) -> Self {
        Self { places, count: 0 }
    }

    /// Whether no device rests.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A device begins its rest, or begins it anew. If there is no place, that of another ends too early; it is
    /// returned if it is to be heard again now.
    pub fn begin(&mut self, device: Resting, now: u64) -> Option<Resting> {
        self.remove(|rest| rest.device == device);
        let ended = match self.count < self.places.len() {
            true => None,
            // They are in the order in which they have begun.
            false => {
                let mut oldest = true;
                self.remove(|_| core::mem::take(&mut oldest))
            }
        };
        if let Some(place) = self.places.get_mut(self.count) {
            *place = Rest {
                device,
                begun: now,
                is_read: false,
            };
            self.count += 1;
        }
        ended.filter(|rest| rest.is_read).map(|rest| rest.device)
    }

    /// A VMM has read that a device is quiet. Returns whether it goes on resting; else it is to be heard again now.
    pub fn read(&mut self, device: Resting) -> bool {
        let rest = self
            .rests_mut()
            .iter_mut()
            .find(|rest| rest.device == device);
        rest.map(|rest| rest.is_read = true).is_some()
    }

    /// Whether a device rests of which its VMM has read that.
    pub fn is_read(&self, device: Resting) -> bool {
        let mut rests = self.places.iter().take(self.count);
        rests.any(|rest| rest.device == device && rest.is_read)
    }

    /// Ends a rest that has been long enough, of a device that is to be heard again now. Those of which no VMM has read
    /// end as well; whoever reads that later need not wait.
    pub fn end_one(&mut self, now: u64) -> Option<Resting> {
        let is_over = |rest: &Rest| now.wrapping_sub(rest.begun) >= REST;
        while let Some(rest) = self.remove(is_over) {
            if rest.is_read {
                return Some(rest.device);
            }
        }
        None
    }

    fn rests_mut(&mut self) -> &mut [Rest] {
        self.places.get_mut(..self.count).unwrap_or_default()
    }

    /// Takes the first one that `is_it`. The others keep their order.
    fn remove(&mut self, is_it: impl FnMut(&Rest) -> bool) -> Option<Rest> {
        let rests = self.rests_mut();
        let at = rests.iter().position(is_it)?;
        let behind = rests.get_mut(at..)?;
        let found = behind.first().copied();
        behind.rotate_left(1);
        self.count -= 1;
        found
    }
}
