// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/debug/amd_viommu/ivhd<N>/`: what the hardware and its memory look like now.

use super::{plain, Iommu, Sbdf};
use hw::regs;
use kernel::{
    debugfs::{Dir, File, Reader, Writer},
    fmt, new_mutex,
    prelude::*,
    str::CString,
    sync::{Arc, Mutex},
    uaccess::UserSliceReader,
};

/// The files of one IOMMU; they go when this goes.
#[pin_data]
pub(crate) struct Folder {
    #[pin]
    registers: File<RegisterFile>,
    #[pin]
    cmdbuf: File<RingFile>,
    #[pin]
    stats: File<StatsFile>,
    #[pin]
    devid: File<Selection>,
    #[pin]
    devtbl: File<EntryFile>,
    dir: Dir,
}

impl Folder {
    /// The folder itself.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Creates the files below `parent`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Files that debugfs refuses are silently absent, as usual.
    pub(crate) fn new(parent: &Dir, iommu: Arc<Iommu>) -> Result<Pin<KBox<Self>>> {
        let name = CString::try_from_fmt(fmt!("ivhd{}", iommu.index))?;
        let dir = parent.subdir(&name);
        let selection = Selection::new(iommu.sbdf)?;
        let entry = EntryFile {
            iommu: iommu.clone(),
            selection: selection.clone(),
        };
        KBox::pin_init(
            pin_init!(Self {
                registers <- dir.read_only_file(c"registers", RegisterFile(iommu.clone())),
                cmdbuf <- dir.read_only_file(c"cmdbuf", RingFile(iommu.clone())),
                stats <- dir.read_only_file(c"stats", StatsFile(iommu)),
                devid <- dir.read_write_file(c"devid", selection),
                devtbl <- dir.read_only_file(c"devtbl", entry),
                dir: dir.clone(),
            }),
            GFP_KERNEL,
        )
    }
}

struct RegisterFile(Arc<Iommu>);

impl Writer for RegisterFile {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, offset) in regs::NAMED {
            let value = self.0.registers.read(*offset);
            writeln!(f, "{name} offset 0x{offset:04x} value 0x{value:016x}")?;
        }
        Ok(())
    }
}

struct RingFile(Arc<Iommu>);

impl Writer for RingFile {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.0.registers.read(regs::CMD_HEAD);
        let tail = self.0.registers.read(regs::CMD_TAIL);
        writeln!(
            f,
            "head 0x{head:x} tail 0x{tail:x} size 0x{:x}",
            self.0.ring.bytes()
        )?;
        for (index, [dw0, dw1, dw2, dw3]) in self.0.ring.entries().enumerate() {
            writeln!(f, "{index:5}: {dw0:08x} {dw1:08x} {dw2:08x} {dw3:08x}")?;
        }
        Ok(())
    }
}

struct StatsFile(Arc<Iommu>);

impl Writer for StatsFile {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.0.stats.list() {
            writeln!(f, "{name} {value}")?;
        }
        Ok(())
    }
}

/// The device whose entry `devtbl` shows, shared by the file that selects it.
#[derive(Clone)]
struct Selection(Arc<Mutex<Sbdf>>);

impl Selection {
    fn new(sbdf: Sbdf) -> Result<Self> {
        let shared = Arc::pin_init(new_mutex!(sbdf, "amd_viommu::selection"), GFP_KERNEL)?;
        Ok(Self(shared))
    }

    fn get(&self) -> Sbdf {
        *self.0.lock()
    }
}

impl Writer for Selection {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", plain!(self.get()))
    }
}

impl Reader for Selection {
    fn read_from_slice(&self, reader: &mut UserSliceReader) -> Result {
        self.0.read_from_slice(reader)
    }
}

struct EntryFile {
    iommu: Arc<Iommu>,
    selection: Selection,
}

impl Writer for EntryFile {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sbdf = self.selection.get();
        let entry = match self.iommu.entry(sbdf.devid) {
            Some(entry) if sbdf.segment == self.iommu.sbdf.segment => entry,
            _ => return writeln!(f, "{} not in the device table", plain!(sbdf)),
        };
        let [q0, q1, q2, q3] = entry.0;
        writeln!(
            f,
            "{} 0x{q3:016x} 0x{q2:016x} 0x{q1:016x} 0x{q0:016x}",
            plain!(sbdf)
        )
    }
}
