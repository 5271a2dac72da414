// SPDX-License-Identifier: GPL-2.0

//! `/dev/amd-viommu`: decodes what user space asks for, checks its form and hands it to
//! [`viommu`](crate::viommu).
//!
//! What the calls mean is written in `Documentation/userspace-api/amd-viommu.rst`. An open file is one
//! virtual machine. Nothing here has state, or a lock, of its own.

mod abi;
mod call;
mod device;
mod event;
mod guest;
mod machine;

use crate::{viommu::Vm, AmdViommu};
use kernel::{alloc::flags::GFP_KERNEL_ACCOUNT, prelude::*, sync::Arc, uaccess::UserSliceWriter};
use kernel_ext::node::{self, Mappings, Node, Poll};

/// The node, as long as this exists.
pub(crate) type Registration = node::Registration<OpenFile>;

/// One open file of the node.
pub(crate) struct OpenFile {
    vm: Arc<Vm>,
}

impl Node for OpenFile {
    type Module = AmdViommu;
    const NAME: &'static CStr = c"amd-viommu";

    fn open(mappings: Mappings) -> Result<Arc<Self>> {
        let vm = Vm::new(mappings)?;
        Ok(Arc::new(Self { vm }, GFP_KERNEL_ACCOUNT)?)
    }

    fn ioctl(&self, number: u32, argument: UserPtr) -> Result {
        call::dispatch(&self.vm, number, argument)
    }

    fn read(&self, mut buffer: UserSliceWriter, wait: bool) -> Result<usize> {
        let most = buffer.len() / size_of::<abi::Event>();
        if most == 0 {
            return Err(EINVAL);
        }
        let count = self
            .vm
            .read(most, wait, |report| buffer.write(&event::encode(report)))?;
        Ok(count * size_of::<abi::Event>())
    }

    fn is_readable(&self, poll: &Poll<'_>) -> bool {
        self.vm.is_readable(poll)
    }

    fn may_map(&self, offset: u64, bytes: u64) -> Result {
        // A page at a time is all there is.
        if bytes != abi::PAGE {
            return Err(EINVAL);
        }
        self.vm.vf_page(offset).map(|_| ())
    }

    fn page(&self, offset: u64) -> Result<u64> {
        self.vm.vf_page(offset)
    }

    fn close(&self) {
        self.vm.close();
    }
}
