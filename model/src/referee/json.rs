// SPDX-License-Identifier: GPL-2.0

//! The violations as JSON.
//!
//! | Key | Value |
//! |---|---|
//! | `violations` | array of `{"rule":"stale-translation","place":"0x300","count":n,"sentence":"..."}`, by rule and place; a place is what the rule says it is |
//! | `violation_count` | number of all violations, with those at places that were too many to keep |

use alloc::string::String;
use core::fmt::Write;

use crate::referee::{Referee, Rule, Violation};

impl Referee {
    /// Writes the fields of a JSON object, without the braces.
    pub fn write_json(&self, out: &mut String) {
        out.push_str("\"violations\":[");
        for (index, (rule, place, violation)) in self.violations().enumerate() {
            if index > 0 {
                out.push(',');
            }
            entry(out, rule, place, violation);
        }
        // Writing to a string does not fail.
        let _ = write!(out, "],\"violation_count\":{}", self.count());
    }
}

fn entry(out: &mut String, rule: Rule, place: u64, violation: &Violation) {
    let _ = write!(
        out,
        "{{\"rule\":\"{}\",\"place\":\"{place:#x}\",\"count\":{},\"sentence\":\"",
        rule.name(),
        violation.count
    );
    escape(out, &violation.sentence);
    out.push_str("\"}");
}

/// Text inside a JSON string.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
}
