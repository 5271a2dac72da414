// SPDX-License-Identifier: GPL-2.0

//! Features that the model accepts, and the settings of open questions.

use amd_iommu_model::config::{Features, Readings, SettingError};
use amd_iommu_model::{Config, Iommu};

use crate::support::READINGS;

#[test]
fn the_list_of_questions_is_complete() {
    assert_eq!(Readings::QUESTIONS, READINGS);
}

#[test]
fn every_question_takes_every_reading_by_name() {
    for (question, names) in READINGS {
        for name in *names {
            let mut readings = Readings::default();
            assert_eq!(readings.get(question), Ok(names[0]), "the default");
            assert_eq!(readings.set(question, name), Ok(()));
            assert_eq!(readings.get(question), Ok(*name));
            assert_eq!(readings == Readings::default(), *name == names[0]);
        }
    }
}

#[test]
fn a_question_changes_nothing_but_itself() {
    for (question, names) in READINGS {
        let mut readings = Readings::default();
        readings.set(question, names[1]).unwrap();
        for (other, defaults) in READINGS.iter().filter(|(other, _)| other != question) {
            assert_eq!(readings.get(other), Ok(defaults[0]), "{question} {other}");
        }
    }
}

#[test]
fn unknown_names_are_refused() {
    let table = [
        ("oq-1", "28", SettingError::UnknownQuestion),
        ("oq-", "28", SettingError::UnknownQuestion),
        ("", "", SettingError::UnknownQuestion),
        ("oq-8", "", SettingError::UnknownReading),
        ("oq-8", "29", SettingError::UnknownReading),
        ("oq-7", "28", SettingError::UnknownReading),
    ];
    for (question, reading, error) in table {
        let mut readings = Readings::default();
        assert_eq!(readings.set(question, reading), Err(error));
        assert_eq!(readings, Readings::default());
    }
    assert_eq!(
        Readings::default().get("oq-1"),
        Err(SettingError::UnknownQuestion)
    );
}

#[test]
fn presets_are_parts_that_the_model_has() {
    let presets = [
        ("genoa", Features::genoa()),
        ("v2", Features::v2()),
        ("basic", Features::basic()),
    ];
    for (name, features) in presets {
        assert_eq!(Features::preset(name), Some(features));
        assert!(Iommu::new(Config::new(features)).is_ok(), "{name}");
    }
    assert_eq!(Features::preset("milan"), None);
}

#[test]
fn presets_differ_in_what_they_can() {
    // Guest tables, guest addresses as GCR3 pointers, HW-vIOMMU.
    let table = [
        (Features::genoa(), [true, true, true]),
        (Features::v2(), [true, false, false]),
        (Features::basic(), [false, false, false]),
    ];
    for (features, [guest, trp, viommu]) in table {
        assert_eq!(features.efr >> 4 & 1 != 0, guest);
        assert_eq!(features.efr2 >> 3 & 1 != 0, trp);
        assert_eq!(features.efr >> 55 & 1 != 0, viommu);
    }
}

/// Parts that are refused: {EFR bits, EFR2 bits} flipped in `genoa`.
const REFUSED: &[(u64, u64)] = &[
    // PPRSup, XTSup, PCSup, GAMSup, DualEventLogSup, MarcSup, MsiCapMmioSup, EPHSup, SNPSup.
    (1 << 1, 0),
    (1 << 2, 0),
    (1 << 9, 0),
    (1 << 21, 0),
    (1 << 28, 0),
    (1 << 42, 0),
    (1 << 46, 0),
    (1 << 50, 0),
    (1 << 63, 0),
    // SNPAVICSup, NumIntRemapSup.
    (0, 1 << 5),
    (0, 1 << 8),
    // HATS 3, GATS 3, GLXSup 3, PASmax above 20 bits.
    (1 << 10, 0),
    (1 << 13, 0),
    (2 << 14, 0),
    (0x1b << 32, 0),
    // GTSup, GASup, HASup or GCR3TRPMode missing, where others need them.
    (1 << 4, 0),
    (1 << 7, 0),
    (1 << 49, 0),
    (0, 1 << 3),
    // GstBufferTRPMode without vIommuSup.
    (1 << 55, 0),
];

#[test]
fn features_that_the_model_does_not_have_are_refused() {
    for &(efr, efr2) in REFUSED {
        let mut features = Features::genoa();
        features.efr ^= efr;
        features.efr2 ^= efr2;
        assert!(features.check().is_err(), "{efr:x} {efr2:x}");
        assert!(Iommu::new(Config::new(features)).is_err());
    }
}

#[test]
fn features_of_guest_tables_need_guest_tables() {
    for (efr, efr2) in [(1 << 48, 0), (0, 1 << 3)] {
        let mut features = Features::basic();
        features.efr |= efr;
        features.efr2 |= efr2;
        assert!(features.check().is_err(), "{efr:x} {efr2:x}");
    }
}

#[test]
fn guest_buffers_in_private_space_are_refused() {
    let mut features = Features::genoa();
    features.guest_buffer_trp = false;
    assert!(features.check().is_err());
}

#[test]
fn optional_features_can_be_left_out_or_added() {
    // NXSup, IASup, HESup, HATS 1, 1 and 2 GCR3 levels, PASmax 0 and 19, USSup, segments, GIoSup,
    // HDSup.
    let flips: &[u64] = &[
        1 << 3,
        1 << 6,
        1 << 8,
        3 << 10,
        1 << 14,
        3 << 14,
        0xf << 32,
        0x1c << 32,
        1 << 37,
        3 << 38,
        1 << 48,
        1 << 52,
    ];
    for flip in flips {
        let mut features = Features::genoa();
        features.efr ^= flip;
        assert_eq!(features.check(), Ok(()), "{flip:x}");
    }
}
