// SPDX-License-Identifier: GPL-2.0

//! The driver: what it does to execute an action.

use hw::viommu::life::{set_entry, Action, END_DEVICE, LAST_USER_LEAVES};

use super::{Device, Entry, World, DEVICES, HOST_IDS};

impl World {
    /// Does one action. `old` and `new` are the domains of a [`set_entry`].
    pub(super) fn execute(
        &mut self,
        action: Action,
        device: usize,
        old: Option<usize>,
        new: Option<usize>,
    ) {
        use Action as A;

        match action {
            A::ResetRegisters => {
                assert!(!self.engine || self.stuck, "the engine is stopped before");
                (self.engine, self.stuck, self.named) = (false, false, false);
            }
            A::MapTables => self.tables = true,
            A::UnmapTables => self.tables = false,
            A::NameTranslateId => self.named = true,
            A::ForgetTranslateId => self.named = false,
            A::OpenTranslate => self.translate = self.parent,
            A::CloseTranslate => (self.translate, self.parent) = (None, None),
            A::StartEngine => self.engine = true,
            A::StopEngine => self.engine = false,
            A::RevokePage => self.page_mapped = false,
            A::MapDevice => self.map_device(device, Some(device)),
            A::SinkDevice => self.map_device(device, None),
            A::TakeBack => self.take_back(device),
            A::EndDevices => self.end_devices(),
            A::RestoreDevices => self.restore_devices(),
            A::ReleaseIds => self.ids = self.kept,
            A::JoinDomain => self.join(new),
            A::SetEntry => self.set_device(device, new),
            A::MapDomain => self.map_domain(new),
            A::LeaveDomain => self.leave(old.or_else(|| self.domain_of(device))),
            A::SinkDomain | A::FlushDomain | A::ReleaseDomain => unreachable!(),
        }
    }

    /// The hardware does not do one of the actions that it has to confirm. What is to be given back is
    /// given back all the same, but for the IDs if the registers are not known to be at rest.
    pub(super) fn fail(&mut self, action: Action) {
        match action {
            Action::StopEngine => self.stuck = self.engine,
            Action::ResetRegisters => self.kept = true,
            _ => unreachable!(),
        }
    }

    fn domain_of(&self, device: usize) -> Option<usize> {
        self.devices[device].and_then(|device| device.domain)
    }

    /// The hardware changes an entry of the device map.
    fn map_device(&mut self, device: usize, target: Option<usize>) {
        assert!(self.tables, "the map is not there: {self:?}");
        self.device_map[device] = target;
    }

    fn take_back(&mut self, device: usize) {
        if let Some(taken) = &mut self.devices[device] {
            if std::mem::replace(&mut taken.lease, false) {
                self.entries[device] = Entry::Host;
            }
        }
    }

    fn end_devices(&mut self) {
        for device in 0..DEVICES {
            if !self.has(device) {
                continue;
            }
            for &action in END_DEVICE {
                self.execute(action, device, None, None);
                self.check();
            }
            self.devices[device] = None;
        }
    }

    fn restore_devices(&mut self) {
        for device in 0..DEVICES {
            let domain = self.domain_of(device);
            if !self.has(device) {
                continue;
            }
            for &action in set_entry(domain.map(|d| d as u16), None) {
                self.execute(action, device, domain, None);
                self.check();
            }
            if let Some(device) = &mut self.devices[device] {
                device.domain = None;
            }
        }
    }

    fn join(&mut self, new: Option<usize>) {
        let domain = new.unwrap();
        let used = |id| self.domains.iter().any(|domain| domain.host_id == Some(id));
        let free = (0..HOST_IDS).find(|&id| !used(id));

        let domain = &mut self.domains[domain];
        domain.count += 1;
        if domain.users.join() {
            domain.host_id = free;
            assert!(!self.cached[free.unwrap()], "an ID with old translations");
            self.listed[self.parent.unwrap()][free.unwrap()] = true;
        }
    }

    fn set_device(&mut self, device: usize, new: Option<usize>) {
        let Some(Device {
            lease: true,
            parent,
            ..
        }) = self.devices[device]
        else {
            return;
        };
        self.entries[device] = match new.map(|domain| self.domains[domain].host_id) {
            _ if !self.alive[parent] => Entry::Blocked,
            None => Entry::Stage2,
            Some(host_id) => Entry::Domain(host_id.unwrap()),
        };
        if let Entry::Domain(id) = self.entries[device] {
            self.cached[id] = true;
        }
    }

    fn map_domain(&mut self, new: Option<usize>) {
        let domain = new.unwrap();
        assert!(self.tables);
        self.domain_map[domain] = self.domains[domain].host_id;
    }

    fn leave(&mut self, domain: Option<usize>) {
        let Some(index) = domain else {
            return;
        };
        self.domains[index].count -= 1;
        if !self.domains[index].users.leave() {
            return;
        }
        for action in LAST_USER_LEAVES {
            let host_id = self.domains[index].host_id.unwrap();
            match action {
                Action::SinkDomain => {
                    assert!(self.tables);
                    self.domain_map[index] = None;
                }
                Action::FlushDomain => self.cached[host_id] = false,
                Action::ReleaseDomain => self.release(index),
                _ => unreachable!(),
            }
            self.check();
        }
    }

    /// Without a parent there is no list to take the ID off.
    fn release(&mut self, index: usize) {
        let host_id = self.domains[index].host_id.take();
        if let Some(parent) = self.parent {
            self.listed[parent][host_id.unwrap()] = false;
        }
    }
}
