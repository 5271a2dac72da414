// SPDX-License-Identifier: GPL-2.0

//! A lock that never sleeps, whatever the kernel is built for.
//!
//! The kernel crate's spinlocks turn into mutexes in a real-time kernel. The interrupt core calls with
//! raw locks held, and under those only raw locks may be taken.
//!
//! C header: `include/linux/spinlock.h`

use crate::bindings::{self, shim};
use kernel::{
    ffi::c_char,
    sync::lock::{Backend, Lock},
};

/// A raw spinlock that keeps interrupts of the CPU off.
pub type RawSpinLockIrq<T> = Lock<T, RawSpinLockIrqBackend>;

/// Makes a [`RawSpinLockIrq`] with a name and a lock class of its own.
#[macro_export]
macro_rules! new_raw_spinlock_irq {
    ($inner:expr, $name:literal) => {
        $crate::raw_spinlock::RawSpinLockIrq::new(
            $inner,
            ::kernel::optional_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}

/// The backend of [`RawSpinLockIrq`].
pub struct RawSpinLockIrqBackend;

// SAFETY: The C lock ensures mutual exclusion. `relock` is the default implementation, which locks in
// the same way.
unsafe impl Backend for RawSpinLockIrqBackend {
    type State = bindings::raw_spinlock_t;
    type GuardState = ();

    /// # Safety
    ///
    /// As the trait's.
    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: By the function's contract `ptr` is memory for a lock, and the others live forever.
        unsafe { shim::raw_spin_lock_init(ptr, name, key) }
    }

    /// # Safety
    ///
    /// As the trait's.
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: By the function's contract the lock is initialised.
        unsafe { shim::raw_spin_lock(ptr) }
    }

    /// # Safety
    ///
    /// As the trait's.
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: By the function's contract the lock is initialised.
        unsafe { shim::raw_spin_trylock(ptr) }.then_some(())
    }

    /// # Safety
    ///
    /// As the trait's.
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &Self::GuardState) {
        // SAFETY: By the function's contract the caller owns the lock.
        unsafe { shim::raw_spin_unlock(ptr) }
    }

    /// # Safety
    ///
    /// As the trait's.
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: By the function's contract the lock is initialised.
        unsafe { shim::raw_spin_assert_is_held(ptr) }
    }
}
