// SPDX-License-Identifier: GPL-2.0

//! Random scenes: a device-table entry with all its tables, flaws in them, and requests.

use amd_iommu_model::request::Access;
use proptest::prelude::*;

use super::DOMAIN;
use crate::support::*;

/// One mapping, as numbers to pick addresses, size and rights by.
#[derive(Clone, Debug)]
pub struct Map {
    pub from: u64,
    pub to: u64,
    pub size: u32,
    pub rights: Rights,
}

/// Something wrong in a table: on the path of the mapping `map`, `depth` entries down.
#[derive(Clone, Debug)]
pub struct Flaw {
    pub guest: bool,
    pub map: usize,
    pub depth: usize,
    pub kind: FlawKind,
}

#[derive(Clone, Debug)]
pub enum FlawKind {
    /// One bit inverted.
    Flip(u32),
    /// A random entry that is present.
    Garbage(u64),
    /// Points to where no memory is.
    Nowhere,
    /// The table becomes no memory.
    Gone,
}

/// A device-table entry with all its tables.
#[derive(Clone, Debug)]
pub struct Scene {
    pub mode: u8,
    pub guest: Option<(u8, u8, bool)>,
    pub host_maps: Vec<Map>,
    pub skips: Vec<(u64, u8, u8)>,
    pub guest_maps: Vec<Map>,
    pub pasids: Vec<u32>,
    pub flaws: Vec<Flaw>,
    pub entry: EntryFlaw,
    pub had: u64,
}

#[derive(Clone, Debug)]
pub struct EntryFlaw {
    pub tv: bool,
    pub ir: bool,
    pub iw: bool,
    pub flip: Option<u32>,
}

/// A request, by the mapping it aims at.
#[derive(Clone, Debug)]
pub struct Query {
    pub map: usize,
    pub offset: u64,
    pub access: Access,
    pub pasid: Option<usize>,
    pub privileged: bool,
    pub wild: Option<u64>,
}

/// Addresses that share tables at every level: a few values of each index.
pub fn address() -> impl Strategy<Value = u64> {
    let index = || prop::sample::select(vec![0u64, 0, 0, 1, 2, 0x100, 0x1ff]);
    (index(), index(), index(), index(), index(), 0u64..2).prop_map(|(a, b, c, d, e, f)| {
        a << 12 | b << 21 | c << 30 | (d & 0xff) << 39 | (e & 0xff) << 48 | f << 57
    })
}

pub fn rights() -> impl Strategy<Value = Rights> {
    let mostly = || prop::bool::weighted(0.8);
    (mostly(), mostly(), mostly(), mostly()).prop_map(|(read, write, user, execute)| Rights {
        read,
        write,
        user,
        execute,
    })
}

pub fn map(sizes: &'static [u32]) -> impl Strategy<Value = Map> {
    (address(), address(), prop::sample::select(sizes), rights()).prop_map(
        |(from, to, size, rights)| Map {
            from,
            to,
            size,
            rights,
        },
    )
}

pub fn flaw() -> impl Strategy<Value = Flaw> {
    let kind = prop_oneof![
        6 => (0u32..64).prop_map(FlawKind::Flip),
        2 => any::<u64>().prop_map(FlawKind::Garbage),
        1 => Just(FlawKind::Nowhere),
        1 => Just(FlawKind::Gone),
    ];
    (any::<bool>(), 0usize..8, 0usize..6, kind).prop_map(|(guest, map, depth, kind)| Flaw {
        guest,
        map,
        depth,
        kind,
    })
}

pub fn entry_flaw() -> impl Strategy<Value = EntryFlaw> {
    let mostly = || prop::bool::weighted(0.95);
    let flip = prop::option::weighted(0.1, 0u32..64);
    (mostly(), mostly(), mostly(), flip).prop_map(|(tv, ir, iw, flip)| EntryFlaw {
        tv,
        ir,
        iw,
        flip,
    })
}

pub fn scene() -> impl Strategy<Value = Scene> {
    const HOST_SIZES: &[u32] = &[
        12, 12, 12, 13, 15, 16, 20, 21, 21, 22, 25, 29, 30, 31, 34, 38,
    ];
    const GUEST_SIZES: &[u32] = &[12, 12, 21, 30];
    let guest = prop::option::of((4u8..=5, 0u8..=2, any::<bool>()));
    let mode = prop::sample::select(vec![0u8, 0, 1, 2, 3, 3, 4, 4, 4, 5, 6]);
    let skip = (address(), 2u8..=6, 1u8..=5);
    (
        (mode, guest),
        prop::collection::vec(map(HOST_SIZES), 0..8),
        prop::collection::vec(skip, 0..2),
        prop::collection::vec(map(GUEST_SIZES), 0..8),
        prop::collection::vec(prop_oneof![Just(0u32), 0u32..0x10_0000, 0u32..0x200], 1..4),
        prop::collection::vec(flaw(), 0..3),
        entry_flaw(),
        prop::sample::select(vec![0u64, 0, 1, 3]),
    )
        .prop_map(
            |((mode, guest), host_maps, skips, guest_maps, pasids, flaws, entry, had)| Scene {
                mode,
                guest,
                host_maps,
                skips,
                guest_maps,
                pasids,
                flaws,
                entry,
                had,
            },
        )
}

pub fn query() -> impl Strategy<Value = Query> {
    let access = prop::sample::select(vec![
        Access::Read,
        Access::Write,
        Access::ReadWrite,
        Access::Execute,
    ]);
    (
        0usize..8,
        prop_oneof![Just(0u64), 0u64..0x1000, any::<u64>()],
        access,
        prop::option::of(0usize..4),
        any::<bool>(),
        prop::option::weighted(
            0.15,
            any::<u64>().prop_flat_map(|v| (0u32..64).prop_map(move |s| v >> s)),
        ),
    )
        .prop_map(|(map, offset, access, pasid, privileged, wild)| Query {
            map,
            offset,
            access,
            pasid,
            privileged,
            wild,
        })
}

/// What a scene has become in memory.
pub struct Built {
    pub entry: Dte,
    pub host: HostTables,
    pub guests: Vec<PageTables>,
    pub gcr3: Option<Gcr3>,
}

pub fn low_bits(count: u32) -> u64 {
    if count >= 64 {
        u64::MAX
    } else {
        (1 << count) - 1
    }
}

pub fn build(machine: &mut Machine, scene: &Scene) -> Built {
    let host = build_host(machine, scene);
    let offset = if scene.mode == 0 { 0 } else { GUEST_OFFSET };
    let mut built = Built {
        entry: Dte {
            tv: scene.entry.tv,
            ir: scene.entry.ir,
            iw: scene.entry.iw,
            had: scene.had,
            ..Dte::pass(DOMAIN)
        }
        .nested_on(
            if scene.mode == 0 { 0 } else { host.root },
            scene.mode.into(),
        ),
        host,
        guests: Vec::new(),
        gcr3: None,
    };
    if let Some((levels, glx, giov)) = scene.guest {
        let gcr3 = Gcr3::new(machine, glx, offset);
        for &pasid in &scene.pasids {
            let tables = build_guest(machine, scene, levels, offset);
            gcr3.set(machine, pasid, &tables);
            built.guests.push(tables);
        }
        built.entry = Dte {
            gv: true,
            giov,
            gcr3: gcr3.pointer,
            glx: glx.into(),
            paging_mode: u64::from(levels) - 4,
            ..built.entry
        };
        built.gcr3 = Some(gcr3);
    }
    built
}

pub fn build_host(machine: &mut Machine, scene: &Scene) -> HostTables {
    let host = HostTables::new(machine, scene.mode.max(1));
    let reach = low_bits(12 + 9 * u32::from(scene.mode));
    for &(address, level, below) in &scene.skips {
        if below < level && level <= scene.mode {
            host.skip(machine, address & reach, level, below);
        }
    }
    for map in &scene.host_maps {
        let page = low_bits(map.size);
        if HostTables::level_of(1 << map.size) <= scene.mode {
            let (from, to) = (map.from & reach & !page, map.to & low_bits(52) & !page);
            host.map(machine, from, to, 1 << map.size, map.rights);
        }
    }
    if scene.mode >= 3 {
        host.map_guest_memory(machine);
    }
    host
}

/// The tables of one PASID. Their leaves point to where the host maps something, if it does.
pub fn build_guest(machine: &mut Machine, scene: &Scene, levels: u8, offset: u64) -> PageTables {
    let tables = PageTables::new(machine, levels, offset);
    let reach = low_bits(11 + 9 * u32::from(levels));
    for (number, map) in scene.guest_maps.iter().enumerate() {
        let page = low_bits(map.size);
        let to = match scene.host_maps.get(number) {
            Some(host) => host.from,
            None => map.to,
        };
        let to = to & low_bits(52) & !page;
        tables.map(
            machine,
            map.from & reach & !page,
            to,
            1 << map.size,
            map.rights,
        );
    }
    tables
}

pub fn spoil(machine: &mut Machine, scene: &Scene, built: &Built) {
    for flaw in &scene.flaws {
        let path = path_of(machine, scene, built, flaw);
        let Some(&at) = path.get(flaw.depth % path.len().max(1)) else {
            continue;
        };
        let value = machine.peek(at);
        match flaw.kind {
            FlawKind::Flip(bit) => machine.poke(at, value ^ 1 << bit),
            FlawKind::Garbage(garbage) => machine.poke(at, garbage | 1),
            FlawKind::Nowhere => machine.poke(at, value & !0xf_ffff_ffff_f000 | 0x1000),
            FlawKind::Gone => machine.remove(at),
        }
    }
}

pub fn path_of(machine: &Machine, scene: &Scene, built: &Built, flaw: &Flaw) -> Vec<u64> {
    let maps = if flaw.guest {
        &scene.guest_maps
    } else {
        &scene.host_maps
    };
    let Some(map) = maps.get(flaw.map % maps.len().max(1)) else {
        return Vec::new();
    };
    match built.guests.get(flaw.map % built.guests.len().max(1)) {
        Some(tables) if flaw.guest => tables.path(machine, map.from),
        _ if flaw.guest => Vec::new(),
        _ => built.host.path(machine, map.from),
    }
}
