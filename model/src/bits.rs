// SPDX-License-Identifier: GPL-2.0

//! Fields of registers and table entries.

/// Value of `value[high:low]`.
pub const fn field(value: u64, high: u32, low: u32) -> u64 {
    (value >> low) & ones(high - low + 1)
}

/// `value` with `[high:low]` replaced by the low bits of `part`.
pub const fn with_field(value: u64, high: u32, low: u32, part: u64) -> u64 {
    let mask = ones(high - low + 1) << low;
    (value & !mask) | ((part << low) & mask)
}

/// Whether bit `index` of `value` is set.
pub const fn bit(value: u64, index: u32) -> bool {
    (value >> index) & 1 != 0
}

/// A value with the bits `[high:low]` set.
pub const fn mask(high: u32, low: u32) -> u64 {
    ones(high - low + 1) << low
}

const fn ones(count: u32) -> u64 {
    if count >= 64 {
        u64::MAX
    } else {
        (1 << count) - 1
    }
}
