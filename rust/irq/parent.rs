// SPDX-License-Identifier: GPL-2.0

//! A unit between the message-signalled interrupts of devices and the vectors of the CPUs.
//!
//! Without one, a device is told which CPU and which vector it has to name in its message, and can name
//! any other. A [`Unit`] gives it a message that means nothing but "entry 5 of mine", and knows
//! itself where that goes. The interrupt core then asks the unit, and no more the device, when an
//! interrupt moves to another CPU.
//!
//! [`MsiParent`] is the unit as the interrupt core sees it; [`super::device::Assigned`] puts a
//! device behind it, and [`super::own::OwnIrq`] is an interrupt that the unit makes itself.
//!
//! C headers: `include/linux/irqdomain.h`, `include/linux/msi.h`

use crate::bindings::{self, shim};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    alloc::flags,
    error::from_result,
    ffi::{c_int, c_uint, c_ulong, c_void},
    pci,
    prelude::*,
    str::CStr,
    sync::Arc,
};

/// Where the CPU side wants an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The vector.
    pub vector: u8,
    /// ID of the local APIC.
    pub destination: u32,
    /// The ID is a logical one.
    pub logical: bool,
}

/// What a device writes to raise an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The address.
    pub address: u64,
    /// The data.
    pub data: u32,
}

/// One interrupt behind a unit. When it is dropped the device does not raise it any more, and its place
/// may be given to another.
///
/// All but the drop may be called with raw locks held and interrupts off.
pub trait Entry: Send + Sync + 'static {
    /// A number that no other entry of the unit has at the same time.
    fn number(&self) -> u32;

    /// What the device has to write. Does not depend on the route.
    fn message(&self) -> Message;

    /// The interrupt comes into use; returns when it goes along `route`. An entry in use may be
    /// activated again.
    ///
    /// # Errors
    ///
    /// The interrupt then stays out of use.
    fn activate(&self, route: Route) -> Result;

    /// An interrupt in use moves; returns when nothing comes along the route before any more.
    fn redirect(&self, route: Route);

    /// The interrupt goes out of use; returns when the device cannot raise it any more.
    fn deactivate(&self);
}

/// A unit that remaps interrupts.
pub trait Unit: Send + Sync + 'static {
    /// One interrupt.
    type Entry: Entry;

    /// Name of the unit's kind, in debugfs and in the name of its domain.
    const NAME: &'static CStr;
    /// What the names of interrupt chips of devices behind it begin with, as `/proc/interrupts` shows
    /// them.
    const PREFIX: &'static CStr;
    /// The token by which the rules of x86 know this kind of unit, an `enum irq_domain_bus_token`.
    const TOKEN: bindings::irq_domain_bus_token;

    /// Takes entries for `count` interrupts of a device, of which none is in use yet. Their messages
    /// are the same but for the data, which counts up from a multiple of `count` rounded up to a power of
    /// two: such a device is told the first message only, and puts the number into its low bits.
    ///
    /// # Errors
    ///
    /// `ENODEV` for a device that is not behind the unit, `ENOSPC` when there are no more entries,
    /// `ENOMEM`.
    fn take(&self, device: &pci::Device, count: usize) -> Result<KVec<Self::Entry>>;
}

/// A unit known to the interrupt core.
///
/// # Invariants
///
/// `domain` is a domain made with the callbacks of `U`, and its data is `unit`.
pub struct MsiParent<U: Unit> {
    domain: NonNull<bindings::irq_domain>,
    _unit: Arc<U>,
}

// SAFETY: The domain is not tied to a thread.
unsafe impl<U: Unit> Send for MsiParent<U> {}
// SAFETY: The domain is used through the interrupt core only, which has its own locks.
unsafe impl<U: Unit> Sync for MsiParent<U> {}

impl<U: Unit> MsiParent<U> {
    /// Makes a unit known, as number `id` of its kind.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(unit: Arc<U>, id: u32) -> Result<Self> {
        let data = core::ptr::from_ref::<U>(&unit).cast_mut().cast();
        let operations: &'static _ = &Callbacks::<U>::DOMAIN;
        // SAFETY: The operations and both names are static, the callbacks expect this data, and the
        // unit outlives the domain.
        let domain = unsafe {
            shim::msi_parent_create(
                operations,
                data,
                U::NAME.as_char_ptr(),
                id,
                U::PREFIX.as_char_ptr(),
                U::TOKEN,
            )
        };
        // INVARIANT: Made above.
        Ok(Self {
            domain: NonNull::new(domain).ok_or(ENOMEM)?,
            _unit: unit,
        })
    }

    pub(super) fn as_raw(&self) -> *mut bindings::irq_domain {
        self.domain.as_ptr()
    }

    /// Makes an interrupt that is no device's, and returns its number. It keeps `entry` until it is
    /// freed.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC` when the CPUs have no vectors left.
    pub(super) fn allocate(&self, entry: U::Entry, node: i32) -> Result<u32> {
        let mut place = Some(entry);
        let data = core::ptr::from_mut(&mut place).cast();
        // SAFETY: By the type invariant the domain exists. The place is looked at during the call only.
        let virq = unsafe { shim::own_irq_alloc(self.domain.as_ptr(), node, data) };
        match u32::try_from(virq) {
            Ok(0) => Err(ENOMEM),
            Ok(virq) => Ok(virq),
            Err(_) => Err(Error::from_errno(virq)),
        }
    }
}

impl<U: Unit> Drop for MsiParent<U> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the domain exists. No device is behind it any more, because
        // each holds a reference, and none has interrupts left, because no driver is bound.
        unsafe { shim::msi_parent_remove(self.domain.as_ptr()) };
    }
}

struct Callbacks<U>(PhantomData<U>);

impl<U: Unit> Callbacks<U> {
    const DOMAIN: bindings::irq_domain_ops = {
        // SAFETY: All zeroes is an operations table without callbacks.
        let mut ops: bindings::irq_domain_ops = unsafe { core::mem::zeroed() };
        ops.alloc = Some(alloc::<U>);
        ops.free = Some(free::<U>);
        ops.activate = Some(activate::<U>);
        ops.deactivate = Some(deactivate::<U>);
        ops
    };

    const CHIP: bindings::irq_chip = {
        // SAFETY: All zeroes is a chip without callbacks.
        let mut chip: bindings::irq_chip = unsafe { core::mem::zeroed() };
        chip.name = U::NAME.to_bytes_with_nul().as_ptr();
        // The vector domain below cleans up after a move when the first interrupt comes along the new
        // route.
        chip.irq_ack = Some(bindings::irq_chip_ack_parent);
        chip.irq_retrigger = Some(bindings::irq_chip_retrigger_hierarchy);
        chip.irq_set_affinity = Some(set_affinity::<U>);
        chip.irq_compose_msi_msg = Some(compose::<U>);
        chip.flags =
            (bindings::IRQCHIP_SKIP_SET_WAKE | bindings::IRQCHIP_AFFINITY_PRE_STARTUP) as c_ulong;
        chip
    };
}

/// The entry of an interrupt.
///
/// # Safety
///
/// `data` is the unit's part of an interrupt that [`alloc`] has made and [`free`] not yet undone.
unsafe fn entry<'a, U: Unit>(data: *mut bindings::irq_data) -> &'a U::Entry {
    // SAFETY: By the function's contract the data is what `alloc` stored, a box turned into a pointer.
    unsafe { &*(*data).chip_data.cast::<U::Entry>() }
}

/// # Safety
///
/// `data` is part of an interrupt over the vector domain.
unsafe fn route(data: *mut bindings::irq_data) -> Route {
    let mut raw = shim::IrqRoute::default();
    // SAFETY: By the function's contract; `raw` is a place for the result.
    unsafe { shim::irq_route(data, &mut raw) };
    Route {
        vector: raw.vector as u8,
        destination: raw.destination,
        logical: raw.logical,
    }
}

/// The entries that an allocation is about.
///
/// # Safety
///
/// `arg` is what x86 asks its domains with, for interrupts of devices, or what [`MsiParent::allocate`]
/// asks with.
unsafe fn wanted<U: Unit>(unit: &U, count: c_uint, arg: *mut c_void) -> Result<KVec<U::Entry>> {
    // SAFETY: By the function's contract.
    let (pdev, own) = unsafe {
        (
            shim::msi_alloc_device(arg.cast(), count),
            shim::own_irq_data(arg.cast(), count),
        )
    };
    if let Some(mut own) = NonNull::new(own.cast::<Option<U::Entry>>()) {
        let mut entries = KVec::with_capacity(1, flags::GFP_KERNEL)?;
        // SAFETY: By the function's contract this is the place that `allocate` has on its stack.
        let entry = unsafe { own.as_mut() }.take().ok_or(EINVAL)?;
        entries.push(entry, flags::GFP_KERNEL)?;
        return Ok(entries);
    }
    if pdev.is_null() {
        return Err(EINVAL);
    }
    // SAFETY: The device is live while interrupts are made for it. `Device` is a transparent wrapper.
    unit.take(unsafe { &*pdev.cast::<pci::Device>() }, count as usize)
}

/// # Safety
///
/// Called by the interrupt core: `domain` is that of a [`MsiParent`], the interrupts are new, `arg` is
/// what an allocation was asked for with.
unsafe extern "C" fn alloc<U: Unit>(
    domain: *mut bindings::irq_domain,
    virq: c_uint,
    count: c_uint,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: By the function's contract, and the invariant of `MsiParent`.
    let unit = unsafe { &*(*domain).host_data.cast::<U>() };
    from_result(|| {
        let mut boxes = KVec::with_capacity(count as usize, flags::GFP_KERNEL)?;
        // SAFETY: By the function's contract.
        for entry in unsafe { wanted(unit, count, arg) }? {
            boxes.push(KBox::new(entry, flags::GFP_KERNEL)?, flags::GFP_KERNEL)?;
        }
        // SAFETY: By the function's contract.
        let status = unsafe { bindings::irq_domain_alloc_irqs_parent(domain, virq, count, arg) };
        if status < 0 {
            return Err(Error::from_errno(status));
        }
        for (virq, entry) in (virq..).zip(boxes) {
            // SAFETY: The interrupt has this domain in its hierarchy.
            unsafe { install::<U>(domain, virq, entry) };
        }
        Ok(0)
    })
}

/// # Safety
///
/// `virq` is a new interrupt of `domain`.
unsafe fn install<U: Unit>(domain: *mut bindings::irq_domain, virq: c_uint, entry: KBox<U::Entry>) {
    let number = entry.number();
    let data = KBox::into_raw(entry).cast();
    let chip: &'static _ = &Callbacks::<U>::CHIP;
    // SAFETY: By the function's contract. The chip is static; the core does not write to it.
    unsafe {
        bindings::irq_domain_set_hwirq_and_chip(domain, virq, number as usize, chip, data);
    }
}

/// # Safety
///
/// Called by the interrupt core: the interrupts come from [`alloc`] and are not in use.
unsafe extern "C" fn free<U: Unit>(domain: *mut bindings::irq_domain, virq: c_uint, count: c_uint) {
    for virq in virq..virq.saturating_add(count) {
        // SAFETY: By the function's contract.
        let data = unsafe { bindings::irq_domain_get_irq_data(domain, virq) };
        if data.is_null() {
            continue;
        }
        // SAFETY: By the function's contract `alloc` has stored a box there, and the core forgets the
        // pointer below.
        drop(unsafe { KBox::from_raw((*data).chip_data.cast::<U::Entry>()) });
    }
    // SAFETY: By the function's contract.
    unsafe { bindings::irq_domain_free_irqs_common(domain, virq, count) };
}

/// # Safety
///
/// Called by the interrupt core: `data` is the unit's part of an interrupt that exists.
unsafe extern "C" fn activate<U: Unit>(
    _domain: *mut bindings::irq_domain,
    data: *mut bindings::irq_data,
    _reserve: bool,
) -> c_int {
    // SAFETY: By the function's contract; the vector domain has activated its part before.
    let (entry, route) = unsafe { (entry::<U>(data), route(data)) };
    from_result(|| entry.activate(route).map(|()| 0))
}

/// # Safety
///
/// Called by the interrupt core: `data` is the unit's part of an interrupt that exists.
unsafe extern "C" fn deactivate<U: Unit>(
    _domain: *mut bindings::irq_domain,
    data: *mut bindings::irq_data,
) {
    // SAFETY: By the function's contract.
    unsafe { entry::<U>(data) }.deactivate();
}

/// # Safety
///
/// Called by the interrupt core: `data` is the unit's part of an interrupt in use.
unsafe extern "C" fn set_affinity<U: Unit>(
    data: *mut bindings::irq_data,
    mask: *const bindings::cpumask,
    force: bool,
) -> c_int {
    // SAFETY: By the function's contract.
    let status = unsafe { shim::irq_set_affinity_parent(data, mask, force) };
    let done = bindings::IRQ_SET_MASK_OK_DONE as c_int;
    if status < 0 || status == done {
        return status;
    }
    // SAFETY: By the function's contract. The vector domain has the new route by now.
    let (entry, route) = unsafe { (entry::<U>(data), route(data)) };
    entry.redirect(route);
    // The message stays as it is.
    done
}

/// # Safety
///
/// Called by the interrupt core: `data` is the unit's part of an interrupt that exists, `message` a place
/// for the result.
unsafe extern "C" fn compose<U: Unit>(
    data: *mut bindings::irq_data,
    message: *mut bindings::msi_msg,
) {
    // SAFETY: By the function's contract.
    let wanted = unsafe { entry::<U>(data) }.message();
    // SAFETY: By the function's contract.
    unsafe { shim::msi_message(message, wanted.address, wanted.data) };
}
