// SPDX-License-Identifier: GPL-2.0

//! Raw declarations: the kernel crate's own, plus generic page tables, system core
//! operations, and the C shims of `bindings/helpers.c` for what is inline in C.

#![allow(
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    improper_ctypes,
    ambiguous_glob_reexports,
    dead_code,
    clippy::all
)]

pub use generated::*;
pub use kernel::bindings::*;

mod generated {
    // Anything generated here that the kernel crate has as well is a private helper of bindgen.
    include!("bindings/bindings_generated.rs");
}

/// The shims of `bindings/helpers.c` and `bindings/irq_helpers.c`.
///
/// # Safety
///
/// Pointers are valid for the C function of the same name, called under its own rules.
pub mod shim {
    use super::*;
    use kernel::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

    unsafe extern "C" {
        #[link_name = "kernel_ext_alloc_pages"]
        pub fn alloc_pages(nid: c_int, order: c_uint) -> *mut c_void;
        #[link_name = "kernel_ext_free_pages"]
        pub fn free_pages(mem: *mut c_void, order: c_uint);
        #[link_name = "kernel_ext_virt_to_phys"]
        pub fn virt_to_phys(mem: *const c_void) -> u64;
        #[link_name = "kernel_ext_sme_mask"]
        pub safe fn sme_mask() -> u64;
        #[link_name = "kernel_ext_has_store128"]
        pub safe fn has_store128() -> bool;
        #[link_name = "kernel_ext_store128"]
        pub fn store128(slot: *mut c_void, low: u64, high: u64);

        #[link_name = "kernel_ext_set_uncached"]
        pub fn set_uncached(mem: *mut c_void, pages: c_uint) -> c_int;
        #[link_name = "kernel_ext_set_cached"]
        pub fn set_cached(mem: *mut c_void, pages: c_uint) -> c_int;
        #[link_name = "kernel_ext_vma_uncached"]
        pub fn vma_uncached(vma: *mut vm_area_struct);

        #[link_name = "kernel_ext_vfio_group_file"]
        pub fn vfio_group_file(file: *mut file) -> c_int;
        #[link_name = "kernel_ext_vfio_drives"]
        pub fn vfio_drives(pdev: *mut pci_dev) -> bool;
        #[link_name = "kernel_ext_vfio_covers"]
        pub fn vfio_covers(file: *mut file, pdev: *mut pci_dev) -> bool;

        #[link_name = "kernel_ext_pt_iommu_deinit"]
        pub fn pt_iommu_deinit(table: *mut pt_iommu);
        #[link_name = "kernel_ext_top_lock_init"]
        pub fn top_lock_init(lock: *mut spinlock_t);
        #[link_name = "kernel_ext_top_lock"]
        pub fn top_lock(lock: *mut spinlock_t) -> c_ulong;
        #[link_name = "kernel_ext_top_unlock"]
        pub fn top_unlock(lock: *mut spinlock_t, flags: c_ulong);

        #[link_name = "kernel_ext_gather_has_tables"]
        pub fn gather_has_tables(gather: *mut iommu_iotlb_gather) -> bool;
        #[link_name = "kernel_ext_gather_free"]
        pub fn gather_free(gather: *mut iommu_iotlb_gather);

        #[link_name = "kernel_ext_dev_to_node"]
        pub fn dev_to_node(dev: *mut device) -> c_int;
        #[link_name = "kernel_ext_device_trylock"]
        pub fn device_trylock(dev: *mut device) -> c_int;
        #[link_name = "kernel_ext_device_unlock"]
        pub fn device_unlock(dev: *mut device);
        #[link_name = "kernel_ext_ratelimit_init"]
        pub fn ratelimit_init(state: *mut ratelimit_state, seconds: c_uint, burst: c_uint);
        #[link_name = "kernel_ext_list_add_tail"]
        pub fn list_add_tail(entry: *mut list_head, head: *mut list_head);

        #[link_name = "kernel_ext_pci_domain_nr"]
        pub fn pci_domain_nr(pdev: *mut pci_dev) -> c_int;
        #[link_name = "kernel_ext_pci_multifunction"]
        pub fn pci_multifunction(pdev: *mut pci_dev) -> bool;
        #[link_name = "kernel_ext_pci_is_virtfn"]
        pub fn pci_is_virtfn(pdev: *mut pci_dev) -> bool;
        #[link_name = "kernel_ext_pci_is_pcie"]
        pub fn pci_is_pcie(pdev: *mut pci_dev) -> bool;
        #[link_name = "kernel_ext_pci_pcie_type"]
        pub fn pci_pcie_type(pdev: *mut pci_dev) -> c_int;
        #[link_name = "kernel_ext_pci_upstream_bridge"]
        pub fn pci_upstream_bridge(pdev: *mut pci_dev) -> *mut pci_dev;
        #[link_name = "kernel_ext_pci_subordinate"]
        pub fn pci_subordinate(pdev: *mut pci_dev) -> u8;
        #[link_name = "kernel_ext_pci_has_devfn_aliases"]
        pub fn pci_has_devfn_aliases(pdev: *mut pci_dev) -> bool;
        #[link_name = "kernel_ext_pci_devfn_alias"]
        pub fn pci_devfn_alias(pdev: *mut pci_dev, devfn: u8) -> bool;

        #[link_name = "kernel_ext_raw_spin_lock_init"]
        pub fn raw_spin_lock_init(
            lock: *mut raw_spinlock_t,
            name: *const c_char,
            key: *mut lock_class_key,
        );
        #[link_name = "kernel_ext_raw_spin_lock"]
        pub fn raw_spin_lock(lock: *mut raw_spinlock_t);
        #[link_name = "kernel_ext_raw_spin_trylock"]
        pub fn raw_spin_trylock(lock: *mut raw_spinlock_t) -> bool;
        #[link_name = "kernel_ext_raw_spin_unlock"]
        pub fn raw_spin_unlock(lock: *mut raw_spinlock_t);
        #[link_name = "kernel_ext_raw_spin_assert_is_held"]
        pub fn raw_spin_assert_is_held(lock: *mut raw_spinlock_t);

        #[link_name = "kernel_ext_has_x2apic"]
        pub safe fn has_x2apic() -> bool;
        #[link_name = "kernel_ext_highest_apic_id"]
        pub safe fn highest_apic_id() -> u32;
        #[link_name = "kernel_ext_msi_parent_create"]
        pub fn msi_parent_create(
            ops: *const irq_domain_ops,
            data: *mut c_void,
            name: *const c_char,
            id: u32,
            prefix: *const c_char,
            token: u32,
        ) -> *mut irq_domain;
        #[link_name = "kernel_ext_msi_parent_remove"]
        pub fn msi_parent_remove(domain: *mut irq_domain);
        #[link_name = "kernel_ext_msi_domain"]
        pub fn msi_domain(pdev: *mut pci_dev) -> *mut irq_domain;
        #[link_name = "kernel_ext_set_msi_domain"]
        pub fn set_msi_domain(pdev: *mut pci_dev, domain: *mut irq_domain);
        #[link_name = "kernel_ext_msi_is_plain"]
        pub fn msi_is_plain(pdev: *mut pci_dev) -> bool;
        #[link_name = "kernel_ext_msi_in_use"]
        pub fn msi_in_use(pdev: *mut pci_dev) -> bool;
        #[link_name = "kernel_ext_msi_parent_keep_code"]
        pub safe fn msi_parent_keep_code();
        #[link_name = "kernel_ext_msi_alloc_device"]
        pub fn msi_alloc_device(info: *const irq_alloc_info, nr_irqs: c_uint) -> *mut pci_dev;
        #[link_name = "kernel_ext_own_irq_alloc"]
        pub fn own_irq_alloc(domain: *mut irq_domain, node: c_int, data: *mut c_void) -> c_int;
        #[link_name = "kernel_ext_own_irq_data"]
        pub fn own_irq_data(info: *const irq_alloc_info, nr_irqs: c_uint) -> *mut c_void;
        #[link_name = "kernel_ext_irq_route"]
        pub fn irq_route(data: *mut irq_data, route: *mut IrqRoute);
        #[link_name = "kernel_ext_irq_set_affinity_parent"]
        pub fn irq_set_affinity_parent(
            data: *mut irq_data,
            mask: *const cpumask,
            force: bool,
        ) -> c_int;
        #[link_name = "kernel_ext_msi_message"]
        pub fn msi_message(msg: *mut msi_msg, address: u64, data: u32);
    }

    /// `struct kernel_ext_irq_route`.
    #[repr(C)]
    #[derive(Default)]
    pub struct IrqRoute {
        pub vector: u32,
        pub destination: u32,
        pub logical: bool,
    }
}
