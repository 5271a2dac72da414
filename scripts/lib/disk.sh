# SPDX-License-Identifier: GPL-2.0
# disk.sh FOLDER: makes FOLDER/files with known files and SHA256SUMS, FOLDER/ext4.img with the same, and an
# empty FOLDER/scratch.img.

set -eu

# The same bytes every time, and no two blocks alike.
known_bytes()
{
	head -c "$2" /dev/zero | openssl enc -aes-128-ctr -nosalt -K "$(printf '%032x' "$1")" -iv "$(printf '%032d' 0)"
}

mkdir "$1/files"
cd "$1/files"
known_bytes 1 1 >one-byte
known_bytes 2 4096 >page
known_bytes 3 1000003 >odd-size
known_bytes 4 16777216 >large
mkdir deep
known_bytes 5 65536 >deep/file
sha256sum one-byte page odd-size large deep/file >SHA256SUMS

cd "$1"
truncate -s 64M ext4.img scratch.img
/sbin/mkfs.ext4 -q -L viommu -d files ext4.img
