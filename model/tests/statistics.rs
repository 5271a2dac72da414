// SPDX-License-Identifier: GPL-2.0

//! The JSON of counters and violations, which scripts read: every key, in its order. What counts as
//! a walk.

use amd_iommu_model::counters::{Accesses, Aperture, Counters, Fates, Lookups};
use amd_iommu_model::referee::{Referee, Rule};
use amd_iommu_model::request::Access;

use crate::support::stage::{Stage, DEVICE};
use crate::support::{Bench, Dte, Rights};

const EMPTY: &str = concat!(
    r#""registers":{"mmio":{},"vf":{},"vf_control":{}},"#,
    r#""commands":{"host":{},"guests":{}},"events":{"host":{},"guests":{}},"#,
    r#""requests":0,"aborts":0,"#,
    r#""walks":{"host":0,"guest":0,"nested":0,"private":0,"entries":0},"#,
    r#""caches":{"device_table":{"hits":0,"misses":0},"translation":{"hits":0,"misses":0},"#,
    r#""directory":{"hits":0,"misses":0},"pasid":{"hits":0,"misses":0},"#,
    r#""interrupt":{"hits":0,"misses":0},"evictions":0},"#,
    r#""interrupts":0,"device_interrupts":{"remapped":0,"forwarded":0,"blocked":0,"guests":{}},"#,
    r#""guest_interrupts":{},"guest_interrupts_delivered":{}"#,
);

const FULL: &str = concat!(
    r#""registers":{"mmio":{"0018":{"reads":1,"writes":2},"2020":{"reads":3,"writes":4}},"#,
    r#""vf":{"0008":{"reads":5,"writes":6}},"vf_control":{"0020":{"reads":7,"writes":8}}},"#,
    r#""commands":{"host":{"1":9,"a":10},"guests":{"0":{"1":34},"1":{"3":11,"8":12},"65535":{"1":13}}},"#,
    r#""events":{"host":{},"guests":{"2":{"c":14}}},"#,
    r#""requests":15,"aborts":16,"#,
    r#""walks":{"host":17,"guest":18,"nested":19,"private":20,"entries":21},"#,
    r#""caches":{"device_table":{"hits":22,"misses":23},"#,
    r#""translation":{"hits":24,"misses":25},"#,
    r#""directory":{"hits":26,"misses":27},"pasid":{"hits":28,"misses":29},"#,
    r#""interrupt":{"hits":35,"misses":36},"evictions":30},"#,
    r#""interrupts":31,"device_interrupts":{"remapped":37,"forwarded":38,"blocked":39,"#,
    r#""guests":{"0":{"remapped":40,"forwarded":41,"blocked":42},"#,
    r#""7":{"remapped":0,"forwarded":0,"blocked":1}}},"#,
    r#""guest_interrupts":{"1":32,"10":33},"guest_interrupts_delivered":{"1":31,"10":43}"#,
);

fn json(counters: &Counters) -> String {
    let mut out = String::new();
    counters.write_json(&mut out);
    out
}

fn fates(remapped: u64, forwarded: u64, blocked: u64) -> Fates {
    Fates {
        remapped,
        forwarded,
        blocked,
    }
}

fn full() -> Counters {
    let mut counters = Counters::default();
    for (key, reads, writes) in [
        ((Aperture::Mmio, 0x18), 1, 2),
        ((Aperture::Mmio, 0x2020), 3, 4),
        ((Aperture::Vf, 8), 5, 6),
        ((Aperture::VfControl, 0x20), 7, 8),
    ] {
        counters.registers.insert(key, Accesses { reads, writes });
    }
    let commands = [
        ((None, 1), 9),
        ((None, 0xa), 10),
        // Guest ID 0 exists, even if drivers avoid it (OQ-22): it is not the host.
        ((Some(0), 1), 34),
        ((Some(1), 3), 11),
        ((Some(1), 8), 12),
        ((Some(0xffff), 1), 13),
    ];
    counters.commands.extend(commands);
    counters.events.insert((Some(2), 0xc), 14);
    (counters.requests, counters.aborts) = (15, 16);
    counters.walks.host = 17;
    counters.walks.guest = 18;
    counters.walks.nested = 19;
    counters.walks.private = 20;
    counters.walks.entries = 21;
    let lookups = |hits, misses| Lookups { hits, misses };
    counters.caches.device_table = lookups(22, 23);
    counters.caches.translation = lookups(24, 25);
    counters.caches.directory = lookups(26, 27);
    counters.caches.pasid = lookups(28, 29);
    counters.caches.evictions = 30;
    counters.interrupts = 31;
    counters.caches.interrupt = lookups(35, 36);
    counters.device_interrupts.fates = fates(37, 38, 39);
    let guests = [(0, fates(40, 41, 42)), (7, fates(0, 0, 1))];
    counters.device_interrupts.guests.extend(guests);
    counters.guest_interrupts.extend([(1, 32), (10, 33)]);
    let delivered = [(1, 31), (10, 43)];
    counters.guest_interrupts_delivered.extend(delivered);
    counters
}

#[test]
fn counters_are_written_with_every_key() {
    assert_eq!(json(&Counters::default()), EMPTY);
    let mut counters = full();
    assert_eq!(json(&counters), FULL);
    counters.clear();
    assert_eq!(json(&counters), EMPTY);
}

#[test]
fn violations_are_written_with_place_count_and_escaped_sentence() {
    let mut referee = Referee::default();
    let mut out = String::new();
    referee.write_json(&mut out);
    assert_eq!(out, r#""violations":[],"violation_count":0"#);

    let sentence = || "A \"quote\", a \\ and a\nline, \u{1} and é.".into();
    referee.report(Rule::StaleTranslation, 0x300, sentence);
    referee.report(Rule::StaleTranslation, 0x300, || "not taken".into());
    referee.report(Rule::ReservedRegisterBit, 0, || "Zero.".into());
    out.clear();
    referee.write_json(&mut out);
    assert_eq!(
        out,
        concat!(
            r#""violations":[{"rule":"reserved-register-bit","place":"0x0","count":1,"#,
            r#""sentence":"Zero."},{"rule":"stale-translation","place":"0x300","count":2,"#,
            r#""sentence":"A \"quote\", a \\ and a\u000aline, \u0001 and é."}],"#,
            r#""violation_count":3"#,
        )
    );
}

#[test]
fn violations_at_too_many_places_are_still_counted() {
    let mut referee = Referee::default();
    for place in 0..10_000 {
        referee.report(Rule::BadAccessWidth, place, || "Wide.".into());
    }
    assert!(referee.violations().count() < 1000);
    assert_eq!(referee.count(), 10_000);
    for rule in [Rule::BaseMoved, Rule::StaleTranslation, Rule::BaseMoved] {
        referee.report(rule, 1, || "No room.".into());
    }
    assert_eq!(referee.count(), 10_003);
    assert_eq!(referee.count_of(Rule::BadAccessWidth), 10_000);
    assert_eq!(referee.count_of(Rule::BaseMoved), 2);
    let mut out = String::new();
    referee.write_json(&mut out);
    let more = concat!(
        r#","#,
        r#"{"rule":"base-moved","place":"more","count":2,"#,
        r#""sentence":"There were more places than are kept."},"#,
    );
    assert!(out.contains(more), "{out}");
    assert!(out.contains(r#"{"rule":"stale-translation","place":"more","count":1,"#));
    assert!(out.ends_with(r#"],"violation_count":10003"#), "{out}");
}

#[test]
fn statistics_are_one_object() {
    let mut bench = Bench::genoa();
    bench.submit(&[[0, 0xf000_0000, 0, 0]]);
    let text = bench.iommu.statistics(&bench.machine);
    assert!(
        text.starts_with(r#"{"registers":{"mmio":{"0000":"#),
        "{text}"
    );
    assert!(text.ends_with(r#""violation_count":1}"#), "{text}");
    assert!(
        text.contains(r#""events":{"host":{"5":1},"guests":{}}"#),
        "{text}"
    );
    assert_eq!(text.matches('{').count(), text.matches('}').count());
}

/// Neither what the cache of final translations answers nor what passes through is a walk.
#[test]
fn walks_are_counted_by_kind() {
    for (nested, expected) in [(false, (0, 2, 0)), (true, (1, 0, 2))] {
        let mut stage = Stage::new(nested, 4, 0, 1);
        stage.map(0x5000, 0x8000_9000, 0x1000, Rights::ALL);
        stage.map(0x6000, 0x8000_a000, 0x1000, Rights::ALL);
        // Without GIOV, a request without PASID meets the host table alone.
        let entry = Dte {
            giov: false,
            ..stage.entry
        };
        stage.bench.install(DEVICE, &entry);
        assert!(stage.target(0x8000_9000, Access::Read, None).is_some());
        for address in [0x5000, 0x5008, 0x6000] {
            assert!(stage.target(address, Access::Read, Some(1)).is_some());
        }
        let walks = stage.bench.iommu.counters().walks;
        assert_eq!((walks.host, walks.guest, walks.nested), expected);
    }
}
