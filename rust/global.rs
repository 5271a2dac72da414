// SPDX-License-Identifier: GPL-2.0

//! A static value behind a mutex.

use core::{
    cell::UnsafeCell,
    mem::MaybeUninit,
    pin::Pin,
    sync::atomic::{AtomicU8, Ordering},
};
use kernel::{prelude::*, sync::Mutex};

const EMPTY: u8 = 0;
const OPENING: u8 = 1;
const OPEN: u8 = 2;

/// A mutex that is static, and made when the module says so: a lock cannot be built at compile
/// time.
///
/// What is inside is never dropped with the module. Leave it empty at the end.
///
/// # Invariants
///
/// `mutex` is initialised if `state` is `OPEN`, and never again written as a whole then.
pub struct Global<T> {
    state: AtomicU8,
    mutex: UnsafeCell<MaybeUninit<Mutex<T>>>,
}

// SAFETY: Access goes through the mutex, except for the one initialisation that `state` admits.
unsafe impl<T: Send> Sync for Global<T> {}

impl<T: 'static> Global<T> {
    /// A mutex that is not there yet.
    pub const fn new() -> Self {
        Self {
            state: AtomicU8::new(EMPTY),
            mutex: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Makes the mutex.
    ///
    /// # Errors
    ///
    /// `EBUSY` if that has been done before.
    pub fn open(&'static self, mutex: impl PinInit<Mutex<T>>) -> Result {
        self.state
            .compare_exchange(EMPTY, OPENING, Ordering::Acquire, Ordering::Relaxed)
            .map_err(|_| EBUSY)?;
        let place = self.mutex.get().cast::<Mutex<T>>();
        // SAFETY: The state lets only one caller come here, and nobody else uses the place before
        // it is `OPEN`. The memory is static, so it stays where it is.
        unsafe { pin_init::raw_init(place, mutex) };
        // INVARIANT: Initialised above.
        self.state.store(OPEN, Ordering::Release);
        Ok(())
    }

    /// The mutex, once it has been made.
    pub fn get(&'static self) -> Option<Pin<&'static Mutex<T>>> {
        if self.state.load(Ordering::Acquire) != OPEN {
            return None;
        }
        // SAFETY: By the type invariant the mutex is initialised; it is static.
        Some(Pin::static_ref(unsafe {
            (*self.mutex.get()).assume_init_ref()
        }))
    }
}

impl<T: 'static> Default for Global<T> {
    fn default() -> Self {
        Self::new()
    }
}
