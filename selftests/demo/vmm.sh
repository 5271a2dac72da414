# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# A virtual machine on this machine, with its NVMe drives and its e1000e card passed through. Sourced after parts.sh.
# Who sources it has a function "on_mark NAME", for what the guest says that it has come to.

guests=/usr/lib/amd-viommu-guests
data_device=0000:00:12.0
card_device=0000:00:13.0
scratch_device=0000:00:19.0
stray_device=0000:00:16.0
guest_memory=512
guest_out=/tmp/guest.out
guest_in=/tmp/guest.in
vmm_log=/tmp/vmm.log
# Where the guest's kernel log goes: a port to the machine around this one, if there is one.
guest_log=/tmp/guest.kernel.log
[ ! -c /dev/vport0p1 ] || guest_log=/dev/vport0p1

# give DRIVER DEVICE: the device leaves the driver that it has, if any, and gets this one.
give()
{
	device=/sys/bus/pci/devices/$2
	[ ! -e "$device/driver" ] || echo "$2" >"$device/driver/unbind"
	echo "$1" >"$device/driver_override"
	echo "$2" >/sys/bus/pci/drivers_probe
	[ "$(basename "$(readlink "$device/driver")")" = "$1" ] || failure "$2 did not get the driver $1"
}

give_to_vfio()
{
	give vfio-pci $data_device
	give vfio-pci $scratch_device
	give vfio-pci $card_device
	give vfio-pci $stray_device
}

give_back()
{
	give nvme $data_device
	give nvme $scratch_device
	give e1000e $card_device
}

# make_guest_initrd SERIES: the guest's file system: its kernel's modules, and the programs of this one.
make_guest_initrd()
{
	mkdir -p /tmp/guest/usr/lib/amd-viommu
	cp -r "$here" /tmp/guest/usr/lib/amd-viommu/
	(cd /tmp/guest && find . | cpio -o -H newc 2>/dev/null) | cat "$guests/$1/base.cpio" - >/tmp/guest.cpio
	rm -rf /tmp/guest
}

# vmm SERIES APPEND OPTION...: the emulator in the place of this shell, which has nothing to say when it is killed.
vmm()
{
	series=$1 append=$2
	shift 2
	# The device of this project, for those who ask for it.
	[ ! -e $guests/amd-viommu.so ] || export LD_PRELOAD=$guests/amd-viommu.so
	exec qemu-system-x86_64 -M q35,smm=off -accel kvm -cpu host -smp 2 -m $guest_memory \
		-nodefaults -no-user-config -display none -pidfile /tmp/vmm.pid \
		-kernel "$guests/$series/vmlinuz" -initrd /tmp/guest.cpio \
		-append "console=hvc0 panic=-1 $append" \
		-device virtio-serial-pci,addr=0x2 \
		"$@" \
		-device "vfio-pci,host=$data_device,addr=0x12" \
		-device "vfio-pci,host=$card_device,addr=0x13,rombar=0" \
		-device "vfio-pci,host=$scratch_device,addr=0x14" \
		-device "vfio-pci,host=$stray_device,addr=0x15"
}

# start_guest SERIES APPEND OPTION...: the emulator in the background; the guest has two terminals, for its kernel and
# for its program.
start_guest()
{
	series=$1 append="viommu.tty=hvc1 $2"
	shift 2
	rm -f /tmp/vmm.status /tmp/vmm.killed $guest_in
	: >$guest_out
	mkfifo $guest_in
	exec 3<>$guest_in
	(
		exec 3>&-
		(vmm "$series" "$append" \
			-chardev "file,id=console,path=$guest_log" -device virtconsole,chardev=console \
			-chardev "file,id=out,path=$guest_out,input-path=$guest_in" -device virtconsole,chardev=out \
			"$@") >$vmm_log 2>&1
		echo $? >/tmp/vmm.status
	) &
}

# guest_shell SERIES APPEND OPTION...: the guest's console is the terminal on standard input and output.
guest_shell()
{
	series=$1 append=$2
	shift 2
	(vmm "$series" "$append" -chardev stdio,id=console,signal=off -device virtconsole,chardev=console "$@")
}

# follow_guest: shows what the guest writes, and answers when it says where it is, until the emulator ends. The
# status is that of the guest's program, 125 if it left none.
follow_guest()
{
	shown=0
	until [ -e /tmp/vmm.status ]; do
		usleep 300000
		show_guest
	done
	show_guest
	exec 3>&-
	detail <$vmm_log
	status=$(sed -n 's/^VM-EXIT-STATUS \([0-9]*\).*/\1/p' $guest_out | tail -n 1)
	return "${status:-125}"
}

# Lines are whole with their end.
show_guest()
{
	lines=$(wc -l <$guest_out)
	[ "$lines" -gt "$shown" ] || return
	sed -n "$((shown + 1)),${lines}p" $guest_out | tr -d '\r' >/tmp/guest.new
	shown=$lines
	while IFS= read -r line; do
		case $line in
		"mark "*)
			on_mark "${line#mark }"
			echo go on >&3
			;;
		VM-EXIT-STATUS*) ;;
		*) printf '%s\n' "$line" ;;
		esac
	done </tmp/guest.new
}

# The emulator gets no chance to tidy up.
kill_vmm()
{
	kill -KILL "$(cat /tmp/vmm.pid)" && : >/tmp/vmm.killed
}
