#!/usr/bin/env bash
# make test-install: lifecycle.sh in a Debian of its own, which debootstrap makes and which is removed after.
#   chroot.sh bookworm|trixie      as root
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "this needs root: sudo make test-install" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "this needs debootstrap: sudo apt-get install debootstrap" >&2; exit 1; }

tree=$(mktemp -d)
chmod 755 "$tree" # it becomes everybody's /
# The mounts are in a namespace of their own, and so never outlive this script.
remove() { rm -rf --one-file-system "$tree"; }
trap remove EXIT
debootstrap --variant=minbase --include=make,python3,ca-certificates "$1" "$tree" >/dev/null
mkdir "$tree/checkout"
# what git knows, as it is now
git -c safe.directory='*' ls-files -z | xargs -0 cp --parents -t "$tree/checkout"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
# shellcheck disable=SC2016 # $1 is the inner shell's
unshare --mount bash -euc '
	mount -t proc proc "$1/proc"
	mount --rbind /dev "$1/dev"
	exec chroot "$1" env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		/checkout/tests/packaging/lifecycle.sh /checkout
' - "$tree"
