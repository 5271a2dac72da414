// SPDX-License-Identifier: GPL-2.0

//! The sentences of the referee are for people: words of the programming language do not belong
//! there. [`crate::support::Bench`] checks the sentences of every other test as well.

use amd_iommu_model::config::Readings;
use amd_iommu_model::referee::Rule;
use amd_iommu_model::request::Access;

use crate::support::bench::foreign_words;
use crate::support::stage::{Stage, DEVICE, DOMAIN};
use crate::support::viommu::{config, stranger, Host, VIOMMU_BITS};
use crate::support::{Bench, Dte, HostTables, Rights};

const VA: u64 = 0x5000;

/// The only sentence about a rule.
fn sentence(bench: &mut Bench, rule: Rule) -> String {
    bench.end_grace();
    let found: Vec<_> = bench
        .iommu
        .referee()
        .violations()
        .filter(|(found, ..)| *found == rule)
        .map(|(_, _, violation)| violation.sentence.clone())
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn foreign_words_are_found() {
    assert_eq!(foreign_words("It led to Some(5)."), Some("Some("));
    assert_eq!(foreign_words("PASID None, was"), Some("None"));
    assert_eq!(foreign_words("failed: NotPresent."), Some("NotPresent"));
    assert_eq!(foreign_words("None of it: plain."), Some("None"));
    assert_eq!(foreign_words("With GstBufferTRPMode = 0 nothing."), None);
}

#[test]
fn a_stale_translation_is_described_in_plain_words() {
    let mut bench = Bench::genoa();
    let machine = &mut bench.machine;
    let (tables, page) = (HostTables::new(machine, 3), machine.page());
    tables.map(machine, VA, page, 0x1000, Rights::ALL);
    bench.install(DEVICE, &Dte::host(DOMAIN, tables.root, 3));
    bench.target(DEVICE, VA, Access::Read);
    tables.unmap(&mut bench.machine, VA, 0x1000);
    bench.target(DEVICE, VA, Access::Read);
    assert_eq!(
        sentence(&mut bench, Rule::StaleTranslation),
        format!(
            "A request of 0300 to 5000 in domain 7, no PASID, by the caches led to {page:x}, by memory led nowhere, and no invalidation came."
        )
    );
}

#[test]
fn a_stale_translation_of_a_pasid_names_it() {
    let mut stage = Stage::new(false, 4, 0, 0x12);
    let page = stage.bench.machine.page();
    stage.map(VA, page, 0x1000, Rights::ALL);
    stage.target(VA, Access::Read, Some(0x12));
    let other = stage.bench.machine.page();
    stage.map(VA, other, 0x1000, Rights::ALL);
    stage.target(VA, Access::Read, Some(0x12));
    assert_eq!(
        sentence(&mut stage.bench, Rule::StaleTranslation),
        format!(
            "A request of 0300 to 5000 in domain 7, PASID 12, by the caches led to {page:x}, by memory led to {other:x}, and no invalidation came."
        )
    );
}

#[test]
fn private_memory_that_is_missing_is_described_in_plain_words() {
    let mut host = Host::without_private(config(Readings::default(), None));
    host.bench.set_control(VIOMMU_BITS);
    host.map_device(&stranger(5), 0x108, 0x300);
    assert_eq!(
        sentence(&mut host.bench, Rule::PrivateUnmapped),
        "A write of private address 0x1000501080 for guest 0x5 failed: there is no page."
    );
}
