#!/usr/bin/env bash
# build.sh [SUITE]: a virtual Raspberry Pi, trixie or bookworm, from Debian's packages only. Its folder is
# the last line on the standard output, and everything else is said on the standard error. It has
#   disk.raw            the disk (ext4, sparse): a bare system as Raspberry Pi OS Lite, without speakerd
#   vmlinuz, initrd     for QEMU's -kernel and -initrd; `root=/dev/vda rw` on its command line
#   id_ed25519, .pub    the ssh key of its users root and pi
#   builder.tar         where package.sh builds: the same Debian, with compilers
# It is made once, and again when something that it is made of changes. No root is needed where user
# namespaces are to be had.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# shellcheck source=systemd/functions.sh
source systemd/functions.sh
# shellcheck source=tests/virtual_pi/image/functions.sh
source tests/virtual_pi/image/functions.sh
exec 3>&1 1>&2
umask 022
suite=${1:-trixie}

build() {
	# Beside its place, and moved there when complete: what is interrupted looks like nothing.
	work=$cache/$suite.work
	trap 'remove_tree "$work"' EXIT
	remove_tree "$work"
	mkdir -p "$work/result"
	ssh-keygen -q -t ed25519 -N '' -C 'the virtual Raspberry Pi' -f "$work/result/id_ed25519"
	in_namespace $here/machine.sh "$suite" "$work"
	mv "$work/result" "$folder"
	keep_two "$cache" "$suite"
	say "The virtual Raspberry Pi is ready, after $SECONDS s"
}

check_suite "$suite"
apt_install "${APT[@]}"
make_cache
renice -n 10 $$ >/dev/null
folder=$cache/$(image_name "$suite")
if [ ! -e "$folder" ]; then
	take_turns "$suite"
	[ -e "$folder" ] || build
fi
touch "$folder"
echo "$folder" >&3
