// SPDX-License-Identifier: GPL-2.0

//! What must hold.

use hw::viommu::life::State;

use super::{Entry, World, DEVICES, HOST_IDS};

impl World {
    /// What holds after each action.
    pub(super) fn check(&self) {
        assert!(
            self.ids || !(self.engine || self.named),
            "somebody else gets IDs that the hardware uses: {self:?}"
        );
        if self.engine && !self.stuck {
            assert!(
                self.named && self.tables,
                "the engine runs too early: {self:?}"
            );
            assert!(self.translate.is_some(), "runs without parent: {self:?}");
        }
        if let Some(parent) = self.translate {
            assert!(self.alive[parent], "opens to a freed table: {self:?}");
        }
        for (index, domain) in self.domains.iter().enumerate() {
            let mapped = self.domain_map[index];
            assert!(mapped.is_none() || mapped == domain.host_id, "{self:?}");
            assert!(domain.host_id.is_some() || domain.count == 0, "{self:?}");
        }
        for (device, entry) in self.entries.iter().enumerate() {
            self.check_entry(device, *entry);
        }
        for id in 0..HOST_IDS {
            let used = self.domains.iter().any(|domain| domain.host_id == Some(id));
            assert!(
                used || !self.cached[id],
                "freed with translations: {self:?}"
            );
        }
    }

    fn check_entry(&self, device: usize, entry: Entry) {
        let lent = self.devices[device].filter(|device| device.lease);

        assert_eq!(entry == Entry::Host, lent.is_none(), "{self:?}");
        if matches!(entry, Entry::Stage2 | Entry::Domain(_)) {
            assert!(lent.is_some_and(|device| self.alive[device.parent]));
        }
        if let Entry::Domain(id) = entry {
            let parent = lent.unwrap().parent;
            assert!(self.listed[parent][id], "a flush would miss it: {self:?}");
            let used = self.domains.iter().any(|domain| domain.host_id == Some(id));
            assert!(used, "an entry with an ID that is free: {self:?}");
        }
    }

    /// What holds between events.
    pub(super) fn check_state(&self) {
        let devices = self.devices.iter().flatten().count() as u32;
        match self.state {
            State::Vacant => self.assert_empty(),
            State::Parentless | State::Gone => {
                assert_eq!(devices, 0);
                assert!(!self.engine && self.translate.is_none() && self.parent.is_none());
            }
            State::Armed { devices: count } => {
                assert_eq!(count, devices);
                assert!(count != 0 && self.parent.is_some());
            }
        }
        for domain in self.domains {
            assert_eq!(domain.host_id.is_some(), domain.count != 0, "{self:?}");
        }
        for (parent, listed) in self.listed.iter().enumerate() {
            let used = |id| self.domains.iter().any(|domain| domain.host_id == Some(id));
            for (id, &listed) in listed.iter().enumerate() {
                let mine = self.parent == Some(parent);
                assert_eq!(listed, mine && used(id), "{self:?}");
            }
        }
        for device in 0..DEVICES {
            let mapped = self.device_map[device].is_some();
            assert!(
                !mapped || self.has(device),
                "names a device that left: {self:?}"
            );
        }
    }

    /// Nothing of the guest is left but what nobody else gets: its IDs, and an engine under them that does
    /// not stop and reaches nothing.
    pub fn assert_harmless(&self) {
        let world = self.clone();

        assert!(self.kept);
        Self {
            engine: false,
            stuck: false,
            ids: false,
            kept: false,
            ..world
        }
        .assert_empty();
    }

    /// Nothing of the guest is left.
    pub fn assert_empty(&self) {
        let alive = self.alive;

        assert_eq!(
            self,
            &Self {
                alive,
                ..Self::new()
            }
        );
    }
}
