// SPDX-License-Identifier: GPL-2.0

//! The flag bits of events, with AMD's short names.

use core::fmt::{self, Display, Formatter};

use super::Kind;

/// What the bits of `dw1[27:16]` are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// As in most events.
    Common,
    /// As in INVALID_PPR_REQUEST.
    Ppr,
    /// No source tells.
    Unknown,
}

impl Names {
    /// The names, from bit 16 on. Bits without one are shown as numbers.
    fn list(self) -> &'static [&'static str] {
        match self {
            Self::Common => &["GN", "NX", "US", "I", "PR", "RW", "PE", "RZ", "TR"],
            Self::Ppr => &["RX", "", "", "", "", "", "", "", "", "GN"],
            Self::Unknown => &[],
        }
    }
}

/// Names of `dw0[31:27]`. Bit 28 is reserved; what vNR stands for is OQ-9.
const ENGINE: &[&str] = &["vNR", "", "vEvent", "vPpr", "vCmd"];

/// The flags of an event, `dw1[27:16]` without the bits that are an error type.
///
/// Prints as the names of the set bits, in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    bits: u16,
    names: Names,
}

impl Flags {
    /// Reads the flags of an event of the given kind.
    pub(super) fn new(kind: Kind, bits: u16) -> Self {
        let (mask, names) = match kind {
            Kind::DevTabHardwareError
            | Kind::PageTabHardwareError
            | Kind::CommandHardwareError
            | Kind::InvalidDeviceRequest => (0x1FF, Names::Common),
            Kind::InvalidPprRequest => (0xFFF, Names::Ppr),
            Kind::RmpPageFault | Kind::RmpHwError => (0xFFF, Names::Unknown),
            _ => (0xFFF, Names::Common),
        };

        Self {
            bits: bits & mask,
            names,
        }
    }

    /// The bits, from `dw1[16]` on.
    pub fn bits(self) -> u16 {
        self.bits
    }

    /// I: the request was an interrupt.
    pub fn interrupt(self) -> bool {
        self.has(1 << 3)
    }

    /// US: the request had user privilege.
    pub fn user(self) -> bool {
        self.has(1 << 2)
    }

    /// PR: a translation was present.
    pub fn present(self) -> bool {
        self.has(1 << 4)
    }

    /// RW: the request was a write.
    pub fn write(self) -> bool {
        self.has(1 << 5)
    }

    /// PE: the translation did not permit the request.
    pub fn permission(self) -> bool {
        self.has(1 << 6)
    }

    /// RZ: a reserved bit was set.
    pub fn reserved(self) -> bool {
        self.has(1 << 7)
    }

    /// TR: the request asked for a translation.
    pub fn translation_request(self) -> bool {
        self.has(1 << 8)
    }

    /// Whether the common flag at `bit` exists and is set.
    fn has(self, bit: u16) -> bool {
        self.names == Names::Common && self.bits & bit != 0
    }
}

impl Display for Flags {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        names(f, self.bits, self.names.list())
    }
}

/// Which part of the vIOMMU engine made the failing access; none if a device did.
///
/// Prints as the names of the set bits, in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine(u16);

impl Engine {
    /// Reads the bits of an event of the given kind.
    pub(super) fn new(kind: Kind, bits: u8) -> Self {
        Self(if kind.has_engine() { bits.into() } else { 0 })
    }

    /// The bits, from `dw0[27]` on.
    pub fn bits(self) -> u16 {
        self.0
    }
}

impl Display for Engine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        names(f, self.0, ENGINE)
    }
}

/// Prints the names of the set bits, and as one number those that have none.
fn names(f: &mut Formatter<'_>, bits: u16, names: &[&str]) -> fmt::Result {
    let mut separator = "";
    let mut rest = bits;
    let mut bit = 1;

    f.write_str("[")?;
    for name in names {
        if bits & bit != 0 && !name.is_empty() {
            write!(f, "{separator}{name}")?;
            separator = " ";
            rest &= !bit;
        }
        bit <<= 1;
    }
    if rest != 0 {
        write!(f, "{separator}{rest:#x}")?;
    }

    f.write_str("]")
}
