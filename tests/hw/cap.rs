// SPDX-License-Identifier: GPL-2.0

use hw::cap::{Capability, ID};

/// Capability 0Fh, type 3, revision 1, IotlbSup, NpCache, EFRSup, CapExt; enabled at FD_FED8_0000h;
/// MSI message 3, GVAsize 2, PAsize 48, VAsize 64.
const BLOCK: [u32; 5] = [
    0x1D0B_640F,
    0xFED8_0001,
    0x0000_00FD,
    0,
    3 | (2 << 5) | (48 << 8) | (64 << 15),
];

#[test]
fn a_block_is_decoded() {
    let cap = Capability::decode(BLOCK).unwrap();

    assert_eq!(cap.header.id(), ID);
    assert_eq!(cap.header.rev(), 1);
    assert!(cap.header.iotlb_sup() && cap.header.np_cache());
    assert!(cap.header.efr_sup() && cap.header.cap_ext());
    assert!(!cap.header.ht_tunnel());
    assert_eq!(cap.mmio_base(), Some(0xFD_FED8_0000));
    assert_eq!(cap.misc.msi_num(), 3);
    assert_eq!(cap.misc.gva_size(), 2);
    assert_eq!(cap.misc.pa_size(), 48);
    assert_eq!(cap.misc.va_size(), 64);
}

#[test]
fn another_capability_or_type_is_refused() {
    for header in [0x1D0B_6410, 0x1D08_640F, 0x1D0A_640F, 0, u32::MAX] {
        let mut block = BLOCK;
        block[0] = header;
        assert_eq!(Capability::decode(block), None, "{header:#x}");
    }
}

#[test]
fn a_window_that_firmware_did_not_place_has_no_base() {
    let mut block = BLOCK;
    block[1] &= !1;
    assert_eq!(Capability::decode(block).unwrap().mmio_base(), None);

    let nowhere = [BLOCK[0], 1, 0, 0, 0];
    assert_eq!(Capability::decode(nowhere).unwrap().mmio_base(), None);
}

#[test]
fn bits_below_the_alignment_are_no_address() {
    let mut block = BLOCK;
    block[1] |= 0x3FFE;

    let cap = Capability::decode(block).unwrap();
    assert_eq!(cap.mmio_base(), Some(0xFD_FED8_0000));
}
