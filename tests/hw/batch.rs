// SPDX-License-Identifier: GPL-2.0

//! Flushes of a page table that is walked under several domain IDs.

use hw::command::{Batch, Command, Range};

use crate::random::Random;

fn own() -> Command {
    Command::invalidate_iommu_pages(1, Range::new(0x5000, 0x5fff), false)
}

/// Takes all batches of a flush.
fn flush(nested: &[Option<u16>], all: bool) -> Vec<Vec<Command>> {
    let mut batches = Vec::new();
    let mut from = Some(0);
    while let Some(place) = from {
        let (batch, rest) = Batch::next(own(), nested, place, all);
        batches.push(batch.commands().to_vec());
        assert!(rest.is_none_or(|rest| rest > place), "goes on for ever");
        from = rest;
    }
    batches
}

/// Domain IDs from 2 on in some of `places` places.
fn nested(random: &mut Random, places: usize) -> Vec<Option<u16>> {
    let ids = 2..2 + u16::try_from(places).unwrap();
    ids.map(|id| (!random.one_in(3)).then_some(id)).collect()
}

#[test]
fn without_guests_it_is_one_command() {
    assert_eq!(flush(&[], false), [[own()]]);
    assert_eq!(flush(&[None, None], false), [[own()]]);
}

/// Guest addresses are not known, so everything under the ID goes, directory entries too.
#[test]
fn every_domain_id_is_dropped_whole_and_once() {
    let random = &mut Random::new(3);

    for places in 0..200 {
        let nested = nested(random, places);
        let commands = flush(&nested, false).concat();
        let mut expected = vec![own()];
        expected.extend(
            nested
                .iter()
                .flatten()
                .map(|id| Command::invalidate_iommu_pages(*id, Range::ALL, true)),
        );
        assert_eq!(commands, expected);
    }
}

#[test]
fn as_many_as_fit_go_at_once() {
    for count in [0, 1, 30, 31, 32, 33, 62, 63, 64, 1000] {
        let nested: Vec<Option<u16>> = (2..2 + count).map(Some).collect();
        let batches = flush(&nested, false);
        let (last, full) = batches.split_last().unwrap();

        assert!(full.iter().all(|batch| batch.len() == Batch::MAX));
        assert!((1..=Batch::MAX).contains(&last.len()), "{count}");
    }
}

#[test]
fn one_command_does_for_everything() {
    let nested: Vec<Option<u16>> = (2..100).map(Some).collect();

    assert_eq!(flush(&nested, true), [[Command::invalidate_iommu_all()]]);
}

/// What is there all the time is dropped, whatever comes and goes in other places between two
/// batches.
#[test]
fn what_comes_and_goes_hides_nothing() {
    let random = &mut Random::new(4);

    for _ in 0..300 {
        let fixed = nested(random, 150);
        let mut dropped = Vec::new();
        let mut from = Some(0);
        while let Some(place) = from {
            let now: Vec<Option<u16>> = fixed
                .iter()
                .map(|id| id.or(random.one_in(2).then_some(999)))
                .collect();
            let (batch, rest) = Batch::next(own(), &now, place, false);
            dropped.extend(batch.commands().iter().map(|command| command.domain_id()));
            from = rest;
        }
        for id in fixed.iter().flatten() {
            assert_eq!(dropped.iter().filter(|other| *other == id).count(), 1);
        }
    }
}
