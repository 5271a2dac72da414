// SPDX-License-Identifier: GPL-2.0

//! From the number of an ioctl to its handler, and the rules that all of them share.

use super::{abi::Flags, device, guest, machine};
use crate::viommu::Vm;
use kernel::{
    ioctl::{_IOC_DIR, _IOC_NR, _IOC_TYPE},
    prelude::*,
    sync::Arc,
    uapi,
};
use kernel_ext::uaccess::{Argument, Structure};

/// One ioctl.
pub(super) trait Call {
    /// Its argument.
    type Structure: Structure + Flags;

    /// Its number, with direction and size.
    const NUMBER: u32;

    /// How much of the structure every caller has.
    const LEAST: usize = size_of::<Self::Structure>();

    /// The flags that it knows.
    const FLAGS: u32 = 0;

    /// Whether the words that say nothing to this call are zero.
    fn is_clean(_argument: &Self::Structure) -> bool {
        true
    }

    /// Does it. Results go into `argument`.
    ///
    /// # Errors
    ///
    /// Go to the caller, who finds his structure as it was.
    fn run(vm: &Arc<Vm>, argument: &mut Self::Structure) -> Result;

    /// Takes back what [`Call::run`] has done, because the caller will not hear of it.
    fn undo(_vm: &Vm, _argument: &Self::Structure) {}
}

struct Entry {
    number: u32,
    run: fn(&Arc<Vm>, UserPtr) -> Result,
}

impl Entry {
    const fn of<C: Call>() -> Self {
        Self {
            number: C::NUMBER,
            run: run::<C>,
        }
    }
}

const CALLS: &[Entry] = &[
    Entry::of::<machine::GetInfo>(),
    Entry::of::<machine::Init>(),
    Entry::of::<machine::Destroy>(),
    Entry::of::<machine::Reset>(),
    Entry::of::<machine::Run>(),
    Entry::of::<device::Attach>(),
    Entry::of::<device::Detach>(),
    Entry::of::<device::DomainAttach>(),
    Entry::of::<device::DomainDetach>(),
    Entry::of::<guest::MmioAccess>(),
    Entry::of::<guest::MapUpdate>(),
    Entry::of::<guest::SetEventFd>(),
];

/// What tells one call from another. The size in the number is the one that the caller was compiled
/// with, which its structure says as well.
fn key(number: u32) -> (u32, u32, u32) {
    (_IOC_TYPE(number), _IOC_NR(number), _IOC_DIR(number))
}

/// Serves an ioctl.
///
/// # Errors
///
/// `ENOTTY` for an unknown number; see [`Argument::read`]; `EOPNOTSUPP` for unknown flags, and when a
/// word is not zero that means nothing to the call; those of the call.
pub(super) fn dispatch(vm: &Arc<Vm>, number: u32, user: UserPtr) -> Result {
    let entry = CALLS
        .iter()
        .find(|entry| key(entry.number) == key(number))
        .ok_or(ENOTTY)?;
    (entry.run)(vm, user)
}

fn run<C: Call>(vm: &Arc<Vm>, user: UserPtr) -> Result {
    let mut argument = Argument::<C::Structure>::read(user, C::LEAST)?;
    let known = &mut argument.value;
    if known.flags() & !C::FLAGS != 0 || !C::is_clean(known) {
        return Err(EOPNOTSUPP);
    }
    C::run(vm, known)?;
    if _IOC_DIR(C::NUMBER) & uapi::_IOC_READ != 0 {
        argument
            .respond()
            .inspect_err(|_| C::undo(vm, &argument.value))?;
    }
    Ok(())
}
