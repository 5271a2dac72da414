// SPDX-License-Identifier: GPL-2.0

//! The status register (hardware reference 3.1 and 3.2).

bitfield! {
    /// Status, MMIO 2020h. Writing 1 clears the bits of [`Status::W1C`]; the others ignore writes.
    pub struct Status(u64) {
        /// EventOverflow: an event was lost because the log was full.
        0:0 event_overflow: bool;
        /// EventLogInt: an event has been logged.
        1:1 event_log_int: bool;
        /// ComWaitInt: a COMPLETION_WAIT with the i bit has completed.
        2:2 com_wait_int: bool;
        /// EventLogRun: the event log accepts events.
        3:3 event_log_run: bool;
        /// CmdBufRun: commands are fetched.
        4:4 cmd_buf_run: bool;
        /// PprOverflow: a page request was lost.
        5:5 ppr_overflow: bool;
        /// PprInt: a page request has been logged.
        6:6 ppr_int: bool;
        /// PprLogRun: the page request log accepts entries.
        7:7 ppr_log_run: bool;
        /// GALogRun: the guest APIC log accepts entries.
        8:8 ga_log_run: bool;
        /// GALOverflow: a guest APIC entry was lost.
        9:9 ga_log_overflow: bool;
        /// GAInt: a guest APIC entry has been logged.
        10:10 ga_int: bool;
    }
}

impl Status {
    /// EventOverflow.
    pub const EVENT_OVERFLOW: u64 = 1 << 0;

    /// EventLogInt.
    pub const EVENT_LOG_INT: u64 = 1 << 1;

    /// ComWaitInt.
    pub const COM_WAIT_INT: u64 = 1 << 2;

    /// EventLogRun.
    pub const EVENT_LOG_RUN: u64 = 1 << 3;

    /// CmdBufRun.
    pub const CMD_BUF_RUN: u64 = 1 << 4;

    /// Every bit that writing 1 clears.
    pub const W1C: u64 = 0x6_8E67;

    /// Whether there is no register, but a function that has gone: every read gives all ones.
    pub fn is_gone(self) -> bool {
        self.0 == u64::MAX
    }

    /// Whether an engine or a log still runs. None does once [`super::Control::quiesced`] took
    /// effect.
    pub fn running(self) -> bool {
        self.event_log_run() || self.cmd_buf_run() || self.ppr_log_run() || self.ga_log_run()
    }
}
