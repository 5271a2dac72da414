// SPDX-License-Identifier: GPL-2.0

//! How long a translation takes: from the caches, and by walks of each kind.
//!
//! Before a miss everything is dropped, so that every level and the device-table entry are read.
//! `check_hits` is 0: the referee's second walk is not what a guest's DMA waits for.

// A benchmark may panic: it has failed then. The macros make a public function.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

// The tests use more of it.
#[allow(dead_code, unused_imports)]
#[path = "../tests/support/mod.rs"]
mod support;

use amd_iommu_model::config::Features;
use amd_iommu_model::request::{Access, Answer};
use amd_iommu_model::Config;
use criterion::{criterion_group, criterion_main, Criterion};
use support::*;

const DEVICE: u16 = 0x0300;
const PAGE: u64 = 0x1000;

/// Distance of neighbouring pages: each has its own tables of the two lowest levels.
const STRIDE: u64 = 1 << 30;
const PAGES: u64 = 256;

fn bench() -> Bench {
    let mut config = Config::new(Features::genoa());
    config.check_hits = 0;
    Bench::on(config)
}

fn host() -> Bench {
    let mut bench = bench();
    let tables = HostTables::new(&mut bench.machine, 4);
    for page in 0..PAGES {
        let (from, to) = (page * STRIDE, page * PAGE);
        tables.map(&mut bench.machine, from, to, PAGE, Rights::ALL);
    }
    bench.install(DEVICE, &Dte::host(5, tables.root, 4));
    bench
}

fn guest_tables(bench: &mut Bench, offset: u64) -> Dte {
    let tables = PageTables::new(&mut bench.machine, 4, offset);
    for page in 0..PAGES {
        let (from, to) = (page * STRIDE, page * PAGE);
        tables.map(&mut bench.machine, from, to, PAGE, Rights::ALL);
    }
    let gcr3 = Gcr3::new(&mut bench.machine, 0, offset);
    gcr3.set(&mut bench.machine, 0, &tables);
    Dte::guest(7, gcr3.pointer, 0)
}

fn guest() -> Bench {
    let mut bench = bench();
    let entry = guest_tables(&mut bench, 0);
    bench.install(DEVICE, &entry);
    bench
}

fn nested() -> Bench {
    let mut bench = bench();
    let host = HostTables::new(&mut bench.machine, 4);
    let entry = guest_tables(&mut bench, GUEST_OFFSET);
    // 4 KiB pages below as well: each access of the guest walk is a full host walk.
    for page in 0..PAGES {
        let leaf = page * PAGE;
        host.map(&mut bench.machine, leaf, leaf, PAGE, Rights::ALL);
    }
    // The tables of the host itself, made on the way, are of no concern to the guest.
    for page in 0..bench.machine.handed_out() {
        let to = machine::FIRST + page * PAGE;
        host.map(&mut bench.machine, to - GUEST_OFFSET, to, PAGE, Rights::ALL);
    }
    bench.install(DEVICE, &entry.nested_on(host.root, 4));
    bench
}

fn read(bench: &mut Bench, address: u64) {
    let answer = bench.dma(DEVICE, address, Access::Read, None);
    assert_ne!(answer, Answer::Abort);
}

fn hit(c: &mut Criterion, name: &str, mut bench: Bench) {
    read(&mut bench, STRIDE);
    c.bench_function(name, |b| b.iter(|| read(&mut bench, STRIDE)));
}

/// Everything is dropped before each walk; the time for that is not counted.
fn miss(c: &mut Criterion, name: &str, mut bench: Bench) {
    let mut page = 0;
    c.bench_function(name, |b| {
        b.iter_custom(|rounds| {
            let mut spent = std::time::Duration::ZERO;
            for _ in 0..rounds {
                page = (page + 1) % PAGES;
                bench.submit(&[command::invalidate_all()]);
                let start = std::time::Instant::now();
                read(&mut bench, page * STRIDE);
                spent += start.elapsed();
            }
            spent
        });
    });
}

fn translations(c: &mut Criterion) {
    hit(c, "host hit", host());
    hit(c, "nested hit", nested());
    miss(c, "host miss, 4 levels", host());
    miss(c, "guest miss, 4 levels", guest());
    miss(c, "nested miss, 4 on 4 levels", nested());
}

criterion_group!(benches, translations);
criterion_main!(benches);
