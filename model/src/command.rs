// SPDX-License-Identifier: GPL-2.0

//! Commands: their 16 bytes, the command ring and their execution.

mod decode;
mod execute;
mod layout;
mod pages;
mod ring;
mod window;

pub use decode::{Command, Illegal, Source};
pub use pages::Pages;
pub use ring::CommandEngine;
