// SPDX-License-Identifier: GPL-2.0

//! One guest, its devices, their domains and two parents; and the driver, which does what the state
//! machine says and nothing else.

mod check;
mod driver;

use hw::viommu::life::{set_entry, step, Action, Event, State, Users};

/// Devices that the guest may get.
pub const DEVICES: usize = 2;
/// Domains that the guest may use.
pub const DOMAINS: usize = 2;
/// Domain IDs that the host has for them.
const HOST_IDS: usize = 2;
/// Tables that VFIO may have made.
const PARENTS: usize = 2;

/// What the entry of a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Entry {
    /// Whatever the host wants. The guest has no part in it.
    Host,
    /// Blocked, with the guest's numbers in it.
    Blocked,
    /// Through the parent only.
    Stage2,
    /// Through the parent, under this domain ID of the host.
    Domain(usize),
}

/// What the driver knows of a device that the guest has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Device {
    /// It ends when the IOMMU core takes the device.
    lease: bool,
    parent: usize,
    domain: Option<usize>,
}

/// What the driver knows of a domain of the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Domain {
    users: Users,
    count: u8,
    host_id: Option<usize>,
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub state: State,
    pub engine: bool,
    devices: [Option<Device>; DEVICES],
    domains: [Domain; DOMAINS],
    /// The parent that the translate ID is under.
    translate: Option<usize>,
    /// The parent of the guest, as the driver remembers it.
    parent: Option<usize>,
    named: bool,
    tables: bool,
    page_mapped: bool,
    ids: bool,
    /// The engine was to stop and has not.
    stuck: bool,
    /// The hardware may go on using the IDs: they are not given back.
    kept: bool,
    /// The maps. `None` is the sink.
    device_map: [Option<usize>; DEVICES],
    domain_map: [Option<usize>; DOMAINS],
    entries: [Entry; DEVICES],
    /// The hardware may hold translations under a domain ID of the host.
    cached: [bool; HOST_IDS],
    alive: [bool; PARENTS],
    /// The domain IDs of the host that a flush of a parent names besides its own.
    listed: [[bool; HOST_IDS]; PARENTS],
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    Init,
    Attach(usize, usize),
    Detach(usize),
    /// The IOMMU core gives the device another domain.
    Lose(usize),
    /// The guest writes the entry of a device, with or without a domain.
    Set(usize, Option<usize>),
    /// VFIO frees a parent.
    Free(usize),
    /// VFIO makes it anew.
    Make(usize),
    Reset,
    Destroy,
    Gone,
}

impl Input {
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Init, Self::Reset, Self::Destroy, Self::Gone];
        for device in 0..DEVICES {
            all.extend((0..PARENTS).map(|parent| Self::Attach(device, parent)));
            all.extend([Self::Detach(device), Self::Lose(device)]);
            all.push(Self::Set(device, None));
            all.extend((0..DOMAINS).map(|domain| Self::Set(device, Some(domain))));
        }
        all.extend((0..PARENTS).flat_map(|parent| [Self::Free(parent), Self::Make(parent)]));
        all
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            state: State::Vacant,
            engine: false,
            devices: [None; DEVICES],
            domains: [Domain::default(); DOMAINS],
            translate: None,
            parent: None,
            named: false,
            tables: false,
            page_mapped: false,
            ids: false,
            stuck: false,
            kept: false,
            device_map: [None; DEVICES],
            domain_map: [None; DOMAINS],
            entries: [Entry::Host; DEVICES],
            cached: [false; HOST_IDS],
            alive: [true; PARENTS],
            listed: [[false; HOST_IDS]; PARENTS],
        }
    }

    pub fn users(&self) -> [u8; DOMAINS] {
        self.domains.map(|domain| domain.count)
    }

    pub fn has(&self, device: usize) -> bool {
        self.devices[device].is_some()
    }

    /// Lets something happen. With `fail_after` the driver fails when it has done so many actions,
    /// if the event is one that may fail. Returns whether anything was done.
    pub fn feed(&mut self, input: Input, fail_after: Option<usize>) -> bool {
        let most = fail_after.unwrap_or(usize::MAX);
        match input {
            Input::Init => self.event(Event::Init, 0, most),
            Input::Attach(device, parent) => self.attach(device, parent, most),
            Input::Detach(device) => self.detach(device),
            Input::Lose(device) => self.lose(device),
            Input::Set(device, domain) => self.set(device, domain, most),
            Input::Free(parent) => self.free(parent),
            Input::Make(parent) => !std::mem::replace(&mut self.alive[parent], true),
            Input::Reset => self.event(Event::Reset, 0, most),
            Input::Destroy => self.event(Event::Destroy, 0, usize::MAX),
            Input::Gone => self.event(Event::IommuGone, 0, usize::MAX),
        }
    }

    fn event(&mut self, event: Event, device: usize, most: usize) -> bool {
        let Ok((state, actions)) = step(self.state, event) else {
            return false;
        };
        if event == Event::Init {
            (self.ids, self.page_mapped) = (true, true);
        }
        for &action in actions.iter().take(most) {
            self.execute(action, device, None, None);
            self.check();
        }
        if matches!(event, Event::Detach | Event::Lost) {
            self.devices[device] = None;
        }
        self.state = state;
        self.check_state();
        true
    }

    /// The guest is given up while the hardware does not do some of what it is told to.
    pub fn destroy_failing(&mut self, failing: &[Action]) -> bool {
        let Ok((state, actions)) = step(self.state, Event::Destroy) else {
            return false;
        };
        for &action in actions {
            if failing.contains(&action) {
                self.fail(action);
            } else {
                self.execute(action, 0, None, None);
            }
            self.check();
        }
        self.state = state;
        true
    }

    fn attach(&mut self, device: usize, parent: usize, most: usize) -> bool {
        let same_parent = self.parent == Some(parent);
        let event = Event::Attach { same_parent };
        if self.has(device) || !self.alive[parent] || step(self.state, event).is_err() {
            return false;
        }
        // The device has been lent.
        self.entries[device] = Entry::Stage2;
        self.devices[device] = Some(Device {
            lease: true,
            parent,
            domain: None,
        });
        self.parent = Some(parent);
        self.event(event, device, most)
    }

    fn detach(&mut self, device: usize) -> bool {
        self.has(device) && self.event(Event::Detach, device, usize::MAX)
    }

    fn lose(&mut self, device: usize) -> bool {
        let Some(lost) = &mut self.devices[device] else {
            return false;
        };
        lost.lease = false;
        self.entries[device] = Entry::Host;
        self.event(Event::Lost, device, usize::MAX)
    }

    fn set(&mut self, device: usize, new: Option<usize>, most: usize) -> bool {
        let Some(old) = self.devices[device] else {
            return false;
        };
        let number = |domain: usize| domain as u16 + 100;
        for &action in set_entry(old.domain.map(number), new.map(number))
            .iter()
            .take(most)
        {
            self.execute(action, device, old.domain, new);
            self.check();
        }
        self.after_set(device, old.domain, new, most);
        self.check_state();
        true
    }

    /// Which domain the device is in, after all of the actions or the first ones.
    fn after_set(&mut self, device: usize, old: Option<usize>, new: Option<usize>, most: usize) {
        let joins = new.is_some() && new != old;
        let entry_set = most > usize::from(joins);
        if joins && most == 1 {
            // SetEntry has failed.
            self.execute(Action::LeaveDomain, device, new, None);
        }
        let left = old.is_none() || new == old || most > 1 + 2 * usize::from(joins);
        if entry_set && !left {
            // A real driver does not stop here: LeaveDomain only takes away.
            self.execute(Action::LeaveDomain, device, old, None);
        }
        if entry_set {
            if let Some(device) = &mut self.devices[device] {
                device.domain = new;
            }
        }
        self.check();
    }

    fn free(&mut self, parent: usize) -> bool {
        if !self.alive[parent] {
            return false;
        }
        if self.parent == Some(parent) && self.state != State::Vacant {
            self.event(Event::ParentFreed, 0, usize::MAX);
        }
        // The domain's own part: devices that are still there are blocked.
        for device in 0..DEVICES {
            if self.devices[device].is_some_and(|d| d.lease && d.parent == parent) {
                self.entries[device] = Entry::Blocked;
            }
        }
        self.alive[parent] = false;
        self.listed[parent] = [false; HOST_IDS];
        self.check();
        true
    }
}
