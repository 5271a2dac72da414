// SPDX-License-Identifier: GPL-2.0

//! `features PRESET`: the values of EFR and EFR2, for who makes an ACPI table.

use amd_iommu_model::config::Features;

fn main() -> Result<(), String> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let features = Features::preset(&name).ok_or(format!("there is no preset '{name}'"))?;
    println!("{:#x} {:#x}", features.efr, features.efr2);
    Ok(())
}
