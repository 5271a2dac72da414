// SPDX-License-Identifier: GPL-2.0

//! A machine: sparse memory, a record of interrupts, virtual time.

use std::collections::{BTreeMap, HashMap, HashSet};

use amd_iommu_model::{Abort, Interrupt, System};

/// First address that [`Machine::page`] hands out: 4 GiB, aligned to every page size up to it.
pub const FIRST: u64 = 0x1_0000_0000;

const PAGE: u64 = 0x1000;

/// Memory, interrupts and time.
#[derive(Default)]
pub struct Machine {
    contents: HashMap<u64, Box<[u8; PAGE as usize]>>,
    holes: HashSet<u64>,
    allocated: u64,
    /// Interrupts delivered so far.
    pub interrupts: Vec<Interrupt>,
    /// Virtual time in nanoseconds.
    pub time: u64,
    /// When the IOMMU wants to run.
    pub wake: Option<u64>,
}

impl Machine {
    /// A machine without memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new zeroed page.
    pub fn page(&mut self) -> u64 {
        self.pages(1)
    }

    /// `count` new zeroed pages in a row, aligned to their size rounded up to a power of two.
    pub fn pages(&mut self, count: u64) -> u64 {
        let align = count.next_power_of_two() * PAGE;
        let start = (FIRST + self.allocated).next_multiple_of(align);
        self.allocated = start + count * PAGE - FIRST;
        start
    }

    /// Number of pages handed out so far, gaps included.
    pub fn handed_out(&self) -> u64 {
        self.allocated / PAGE
    }

    /// Makes the page of an address memory, wherever it lies.
    pub fn add(&mut self, address: u64) {
        self.holes.remove(&(address / PAGE));
        self.contents
            .entry(address / PAGE)
            .or_insert_with(|| Box::new([0; PAGE as usize]));
    }

    /// Makes accesses to the page of an address fail. What is there is lost.
    pub fn remove(&mut self, address: u64) {
        self.contents.remove(&(address / PAGE));
        self.holes.insert(address / PAGE);
    }

    /// Whether the page of an address is memory.
    pub fn is_memory(&self, address: u64) -> bool {
        let handed_out = (FIRST..FIRST + self.allocated).contains(&address);
        self.contents.contains_key(&(address / PAGE))
            || (handed_out && !self.holes.contains(&(address / PAGE)))
    }

    /// The 64-bit value at an aligned address, if that is memory.
    pub fn try_peek(&self, address: u64) -> Option<u64> {
        assert_eq!(address % 8, 0);
        if !self.is_memory(address) {
            return None;
        }
        let Some(page) = self.contents.get(&(address / PAGE)) else {
            return Some(0);
        };
        let at = (address % PAGE) as usize;
        Some(u64::from_le_bytes(page[at..at + 8].try_into().unwrap()))
    }

    /// The 64-bit value at an aligned address of memory.
    pub fn peek(&self, address: u64) -> u64 {
        self.try_peek(address).expect("peek outside memory")
    }

    /// Sets the 64-bit value at an aligned address of memory.
    pub fn poke(&mut self, address: u64, value: u64) {
        assert_eq!(address % 8, 0);
        self.write(address, &value.to_le_bytes())
            .expect("poke outside memory");
    }

    /// Sets the four 32-bit words at an address of memory.
    pub fn poke_words(&mut self, address: u64, words: [u32; 4]) {
        self.poke(address, u64::from(words[0]) | u64::from(words[1]) << 32);
        self.poke(address + 8, u64::from(words[2]) | u64::from(words[3]) << 32);
    }

    /// The four 32-bit words at an address of memory.
    pub fn peek_words(&self, address: u64) -> [u32; 4] {
        let (low, high) = (self.peek(address), self.peek(address + 8));
        [
            low as u32,
            (low >> 32) as u32,
            high as u32,
            (high >> 32) as u32,
        ]
    }

    /// All values in memory that are not 0, by address.
    pub fn snapshot(&self) -> BTreeMap<u64, u64> {
        let words = |page: &u64| (page * PAGE..(page + 1) * PAGE).step_by(8);
        self.contents
            .keys()
            .flat_map(words)
            .map(|address| (address, self.peek(address)))
            .filter(|&(_, value)| value != 0)
            .collect()
    }

    /// Pieces of a range, each inside one page.
    fn pieces(&self, address: u64, length: usize) -> Result<Vec<(u64, usize)>, Abort> {
        let mut pieces = Vec::new();
        let mut done = 0;
        while done < length {
            let at = address.checked_add(done as u64).ok_or(Abort)?;
            if !self.is_memory(at) {
                return Err(Abort);
            }
            let size = (length - done).min((PAGE - at % PAGE) as usize);
            pieces.push((at, size));
            done += size;
        }
        Ok(pieces)
    }
}

impl System for Machine {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), Abort> {
        let mut rest = buffer;
        for (at, size) in self.pieces(address, rest.len())? {
            let (part, behind) = rest.split_at_mut(size);
            let from = (at % PAGE) as usize;
            match self.contents.get(&(at / PAGE)) {
                Some(page) => part.copy_from_slice(&page[from..from + size]),
                None => part.fill(0),
            }
            rest = behind;
        }
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Abort> {
        let mut rest = bytes;
        for (at, size) in self.pieces(address, rest.len())? {
            let (part, behind) = rest.split_at(size);
            self.add(at);
            let from = (at % PAGE) as usize;
            if let Some(page) = self.contents.get_mut(&(at / PAGE)) {
                page[from..from + size].copy_from_slice(part);
            }
            rest = behind;
        }
        Ok(())
    }

    fn compare_exchange(&mut self, address: u64, old: u64, new: u64) -> Result<u64, Abort> {
        let found = self.read_u64(address)?;
        if found == old {
            self.write_u64(address, new)?;
        }
        Ok(found)
    }

    fn interrupt(&mut self, interrupt: Interrupt) {
        self.interrupts.push(interrupt);
    }

    fn now(&self) -> u64 {
        self.time
    }

    fn wake(&mut self, time: u64) {
        self.wake = Some(time);
    }
}
