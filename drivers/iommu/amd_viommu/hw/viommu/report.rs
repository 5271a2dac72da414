// SPDX-License-Identifier: GPL-2.0

//! What the VMM of a guest is told, and the bounded queue that it is told by.
//!
//! A guest can cause events much faster than anybody reads them, so that some get lost. They are
//! counted, and what concerns the guest's IOMMU as a whole has room that the faults of devices cannot
//! take: a guest cannot hide its own failure behind a storm.

use crate::event::{Event, Kind};
use core::ops::DerefMut;

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum News {
    /// Nothing but that reports were lost.
    #[default]
    Lost,
    /// The hardware refused something to a device of the guest, or failed at it.
    Device {
        /// The guest's ID of the device.
        id: u16,
        /// What the hardware says.
        cause: Cause,
    },
    /// The hardware met an error in a queue of the guest, which may have stopped. Without a cause the
    /// hardware has not named the guest: its command queue was found stopped.
    Queue(Option<Cause>),
    /// The hardware failed on behalf of the guest, none of whose queues runs before it is reset.
    Hardware(Cause),
    /// A device has left the guest without being taken away by its VMM.
    DeviceLeft {
        /// The guest's ID that it had.
        id: u16,
    },
    /// The hardware reports no more faults of a device, which has caused too many, until this has been
    /// read and a time has passed.
    Hushed {
        /// The guest's ID of the device.
        id: u16,
    },
    /// The host's IOMMU has gone.
    IommuGone,
}

/// An event of the hardware without what belongs to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// Code of the event (hardware reference 3.5).
    pub code: u8,
    /// All its flags, from `dw1[16]` on.
    pub flags: u16,
    /// The process address space of the request.
    pub pasid: Option<u32>,
    /// What the request was for.
    pub address: Option<u64>,
}

impl Cause {
    /// Takes from an event what the guest's VMM may see.
    ///
    /// Addresses of requests are the guest's. Those of table entries and commands are the host's.
    pub fn of(event: &Event) -> Self {
        let is_request = matches!(
            event.kind(),
            Kind::IllegalDevTableEntry
                | Kind::IoPageFault
                | Kind::InvalidDeviceRequest
                | Kind::InvalidPprRequest
        );
        Self {
            code: event.code(),
            flags: event.all_flags(),
            pasid: event.pasid(),
            address: event.address().filter(|_| is_request),
        }
    }
}

/// One report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Which of the VMM's IOMMUs it is about.
    pub handle: u32,
    /// From one report to the next it grows by one and what is lost between them.
    pub sequence: u64,
    /// How many reports were lost directly before this one.
    pub lost: u64,
    /// The hardware has lost an unknown number of events before this one, of this guest or others.
    pub overflow: bool,
    /// What happened.
    pub news: News,
}

/// Reports that wait to be read, as many as `S` has places.
pub struct Reports<S> {
    places: S,
    first: usize,
    count: usize,
    /// Of the last report that was made, lost ones included.
    sequence: u64,
    /// Lost since the last report in the queue.
    lost: u64,
    /// Handle of the last report that was lost.
    loser: u32,
}

impl<S: DerefMut<Target = [Report]>> Reports<S> {
    /// An empty queue.
    pub fn new(places: S) -> Self {
        Self {
            places,
            first: 0,
            count: 0,
            sequence: 0,
            lost: 0,
            loser: 0,
        }
    }

    /// Whether there is something to read.
    pub fn is_readable(&self) -> bool {
        self.count != 0 || self.lost != 0
    }

    /// How many places `news` leaves free.
    fn reserve(&self, news: News) -> usize {
        match news {
            News::Device { .. } | News::Queue(Some(_)) => self.places.len() / 4,
            News::Lost
            | News::Queue(None)
            | News::Hardware(_)
            | News::DeviceLeft { .. }
            | News::Hushed { .. }
            | News::IommuGone => 0,
        }
    }

    /// Queues a report, or counts it as lost if there is no room. Returns whether it will be read.
    ///
    /// That a device is kept quiet is not queued twice: what ends with the first does so for both, and the first says
    /// as well that events were lost. Nor is that a command queue was found stopped, which nobody finds again and which
    /// may take any place for that.
    pub fn push(&mut self, handle: u32, news: News, overflow: bool) -> bool {
        if matches!(news, News::Hushed { .. } | News::Queue(None)) {
            if let Some(waiting) = self.find(handle, news) {
                waiting.overflow |= overflow;
                return true;
            }
        }
        self.sequence = self.sequence.wrapping_add(1);
        if self.count + self.reserve(news) >= self.places.len() {
            self.lost = self.lost.saturating_add(1);
            self.loser = handle;
            return false;
        }
        self.store(handle, news, overflow);
        true
    }

    /// A report that waits.
    fn find(&mut self, handle: u32, news: News) -> Option<&mut Report> {
        let is_it = |report: &Report| report.handle == handle && report.news == news;
        let mut places = (0..self.count).map(|n| self.place(n));
        let at = places.find(|at| self.places.get(*at).is_some_and(is_it))?;
        self.places.get_mut(at)
    }

    /// Queues a report; there is room.
    fn store(&mut self, handle: u32, news: News, overflow: bool) {
        let report = Report {
            handle,
            sequence: self.sequence,
            lost: core::mem::take(&mut self.lost),
            overflow,
            news,
        };
        let at = self.place(self.count);
        if let Some(place) = self.places.get_mut(at) {
            *place = report;
            self.count += 1;
        }
    }

    /// The oldest report. Where nothing but losses is left, that is one.
    pub fn first(&mut self) -> Option<Report> {
        if self.count == 0 && self.lost != 0 {
            self.sequence = self.sequence.wrapping_add(1);
            self.store(self.loser, News::Lost, false);
        }
        let report = self.places.get(self.first);
        report.filter(|_| self.count != 0).copied()
    }

    /// The oldest report has been read.
    pub fn pop(&mut self) {
        if self.count != 0 {
            self.first = self.place(1);
            self.count -= 1;
        }
    }

    /// Index of the place `n` behind the first one.
    fn place(&self, n: usize) -> usize {
        match self.places.len() {
            0 => 0,
            length => (self.first + n) % length,
        }
    }
}
