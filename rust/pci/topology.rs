// SPDX-License-Identifier: GPL-2.0

//! Which functions an IOMMU cannot tell apart, and which it cannot keep apart.
//!
//! The kernel's own walks (`pci_for_each_dma_alias`, `pci_acs_path_enabled`) are not exported to
//! modules. What is here follows the same rules of the PCI specifications, without the kernel's
//! list of devices that isolate although they have no Access Control Services. It therefore only
//! errs towards "shared".

use super::{as_raw, from_raw, segment};
use crate::bindings::{self, shim};
use kernel::{pci::Device, sync::aref::ARef};

/// Requests are validated, redirected upstream and cannot reach a peer directly.
const ACS_ISOLATES: u32 =
    bindings::PCI_ACS_SV | bindings::PCI_ACS_RR | bindings::PCI_ACS_CR | bindings::PCI_ACS_UF;

/// Kinds of PCI Express functions that matter here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Not PCI Express.
    Conventional,
    /// Root port or downstream port of a switch: isolates only with Access Control Services.
    Downstream,
    /// Upstream port of a switch.
    Upstream,
    /// A bridge to a conventional bus.
    ToConventional,
    /// A bridge from a conventional bus to PCI Express.
    FromConventional,
    /// Root complex event collector: never isolates.
    Collector,
    /// Anything that is not a port.
    Endpoint,
}

fn kind(pdev: &Device) -> Kind {
    let raw = as_raw(pdev);
    // SAFETY: The device is live.
    if !unsafe { shim::pci_is_pcie(raw) } {
        return Kind::Conventional;
    }
    // SAFETY: The device is live and PCI Express.
    match unsafe { shim::pci_pcie_type(raw) }.unsigned_abs() {
        bindings::PCI_EXP_TYPE_ROOT_PORT | bindings::PCI_EXP_TYPE_DOWNSTREAM => Kind::Downstream,
        bindings::PCI_EXP_TYPE_UPSTREAM => Kind::Upstream,
        bindings::PCI_EXP_TYPE_PCI_BRIDGE => Kind::ToConventional,
        bindings::PCI_EXP_TYPE_PCIE_BRIDGE => Kind::FromConventional,
        bindings::PCI_EXP_TYPE_RC_EC => Kind::Collector,
        _ => Kind::Endpoint,
    }
}

/// Whether the function is a port of PCI Express, whose driver belongs to the kernel for good.
pub fn is_port(pdev: &Device) -> bool {
    matches!(kind(pdev), Kind::Downstream | Kind::Upstream)
}

fn upstream(pdev: &Device) -> Option<&Device> {
    // SAFETY: The device is live.
    let raw = unsafe { shim::pci_upstream_bridge(as_raw(pdev)) };
    // SAFETY: A bridge outlives the devices behind it.
    (!raw.is_null()).then(|| unsafe { from_raw(raw) })
}

fn has_flag(pdev: &Device, flag: bindings::pci_dev_flags) -> bool {
    // SAFETY: The device is live; its flags are set before it is announced.
    let flags = unsafe { (*as_raw(pdev)).dev_flags };
    u32::from(flags) & flag != 0
}

/// Whether the function has a bus behind it.
fn has_bus(pdev: &Device) -> bool {
    // SAFETY: The device is live; the type of its header never changes.
    u32::from(unsafe { (*as_raw(pdev)).hdr_type }) != bindings::PCI_HEADER_TYPE_NORMAL
}

/// ID that requests carry when this bridge takes them over from the bus behind it.
fn taken_over(bridge: &Device) -> Option<u16> {
    // SAFETY: The device is live.
    let behind = u16::from(unsafe { shim::pci_subordinate(as_raw(bridge)) }) << 8;
    let flag = bindings::pci_dev_flags_PCI_DEV_FLAG_PCIE_BRIDGE_ALIAS;
    match kind(bridge) {
        Kind::ToConventional => Some(behind),
        Kind::FromConventional => Some(bridge.dev_id()),
        Kind::Conventional if has_flag(bridge, flag) => Some(behind),
        Kind::Conventional => Some(bridge.dev_id()),
        Kind::Downstream | Kind::Upstream | Kind::Collector | Kind::Endpoint => None,
    }
}

/// Calls `each` with every requester ID that DMA of `pdev` may carry, its own first.
///
/// Stands in for `pci_for_each_dma_alias`, which modules cannot call.
pub fn for_each_alias(pdev: &Device, mut each: impl FnMut(u16)) {
    let own = pdev.dev_id();
    each(own);
    // SAFETY: The device is live.
    if unsafe { shim::pci_has_devfn_aliases(as_raw(pdev)) } {
        for devfn in 0..=u8::MAX {
            // SAFETY: The device is live, and has the map of aliases that is looked at.
            if unsafe { shim::pci_devfn_alias(as_raw(pdev), devfn) } {
                each(own & 0xff00 | u16::from(devfn));
            }
        }
    }
    let mut at = pdev;
    while let Some(bridge) = upstream(at) {
        let root = bindings::pci_dev_flags_PCI_DEV_FLAGS_BRIDGE_XLATE_ROOT;
        if has_flag(bridge, root) {
            return;
        }
        if let Some(id) = taken_over(bridge) {
            each(id);
        }
        at = bridge;
    }
}

/// Whether requests of another function may carry the requester ID of `pdev`, now or when more functions
/// have been found: that of a bridge, of a function behind one that puts its own into the requests, or of one
/// among several of a device, which may have been built to share.
pub fn may_share_id(pdev: &Device) -> bool {
    // SAFETY: The device is live.
    let many = unsafe { shim::pci_multifunction(as_raw(pdev)) };
    let mut above = core::iter::successors(upstream(pdev), |bridge| upstream(bridge));
    many || has_bus(pdev) || above.any(|bridge| taken_over(bridge).is_some())
}

fn acs_enabled(pdev: &Device) -> bool {
    let Some(at) = super::find_extended_capability(pdev, bindings::PCI_EXT_CAP_ID_ACS) else {
        return false;
    };
    // Capability register in the low, control register in the high half of the second word. What
    // the capability register does not offer to switch is hard-wired on.
    let Ok(word) = super::read_config(pdev, at + 4) else {
        return false;
    };
    let wanted = ACS_ISOLATES & word;
    (word >> 16) & wanted == wanted
}

/// Whether requests of `pdev` always go up to the root and never straight to a neighbour.
fn isolates(pdev: &Device) -> bool {
    match kind(pdev) {
        Kind::Conventional | Kind::ToConventional | Kind::FromConventional | Kind::Collector => {
            false
        }
        Kind::Downstream => acs_enabled(pdev),
        Kind::Upstream | Kind::Endpoint => {
            // SAFETY: The device is live.
            let many = unsafe { shim::pci_multifunction(as_raw(pdev)) };
            !many || acs_enabled(pdev)
        }
    }
}

fn path_isolates(from: &Device) -> bool {
    core::iter::successors(Some(from), |pdev| upstream(pdev)).all(isolates)
}

/// The highest function that `pdev` cannot be told or kept apart from.
fn anchor(pdev: &Device) -> &Device {
    let mut top = pdev;
    let mut at = pdev;
    while let Some(bridge) = upstream(at) {
        if taken_over(bridge).is_some() || !path_isolates(bridge) {
            top = bridge;
        }
        at = bridge;
    }
    top
}

/// Whether `a` and `b` belong into one IOMMU group: they share a requester ID, or nothing keeps
/// the one from talking to the other without passing the IOMMU.
pub fn shares_fate(a: &ARef<Device>, b: &ARef<Device>) -> bool {
    if segment(a) != segment(b) {
        return false;
    }
    let (top_a, top_b) = (anchor(a), anchor(b));
    let (id_a, id_b) = (top_a.dev_id(), top_b.dev_id());
    if id_a == id_b {
        return true;
    }
    let siblings = id_a >> 3 == id_b >> 3 && !isolates(top_a) && !isolates(top_b);
    siblings || share_alias(a, b)
}

fn share_alias(a: &Device, b: &Device) -> bool {
    let mut shared = false;
    for_each_alias(a, |id_a| for_each_alias(b, |id_b| shared |= id_a == id_b));
    shared
}
