// SPDX-License-Identifier: GPL-2.0

//! What one open file has made: IOMMUs for a guest, at most one per IOMMU of the host.

use super::{guest::Guest, hardware, reports::Reports};
use crate::{
    domain::{host, Client},
    iommu::Sbdf,
};
use hw::{
    dte::Dte,
    viommu::{
        guest_page::Queue,
        report::{News, Report},
        vsc,
    },
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    new_mutex, pci,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{Atomic, Relaxed},
        Arc, Mutex,
    },
};
use kernel_ext::{
    eventfd::EventFd,
    node::{Mappings, Poll},
    vfio::OwnedDevice,
};

/// Pages that were offered to mmap(). All files of the node share one address space, in which no offset
/// is used twice: what revokes one guest's page touches no other's, and an old mapping never shows a
/// new guest.
static PAGES: Atomic<u64> = Atomic::new(1);

struct Entry {
    handle: u32,
    /// Not there while it is being made, and when its IOMMU has gone.
    guest: Option<Arc<Guest>>,
    gone: bool,
    host: Sbdf,
}

/// The list, and the handle that was given last. None is given twice, so that a caller who is late
/// never meets another guest.
struct Guests {
    all: KVec<Entry>,
    last: u32,
}

impl Guests {
    fn find(&mut self, handle: u32) -> Result<&mut Entry> {
        let entry = self.all.iter_mut().find(|entry| entry.handle == handle);
        entry.ok_or(ENOENT)
    }

    /// Notes the guest that has been made.
    fn put(&mut self, handle: u32, guest: &Arc<Guest>) -> Result {
        let entry = self.find(handle)?;
        if entry.gone {
            return Err(ENODEV);
        }
        entry.guest = Some(guest.clone());
        Ok(())
    }

    fn remove(&mut self, handle: u32) {
        self.all.retain(|entry| entry.handle != handle);
    }
}

/// Everything behind one open file.
#[pin_data]
pub(crate) struct Vm {
    mappings: Mappings,
    #[pin]
    reports: Reports,
    /// Never held while something happens to a guest.
    #[pin]
    guests: Mutex<Guests>,
}

/// A guest's IOMMU that has just been made.
pub(crate) struct Opened {
    pub(crate) handle: u32,
    pub(crate) mmap_offset: u64,
    pub(crate) mmap_len: u64,
}

/// The device that an owner holds.
///
/// # Errors
///
/// `ENODEV` when the driver has not claimed it.
fn client_of(device: &OwnedDevice) -> Result<Arc<Client>> {
    let pdev: &ARef<pci::Device> = device.pdev();
    let is_it = |client: &Client| core::ptr::eq(&**client.pdev(), &**pdev);
    host::get()?.find_client(is_it).ok_or(ENODEV)
}

fn new_offset() -> u64 {
    PAGES.fetch_add(1, Relaxed) * vsc::VF_PAGE
}

impl Vm {
    /// Nothing has been made.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(mappings: Mappings) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                mappings,
                reports <- Reports::new(),
                guests <- new_mutex!(
                    Guests { all: KVec::new(), last: 0 },
                    "amd_viommu::vm"
                ),
            }? Error),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// What revokes pages.
    pub(super) fn mappings(&self) -> &Mappings {
        &self.mappings
    }

    /// What is told about the guests.
    pub(super) fn reports(&self) -> &Reports {
        &self.reports
    }

    /// The IOMMU of a guest has gone.
    pub(super) fn lose(&self, handle: u32) {
        let lost = self.guests.lock().find(handle).ok().and_then(|entry| {
            entry.gone = true;
            entry.guest.take()
        });
        drop(lost);
    }

    fn guest(&self, handle: u32) -> Result<Arc<Guest>> {
        let mut guests = self.guests.lock();
        let entry = guests.find(handle)?;
        if entry.gone {
            return Err(ENODEV);
        }
        entry.guest.clone().ok_or(ENOENT)
    }

    /// Makes an IOMMU for a guest, on the IOMMU `host` that `device` is behind.
    ///
    /// # Errors
    ///
    /// `ENODEV` when that IOMMU serves no guests, or the device is not its; `EEXIST` when the file has
    /// one there already; `ENOSPC` when IDs have run out; `ENOMEM`; `EIO` when the hardware does not
    /// confirm.
    pub(crate) fn init(self: &Arc<Self>, host: Sbdf, device: &OwnedDevice) -> Result<Opened> {
        let hardware = hardware::find(host)?;
        if !Arc::ptr_eq(client_of(device)?.iommu(), hardware.iommu()) {
            return Err(ENODEV);
        }
        self.reports.open()?;
        let handle = self.reserve(host)?;
        let offset = new_offset();
        Guest::new(hardware, self.clone(), handle, offset)
            .and_then(|guest| self.guests.lock().put(handle, &guest))
            .inspect_err(|_| self.guests.lock().remove(handle))?;
        Ok(Opened {
            handle,
            mmap_offset: offset,
            mmap_len: vsc::VF_PAGE,
        })
    }

    fn reserve(&self, host: Sbdf) -> Result<u32> {
        let mut guests = self.guests.lock();
        if guests.all.iter().any(|entry| entry.host == host) {
            return Err(EEXIST);
        }
        let handle = guests.last.checked_add(1).ok_or(ENOSPC)?;
        let entry = Entry {
            handle,
            guest: None,
            gone: false,
            host,
        };
        guests.all.push(entry, GFP_KERNEL_ACCOUNT)?;
        guests.last = handle;
        Ok(handle)
    }

    /// Gives an IOMMU of the guest back.
    ///
    /// # Errors
    ///
    /// `ENOENT` without such a handle.
    pub(crate) fn destroy(&self, handle: u32) -> Result {
        let guest = match self.guest(handle) {
            Ok(guest) => Some(guest),
            // Nothing is left but the name.
            Err(error) if error == ENODEV => None,
            Err(error) => return Err(error),
        };
        if let Some(guest) = &guest {
            guest.destroy();
        }
        self.guests.lock().remove(handle);
        Ok(())
    }

    /// See [`Guest::reset`]. This and what follows: `ENOENT` without such a handle.
    pub(crate) fn reset(&self, handle: u32) -> Result {
        self.guest(handle)?.reset()
    }

    /// See [`Guest::run`].
    pub(crate) fn run(&self, handle: u32, run: bool) -> Result {
        self.guest(handle)?.run(run)
    }

    /// See [`Guest::attach_device`].
    pub(crate) fn attach_device(&self, handle: u32, id: u16, device: &OwnedDevice) -> Result {
        self.guest(handle)?.attach_device(id, client_of(device)?)
    }

    /// See [`Guest::detach_device`].
    pub(crate) fn detach_device(&self, handle: u32, id: u16) -> Result {
        self.guest(handle)?.detach_device(id)
    }

    /// See [`Guest::attach_domain`].
    pub(crate) fn attach_domain(&self, handle: u32, id: u16, dte: [u64; 4]) -> Result {
        self.guest(handle)?.attach_domain(id, Dte(dte))
    }

    /// See [`Guest::detach_domain`].
    pub(crate) fn detach_domain(&self, handle: u32, id: u16) -> Result {
        self.guest(handle)?.detach_domain(id)
    }

    /// See [`Guest::read`].
    pub(crate) fn mmio_read(&self, handle: u32, offset: u32, length: u32) -> Result<u64> {
        self.guest(handle)?.read(offset, length)
    }

    /// See [`Guest::write`].
    pub(crate) fn mmio_write(&self, handle: u32, offset: u32, length: u32, value: u64) -> Result {
        self.guest(handle)?.write(offset, length, value)
    }

    /// See [`Guest::set_eventfd`].
    pub(crate) fn set_eventfd(&self, handle: u32, eventfd: Option<EventFd>) -> Result {
        self.guest(handle)?.set_eventfd(eventfd)
    }

    /// See [`Guest::map_queue`].
    pub(crate) fn map_queue(&self, handle: u32, queue: Queue, at: u64, length: u64) -> Result {
        self.guest(handle)?.map_queue(queue, at, length)
    }

    /// Hands reports to the VMM, see [`Reports::read`].
    pub(crate) fn read(
        &self,
        most: usize,
        wait: bool,
        mut take: impl FnMut(&Report) -> Result,
    ) -> Result<usize> {
        let count = self.reports.read(most, wait, |report| {
            take(report)?;
            if let News::Hushed { id } = report.news {
                // What has gone meanwhile needs it no more.
                let _ = self.guest(report.handle).and_then(|guest| guest.unhush(id));
            }
            Ok(())
        })?;
        // There is room now for what found none.
        let mut guest = self.guest_after(0);
        while let Some(one) = guest {
            one.say_what_is_hushed();
            guest = self.guest_after(one.handle);
        }
        Ok(count)
    }

    /// The guest with the next handle.
    fn guest_after(&self, handle: u32) -> Option<Arc<Guest>> {
        let guests = self.guests.lock();
        let all = guests.all.iter().filter_map(|entry| entry.guest.as_ref());
        all.filter(|guest| guest.handle > handle)
            .min_by_key(|guest| guest.handle)
            .cloned()
    }

    /// Whether there are reports; `poll` looks again when there may be.
    pub(crate) fn is_readable(&self, poll: &Poll<'_>) -> bool {
        self.reports.is_readable(poll)
    }

    /// Where the page at an mmap() offset is. Called by faults: takes no lock under which anything
    /// happens to a guest.
    ///
    /// # Errors
    ///
    /// `ENXIO` where there is none.
    pub(crate) fn vf_page(&self, offset: u64) -> Result<u64> {
        let guests = self.guests.lock();
        let guest = guests.all.iter().find_map(|entry| {
            entry
                .guest
                .as_ref()
                .filter(|guest| guest.offset() == offset)
        });
        guest.and_then(|guest| guest.vf_page()).ok_or(ENXIO)
    }

    /// The file is closed: everything goes.
    pub(crate) fn close(&self) {
        let guests = core::mem::take(&mut self.guests.lock().all);
        for guest in guests.iter().filter_map(|entry| entry.guest.as_ref()) {
            guest.destroy();
        }
    }
}
