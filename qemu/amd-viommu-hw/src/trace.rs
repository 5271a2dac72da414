// SPDX-License-Identifier: GPL-2.0

//! The trace: one line for each register access, each access of the IOMMU to memory, each request
//! of a device, each interrupt and each violation.

use std::fmt::{self, Arguments};
use std::fs::File;
use std::io::{self, LineWriter, Write};

use amd_iommu_model::counters::Aperture;
use amd_iommu_model::{Answer, Delivery, Interrupt, Message, Request};

/// Where a trace goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// Nowhere.
    #[default]
    Off,
    /// Standard error.
    StandardError,
    /// A file, written anew.
    File(String),
}

impl Destination {
    /// `off`, `on`, or the name of a file.
    pub fn parse(text: &str) -> Self {
        match text {
            "off" => Destination::Off,
            "on" => Destination::StandardError,
            path => Destination::File(path.into()),
        }
    }
}

/// An open trace.
#[derive(Default)]
pub struct Trace(Option<Box<dyn Write + Send>>);

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.0.is_some()).finish()
    }
}

impl Trace {
    /// Opens a trace.
    ///
    /// # Errors
    ///
    /// Those of making the file.
    pub fn open(destination: &Destination) -> io::Result<Self> {
        Ok(Trace(match destination {
            Destination::Off => None,
            Destination::StandardError => Some(Box::new(LineWriter::new(io::stderr()))),
            Destination::File(path) => Some(Box::new(LineWriter::new(File::create(path)?))),
        }))
    }

    /// Whether anybody reads it.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A trace that cannot be written is no reason to stop the machine.
    fn line(&mut self, text: Arguments<'_>) {
        if let Some(out) = &mut self.0 {
            let _ = writeln!(out, "viommu: {text}");
        }
    }

    /// A register was read.
    pub fn register_read(&mut self, window: Aperture, offset: u64, size: u8, value: u64) {
        self.line(format_args!("{window:?}+{offset:05x}/{size} -> {value:x}"));
    }

    /// A register is about to be written.
    pub fn register_write(&mut self, window: Aperture, offset: u64, size: u8, value: u64) {
        self.line(format_args!("{window:?}+{offset:05x}/{size} <- {value:x}"));
    }

    /// The IOMMU read memory; `None`: nothing answered.
    pub fn memory_read(&mut self, address: u64, bytes: Option<&mut [u8]>) {
        match bytes {
            Some(bytes) => self.line(format_args!("  memory {address:x} -> {}", Words(bytes))),
            None => self.line(format_args!("  memory {address:x} -> abort")),
        }
    }

    /// The IOMMU wrote memory.
    pub fn memory_write(&mut self, address: u64, bytes: &[u8], done: bool) {
        let abort = if done { "" } else { " (abort)" };
        self.line(format_args!(
            "  memory {address:x} <- {}{abort}",
            Words(bytes)
        ));
    }

    /// The IOMMU exchanged a value in memory.
    pub fn memory_exchange(&mut self, address: u64, old: u64, new: u64, found: u64) {
        self.line(format_args!(
            "  memory {address:x} {old:x} => {new:x}, found {found:x}"
        ));
    }

    /// The IOMMU raised an interrupt.
    pub fn interrupt(&mut self, interrupt: &Interrupt) {
        self.line(format_args!("  interrupt {interrupt:x?}"));
    }

    /// A device asked.
    pub fn request(&mut self, request: &Request, answer: &Answer) {
        self.line(format_args!("{request:x?} -> {answer:x?}"));
    }

    /// A device raised an interrupt.
    pub fn message(&mut self, message: &Message, answer: &Delivery) {
        self.line(format_args!("{message:x?} -> {answer:x?}"));
    }

    /// The referee saw something.
    pub fn violation(&mut self, sentence: &str) {
        self.line(format_args!("VIOLATION {sentence}"));
    }
}

/// Memory as the little-endian words that the structures of the hardware are made of.
struct Words<'a>(&'a [u8]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for word in self.0.chunks(4) {
            f.write_str(separator)?;
            for byte in word.iter().rev() {
                write!(f, "{byte:02x}")?;
            }
            separator = " ";
        }
        Ok(())
    }
}
