/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Headers whose declarations the kernel crate's own bindings do not cover.
 */
#include <linux/syscore_ops.h>
#include <linux/generic_pt/iommu.h>
