// SPDX-License-Identifier: GPL-2.0

//! Limits how often a message is printed.
//!
//! C header: `include/linux/ratelimit.h`

use crate::bindings::{self, shim};
use kernel::{prelude::*, str::CStr, types::Opaque};

/// A limit of so many messages in so much time. What was left out is counted and reported by the
/// kernel when the next message is let through.
#[pin_data]
pub struct RateLimit {
    #[pin]
    state: Opaque<bindings::ratelimit_state>,
    name: &'static CStr,
}

// SAFETY: The C side has its own lock.
unsafe impl Send for RateLimit {}
// SAFETY: The C side has its own lock.
unsafe impl Sync for RateLimit {}

impl RateLimit {
    /// At most `burst` messages in `seconds`; `name` stands before the count of those left out.
    pub fn new(name: &'static CStr, seconds: u32, burst: u32) -> impl PinInit<Self> {
        pin_init!(Self {
            name,
            state <- Opaque::ffi_init(move |slot| {
                // SAFETY: `slot` is memory for the state.
                unsafe { shim::ratelimit_init(slot, seconds, burst) }
            }),
        })
    }

    /// Whether one more message may be printed now. Any context.
    pub fn allows(&self) -> bool {
        // SAFETY: The state is initialised and pinned; the name is a static string.
        unsafe { bindings::___ratelimit(self.state.get(), self.name.as_char_ptr()) != 0 }
    }
}
