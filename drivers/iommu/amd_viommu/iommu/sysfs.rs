// SPDX-License-Identifier: GPL-2.0

//! `/sys/class/iommu/ivhd<N>/amd-iommu/`, with the names and formats of the kernel's own driver.

use super::Iommu;
use kernel::{fmt, str::CStr};
use kernel_ext::iommu::Attribute;

/// `cap`: the first word of the IOMMU capability.
pub(crate) struct Cap;

impl Attribute<Iommu> for Cap {
    const NAME: &'static CStr = c"cap";

    fn show(iommu: &Iommu, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", iommu.cap.header.0)
    }
}

/// `features`: both feature registers.
pub(crate) struct Features;

impl Attribute<Iommu> for Features {
    const NAME: &'static CStr = c"features";

    fn show(iommu: &Iommu, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{:x}", iommu.efr.0, iommu.efr2.0)
    }
}
