// SPDX-License-Identifier: GPL-2.0

//! Proof that a process controls a device through VFIO.
//!
//! The proof is the file of a VFIO group: it is handed out by whoever may give devices away, and a
//! group can be open only once.
//!
//! C header: `include/linux/vfio.h`

use crate::{bindings::shim, device::LockedDevice, pci::as_raw};
use kernel::{
    error::to_result,
    fs::LocalFile,
    pci::Device,
    prelude::*,
    sync::aref::ARef,
    time::{delay::fsleep, Delta},
};

/// A device whose group the caller holds, and VFIO drives.
///
/// As long as this exists nobody else can open the group. The driver may be unbound, and the group
/// be taken out of its container, at any time: whoever acts on the proof has to check under a lock
/// of his own that the device is still attached to a domain of VFIO's.
pub struct OwnedDevice {
    pdev: ARef<Device>,
    _group: ARef<LocalFile>,
}

impl OwnedDevice {
    /// Checks that file `fd` of the calling process is the VFIO group of `pdev`.
    ///
    /// # Errors
    ///
    /// `EBADF` when there is no such file, `EINVAL` when it is none of VFIO's, `EOPNOTSUPP` when it
    /// is a device of VFIO, `ENODEV` when the driver of `pdev` is not of the vfio-pci family,
    /// `EACCES` when `pdev` is in another group, `EBUSY` when it is being bound or unbound.
    pub fn prove(fd: i32, pdev: ARef<Device>) -> Result<Self> {
        let group = group_file(fd)?;
        let generic: &kernel::device::Device = pdev.as_ref();
        let locked = lock(generic)?;
        // SAFETY: The device is live and its lock is held.
        if !unsafe { shim::vfio_drives(as_raw(&*pdev)) } {
            return Err(ENODEV);
        }
        // SAFETY: The file is open and the device live, its lock is held since VFIO was seen to
        // drive it.
        if !unsafe { shim::vfio_covers(group.as_ptr(), as_raw(&*pdev)) } {
            return Err(EACCES);
        }
        drop(locked);
        Ok(Self {
            pdev,
            _group: group,
        })
    }

    /// The device.
    pub fn pdev(&self) -> &ARef<Device> {
        &self.pdev
    }
}

/// How often the lock of a device is tried, and the pause between.
const TRIES: u32 = 20;
const PAUSE: Delta = Delta::from_millis(5);

/// Whoever unbinds VFIO's driver holds the lock until the last user has closed the device, and that may
/// be the caller: waiting for it without a limit would wait for oneself.
fn lock(dev: &kernel::device::Device) -> Result<LockedDevice> {
    for _ in 0..TRIES {
        if let Some(locked) = LockedDevice::try_new(dev.into()) {
            return Ok(locked);
        }
        fsleep(PAUSE);
    }
    Err(EBUSY)
}

fn group_file(fd: i32) -> Result<ARef<LocalFile>> {
    let fd = u32::try_from(fd).map_err(|_| EBADF)?;
    let file = LocalFile::fget(fd)?;
    // SAFETY: The reference keeps the file open.
    to_result(unsafe { shim::vfio_group_file(file.as_ptr()) })?;
    Ok(file)
}
