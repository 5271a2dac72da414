// SPDX-License-Identifier: GPL-2.0

//! From a PCI function to a running IOMMU, in the order of hardware reference 3.8.

use super::{
    command_ring::CommandRing,
    device_table::DeviceTable,
    event_log::EventLog,
    guests,
    interrupts::{self, Remapper},
    listeners::Listeners,
    outbox::Outbox,
    quiet::Rests,
    registers::Registers,
    spares::Spares,
    stats::Stats,
    users::Users,
    Iommu, Sbdf,
};
use hw::ivrs::{Attributes, Ivhd, IvhdFlags};
use hw::{
    cap::Capability,
    command::{Command, Range},
    regs::{self, Control, DevTabBase, Efr, Efr2, Status},
};
use kernel::{
    device::Bound,
    pci,
    prelude::*,
    sync::{atomic::Atomic, Arc},
};
use kernel_ext::{iommu::Handle, mmio::Window, ratelimit::RateLimit};

/// Commands of one batch of single invalidations.
const BATCH: usize = 64;

/// How often the log is read before its interrupt is relied on.
const ROUNDS: u32 = 16;

/// Seconds, and messages in them, after which events are only counted.
const MESSAGES: (u32, u32) = (5, 50);

/// What firmware says about an IOMMU.
pub(crate) struct Description {
    pub(crate) sbdf: Sbdf,
    cap_offset: u16,
    mmio_base: u64,
    flags: IvhdFlags,
    attributes: Attributes,
    features: Option<(Efr, Efr2)>,
    max_devid: u16,
    /// Width of virtual addresses that the table header gives, 0 for unknown.
    va_bits: u8,
    /// Firmware lists an I/O APIC, which it does where interrupts can be remapped.
    remaps: bool,
}

impl Description {
    /// Takes what is needed out of an IVHD block. `remaps` says whether firmware lists an I/O APIC.
    pub(crate) fn new(ivhd: &Ivhd<'_>, va_bits: u8, remaps: bool) -> Self {
        Self {
            sbdf: Sbdf {
                segment: ivhd.segment,
                devid: ivhd.devid,
            },
            cap_offset: ivhd.cap_offset,
            mmio_base: ivhd.mmio_base,
            flags: ivhd.flags,
            attributes: ivhd.attributes,
            features: ivhd.features,
            max_devid: ivhd.max_devid(),
            va_bits,
            remaps,
        }
    }

    /// The whole range of requester IDs where guests will need entries, else what firmware lists.
    fn table_bytes(&self, efr: Efr) -> usize {
        if efr.v_iommu_sup() {
            DevTabBase::MAX_BYTES
        } else {
            DevTabBase::bytes_for(self.max_devid)
        }
    }

    /// Width of the addresses that devices may use: what the hardware states, as far as host
    /// tables reach.
    fn input_bits(&self, cap: &Capability, levels: u8) -> u8 {
        let stated = match (cap.header.cap_ext(), cap.misc.va_size(), self.va_bits) {
            (true, bits, _) if bits != 0 => bits,
            (_, _, bits) if bits != 0 => bits,
            _ => 48,
        };
        stated.clamp(32, 64).min(12 + 9 * levels)
    }
}

fn capability(pdev: &pci::Device<Bound>, offset: u16) -> Result<Capability> {
    let mut words = [0; Capability::DWORDS];
    for (word, at) in words.iter_mut().zip((u32::from(offset)..).step_by(4)) {
        *word = kernel_ext::pci::read_config(pdev, at)?;
    }
    Capability::decode(words).ok_or_else(|| {
        dev_err!(
            pdev,
            "no IOMMU capability at 0x{:x}, where IVRS says it is\n",
            offset
        );
        ENODEV
    })
}

fn map(pdev: &pci::Device<Bound>, base: u64, cap: &Capability) -> Result<Window> {
    if let Some(other) = cap.mmio_base().filter(|other| *other != base) {
        dev_err!(
            pdev,
            "IVRS: registers at 0x{:x}, but the PCI capability says 0x{:x}\n",
            base,
            other
        );
        return Err(EINVAL);
    }
    Window::new(base, regs::MMIO_LEN, c"amd_viommu").inspect_err(|error| {
        dev_err!(
            pdev,
            "registers at 0x{:x} cannot be mapped: {:?}\n",
            base,
            error
        );
    })
}

fn features(description: &Description, cap: &Capability, registers: &Window) -> (Efr, Efr2) {
    // Firmware's copy holds over the register (hardware reference 3.7).
    description.features.unwrap_or_else(|| {
        if cap.header.efr_sup() {
            (
                Efr(registers.read64(regs::EFR)),
                Efr2(registers.read64(regs::EFR2)),
            )
        } else {
            (Efr(0), Efr2(0))
        }
    })
}

impl Iommu {
    /// Brings the IOMMU up and enables translation. `prepare` writes the entries of devices that
    /// are in use already, before the hardware looks at them.
    ///
    /// # Errors
    ///
    /// `ENODEV` when function and firmware do not fit together, `EOPNOTSUPP` when the hardware has
    /// no host page tables, `EBUSY` when its registers belong to somebody else, `ENOMEM`, `EIO`
    /// when it does not execute commands.
    pub(crate) fn start(
        pdev: &pci::Device<Bound>,
        description: &Description,
        index: u32,
        prepare: impl FnOnce(&Iommu) -> Result,
    ) -> Result<Arc<Self>> {
        let iommu = Self::allocate(pdev, description, index)?;
        iommu.quiesce()?;
        prepare(&iommu)?;
        iommu.set_flags(description.flags);
        iommu.set_bases()?;
        iommu
            .registers
            .control(|control| control.with_cmd_buf_en(true));
        iommu
            .registers
            .control(|control| control.with_iommu_en(true));
        iommu.invalidate_all(description.max_devid)?;
        iommu.start_log()?;
        Ok(iommu)
    }

    fn allocate(
        pdev: &pci::Device<Bound>,
        description: &Description,
        index: u32,
    ) -> Result<Arc<Self>> {
        if !kernel_ext::pages::can_store128() {
            dev_err!(
                pdev,
                "the CPU cannot write half a device table entry at once\n"
            );
            return Err(ENODEV);
        }
        let cap = capability(pdev, description.cap_offset)?;
        let window = map(pdev, description.mmio_base, &cap)?;
        let (efr, efr2) = features(description, &cap, &window);
        let levels = regs::host_levels(efr).filter(|_| !description.attributes.hat_dis());
        let levels = levels.ok_or_else(|| {
            dev_err!(pdev, "no host (v1) page tables, which this driver needs\n");
            EOPNOTSUPP
        })?;
        let dev: &kernel::device::Device = pdev.as_ref();
        let node = kernel_ext::device::node(dev);
        let (seconds, burst) = MESSAGES;
        let unclaimed = interrupts::of_nobody(description.remaps);
        let table = DeviceTable::new(node, description.table_bytes(efr), unclaimed);
        let (ring, log) = (CommandRing::new(node), EventLog::new(node));
        let format = interrupts::format(efr);
        Arc::pin_init(
            try_pin_init!(Self {
                handle <- Handle::new(),
                dev: dev.into(),
                index,
                sbdf: description.sbdf,
                cap,
                efr,
                efr2,
                input_bits: description.input_bits(cap, levels),
                node,
                registers <- Registers::new(window),
                table <- table,
                ring <- ring,
                log <- log,
                remapper <- Remapper::new(format, description.remaps),
                messages <- RateLimit::new(c"amd_viommu events", seconds, burst),
                guest_messages <- RateLimit::new(c"amd_viommu guests' events", seconds, burst),
                overflows <- RateLimit::new(c"amd_viommu overflows", seconds, 1),
                users <- Users::new(),
                spares <- Spares::new(),
                outbox <- Outbox::new(),
                rests <- Rests::new(),
                listeners <- Listeners::new(),
                suspects: Atomic::new(false),
                apertures: guests::apertures(pdev),
                stats: Stats::new(),
                accepting: Atomic::new(false),
                dead: Atomic::new(false),
                closed: Atomic::new(false),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Stops what firmware or a previous kernel left on. From here on nothing of the control register
    /// is inherited, nor is the range that devices may reach without translation.
    ///
    /// # Errors
    ///
    /// `EIO` when an engine does not stop: it would ignore what it is told next.
    fn quiesce(&self) -> Result {
        self.registers.control(Control::quiesced);
        if self.registers.settle(|status| !status.running()).is_err() {
            dev_err!(self.dev, "an engine left on by firmware does not stop\n");
            return Err(EIO);
        }
        self.registers.write(regs::EXCL_BASE, 0);
        self.registers.write(regs::EXCL_LIMIT, 0);
        Ok(())
    }

    fn set_flags(&self, flags: IvhdFlags) {
        self.registers.control(|_| {
            Control::default()
                .with_ht_tun_en(flags.ht_tun())
                .with_pass_pw(flags.pass_pw())
                .with_res_pass_pw(flags.res_pass_pw())
                .with_isoc(flags.isoc())
                .with_coherent(true)
                .with_ga_en(self.remapper.ga_en())
                .with_xt_en(self.remapper.xt_en())
                .with_inv_timeout(Control::INV_TIMEOUT_1S)
        });
    }

    fn set_bases(&self) -> Result {
        let table = self.table.base().ok_or(EINVAL)?;
        let ring = self.ring.base().ok_or(EINVAL)?;
        self.registers.write(regs::DEV_TAB_BASE, table.0);
        self.registers.write(regs::CMD_BUF_BASE, ring.0);
        self.registers.write(regs::CMD_HEAD, 0);
        self.registers.write(regs::CMD_TAIL, 0);
        Ok(())
    }

    /// Everything that may be cached from before goes, by one command or, where the hardware lacks
    /// it, by one for each thing that can be named.
    fn invalidate_all(&self, max_devid: u16) -> Result {
        Stats::count(&self.stats.invalidate_all);
        if self.efr.ia_sup() {
            return self.run(&[Command::invalidate_iommu_all()]);
        }
        self.invalidate_each(max_devid, Command::invalidate_devtab_entry)?;
        self.invalidate_each(u16::MAX, |id| {
            Command::invalidate_iommu_pages(id, Range::ALL, true)
        })?;
        self.invalidate_each(max_devid, Command::invalidate_interrupt_table)
    }

    fn invalidate_each(&self, last: u16, command: impl Fn(u16) -> Command) -> Result {
        let mut batch = [Command::default(); BATCH];
        for first in (0..=last).step_by(BATCH) {
            let ids = first..=last.min(first.saturating_add(BATCH as u16 - 1));
            let count = ids.len();
            for (slot, id) in batch.iter_mut().zip(ids) {
                *slot = command(id);
            }
            self.run(batch.get(..count).unwrap_or(&batch))?;
        }
        Ok(())
    }

    /// The log is set up after the hardware has been enabled, as the kernel's own driver does.
    fn start_log(&self) -> Result {
        let log = self.log.base().ok_or(EINVAL)?;
        self.registers.write(regs::EVENT_LOG_BASE, log.0);
        self.registers.write(regs::EVENT_HEAD, 0);
        self.registers.write(regs::EVENT_TAIL, 0);
        self.registers.acknowledge(Status::W1C);
        self.registers
            .control(|control| control.with_event_log_en(true));
        Ok(())
    }

    /// Asks for an interrupt on every event. What has been logged before raises none, so the log
    /// is read once (hardware reference 3.9).
    pub(crate) fn listen(&self) {
        self.registers
            .control(|control| control.with_event_int_en(true));
        for _ in 0..ROUNDS {
            if !self.round() {
                return;
            }
        }
    }
}

#[pinned_drop]
impl PinnedDrop for Iommu {
    /// The memory of table, ring and log goes now: the hardware must not use it any more.
    fn drop(self: Pin<&mut Self>) {
        self.stop();
    }
}
