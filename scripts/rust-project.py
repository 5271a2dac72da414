# SPDX-License-Identifier: GPL-2.0
"""rust-project.py KERNEL-PROJECT TOP ROOT: adds this module's crates to the kernel's rust-project.json.

The kernel's generator does not find crates whose objects are named in a Kbuild two folders up.
ROOT is what the compiler's own paths are relative to ("" on a machine that needs no build root).
"""

import json
import sys

CRATES = {
    # name: (root module, crates of this module that it uses, uses the kernel crate)
    "kernel_ext": ("rust/kernel_ext.rs", [], True),
    "hw": ("drivers/iommu/amd_viommu/hw/hw.rs", [], False),
    "amd_viommu": ("drivers/iommu/amd_viommu/amd_viommu.rs", ["kernel_ext", "hw"], True),
}
KERNEL_CRATES = ["core", "ffi", "macros", "kernel", "pin_init", "build_error", "bindings", "uapi"]


def main():
    path, top, root = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        project = json.load(file)

    project["sysroot"] = root + project["sysroot"]
    crates = project["crates"]
    index = {crate["display_name"]: number for number, crate in enumerate(crates)}
    kernel = crates[index["kernel"]]

    for crate in crates:
        if crate["root_module"].startswith("/usr/"):
            crate["root_module"] = root + crate["root_module"]

    for name, (module, uses, needs_kernel) in CRATES.items():
        names = (KERNEL_CRATES if needs_kernel else ["core"]) + uses
        index[name] = len(crates)
        crates.append({
            "display_name": name,
            "root_module": f"{top}/{module}",
            "is_workspace_member": True,
            "deps": [{"crate": index[dep], "name": dep} for dep in names],
            "cfg": kernel["cfg"] + ["MODULE"],
            "edition": "2021",
            "env": kernel["env"],
        })
    json.dump(project, sys.stdout, indent=1, sort_keys=True)


main()
