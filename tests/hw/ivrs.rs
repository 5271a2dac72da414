// SPDX-License-Identifier: GPL-2.0

mod build;
mod hostile;
mod lookup;
mod worked;
