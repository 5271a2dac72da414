// SPDX-License-Identifier: GPL-2.0

//! Making tables, correct ones and others.

/// Puts a header before blocks, with the right length and checksum.
pub fn table(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut table = vec![0; 48];
    table[..4].copy_from_slice(b"IVRS");
    table[8] = 2;
    table[36..40].copy_from_slice(&0x0020_3041u32.to_le_bytes());
    table.extend(blocks.concat());
    seal(&mut table);
    table
}

/// Corrects length and checksum.
pub fn seal(table: &mut [u8]) {
    let len = u32::try_from(table.len()).unwrap();
    if let Some(field) = table.get_mut(4..8) {
        field.copy_from_slice(&len.to_le_bytes());
    }
    if table.len() > 9 {
        table[9] = 0;
        table[9] = table.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    }
}

/// An IVHD of segment 0 with the given entries, and registers at a place of its own.
pub fn ivhd(kind: u8, devid: u16, entries: &[&[u8]]) -> Vec<u8> {
    let header = if kind == 0x10 { 24 } else { 40 };
    let mut block = vec![0; header];
    block[0] = kind;
    block[4..6].copy_from_slice(&devid.to_le_bytes());
    block[6] = 0x40;
    let base = 0xFED8_0000 + u64::from(devid) * 0x4000;
    block[8..16].copy_from_slice(&base.to_le_bytes());
    block.extend(entries.concat());
    set_len(&mut block);
    block
}

/// An IVMD for the devices `first` to `last` of segment 0.
pub fn ivmd(kind: u8, flags: u8, first: u16, last: u16, start: u64, len: u64) -> Vec<u8> {
    let mut block = vec![0; 32];
    block[0] = kind;
    block[1] = flags;
    block[4..6].copy_from_slice(&first.to_le_bytes());
    block[6..8].copy_from_slice(&last.to_le_bytes());
    block[16..24].copy_from_slice(&start.to_le_bytes());
    block[24..32].copy_from_slice(&len.to_le_bytes());
    set_len(&mut block);
    block
}

/// Corrects the length of a block.
pub fn set_len(block: &mut [u8]) {
    let len = u16::try_from(block.len()).unwrap();
    block[2..4].copy_from_slice(&len.to_le_bytes());
}

/// An entry of 4 bytes.
pub fn short(kind: u8, devid: u16, setting: u8) -> Vec<u8> {
    let [low, high] = devid.to_le_bytes();
    vec![kind, low, high, setting]
}

/// An alias entry.
pub fn alias(kind: u8, devid: u16, setting: u8, alias: u16) -> Vec<u8> {
    let [low, high] = alias.to_le_bytes();
    [short(kind, devid, setting), vec![0, low, high, 0]].concat()
}

/// An entry with an extended field.
pub fn extended(kind: u8, devid: u16, setting: u8, ext: u32) -> Vec<u8> {
    [short(kind, devid, setting), ext.to_le_bytes().to_vec()].concat()
}

/// A special device.
pub fn special(handle: u8, devid: u16, setting: u8, variety: u8) -> Vec<u8> {
    let [low, high] = devid.to_le_bytes();
    [short(0x48, 0, setting), vec![handle, low, high, variety]].concat()
}

/// An ACPI device.
pub fn acpi(devid: u16, hid: &[u8; 8], format: u8, uid: &[u8]) -> Vec<u8> {
    let len = u8::try_from(uid.len()).unwrap();
    [
        short(0xF0, devid, 0),
        hid.to_vec(),
        vec![0; 8],
        vec![format, len],
        uid.to_vec(),
    ]
    .concat()
}

/// A table with one of everything.
pub fn rich() -> Vec<u8> {
    let entries: [&[u8]; 11] = [
        &short(0x01, 0, 0),
        &short(0x02, 0x108, 0x01),
        &short(0x03, 0x300, 0),
        &short(0x04, 0x3FF, 0),
        &alias(0x42, 0x400, 0, 0x500),
        &[alias(0x43, 0x600, 0, 0x6F8), short(0x04, 0x6F7, 0)].concat(),
        &extended(0x46, 0x700, 0, 1 << 31),
        &[extended(0x47, 0x800, 0, 0), short(0x04, 0x8FF, 0)].concat(),
        &special(5, 0xA0, 0xD7, 1),
        &acpi(0x98, b"AMDI0020", 2, b"\\_SB.FUR0"),
        &acpi(0x99, b"AMDI0010", 1, &[7, 0, 0, 0, 0, 0, 0, 0]),
    ];

    table(&[
        ivhd(0x10, 2, &[&short(0x01, 0, 0)]),
        ivhd(0x11, 2, &entries[..9]),
        ivhd(0x40, 2, &entries),
        ivhd(
            0x40,
            0x4002,
            &[&short(0x03, 0x4000, 0), &short(0x04, 0x7FFF, 0)],
        ),
        ivmd(0x21, 0x07, 0x108, 0, 0x7F00_0000, 0x10_0000),
        ivmd(0x20, 0x08, 0, 0, 0x7E00_0000, 0x1000),
        ivmd(0x22, 0x03, 0x300, 0x3FF, 0x7D00_0000, 0x2000),
    ])
}
