// SPDX-License-Identifier: GPL-2.0

//! The codes of events, and which common fields each has.

macro_rules! kinds {
    ($($(#[$doc:meta])* $code:literal $kind:ident $name:literal;)*) => {
        /// What an event reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
            /// A code that this driver does not know.
            Unknown(u8),
        }

        impl From<u8> for Kind {
            fn from(code: u8) -> Self {
                match code {
                    $($code => Self::$kind,)*
                    _ => Self::Unknown(code),
                }
            }
        }

        impl Kind {
            /// AMD's name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                    Self::Unknown(_) => "UNKNOWN_EVENT",
                }
            }
        }
    };
}

kinds! {
    /// An entry of the device table has a reserved bit set or a value that is not allowed.
    0x1 IllegalDevTableEntry "ILLEGAL_DEV_TABLE_ENTRY";
    /// A request has no translation or no permission.
    0x2 IoPageFault "IO_PAGE_FAULT";
    /// The device table could not be read.
    0x3 DevTabHardwareError "DEV_TAB_HARDWARE_ERROR";
    /// A page table or interrupt table could not be read.
    0x4 PageTabHardwareError "PAGE_TAB_HARDWARE_ERROR";
    /// A command is not legal. The command engine has stopped.
    0x5 IllegalCommandError "ILLEGAL_COMMAND_ERROR";
    /// A command could not be read, or its result not be stored. The command engine has stopped.
    0x6 CommandHardwareError "COMMAND_HARDWARE_ERROR";
    /// A device did not answer an invalidation in time.
    0x7 IotlbInvTimeout "IOTLB_INV_TIMEOUT";
    /// A device made a request that is not legal.
    0x8 InvalidDeviceRequest "INVALID_DEVICE_REQUEST";
    /// A device made a page request that is not legal.
    0x9 InvalidPprRequest "INVALID_PPR_REQUEST";
    /// A performance counter has wrapped.
    0xA EventCounterZero "EVENT_COUNTER_ZERO";
    /// An INSERT_GUEST_EVENT is not legal.
    0xB GuestEventFault "GUEST_EVENT_FAULT";
    /// The vIOMMU engine failed on behalf of a guest.
    0xC ViommuHardwareError "VIOMMU_HARDWARE_ERROR";
    /// A request violates the reverse map table.
    0xD RmpPageFault "RMP_PAGE_FAULT";
    /// The reverse map table could not be read.
    0xE RmpHwError "RMP_HW_ERROR";
}

impl Kind {
    /// Whether `dw0[15:0]` is a device ID.
    pub(super) fn has_device(self) -> bool {
        !matches!(
            self,
            Self::IllegalCommandError
                | Self::CommandHardwareError
                | Self::EventCounterZero
                | Self::GuestEventFault
                | Self::ViommuHardwareError
                | Self::Unknown(_)
        )
    }

    /// Whether `dw1[15:0]` is a domain ID when GN is 0.
    pub(super) fn has_domain(self) -> bool {
        matches!(self, Self::IoPageFault | Self::PageTabHardwareError)
    }

    /// Whether `dw0[19:16]` and `dw1[15:0]` are a PASID when GN is 1.
    pub(super) fn has_pasid(self) -> bool {
        self.has_domain()
            || matches!(
                self,
                Self::IllegalDevTableEntry | Self::InvalidDeviceRequest
            )
    }

    /// Whether `dw3:dw2` is an address.
    pub(super) fn has_address(self) -> bool {
        !matches!(
            self,
            Self::EventCounterZero | Self::GuestEventFault | Self::Unknown(_)
        )
    }

    /// Whether `dw1[26:25]` is the type of a hardware error.
    pub(super) fn has_error_type(self) -> bool {
        matches!(
            self,
            Self::DevTabHardwareError | Self::PageTabHardwareError | Self::CommandHardwareError
        )
    }

    /// Whether `dw1[27:16]` has flags.
    pub(super) fn has_flags(self) -> bool {
        !matches!(
            self,
            Self::IllegalCommandError
                | Self::CommandHardwareError
                | Self::IotlbInvTimeout
                | Self::EventCounterZero
                | Self::Unknown(_)
        )
    }

    /// Whether `dw0[31:27]` tells which part of the vIOMMU engine failed.
    pub(super) fn has_engine(self) -> bool {
        matches!(
            self,
            Self::IllegalDevTableEntry
                | Self::IoPageFault
                | Self::DevTabHardwareError
                | Self::PageTabHardwareError
                | Self::IllegalCommandError
                | Self::CommandHardwareError
                | Self::GuestEventFault
                | Self::ViommuHardwareError
        )
    }
}
