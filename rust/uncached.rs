// SPDX-License-Identifier: GPL-2.0

//! Memory that a device fetches past the caches: the CPU must not cache it either.
//!
//! Changing how memory is cached flushes caches of all CPUs and may split large pages of the direct
//! map. It is therefore done in blocks, and [`Pool`] gives single pages out of them.

use crate::{
    bindings::{self, shim},
    pages::{encrypted, Pages},
};
use core::ops::Range;
use kernel::{
    error::to_result,
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
};

const PAGE: usize = bindings::PAGE_SIZE;

/// Size of the blocks of a [`Pool`]: one large page of the direct map, which then stays in one
/// piece.
const BLOCK: usize = 2 << 20;

/// A zeroed, physically contiguous block that no CPU caches.
///
/// # Invariants
///
/// The direct map of all of `pages` is uncacheable.
pub struct Uncached {
    pages: Pages,
}

impl Uncached {
    /// Allocates at least `bytes` bytes, near NUMA node `node`, rounded up to a power of two of
    /// pages and aligned to that size. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when no such block is free, `EINVAL` for zero bytes.
    pub fn new(node: i32, bytes: usize) -> Result<Self> {
        let pages = Pages::new(node, bytes)?;
        // SAFETY: The range is an allocation in the direct map that belongs to nobody else. The
        // zeroes in the caches are written back by the call.
        let status = unsafe { shim::set_uncached(pages.as_ptr().cast(), count(&pages)) };
        // INVARIANT: Set above. If that failed half way, the block ends here, which undoes it.
        let block = Self { pages };
        to_result(status)?;
        Ok(block)
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Always false; a block has at least one page.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Physical address.
    pub fn phys(&self) -> u64 {
        self.pages.phys()
    }

    /// Address for the device, with the memory encryption bit where the host uses one.
    pub fn address(&self) -> u64 {
        self.pages.address()
    }

    /// Reads the 64-bit word at `offset`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when `offset` is not aligned or not inside.
    pub fn read64(&self, offset: usize) -> Result<u64> {
        self.pages.read64(offset)
    }

    /// Writes the 64-bit word at `offset`.
    ///
    /// # Errors
    ///
    /// As [`Uncached::read64`].
    pub fn write64(&self, offset: usize, value: u64) -> Result {
        self.pages.write64(offset, value)
    }

    /// Writes zeroes all over a range of whole words.
    ///
    /// # Errors
    ///
    /// As [`Uncached::read64`].
    pub fn zero(&self, range: Range<usize>) -> Result {
        range.step_by(8).try_for_each(|at| self.write64(at, 0))
    }

    /// Never gives the memory back: a device may go on using it.
    pub fn keep(&self) {
        self.pages.keep();
    }

    /// Makes all earlier writes visible to the device before any later one.
    pub fn publish(&self) {
        self.pages.publish();
    }
}

fn count(pages: &Pages) -> u32 {
    (pages.len() / PAGE) as u32
}

impl Drop for Uncached {
    fn drop(&mut self) {
        if self.pages.is_kept() {
            return;
        }
        // SAFETY: By the type invariant the range is uncacheable, and it is still allocated.
        let status = unsafe { shim::set_cached(self.pages.as_ptr().cast(), count(&self.pages)) };
        if status != 0 {
            // Whoever got it next would not expect such memory.
            self.pages.keep();
        }
    }
}

/// One block of a pool and which of its pages are taken.
struct Slab {
    block: Arc<Uncached>,
    taken: [u64; BLOCK / PAGE / 64],
}

impl Slab {
    fn new(node: i32) -> Result<Self> {
        Ok(Self {
            block: Arc::new(Uncached::new(node, BLOCK)?, GFP_KERNEL)?,
            taken: [0; BLOCK / PAGE / 64],
        })
    }

    fn take(&mut self) -> Option<(Arc<Uncached>, usize)> {
        let (word, bits) = self
            .taken
            .iter_mut()
            .enumerate()
            .find(|(_, bits)| **bits != u64::MAX)?;
        let bit = bits.trailing_ones();
        *bits |= 1 << bit;
        Some((self.block.clone(), (word * 64 + bit as usize) * PAGE))
    }

    fn put(&mut self, offset: usize) {
        let index = offset / PAGE;
        if let Some(bits) = self.taken.get_mut(index / 64) {
            *bits &= !(1 << (index % 64));
        }
    }

    fn is_unused(&self) -> bool {
        self.taken == [0; BLOCK / PAGE / 64]
    }
}

/// Single pages of uncacheable memory, taken from blocks of 2 MiB.
#[pin_data]
pub struct Pool {
    node: i32,
    #[pin]
    slabs: Mutex<KVec<Slab>>,
}

impl Pool {
    /// An empty pool of memory near NUMA node `node`.
    pub fn new(node: i32) -> impl PinInit<Self> {
        pin_init!(Self {
            node,
            slabs <- new_mutex!(KVec::new(), "kernel_ext::uncached::Pool"),
        })
    }

    /// Takes a zeroed page.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn take(self: &Arc<Self>) -> Result<UncachedPage> {
        let (block, offset) = match self.take_from_slabs() {
            Some(place) => place,
            None => self.grow()?,
        };
        let page = UncachedPage {
            pool: self.clone(),
            block,
            offset,
        };
        page.block.zero(offset..offset + PAGE)?;
        Ok(page)
    }

    fn take_from_slabs(&self) -> Option<(Arc<Uncached>, usize)> {
        self.slabs.lock().iter_mut().find_map(Slab::take)
    }

    /// Adds a block and takes a page of it.
    fn grow(&self) -> Result<(Arc<Uncached>, usize)> {
        let mut slab = Slab::new(self.node)?;
        let place = slab.take().ok_or(ENOMEM)?;
        self.slabs.lock().push(slab, GFP_KERNEL)?;
        Ok(place)
    }

    /// Gives a page back. A block that nothing is taken of any more goes, but for the last one.
    fn put(&self, block: &Arc<Uncached>, offset: usize) {
        let mut slabs = self.slabs.lock();
        let Some(at) = slabs
            .iter()
            .position(|slab| Arc::ptr_eq(&slab.block, block))
        else {
            return;
        };
        slabs[at].put(offset);
        let surplus = slabs.len() > 1 && slabs[at].is_unused();
        let gone = surplus.then(|| slabs.remove(at));
        drop(slabs);
        drop(gone);
    }
}

/// A page of a [`Pool`], which it goes back to.
pub struct UncachedPage {
    pool: Arc<Pool>,
    block: Arc<Uncached>,
    offset: usize,
}

impl UncachedPage {
    /// Physical address.
    pub fn phys(&self) -> u64 {
        self.block.phys() + self.offset as u64
    }

    /// Address for the device, with the memory encryption bit where the host uses one.
    pub fn address(&self) -> u64 {
        encrypted(self.phys())
    }

    fn at(&self, offset: usize) -> Result<usize> {
        (offset < PAGE).then(|| self.offset + offset).ok_or(EINVAL)
    }

    /// Reads the 64-bit word at `offset`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when `offset` is not aligned or not inside.
    pub fn read64(&self, offset: usize) -> Result<u64> {
        self.block.read64(self.at(offset)?)
    }

    /// Writes the 64-bit word at `offset`.
    ///
    /// # Errors
    ///
    /// As [`UncachedPage::read64`].
    pub fn write64(&self, offset: usize, value: u64) -> Result {
        self.block.write64(self.at(offset)?, value)
    }

    /// Fills the page with what `block` holds from `offset` on.
    ///
    /// # Errors
    ///
    /// `EINVAL` when that is not a whole page inside of `block`.
    pub fn copy_from(&self, block: &Uncached, offset: usize) -> Result {
        (0..PAGE)
            .step_by(8)
            .try_for_each(|at| self.write64(at, block.read64(offset + at)?))
    }

    /// Makes all earlier writes visible to the device before any later one.
    pub fn publish(&self) {
        self.block.publish();
    }
}

impl Drop for UncachedPage {
    fn drop(&mut self) {
        self.pool.put(&self.block, self.offset);
    }
}
