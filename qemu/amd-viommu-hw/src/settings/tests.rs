// SPDX-License-Identifier: GPL-2.0

//! Every setting, with values that it takes and the sentence for one that it does not.

#![allow(clippy::expect_used)]

use super::*;

/// Settings after these words, which are all good.
fn set(words: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (name, value) in words {
        assert_eq!(settings.set(name, value), Ok(()), "{name}={value}");
    }
    settings
}

fn config(words: &[(&str, &str)]) -> Config {
    set(words).config(0x0102)
}

/// What a bad value is answered with.
fn refused(name: &str, value: &str) -> String {
    let mut settings = Settings::default();
    let answer = settings.set(name, value);
    let before = Settings::default();
    assert_eq!(
        format!("{settings:?}"),
        format!("{before:?}"),
        "{name}={value} is refused, and changes nothing"
    );
    answer.expect_err("a sentence")
}

fn all_names() -> Vec<&'static str> {
    (0..).map_while(name).collect()
}

#[test]
fn every_setting_is_listed_once_and_nothing_follows() {
    let names = all_names();
    let plain = "preset efr efr2 vf vf-control async check-hits event-late stats trace stall";
    let questions = Readings::QUESTIONS.iter().map(|(question, _)| *question);
    let expected: Vec<_> = plain.split(' ').chain(questions).collect();
    assert_eq!(names, expected);
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len());
    assert_eq!(name(names.len()), None);
    assert_eq!(name(usize::MAX), None);
}

/// A property that QEMU offers must not be one that nobody knows.
#[test]
fn every_setting_that_is_listed_is_known() {
    for name in all_names() {
        let answer = Settings::default().set(name, "?");
        let unknown = format!("there is no setting '{name}'");
        assert_ne!(answer, Err(unknown));
    }
}

#[test]
fn a_name_that_is_not_listed_is_refused() {
    for name in ["", "mmio", "oq-1", "oq-", "EFR", "efr ", "preset\0"] {
        assert_eq!(refused(name, "0"), format!("there is no setting '{name}'"));
    }
}

#[test]
fn without_settings_it_is_the_models_own_default() {
    let (ours, plain) = (config(&[]), Config::new(Features::genoa()));
    let expected = Config {
        device_id: 0x0102,
        ..plain
    };
    assert_eq!(format!("{ours:?}"), format!("{expected:?}"));
    let settings = Settings::default();
    assert_eq!(settings.statistics, None);
    assert_eq!(settings.trace, Destination::Off);
    assert_eq!(settings.stalled, None);
}

#[test]
fn a_preset_is_a_part_whose_features_can_be_overridden_in_any_order() {
    for (name, part) in [
        ("genoa", Features::genoa()),
        ("v2", Features::v2()),
        ("basic", Features::basic()),
    ] {
        let preset = ("preset", name);
        let found = config(&[preset]).features;
        assert_eq!(format!("{found:?}"), format!("{part:?}"), "{name}");
        for words in [
            [preset, ("efr", "0x123"), ("efr2", "7")],
            [("efr2", "7"), ("efr", "0x123"), preset],
        ] {
            let found = config(&words).features;
            assert_eq!((found.efr, found.efr2), (0x123, 7));
            assert_eq!(found.iotlb, part.iotlb);
        }
    }
    assert_eq!(refused("preset", "milan"), "there is no preset 'milan'");
    assert_eq!(refused("preset", ""), "there is no preset ''");
}

#[test]
fn numbers_are_decimal_or_hexadecimal() {
    for (text, value) in [
        ("0", 0),
        ("10", 10),
        ("0x10", 16),
        ("0xAb", 0xab),
        ("18446744073709551615", u64::MAX),
        ("0xffffffffffffffff", u64::MAX),
    ] {
        let features = config(&[("efr", text), ("efr2", text)]).features;
        assert_eq!((features.efr, features.efr2), (value, value), "{text}");
        assert_eq!(config(&[("async", text)]).asynchrony, Some(value));
    }
    let bad = [
        "",
        "0x",
        "x",
        "-1",
        "1 ",
        "0xg",
        "1e3",
        "18446744073709551616",
    ];
    for text in bad {
        for name in ["efr", "efr2", "vf", "vf-control", "async", "check-hits"] {
            assert_eq!(refused(name, text), format!("'{text}' is not a number"));
        }
    }
}

#[test]
fn apertures_are_aligned_to_their_size() {
    for (text, value) in [
        ("0x10000000", 0x1000_0000),
        ("0xfc00000000", 0xfc_0000_0000),
        ("268435456", 1 << 28),
    ] {
        assert_eq!(config(&[("vf", text)]).vf_bar, Some(value));
        assert_eq!(config(&[("vf", text)]).vf_control_bar, None);
    }
    let control = config(&[("vf-control", "0x400000")]);
    assert_eq!(control.vf_control_bar, Some(0x40_0000));
    assert_eq!(control.vf_bar, None);

    for (name, text, bits) in [
        ("vf", "0x8000000", 28),
        ("vf", "0x18000000", 28),
        ("vf", "1", 28),
        ("vf-control", "0x200000", 22),
        ("vf-control", "0xfc10200000", 22),
    ] {
        let sentence = format!("'{text}' is not aligned to 2^{bits} bytes");
        assert_eq!(refused(name, text), sentence);
    }
}

#[test]
fn asynchrony_can_be_switched_off_again() {
    assert_eq!(config(&[("async", "7")]).asynchrony, Some(7));
    assert_eq!(config(&[("async", "7"), ("async", "off")]).asynchrony, None);
    assert_eq!(refused("async", "on"), "'on' is not a number");
}

#[test]
fn check_hits_has_32_bits() {
    for (text, value) in [("0", 0), ("64", 64), ("0xffffffff", u32::MAX)] {
        assert_eq!(config(&[("check-hits", text)]).check_hits, value);
    }
    let sentence = "'0x100000000' is too large";
    assert_eq!(refused("check-hits", "0x100000000"), sentence);
}

#[test]
fn a_late_event_has_a_number_and_a_delay_or_never_comes() {
    let late = |text| set(&[("event-late", text)]).config(0).late_event;
    let event = |number, delay| Some(LateEvent { number, delay });
    for (text, expected) in [
        ("off", None),
        ("3:500", event(3, Some(500_000_000))),
        ("0x10:0", event(16, Some(0))),
        ("1:never", event(1, None)),
        ("2:0xffffffff", event(2, Some(0xffff_ffff * 1_000_000))),
    ] {
        assert_eq!(late(text), expected, "{text}");
    }
    let again = set(&[("event-late", "3:500"), ("event-late", "off")]);
    assert_eq!(again.config(0).late_event, None);

    for (text, sentence) in [
        ("", "'' is not off, N:MILLISECONDS or N:never"),
        ("3", "'3' is not off, N:MILLISECONDS or N:never"),
        ("x:1", "'x' is not a number"),
        ("1:soon", "'soon' is not a number"),
        ("1:2:3", "'2:3' is not a number"),
        ("1:4294967296", "'4294967296' is too large"),
    ] {
        assert_eq!(refused("event-late", text), sentence);
    }
}

#[test]
fn files_have_any_name() {
    let settings = set(&[("stats", "/a/b.json"), ("trace", "trace.txt")]);
    assert_eq!(settings.statistics.as_deref(), Some("/a/b.json"));
    assert_eq!(settings.trace, Destination::File("trace.txt".into()));
    for (text, expected) in [
        ("on", Destination::StandardError),
        ("off", Destination::Off),
    ] {
        assert_eq!(set(&[("trace", text)]).trace, expected);
    }
}

#[test]
fn each_engine_can_be_named() {
    for (text, expected) in [
        ("none", None),
        ("host", Some(Engine::HostCommands)),
        ("events", Some(Engine::Events)),
        ("guest:0", Some(Engine::GuestCommands(0))),
        ("guest:0x7fff", Some(Engine::GuestCommands(0x7fff))),
        ("guest:65535", Some(Engine::GuestCommands(0xffff))),
    ] {
        assert_eq!(set(&[("stall", text)]).stalled, expected, "{text}");
    }
    assert_eq!(set(&[("stall", "host"), ("stall", "none")]).stalled, None);

    for (text, sentence) in [
        ("", "'' is not none, host, events or guest:N"),
        ("guest", "'guest' is not none, host, events or guest:N"),
        ("hosts", "'hosts' is not none, host, events or guest:N"),
        ("guest:", "'' is not a number"),
        ("guest:two", "'two' is not a number"),
        ("guest:65536", "'65536' is no guest ID"),
    ] {
        assert_eq!(refused("stall", text), sentence);
    }
}

#[test]
fn every_reading_of_every_question_reaches_the_model() {
    for (question, readings) in Readings::QUESTIONS {
        for reading in *readings {
            let config = config(&[(question, reading)]);
            assert_eq!(config.readings.get(question), Ok(*reading));
        }
        assert_eq!(
            refused(question, "perhaps"),
            format!("'perhaps' is not one of the readings of {question}")
        );
    }
}
