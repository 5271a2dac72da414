// SPDX-License-Identifier: GPL-2.0

//! An event as one line for people.

use core::fmt::{self, Arguments, Display, Formatter};

use super::{own, Event, Kind};

/// Writes fields with a space between them.
struct Fields<'a, 'b> {
    f: &'a mut Formatter<'b>,
    separator: &'static str,
}

impl Fields<'_, '_> {
    /// Writes one field.
    fn put(&mut self, field: Arguments<'_>) -> fmt::Result {
        self.f
            .write_str(core::mem::replace(&mut self.separator, " "))?;
        self.f.write_fmt(field)
    }

    /// Writes `key=` and a number, if there is one, with a leading 0x and `width` digits.
    fn put_hex(&mut self, key: &str, value: Option<u64>, width: usize) -> fmt::Result {
        match value {
            Some(value) => self.put(format_args!("{key}={value:#0width$x}", width = width + 2)),
            None => Ok(()),
        }
    }
}

impl Display for Event {
    /// Prints everything but the name of the event and the device.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let fields = &mut Fields { f, separator: "" };
        if let Kind::Unknown(_) = self.kind {
            return self.put_raw(fields);
        }
        fields.put_hex("domain", self.domain_id().map(u64::from), 4)?;
        fields.put_hex("pasid", self.pasid().map(u64::from), 5)?;
        fields.put_hex("guest", self.guest_id().map(u64::from), 4)?;
        self.put_own(fields)?;
        fields.put_hex("address", self.address(), 16)?;
        self.put_flags(fields)?;

        self.put_cause(fields)
    }
}

impl Event {
    /// Writes an event of unknown layout as numbers.
    fn put_raw(&self, fields: &mut Fields<'_, '_>) -> fmt::Result {
        let [dw0, dw1, dw2, dw3] = self.raw.0;

        fields.put(format_args!(
            "data=[{dw0:08x} {dw1:08x} {dw2:08x} {dw3:08x}]"
        ))
    }

    /// Writes what only one kind of event has.
    fn put_own(&self, fields: &mut Fields<'_, '_>) -> fmt::Result {
        let raw = self.raw.0;
        let vm_tag = Some(u64::from(self.raw.domain_id()));

        match self.kind {
            Kind::InvalidPprRequest => {
                let tag = own::PprRequest(raw).tag();
                fields.put_hex("tag", Some(tag.into()), 3)
            }
            Kind::EventCounterZero => {
                let note = own::CounterZero(raw);
                fields.put_hex(
                    "counter",
                    Some((note.note_high() << 32) | note.note_low()),
                    13,
                )
            }
            Kind::ViommuHardwareError => {
                let source = own::ViommuError(raw).source();
                fields.put(format_args!("source={source}"))
            }
            Kind::RmpPageFault => {
                let rmp = own::RmpFault(raw).rmp_flags();
                fields.put_hex("rmp", Some(rmp.into()), 2)?;
                fields.put_hex("vmtag", vm_tag, 4)
            }
            Kind::RmpHwError => fields.put_hex("vmtag", vm_tag, 4),
            _ => Ok(()),
        }
    }

    /// Writes the flags and the type.
    fn put_flags(&self, fields: &mut Fields<'_, '_>) -> fmt::Result {
        if self.kind.has_flags() {
            fields.put(format_args!("flags={}", self.flags()))?;
        }
        if let Some(error_type) = self.error_type() {
            fields.put(format_args!("type={error_type}"))?;
        }
        if self.engine().bits() != 0 {
            fields.put(format_args!("engine={}", self.engine()))?;
        }

        Ok(())
    }

    /// Writes in words what went wrong, where the fields tell.
    fn put_cause(&self, fields: &mut Fields<'_, '_>) -> fmt::Result {
        match self.kind {
            Kind::IoPageFault => fields.put(format_args!(
                "({}{}, {})",
                if self.flags().user() { "user " } else { "" },
                self.request(),
                self.fault()
            )),
            Kind::IllegalDevTableEntry if self.flags().reserved() => {
                fields.put(format_args!("({}, reserved bit set)", self.request()))
            }
            Kind::IllegalDevTableEntry => {
                fields.put(format_args!("({}, value not allowed)", self.request()))
            }
            Kind::DevTabHardwareError | Kind::PageTabHardwareError => {
                fields.put(format_args!("({}, {})", self.request(), self.error()))
            }
            Kind::CommandHardwareError => fields.put(format_args!("({})", self.error())),
            _ => Ok(()),
        }
    }

    /// What was requested.
    fn request(&self) -> &'static str {
        let flags = self.flags();

        match (flags.interrupt(), flags.translation_request()) {
            (true, _) if self.at_interrupt_address() => "interrupt",
            // Some emulations set I for every request, and the other flags mean something else
            // then.
            (true, _) => "access",
            (false, true) => "translation request",
            (false, false) if flags.write() => "write",
            (false, false) => "read",
        }
    }

    /// Whether an interrupt can have the address of the event: there is none (0), or it is in the
    /// range that the architecture reserves for interrupts (hardware reference 3.9).
    fn at_interrupt_address(&self) -> bool {
        matches!(self.address(), None | Some(0 | 0xFEE0_0000..=0xFEEF_FFFF))
            || self.kind != Kind::IoPageFault
    }

    /// Why a request has no translation (hardware reference 4.1).
    fn fault(&self) -> &'static str {
        let flags = self.flags();

        match (flags.present(), flags.reserved(), flags.permission()) {
            (false, _, _) => "not present",
            (true, true, _) => "reserved bit set",
            (true, false, true) => "no permission",
            (true, false, false) => "bad level",
        }
    }

    /// Why the hardware could not access memory.
    fn error(&self) -> &'static str {
        match self.error_type() {
            Some(1) => "master abort",
            Some(2) => "target abort",
            Some(3) => "data error",
            _ => "unknown error",
        }
    }
}
