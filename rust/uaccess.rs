// SPDX-License-Identifier: GPL-2.0

//! Structures of user space that may be older or newer than the kernel's.
//!
//! The first word of such a structure is its size. A shorter one than the kernel's is extended with
//! zeroes, a longer one must have nothing but zeroes behind the kernel's: the rules of the C
//! function `copy_struct_from_user`.

use core::mem::size_of;
use kernel::{
    prelude::*,
    transmute::{AsBytes, FromBytes},
    uaccess::{UserSlice, UserSliceReader},
};

/// More than any structure will ever need, so that nobody has the kernel look for zeroes for long.
const LONGEST: usize = crate::bindings::PAGE_SIZE;

/// The word that holds the size.
const SIZE_WORD: usize = size_of::<u32>();

/// A structure made by [`user_structure!`](crate::user_structure).
pub trait Structure: FromBytes + AsBytes + Default {}

/// Declares a structure that is shared with user space, as in C and without padding.
///
/// # Examples
///
/// ```ignore
/// kernel_ext::user_structure! {
///     /// A call.
///     pub struct Call {
///         /// Size of the caller's structure.
///         pub size: u32,
///         /// Which one.
///         pub number: u32,
///     }
/// }
/// ```
#[macro_export]
macro_rules! user_structure {
    ($(#[$doc:meta])* $vis:vis struct $name:ident {
        $($(#[$field_doc:meta])* $field_vis:vis $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Default)]
        $vis struct $name {
            $($(#[$field_doc])* $field_vis $field: $type,)*
        }

        const _: () = assert!(
            ::core::mem::size_of::<$name>() == 0 $(+ ::core::mem::size_of::<$type>())*,
            "padding would carry bytes of the kernel's stack to user space"
        );
        $(const _: () = $crate::uaccess::is_plain::<$type>();)*

        // SAFETY: All fields are plain.
        unsafe impl ::kernel::transmute::FromBytes for $name {}
        // SAFETY: All fields are plain, and by the assertion there is nothing between them.
        unsafe impl ::kernel::transmute::AsBytes for $name {}
        impl $crate::uaccess::Structure for $name {}
    };
}

/// Accepts types whose every bit pattern is a value.
pub const fn is_plain<T: FromBytes + AsBytes>() {}

/// A structure that was read from user space, and where it came from.
pub struct Argument<T> {
    user: UserPtr,
    given: usize,
    /// What was read, and what [`Argument::respond`] writes.
    pub value: T,
}

impl<T: Structure> Argument<T> {
    /// Reads the structure at `user`, whose callers have at least its first `least` bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is shorter than that, `E2BIG` when there is something behind the part that
    /// is known here, `EFAULT`.
    pub fn read(user: UserPtr, least: usize) -> Result<Self> {
        let given: u32 = UserSlice::new(user, SIZE_WORD).reader().read()?;
        let (size, length) = (given, given as usize);
        if length < least.max(SIZE_WORD) {
            return Err(EINVAL);
        }
        if length > LONGEST {
            return Err(E2BIG);
        }
        let mut reader = UserSlice::new(user, length).reader();
        let mut value = T::default();
        let known = length.min(size_of::<T>());
        let bytes = value.as_bytes_mut().get_mut(..known).ok_or(EINVAL)?;
        reader.read_slice(bytes)?;
        // The caller may have changed it meanwhile.
        bytes
            .get_mut(..SIZE_WORD)
            .ok_or(EINVAL)?
            .copy_from_slice(&size.to_ne_bytes());
        expect_zeroes(&mut reader)?;
        Ok(Self {
            user,
            given: known,
            value,
        })
    }

    /// Writes the structure back, as far as the caller's reaches.
    ///
    /// # Errors
    ///
    /// `EFAULT`.
    pub fn respond(&self) -> Result {
        let bytes = self.value.as_bytes().get(..self.given).ok_or(EINVAL)?;
        UserSlice::new(self.user, self.given)
            .writer()
            .write_slice(bytes)
    }
}

fn expect_zeroes(reader: &mut UserSliceReader) -> Result {
    let mut chunk = [0; 64];
    while !reader.is_empty() {
        let length = reader.len().min(chunk.len());
        let bytes = chunk.get_mut(..length).ok_or(EINVAL)?;
        reader.read_slice(bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(E2BIG);
        }
    }
    Ok(())
}
