// SPDX-License-Identifier: GPL-2.0

//! What each command of a guest does: the command of the host with the same opcode, after its IDs
//! went through the maps of the guest and its address through the translate device ID
//! (hardware.md 6.5).

use alloc::vec;
use alloc::vec::Vec;

use super::control::Register;
use super::engine::Refusal;
use super::maps::{decode, Map};
use super::memory::{Fault, Space};
use super::Part;
use crate::command::{Command, Pages, Source};
use crate::config::UnmappedId;
use crate::registers::status::COMPLETION_INTERRUPT;
use crate::system::System;
use crate::Iommu;

/// A command as it was fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetched {
    words: [u32; 4],
    /// System physical address it was read from.
    address: u64,
}

impl Fetched {
    /// A command from its bytes in memory.
    pub fn new(bytes: &[u8; 16], address: u64) -> Self {
        let all = u128::from_le_bytes(*bytes);
        let words = [0, 32, 64, 96].map(|shift| (all >> shift) as u32);
        Fetched { words, address }
    }
}

impl Iommu {
    /// Executes a command of a guest.
    pub(super) fn execute_guest(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        fetched: &Fetched,
    ) -> Result<(), Refusal> {
        let (features, readings) = (&self.config.features, &self.config.readings);
        let command = Command::decode(fetched.words, features, readings, Source::Guest)
            .map_err(|_| Refusal::Illegal(fetched.address))?;
        self.dispatch_guest(system, gid, command, fetched.address)?;
        self.counters.count_command(Some(gid), command.opcode());
        Ok(())
    }

    fn dispatch_guest(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        command: Command,
        address: u64,
    ) -> Result<(), Refusal> {
        match command {
            Command::CompletionWait { store, interrupt } => {
                self.complete_guest(system, gid, store, interrupt)?;
            }
            Command::InvalidateDevtabEntry { device } => {
                if let Some(host) = self.map_id(system, gid, Map::Device, device, address)? {
                    self.drop_device_entry(system, host);
                }
            }
            Command::InvalidateIommuPages {
                domain,
                pasid,
                pages,
                directories,
            } => {
                if let Some(host) = self.map_id(system, gid, Map::Domain, domain, address)? {
                    self.drop_pages(host, pasid, pages, directories);
                }
            }
            Command::InvalidateInterruptTable { device } => {
                if let Some(host) = self.map_id(system, gid, Map::Device, device, address)? {
                    self.drop_interrupts(host);
                }
            }
            // No device has an IOTLB, but the ID has to have a map entry.
            Command::InvalidateIotlbPages { device, .. } => {
                self.map_id(system, gid, Map::Device, device, address)?;
            }
            Command::InvalidateIommuAll => self.drop_own(system, gid)?,
            Command::InsertGuestEvent { .. } | Command::ResetVmmio { .. } => {
                return Err(Refusal::Illegal(address));
            }
        }
        Ok(())
    }

    /// COMPLETION_WAIT: the store, then the interrupt. All earlier commands have taken effect,
    /// because they are executed in order.
    fn complete_guest(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        store: Option<(u64, u64)>,
        interrupt: bool,
    ) -> Result<(), Fault> {
        if let Some((address, value)) = store {
            let place = (Space::Guest, address);
            self.engine_write(system, gid, place, &value.to_le_bytes())?;
        }
        if interrupt {
            let block = self.guests.look(gid).block;
            let enabled = block.interrupt_enabled(Register::Command);
            let engine = (gid, Part::Commands);
            self.signal_guest(system, engine, COMPLETION_INTERRUPT, enabled);
        }
        Ok(())
    }

    /// The host's ID for one in a command; `None` if the command is to have no effect (OQ-14).
    fn map_id(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        map: Map,
        id: u16,
        command: u64,
    ) -> Result<Option<u16>, Refusal> {
        let host = self.look_up(system, gid, map, id)?;
        if host.is_some() || self.config.readings.unmapped_id == UnmappedId::Ignore {
            return Ok(host);
        }
        let entry = map.entry(gid, id);
        Err(Refusal::Unmapped { command, entry })
    }

    /// INVALIDATE_IOMMU_ALL of a guest (OQ-11): everything of the IDs in its maps. Guest
    /// translations in a domain of a guest are nested, so they go with the host's.
    fn drop_own(&mut self, system: &mut dyn System, gid: u16) -> Result<(), Fault> {
        if self.guests.emptied == Some(gid) {
            return Ok(());
        }
        self.guests.emptied = Some(gid);
        let devices = self.mapped_ids(system, gid, Map::Device)?;
        for device in &devices {
            self.drop_device_entry(system, *device);
        }
        self.drop_interrupts_of(|device| devices.binary_search(&device).is_ok());
        for domain in self.mapped_ids(system, gid, Map::Domain)? {
            self.drop_pages(domain, None, Pages::ALL, true);
        }
        Ok(())
    }

    /// The host's IDs in a map, each once and in order.
    fn mapped_ids(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        map: Map,
    ) -> Result<Vec<u16>, Fault> {
        let mut found = vec![false; 1 << 16];
        let mut page = vec![0; 4096];
        for number in 0..map.pages() {
            let address = map.table(gid) | (number << 12);
            self.engine_read(system, gid, (Space::Private, address), &mut page)?;
            for entry in page.chunks_exact(map.entry_size()) {
                mark(&mut found, entry);
            }
        }
        let ids = (0..=u16::MAX).zip(found);
        Ok(ids
            .filter_map(|(id, marked)| marked.then_some(id))
            .collect())
    }
}

/// Notes the ID that an entry leads to.
fn mark(found: &mut [bool], entry: &[u8]) {
    let quadword = entry
        .iter()
        .take(8)
        .rev()
        .fold(0, |value, byte| (value << 8) | u64::from(*byte));
    let slot = decode(quadword).and_then(|id| found.get_mut(usize::from(id)));
    if let Some(slot) = slot {
        *slot = true;
    }
}
