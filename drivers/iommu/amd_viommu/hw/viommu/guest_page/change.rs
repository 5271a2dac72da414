// SPDX-License-Identifier: GPL-2.0

//! What has to be written to the hardware, and in which order.

use super::super::vfctrl::page;
use super::Queue;

/// Where a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the guest's block of VFCTRL.
    Control,
    /// In the guest's VF page.
    Page,
}

/// A write of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where the register is.
    pub place: Place,
    /// The offset there.
    pub offset: usize,
    /// The value.
    pub value: u64,
    /// Bits of the VF page's [`Status`](crate::regs::Status) that have to read 0 before the next
    /// write, and before anything is done that needs the queue to be at rest. 0: nothing to wait
    /// for.
    pub until_clear: u64,
}

/// Writes in their order. A queue is stopped before its registers change; the event log is started
/// first and stopped last, so that no event of the command engine is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    stop: [Option<Write>; 2],
    pointers: [Option<Write>; 2],
    set: [Option<Write>; 2],
}

/// The change of the register that controls a queue.
pub(super) struct Step {
    pub(super) offset: usize,
    /// The status bit of the running queue.
    pub(super) run: u64,
    pub(super) old: u64,
    /// The value that stops the queue and changes nothing else, if it has to stop.
    pub(super) stopped: Option<u64>,
    pub(super) new: u64,
}

impl Changes {
    /// The writes.
    pub fn writes(&self) -> impl Iterator<Item = Write> + '_ {
        let parts = [&self.stop, &self.pointers, &self.set];

        parts.into_iter().flatten().filter_map(|&write| write)
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes().next().is_none()
    }

    pub(super) fn new(command: Step, event: Step) -> Self {
        Self {
            stop: [command.stop(), event.stop()],
            pointers: [None; 2],
            set: [event.set(), command.set()],
        }
    }

    /// The same, and head and tail of a queue that does not run become 0.
    #[must_use]
    pub(super) fn with_pointers_reset(self, queue: Queue) -> Self {
        let (head, tail) = match queue {
            Queue::Command => (page::CMD_HEAD, page::CMD_TAIL),
            Queue::Event => (page::EVENT_HEAD, page::EVENT_TAIL),
        };
        let zero = |offset| {
            Some(Write {
                place: Place::Page,
                offset,
                value: 0,
                until_clear: 0,
            })
        };

        Self {
            pointers: [zero(head), zero(tail)],
            ..self
        }
    }
}

impl Step {
    fn stop(&self) -> Option<Write> {
        self.stopped.map(|value| self.write(value, self.run))
    }

    fn set(&self) -> Option<Write> {
        let current = self.stopped.unwrap_or(self.old);

        (current != self.new).then(|| self.write(self.new, 0))
    }

    fn write(&self, value: u64, until_clear: u64) -> Write {
        Write {
            place: Place::Control,
            offset: self.offset,
            value,
            until_clear,
        }
    }
}
