// SPDX-License-Identifier: GPL-2.0

//! What an open file has to read.

use hw::viommu::report::{News, Report, Reports as Queue};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    new_mutex, new_spinlock_irq,
    prelude::*,
    static_lock_class,
    sync::{poll::PollCondVarBox, Mutex, SpinLockIrq},
};
use kernel_ext::node::Poll;

/// How many reports wait to be read at most: a page of memory.
const PLACES: usize = 4096 / size_of::<Report>();

const _: () = assert!(PLACES >= 64, "user space has been promised so many");

/// The reports to one VMM.
#[pin_data]
pub(super) struct Reports {
    /// None before there is anything to report on.
    #[pin]
    queue: SpinLockIrq<Option<Queue<KVec<Report>>>>,
    /// Notified when there is something to read.
    change: PollCondVarBox,
    /// Held from looking at a report until it has been copied. Never while waiting for one.
    #[pin]
    reading: Mutex<()>,
}

impl Reports {
    /// Without memory for reports.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            queue <- new_spinlock_irq!(None, "amd_viommu::reports"),
            change: PollCondVarBox::new(c"amd_viommu::reports", static_lock_class!())?,
            reading <- new_mutex!((), "amd_viommu::reading"),
        })
    }

    /// Gets the memory, if that has not been done.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn open(&self) -> Result {
        let places = KVec::from_elem(Report::default(), PLACES, GFP_KERNEL_ACCOUNT)?;
        let mut queue = self.queue.lock();
        // What is not needed goes with no lock held.
        let unused = match &*queue {
            Some(_) => Some(places),
            None => {
                *queue = Some(Queue::new(places));
                None
            }
        };
        drop(queue);
        drop(unused);
        Ok(())
    }

    /// Reports, or counts as lost. Returns whether the report will be read. Does not sleep.
    pub(super) fn push(&self, handle: u32, news: News, overflow: bool) -> bool {
        let mut queue = self.queue.lock();
        let Some(reports) = &mut *queue else {
            return false;
        };
        let waiting = reports.is_readable();
        let queued = reports.push(handle, news, overflow);
        drop(queue);
        if !waiting {
            self.change.notify_all();
        }
        queued
    }

    /// Whether there is something to read; `poll` looks again when there may be.
    pub(super) fn is_readable(&self, poll: &Poll<'_>) -> bool {
        poll.wait_for(&self.change);
        self.has_some()
    }

    fn has_some(&self) -> bool {
        let queue = self.queue.lock();
        queue.as_ref().is_some_and(|reports| reports.is_readable())
    }

    /// Waits until there is something to read.
    fn wait(&self) -> Result {
        let mut queue = self.queue.lock();
        while !queue.as_ref().is_some_and(|reports| reports.is_readable()) {
            if self.change.wait_interruptible(&mut queue) {
                return Err(EINTR);
            }
        }
        Ok(())
    }

    /// Hands the oldest reports to `take`, as many as there are and at most `most`, which must not be 0.
    /// One that it refuses stays. Returns how many were taken; waits for the first if `wait`.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when there are none, `EINTR` when the caller has a signal, that of `take` for the first
    /// one.
    pub(super) fn read(
        &self,
        most: usize,
        wait: bool,
        mut take: impl FnMut(&Report) -> Result,
    ) -> Result<usize> {
        loop {
            match self.read_now(most, &mut take) {
                Err(error) if error == EAGAIN && wait => self.wait()?,
                result => return result,
            }
        }
    }

    fn read_now(&self, most: usize, take: &mut impl FnMut(&Report) -> Result) -> Result<usize> {
        // Others only append meanwhile.
        let _reading = self.reading.lock();
        let mut count = 0;
        while count < most {
            let taken = self.first().ok_or(EAGAIN).and_then(|first| take(&first));
            if let Err(error) = taken {
                return if count == 0 { Err(error) } else { Ok(count) };
            }
            self.pop();
            count += 1;
        }
        Ok(count)
    }

    fn first(&self) -> Option<Report> {
        let mut queue = self.queue.lock();
        let reports = &mut *queue;
        reports.as_mut()?.first()
    }

    fn pop(&self) {
        if let Some(reports) = &mut *self.queue.lock() {
            reports.pop();
        }
    }
}
