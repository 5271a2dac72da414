// SPDX-License-Identifier: GPL-2.0

//! Checking that each field is where the hardware reference says.

/// The value of a type that has every bit set, even those that a narrower field lacks.
pub trait Ones {
    const ONES: Self;
}

macro_rules! ones {
    ($($type:ty: $ones:expr;)*) => {
        $(
            impl Ones for $type {
                const ONES: Self = $ones;
            }
        )*
    };
}

ones! {
    bool: true;
    u8: u8::MAX;
    u16: u16::MAX;
    u32: u32::MAX;
    u64: u64::MAX;
}

/// Checks fields of a type, each given as `word high:low getter setter;` with the position taken
/// from the hardware reference. A type of a single word has no `word`.
///
/// For several raw values: the getter returns exactly these bits, the setter changes exactly these
/// bits, and a value that is too wide does not spill over. Returns the bits that all fields cover,
/// which do not overlap.
macro_rules! check_fields {
    ($type:ident($int:ty): $($high:literal:$low:literal $get:ident $set:ident;)*) => {
        check_fields!(@with [$int; 1], |[word]: [$int; 1]| $type(word), |value: $type| [value.0];
            $(0 $high:$low $get $set;)*)
    };
    ($type:ident([$int:ty; $words:literal]): $($fields:tt)*) => {
        check_fields!(@with [$int; $words], $type, |value: $type| value.0; $($fields)*)
    };
    (
        @with [$int:ty; $words:literal], $make:expr, $raw:expr;
        $($word:literal $high:literal:$low:literal $get:ident $set:ident;)*
    ) => {{
        let (make, raw) = ($make, $raw);
        let mut covered = [0 as $int; $words];
        $(
            let mask = ((1u128 << ($high - $low + 1)) - 1) as $int;
            assert_eq!(covered[$word] & mask << $low, 0, "{} overlaps", stringify!($get));
            covered[$word] |= mask << $low;

            for pattern in [0u64, u64::MAX, 0x5A5A_A5A5_3C3C_C3C3, 0x0123_4567_89AB_CDEF] {
                let full = make([pattern as $int; $words]);
                let value = full.$get();
                let bits = u64::from(value) as $int;
                assert_eq!(bits, pattern as $int >> $low & mask, "{}", stringify!($get));

                let mut expected = raw(full);
                expected[$word] &= !(mask << $low);
                let zero = full.$set(Default::default());
                assert_eq!(raw(zero), expected, "{}", stringify!($set));
                assert_eq!(zero.$set(value), full, "{}", stringify!($set));

                expected[$word] |= mask << $low;
                let ones = zero.$set($crate::fields::Ones::ONES);
                assert_eq!(raw(ones), expected, "{} spills over", stringify!($set));
            }
        )*
        covered
    }};
}
