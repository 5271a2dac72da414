// SPDX-License-Identifier: GPL-2.0

//! Executes what the state machine of a guest's IOMMU decides.

mod give;
mod take;

use super::{
    guest::{Guest, Inner},
    template::Map,
};
use hw::viommu::{
    guest_entry::Request,
    life::{Action, State},
    vfctrl::{Misc, MISC},
};
use kernel::prelude::*;

/// What a list of actions is about.
#[derive(Clone, Copy)]
pub(super) struct About {
    /// The guest's ID of the device.
    pub(super) device: u16,
    /// The guest's domain that the device is in.
    pub(super) old: Option<u16>,
    /// The guest's domain that it shall be in.
    pub(super) new: Option<u16>,
    /// What its entry shall say; `None` for what it says when the device comes.
    pub(super) request: Option<Request>,
}

impl About {
    /// Neither a device nor a domain.
    pub(super) const NOTHING: Self = Self::device(0);

    /// A device as it comes.
    pub(super) const fn device(device: u16) -> Self {
        Self {
            device,
            old: None,
            new: None,
            request: None,
        }
    }
}

impl Guest {
    /// Executes actions in their order.
    ///
    /// # Errors
    ///
    /// That of the first action that was to give something and could not; the rest is left out then.
    /// What takes something away is done as far as possible, and its first error given at the end.
    pub(super) fn execute(&self, inner: &mut Inner, actions: &[Action], about: &About) -> Result {
        let mut result = Ok(());
        for action in actions {
            match self.give(inner, *action, about) {
                // Nothing is left to refuse to. What the hardware may still use is not used again.
                Some(Err(error)) if inner.state == State::Vacant => {
                    inner.keep_ids();
                    result = result.and(Err(error));
                }
                Some(given) => given?,
                None => {
                    let taken = self.take(inner, *action, about);
                    result = result.and(taken);
                }
            }
        }
        result
    }

    /// The actions that give something.
    fn give(&self, inner: &mut Inner, action: Action, about: &About) -> Option<Result> {
        Some(match action {
            Action::ResetRegisters => self.reset_registers(inner),
            Action::MapTables => self.map_tables(inner),
            Action::NameTranslateId => self.name_translate_id(inner),
            Action::OpenTranslate => self.open_translate(inner),
            Action::StartEngine => Self::set_parent(inner, true),
            Action::MapDevice => self.map_device(inner, about),
            Action::JoinDomain => self.join_domain(inner, about),
            Action::SetEntry => Self::set_device_entry(inner, about),
            Action::MapDomain => Self::map_domain(inner, about),
            _ => return None,
        })
    }

    /// The actions that take something away.
    fn take(&self, inner: &mut Inner, action: Action, about: &About) -> Result {
        match action {
            Action::StopEngine => return Self::set_parent(inner, false),
            Action::RevokePage => self.revoke_page(),
            Action::CloseTranslate => Self::close_translate(inner),
            Action::ForgetTranslateId => inner.registers.write_control(MISC, Misc::default().0),
            Action::UnmapTables => inner.maps = None,
            Action::SinkDevice => Self::sink(inner, Map::Device, Some(about.device)),
            Action::SinkDomain => Self::sink(inner, Map::Domain, about.old),
            Action::TakeBack => return Self::take_back(inner, about),
            Action::EndDevices => return self.end_devices(inner),
            Action::RestoreDevices => return self.restore_devices(inner),
            Action::LeaveDomain => return self.leave_domain(inner, about),
            Action::FlushDomain => return self.flush_domain(inner, about),
            Action::ReleaseDomain => self.release_domain(inner, about),
            // They go with the guest.
            Action::ReleaseIds => {}
            Action::ResetRegisters
            | Action::MapTables
            | Action::NameTranslateId
            | Action::OpenTranslate
            | Action::StartEngine
            | Action::MapDevice
            | Action::JoinDomain
            | Action::SetEntry
            | Action::MapDomain => {}
        }
        Ok(())
    }
}
