#!/usr/bin/env bash
# deb.sh IMAGE WORK: package.sh's part that needs root, or a namespace in which it is. Builds WORK/checkout
# in the builder of IMAGE, which has everything for it, and puts the packages in WORK/result.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# shellcheck source=systemd/functions.sh
source systemd/functions.sh
# shellcheck source=tests/virtual_pi/image/functions.sh
source tests/virtual_pi/image/functions.sh
image=$1 work=$2
builder=$work/builder

mkdir "$builder"
tar -C "$builder" --numeric-owner -xpf "$image/builder.tar"
mv "$work/checkout" "$builder/checkout"
in_tree "$builder" make -C /checkout deb
say "Building the next version of it"
# shellcheck disable=SC2016 # the variables are the inner shell's
quietly in_tree "$builder" bash -euc '
	cd /checkout/dist
	package=$(echo speakerd_*.deb)
	version=$(dpkg-deb -f "$package" Version)
	dpkg-deb -R "$package" next
	sed -i "s/^Version: .*/Version: $version.1/" next/DEBIAN/control
	echo "#SPEAKERD_NEW=" >>next/etc/speakerd/speakerd.env.example
	dpkg-deb --root-owner-group -Zgzip -z1 --build next .
'
mv "$builder"/checkout/dist/*.deb "$work/result"
