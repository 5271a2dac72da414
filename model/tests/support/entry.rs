// SPDX-License-Identifier: GPL-2.0

//! Device-table entries by the names of their fields (hardware.md 3.3).

/// A device-table entry. All fields 0: not valid, so requests pass through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dte {
    /// V.
    pub v: bool,
    /// TV.
    pub tv: bool,
    /// HAD.
    pub had: u64,
    /// Mode.
    pub mode: u64,
    /// HostTRP, an address.
    pub root: u64,
    /// PPR enable.
    pub ppr: bool,
    /// GIOV.
    pub giov: bool,
    /// GV.
    pub gv: bool,
    /// GLX.
    pub glx: u64,
    /// GCR3 TRP, an address.
    pub gcr3: u64,
    /// IR.
    pub ir: bool,
    /// IW.
    pub iw: bool,
    /// DomainID.
    pub domain: u16,
    /// I.
    pub iotlb: bool,
    /// SE.
    pub se: bool,
    /// SA.
    pub sa: bool,
    /// IV.
    pub iv: bool,
    /// IntTabLen.
    pub int_tab_len: u64,
    /// IG.
    pub ig: bool,
    /// IntTRP, an address.
    pub int_table: u64,
    /// GuestPagingMode.
    pub paging_mode: u64,
    /// INITPass, EIntPass, NMIPass: bits 0, 1, 2.
    pub pass: u64,
    /// IntCtl.
    pub int_ctl: u64,
    /// vImuEn.
    pub vimu: bool,
    /// GDeviceID.
    pub guest_device: u16,
    /// GuestID.
    pub gid: u16,
    /// Bits to set besides, for reserved ones.
    pub extra: [u64; 4],
}

impl Dte {
    /// V only: every request is a fault (W1).
    pub fn blocked() -> Self {
        Dte {
            v: true,
            ..Dte::default()
        }
    }

    /// Pass-through with both rights (W3).
    pub fn pass(domain: u16) -> Self {
        Dte {
            v: true,
            tv: true,
            ir: true,
            iw: true,
            domain,
            ..Dte::default()
        }
    }

    /// Host table only, both rights (W4).
    pub fn host(domain: u16, root: u64, mode: u64) -> Self {
        Dte {
            mode,
            root,
            ..Dte::pass(domain)
        }
    }

    /// Guest table only, both rights, also for requests without PASID (W6).
    pub fn guest(domain: u16, gcr3: u64, glx: u64) -> Self {
        Dte {
            gv: true,
            giov: true,
            gcr3,
            glx,
            ..Dte::pass(domain)
        }
    }

    /// The same entry with a host table below (W7).
    pub fn nested_on(self, root: u64, mode: u64) -> Self {
        Dte { mode, root, ..self }
    }

    /// The same entry belonging to a guest (W8).
    pub fn of_guest(self, gid: u16, guest_device: u16) -> Self {
        Dte {
            vimu: true,
            gid,
            guest_device,
            ..self
        }
    }

    /// The 256 bits.
    pub fn words(&self) -> [u64; 4] {
        let flag = |on: bool, bit: u32| u64::from(on) << bit;
        let gcr3 = |high: u32, low: u32| (self.gcr3 >> low) & ((1 << (high - low + 1)) - 1);
        let words = [
            flag(self.v, 0)
                | flag(self.tv, 1)
                | self.had << 7
                | self.mode << 9
                | self.root
                | flag(self.ppr, 52)
                | flag(self.giov, 54)
                | flag(self.gv, 55)
                | self.glx << 56
                | gcr3(14, 12) << 58
                | flag(self.ir, 61)
                | flag(self.iw, 62),
            u64::from(self.domain)
                | gcr3(30, 15) << 16
                | flag(self.iotlb, 32)
                | flag(self.se, 33)
                | flag(self.sa, 34)
                | gcr3(51, 31) << 43,
            flag(self.iv, 0)
                | self.int_tab_len << 1
                | flag(self.ig, 5)
                | self.int_table
                | self.paging_mode << 54
                | self.pass << 56
                | self.int_ctl << 60,
            flag(self.vimu, 15) | u64::from(self.guest_device) << 16 | u64::from(self.gid) << 32,
        ];
        [0, 1, 2, 3].map(|index| words[index] | self.extra[index])
    }
}
