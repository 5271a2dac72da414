// SPDX-License-Identifier: GPL-2.0

//! The violations as JSON.
//!
//! | Key | Value |
//! |---|---|
//! | `violations` | array of `{"rule":"stale-translation","place":"0x300","count":n,"sentence":"..."}`, by rule and place; a place is what the rule says it is. Behind them, for rules with more places than are kept, one entry each with the place `more` |
//! | `violation_count` | number of all violations |

use alloc::string::String;
use core::fmt::{Arguments, Write};

use crate::referee::{Referee, Rule, Violation};

impl Referee {
    /// Writes the fields of a JSON object, without the braces.
    pub fn write_json(&self, out: &mut String) {
        out.push_str("\"violations\":[");
        let mut comma = "";
        for (rule, place, violation) in self.violations() {
            out.push_str(comma);
            entry(out, rule, format_args!("{place:#x}"), violation);
            comma = ",";
        }
        for (rule, count) in &self.more {
            out.push_str(comma);
            let violation = Violation {
                count: *count,
                sentence: String::from("There were more places than are kept."),
            };
            entry(out, *rule, format_args!("more"), &violation);
            comma = ",";
        }
        // Writing to a string does not fail.
        let _ = write!(out, "],\"violation_count\":{}", self.count());
    }
}

fn entry(out: &mut String, rule: Rule, place: Arguments<'_>, violation: &Violation) {
    let _ = write!(
        out,
        "{{\"rule\":\"{}\",\"place\":\"{place}\",\"count\":{},\"sentence\":\"",
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
