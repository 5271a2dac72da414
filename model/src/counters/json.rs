// SPDX-License-Identifier: GPL-2.0

//! The counters as JSON.
//!
//! | Key | Value |
//! |---|---|
//! | `registers` | object of `mmio`, `vf`, `vf_control`; each by offset, four hexadecimal digits: `{"reads":n,"writes":n}` |
//! | `commands` | `host`: number by opcode, one hexadecimal digit; `guests`: the same by guest ID (decimal) |
//! | `events` | the same by event code |
//! | `requests`, `aborts` | numbers |
//! | `walks` | `host`, `guest`, `nested`, `private`, `entries`: numbers |
//! | `caches` | `device_table`, `translation`, `directory`, `pasid`, `interrupt`: `{"hits":n,"misses":n}`; `evictions`: number |
//! | `interrupts` | number |
//! | `device_interrupts` | `remapped`, `forwarded`, `blocked`: numbers; `guests`: the same by guest ID (decimal) |
//! | `guest_interrupts` | number by guest ID (decimal) |
//! | `guest_interrupts_delivered` | likewise |
//!
//! Every key of the left column is always there; the order is that of the table, and ascending
//! within an object that is keyed by numbers.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::fmt::{Display, Write};

use crate::counters::{
    Accesses, Aperture, Caches, Counters, DeviceInterrupts, Fates, Lookups, Walks,
};

impl Counters {
    /// Writes the fields of a JSON object, without the braces.
    pub fn write_json(&self, out: &mut String) {
        self.write_registers(out);
        out.push_str(",\"commands\":");
        by_owner(out, &self.commands);
        out.push_str(",\"events\":");
        by_owner(out, &self.events);
        put(out, format_args!(",\"requests\":{}", self.requests));
        put(out, format_args!(",\"aborts\":{}", self.aborts));
        walks(out, &self.walks);
        caches(out, &self.caches);
        put(out, format_args!(",\"interrupts\":{}", self.interrupts));
        device_interrupts(out, &self.device_interrupts);
        out.push_str(",\"guest_interrupts\":");
        by_guest(out, &self.guest_interrupts);
        out.push_str(",\"guest_interrupts_delivered\":");
        by_guest(out, &self.guest_interrupts_delivered);
    }

    fn write_registers(&self, out: &mut String) {
        let apertures = [
            ("\"registers\":{\"mmio\":", Aperture::Mmio),
            (",\"vf\":", Aperture::Vf),
            (",\"vf_control\":", Aperture::VfControl),
        ];
        for (key, aperture) in apertures {
            out.push_str(key);
            let registers = self.registers.range((aperture, 0)..=(aperture, u32::MAX));
            object(out, registers, |out, ((_, offset), accesses)| {
                register(out, *offset, accesses);
            });
        }
        out.push('}');
    }
}

fn register(out: &mut String, offset: u32, accesses: &Accesses) {
    let Accesses { reads, writes } = accesses;
    put(
        out,
        format_args!("\"{offset:04x}\":{{\"reads\":{reads},\"writes\":{writes}}}"),
    );
}

/// Numbers by (gid, code); those without a gid are the host's.
type ByOwner = BTreeMap<(Option<u16>, u8), u64>;

fn by_owner(out: &mut String, counters: &ByOwner) {
    out.push_str("{\"host\":");
    by_code(out, counters, None);
    out.push_str(",\"guests\":");
    let guests: BTreeSet<u16> = counters.keys().filter_map(|(gid, _)| *gid).collect();
    object(out, guests, |out, gid| {
        put(out, format_args!("\"{gid}\":"));
        by_code(out, counters, Some(gid));
    });
    out.push('}');
}

fn by_code(out: &mut String, counters: &ByOwner, gid: Option<u16>) {
    let own = counters.range((gid, 0)..=(gid, u8::MAX));
    object(out, own, |out, ((_, code), n)| {
        put(out, format_args!("\"{code:x}\":{n}"));
    });
}

fn walks(out: &mut String, walks: &Walks) {
    put(
        out,
        format_args!(
            ",\"walks\":{{\"host\":{},\"guest\":{},\"nested\":{},\"private\":{},\"entries\":{}}}",
            walks.host, walks.guest, walks.nested, walks.private, walks.entries
        ),
    );
}

fn caches(out: &mut String, caches: &Caches) {
    let all = [
        (",\"caches\":{\"device_table\":", &caches.device_table),
        (",\"translation\":", &caches.translation),
        (",\"directory\":", &caches.directory),
        (",\"pasid\":", &caches.pasid),
        (",\"interrupt\":", &caches.interrupt),
    ];
    for (key, Lookups { hits, misses }) in all {
        put(
            out,
            format_args!("{key}{{\"hits\":{hits},\"misses\":{misses}}}"),
        );
    }
    put(out, format_args!(",\"evictions\":{}}}", caches.evictions));
}

fn device_interrupts(out: &mut String, interrupts: &DeviceInterrupts) {
    out.push_str(",\"device_interrupts\":{");
    fates(out, &interrupts.fates);
    out.push_str(",\"guests\":");
    object(out, &interrupts.guests, |out, (gid, own)| {
        put(out, format_args!("\"{gid}\":{{"));
        fates(out, own);
        out.push('}');
    });
    out.push('}');
}

fn fates(out: &mut String, fates: &Fates) {
    let Fates {
        remapped,
        forwarded,
        blocked,
    } = fates;
    put(
        out,
        format_args!("\"remapped\":{remapped},\"forwarded\":{forwarded},\"blocked\":{blocked}"),
    );
}

fn by_guest(out: &mut String, counters: &BTreeMap<u16, u64>) {
    object(out, counters, |out, (gid, n)| {
        put(out, format_args!("\"{gid}\":{n}"));
    });
}

/// An object whose members `member` writes.
fn object<I: IntoIterator>(
    out: &mut String,
    items: I,
    mut member: impl FnMut(&mut String, I::Item),
) {
    out.push('{');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        member(out, item);
    }
    out.push('}');
}

/// Appends text. Writing to a string does not fail.
fn put(out: &mut String, text: impl Display) {
    let _ = write!(out, "{text}");
}
