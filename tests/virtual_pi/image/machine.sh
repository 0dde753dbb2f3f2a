#!/usr/bin/env bash
# machine.sh SUITE WORK: build.sh's part that needs root, or a namespace in which it is. Makes disk.raw,
# vmlinuz, initrd and builder.tar in WORK/result, where the ssh key is.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# shellcheck source=systemd/functions.sh
source systemd/functions.sh
# shellcheck source=tests/virtual_pi/image/functions.sh
source tests/virtual_pi/image/functions.sh
suite=$1 work=$2
root=$work/root builder=$work/builder result=$work/result

bare_debian() {
	local IFS=,
	# this host's way to Debian's mirrors
	apt-config dump | grep -E '^Acquire::(http|https|Check-|Retries|ForceIPv)' >"$work/apt.conf" || true
	# apt's own user may not be able to enter this folder
	echo 'APT::Sandbox::User "root";' >>"$work/apt.conf"
	# The lists of packages are for the builder, which goes on from here.
	quietly mmdebstrap --mode=root --variant=minbase --architectures=amd64 --skip=cleanup/apt/lists \
		--aptopt="$work/apt.conf" --dpkgopt=force-unsafe-io --include="${MACHINE[*]}" "$suite" "$root"
}

# A copy of the bare system that goes on with compilers: what is missing here is missing there.
parts() {
	cp -a "$root" "$builder"
	cp /etc/resolv.conf /etc/hosts "$builder/etc/"
	[ ! -e /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$builder/etc/ssl/host.crt"
	mkdir -p "$builder/checkout/${here%/*}"
	cp -r systemd requirements.lock "$builder/checkout"
	cp -r $here "$builder/checkout/${here%/*}"
	in_tree "$builder" /checkout/$here/parts.sh
	mv "$builder"/parts/{vmlinuz,initrd} "$result"
	install -m 755 "$builder/parts/button" "$root/usr/local/bin/button"
	cp -a "$builder/usr/lib/modules" "$root/usr/lib/"
	cp -a "$builder"/srv/{debs,wheelhouse} "$root/srv/"
}

pack_builder() {
	cp $here/rootfs/etc/pip.conf "$builder/etc/pip.conf"
	rm -rf "${builder:?}"/{checkout,parts,boot,usr/lib/modules,usr/src,srv/debs,etc/ssl/host.crt,etc/apt/apt.conf.d/99mmdebstrap} \
		"$builder"/var/cache/apt/* "$builder"/var/lib/apt/lists/*
	tar -C "$builder" --numeric-owner --one-file-system -cf "$result/builder.tar" .
}

users() {
	local user group
	# Raspberry Pi OS: the groups of its first user
	for group in gpio i2c spi; do in_tree "$root" groupadd --system "$group"; done
	for user in pi member stranger player; do in_tree "$root" useradd --create-home --shell /bin/bash "$user"; done
	for group in adm dialout cdrom sudo audio video plugdev games users input render netdev gpio i2c spi; do
		in_tree "$root" groupadd --force --system "$group"
		in_tree "$root" usermod --append --groups "$group" pi
	done
	in_tree "$root" usermod --append --groups audio player
	install -d -m 700 "$root/root/.ssh"
	install -m 600 "$result/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
	cp -r "$root/root/.ssh" "$root/home/pi/.ssh"
	in_tree "$root" chown -R pi:pi /home/pi/.ssh
}

configure() {
	rm -rf "$root"/etc/apt/{apt.conf.d/99mmdebstrap,sources.list.d/*} "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap" \
		"$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*
	cp -r $here/rootfs/. "$root/"
	chown -R 0:0 "$root/etc/systemd" "$root/etc/sudoers.d" "$root/etc/ssh/sshd_config.d"
	chmod 440 "$root/etc/sudoers.d/"*
	: >"$root/etc/machine-id" # each machine makes its own
	mkdir -p "$root/var/log/journal"
	users
	quietly in_tree "$root" apt-get -q update
	quietly in_tree "$root" systemctl enable ssh systemd-networkd systemd-timesyncd gpio-lines
	# nothing is to compute in the background while a test does
	quietly in_tree "$root" systemctl mask systemd-networkd-wait-online.service e2scrub_reap.service \
		{apt-daily,apt-daily-upgrade,dpkg-db-backup,e2scrub_all,fstrim,man-db}.timer
}

say "Fetching Debian's $suite"
bare_debian
parts
say "Making the disk"
configure
pack_builder
quietly mke2fs -q -t ext4 -E root_owner=0:0 -d "$root" "$result/disk.raw" 4G
