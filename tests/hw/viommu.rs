// SPDX-License-Identifier: GPL-2.0

//! The hardware IOMMU of a guest.

mod backlog;
mod external;
mod features;
mod guest_entry;
mod guest_page;
mod layout;
mod life;
mod report;
mod rest;
mod storm;
mod vfctrl;
mod watch;
