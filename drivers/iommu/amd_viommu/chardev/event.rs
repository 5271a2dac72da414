// SPDX-License-Identifier: GPL-2.0

//! Reports as user space reads them.

use super::abi;
use hw::viommu::report::{Cause, News, Report};

/// The record of a report.
pub(super) fn encode(report: &Report) -> abi::Event {
    let event = abi::Event {
        version: abi::EVENT_VERSION,
        size: size_of::<abi::Event>() as u16,
        handle: report.handle,
        flags: if report.overflow {
            abi::EVENT_OVERFLOW
        } else {
            0
        },
        sequence: report.sequence,
        lost: report.lost,
        ..abi::Event::default()
    };
    match report.news {
        News::Lost => of_kind(event, abi::EVENT_LOST),
        News::Device { id, cause } => {
            let event = of_kind(event, abi::EVENT_DEVICE);
            with_cause(with_device(event, id), cause)
        }
        News::Queue(None) => of_kind(event, abi::EVENT_QUEUE),
        News::Queue(Some(cause)) => with_cause(of_kind(event, abi::EVENT_QUEUE), cause),
        News::Hardware(cause) => with_cause(of_kind(event, abi::EVENT_HARDWARE), cause),
        News::DeviceLeft { id } => with_device(of_kind(event, abi::EVENT_DEVICE_LEFT), id),
        News::Hushed { id } => with_device(of_kind(event, abi::EVENT_HUSHED), id),
        News::IommuGone => of_kind(event, abi::EVENT_IOMMU_GONE),
    }
}

fn of_kind(event: abi::Event, kind: u32) -> abi::Event {
    abi::Event { kind, ..event }
}

fn with_device(event: abi::Event, id: u16) -> abi::Event {
    abi::Event {
        guest_id: id.into(),
        ..event
    }
}

fn with_cause(event: abi::Event, cause: Cause) -> abi::Event {
    let bit = |is_there, bit| if is_there { bit } else { 0 };
    abi::Event {
        flags: event.flags
            | bit(cause.pasid.is_some(), abi::EVENT_HAS_PASID)
            | bit(cause.address.is_some(), abi::EVENT_HAS_ADDRESS),
        code: cause.code.into(),
        access: cause.flags.into(),
        pasid: cause.pasid.unwrap_or(0),
        address: cause.address.unwrap_or(0),
        ..event
    }
}
