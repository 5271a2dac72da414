// SPDX-License-Identifier: GPL-2.0

//! Executing what the state machine of a device wants.

use super::{lease::Lease, Client};
use crate::domain::{
    backend::Backend,
    members::{Form, Members},
};
use hw::{
    device::{self, Entry, Event, Output, State, Target},
    dte::Translation,
};
use kernel::{prelude::*, sync::Arc};
use kernel_ext::iommu::PagingDomain;

/// What a device is at the moment.
pub(super) struct Life {
    pub(super) state: State,
    /// The domain that the device is a member of.
    pub(super) joined: Option<Arc<Members>>,
    /// The entry may let requests through.
    pub(super) open: bool,
    /// Who has the device, as long as `state` has a lease.
    pub(super) lease: Option<Lease>,
    /// A lease that has ended, whose owner has not been told.
    pub(super) lost: Option<Lease>,
}

impl Life {
    pub(super) fn new(state: State) -> Self {
        Self {
            state,
            joined: None,
            open: false,
            lease: None,
            lost: None,
        }
    }

    fn leave(&mut self, client: &Client, spoiled: bool) {
        if let Some(members) = self.joined.take() {
            if spoiled {
                members.spoil();
            }
            members.leave(&client.requester);
        }
    }
}

impl Client {
    /// Feeds the state machine and does what it says. The owner of a lease that ends is told before
    /// this returns.
    ///
    /// # Errors
    ///
    /// As [`Client::advance`].
    pub(super) fn happen(&self, event: Event, domain: Option<&PagingDomain<Backend>>) -> Result {
        let (result, lost) = {
            let mut life = self.life.lock();
            let result = self.advance(&mut life, event, domain);
            (result, life.lost.take())
        };
        if let Some(lease) = lost {
            lease.tell_owner();
        }
        result
    }

    /// Feeds the state machine and does what it says, in its order.
    ///
    /// # Errors
    ///
    /// `ENODEV` for what cannot happen now, `ENOMEM`: nothing has changed. `EIO` when the hardware
    /// does not confirm: the device is blocked.
    pub(super) fn advance(
        &self,
        life: &mut Life,
        event: Event,
        domain: Option<&PagingDomain<Backend>>,
    ) -> Result {
        let (next, output) = device::step(life.state, event).map_err(|_| ENODEV)?;
        let joining = self.prepare(life, output, domain)?;
        let result = self.execute(life, next, output, joining);
        if result.is_err() && matches!(next, State::Claimed { .. }) {
            self.fall_back(life, event);
        }
        result
    }

    /// Everything that may fail without consequences.
    fn prepare(
        &self,
        life: &mut Life,
        output: Output,
        domain: Option<&PagingDomain<Backend>>,
    ) -> Result<Option<Arc<Members>>> {
        let opens = output
            .write
            .is_some_and(|entry| entry != Entry::Plain(Target::Blocked));
        if opens && !life.open {
            self.requester.open()?;
            life.open = true;
        }
        let Some(domain) = domain.filter(|_| output.join.is_some()) else {
            return Ok(None);
        };
        let members = domain.driver().members().clone();
        members.set_unmanaged(domain.is_unmanaged());
        members.join(&self.requester)?;
        Ok(Some(members))
    }

    fn execute(
        &self,
        life: &mut Life,
        next: State,
        output: Output,
        joining: Option<Arc<Members>>,
    ) -> Result {
        let written = output
            .write
            .map_or(Ok(()), |entry| self.write(life, entry, joining.as_ref()));
        let flushed = output
            .flush
            .map_or(Ok(()), |stale| self.iommu().invalidate_stale(stale));
        if output.leave.is_some() {
            life.leave(self, flushed.is_err());
        }
        if joining.is_some() {
            life.joined = joining;
        }
        if output.lost {
            life.lost = life.lease.take();
        }
        life.state = next;
        written.and(flushed)
    }

    fn write(&self, life: &mut Life, entry: Entry, joining: Option<&Arc<Members>>) -> Result {
        let form = match entry {
            Entry::Guest(lease) => Some(Form::Guest(lease.ids, lease.guest)),
            Entry::Plain(Target::Paging(_)) => Some(Form::Host),
            Entry::Plain(Target::Identity(_) | Target::Blocked) => None,
        };
        let table = joining.or(life.joined.as_ref());
        match (form, table) {
            (Some(form), Some(members)) => {
                self.let_go(life, joining.is_some());
                members.write(&self.requester, form)
            }
            (Some(_), None) => Err(EINVAL),
            (None, _) => {
                self.let_go(life, true);
                self.write_plain(life, entry)
            }
        }
    }

    /// A change of the table that the device leaves must not bring its entry back.
    fn let_go(&self, life: &Life, leaves: bool) {
        if let Some(members) = life.joined.as_ref().filter(|_| leaves) {
            members.let_go(&self.requester);
        }
    }

    /// Writes an entry without a page table.
    fn write_plain(&self, life: &mut Life, entry: Entry) -> Result {
        match entry {
            Entry::Plain(Target::Identity(domain_id)) => {
                self.requester.write(Translation::PassThrough { domain_id })
            }
            _ if core::mem::take(&mut life.open) => self.requester.block(),
            _ => self.requester.write(Translation::Blocked),
        }
    }

    /// The hardware did not confirm an entry. The core goes on believing in the domain before, and may
    /// free either, so the device is blocked and leaves both. That goes for entries that it shares
    /// with other devices too, since they have been changed.
    ///
    /// What a guest asked for leaves the core's domain where it is.
    fn fall_back(&self, life: &mut Life, event: Event) {
        dev_err!(self.pdev, "the IOMMU does not confirm: blocked\n");
        let event = match event {
            Event::SetGuest(_) => Event::SetGuestFailed,
            _ => {
                self.close(life);
                Event::AttachFailed
            }
        };
        if let Ok((next, output)) = device::step(life.state, event) {
            let _ = self.execute(life, next, output, None);
        }
    }

    /// The device counts no more as a user of its IDs. Their entries stay.
    pub(super) fn close(&self, life: &mut Life) {
        if core::mem::take(&mut life.open) {
            self.requester.close(|_| ());
        }
    }
}
