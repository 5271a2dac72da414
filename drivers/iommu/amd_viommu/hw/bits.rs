// SPDX-License-Identifier: GPL-2.0

//! Declaring the bit fields of a register or an in-memory entry.
//!
//! `bitfield!` takes one line per field: the high and the low bit, the getter, the setter where one
//! is needed, and the type. Shifts and masks exist in this file only.

/// A value that fits into a bit field.
///
/// Conversion from raw bits must accept every pattern, because the bits come from hardware or
/// firmware.
pub(crate) trait Value: Copy {
    /// Takes the value of a field, right-aligned.
    fn from_bits(bits: u64) -> Self;

    /// Gives the value of a field, right-aligned.
    fn into_bits(self) -> u64;
}

impl Value for bool {
    fn from_bits(bits: u64) -> Self {
        bits & 1 != 0
    }

    fn into_bits(self) -> u64 {
        u64::from(self)
    }
}

macro_rules! impl_value {
    ($($int:ty),*) => {
        $(
            impl Value for $int {
                fn from_bits(bits: u64) -> Self {
                    bits as Self
                }

                fn into_bits(self) -> u64 {
                    u64::from(self)
                }
            }
        )*
    };
}

impl_value!(u8, u16, u32, u64);

/// Bits `high:low` of a word.
pub(crate) const fn mask(high: u32, low: u32) -> u64 {
    (u64::MAX >> (63 - (high - low))) << low
}

/// Reads the bits of `mask`, whose lowest one is `low`.
#[inline]
pub(crate) fn get<T: Value>(word: u64, mask: u64, low: u32) -> T {
    T::from_bits((word & mask) >> low)
}

/// Returns `word` with the bits of `mask` replaced by `value`; what does not fit is cut off.
#[inline]
pub(crate) fn set<T: Value>(word: u64, mask: u64, low: u32, value: T) -> u64 {
    (word & !mask) | ((value.into_bits() << low) & mask)
}

/// Declares a type over raw bits, and its fields.
///
/// A type of one word has lines `high:low getter, setter: type;`. A type of several words puts the
/// index of the word first: `word high:low getter, setter: type;`, as the hardware reference does
/// with `q1[15:0]` and `dw1[31:28]`. The setter may be left out.
macro_rules! bitfield {
    // A register: one word.
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident($int:ty) {
            $($(#[$doc:meta])* $high:literal:$low:literal $get:ident $(, $set:ident)?: $ty:ty;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(transparent)]
        $vis struct $name($vis $int);

        impl $name {
            $(
                $(#[$doc])*
                #[inline]
                $vis fn $get(self) -> $ty {
                    const MASK: u64 = $crate::bits::mask($high, $low);

                    $crate::bits::get(u64::from(self.0), MASK, $low)
                }

                $(
                    #[doc = concat!("Sets [`Self::", stringify!($get), "`].")]
                    #[inline]
                    #[must_use]
                    $vis fn $set(self, value: $ty) -> Self {
                        const MASK: u64 = $crate::bits::mask($high, $low);

                        Self($crate::bits::set(u64::from(self.0), MASK, $low, value) as $int)
                    }
                )?
            )*
        }
    };

    // An entry in memory: several words.
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident([$int:ty; $words:literal]) {
            $(
                $(#[$doc:meta])*
                $word:literal $high:literal:$low:literal $get:ident $(, $set:ident)?: $ty:ty;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(transparent)]
        $vis struct $name($vis [$int; $words]);

        impl $name {
            $(
                $(#[$doc])*
                #[inline]
                $vis fn $get(self) -> $ty {
                    const MASK: u64 = $crate::bits::mask($high, $low);

                    $crate::bits::get(u64::from(self.0[$word]), MASK, $low)
                }

                $(
                    #[doc = concat!("Sets [`Self::", stringify!($get), "`].")]
                    #[inline]
                    #[must_use]
                    $vis fn $set(mut self, value: $ty) -> Self {
                        const MASK: u64 = $crate::bits::mask($high, $low);

                        let word = u64::from(self.0[$word]);
                        self.0[$word] = $crate::bits::set(word, MASK, $low, value) as $int;
                        self
                    }
                )?
            )*
        }
    };
}
