#!/usr/bin/env bash
# parts.sh: runs in the builder's tree. Makes the parts of the machine: /parts/vmlinuz, its modules in
# /usr/lib/modules, /parts/initrd and /parts/button; and gathers in /srv what speakerd is installed from
# where there is no network, Debian's packages and Python's.
set -euo pipefail
cd /checkout
# shellcheck source=systemd/functions.sh
source systemd/functions.sh
# shellcheck source=systemd/environment.sh
source systemd/environment.sh
# shellcheck source=tests/virtual_pi/image/packages.sh
source tests/virtual_pi/image/packages.sh
image=$PWD/tests/virtual_pi/image
fetch() { quietly apt_get install -y --no-install-recommends -o APT::Keep-Downloaded-Packages=true "$@"; }

# What install.sh installs, by its own words; this system has what the machine has, so what comes along
# is what the machine misses.
debian_packages() {
	local wanted=()
	# shellcheck disable=SC2046 # they are words
	mapfile -t wanted < <(
		apt_install() { printf '%s\n' "$@"; }
		install_build_packages $(sed -n 's/^\s*install_build_packages //p' systemd/install.sh)
	)
	fetch "${wanted[@]}"
	mkdir -p /srv/debs
	mv /var/cache/apt/archives/*.deb /srv/debs
	fetch "${BUILDER[@]}"
	(cd /srv/debs && quietly sh -c "dpkg-scanpackages --multiversion . >Packages")
}

# Exactly what requirements.lock has, for this Python. pip looks into a source package by its own builder,
# so that one is installed first.
wheelhouse() {
	local pip=(env PYPI=1 venv/bin/python -I -m pip --disable-pip-version-check --no-input -q)
	local section download=("${pip[@]}" download --no-deps --require-hashes --no-build-isolation -d /srv/wheelhouse)
	for section in build runtime pi; do locked "$section" >"$section.lock"; done
	quietly "$PYTHON" -m venv venv
	quietly "${download[@]}" -r build.lock
	quietly "${pip[@]}" install --no-index --no-deps --no-build-isolation --find-links /srv/wheelhouse -r build.lock
	quietly "${download[@]}" -r runtime.lock -r pi.lock
}

# Debian's. The initial file system that would be made of it is of no use here.
linux() {
	quietly dpkg-divert --local --rename --add /usr/sbin/update-initramfs
	ln -s /bin/true /usr/sbin/update-initramfs
	kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: linux-image-//p')
	fetch "linux-image-$kernel" "linux-headers-$kernel" "linux-source-$(series)"
	cp "/boot/vmlinuz-$kernel" /parts/vmlinuz
}
series() { cut -d. -f1,2 <<<"$kernel"; }

# gpio-sim, which Debian's kernel has switched off, from Debian's source of that kernel, and the board.
modules() {
	local source modules=/usr/lib/modules/$kernel
	source=linux-source-$(series)
	cp -r "$image/module" module
	tar -xf "/usr/src/$source.tar.xz" --strip-components=1 -C module --wildcards \
		"$source/drivers/gpio/gpio-sim.c" "$source/drivers/gpio/*.h" "$source/kernel/irq/irq_sim.c"
	quietly patch -d module -p1 --fuzz=0 -i gpio-sim.patch ||
		die "tests/virtual_pi/image/module/gpio-sim.patch no longer fits the kernel's source ($kernel), see above"
	mv module/drivers/gpio/* module/kernel/irq/irq_sim.c module
	quietly make -C "/usr/src/linux-headers-$kernel" M="$PWD/module" modules
	install -D -m 644 -t "$modules/extra" module/*.ko
	depmod "$kernel"
}

# What the kernel needs to find its disk, and no more: that starts quickest.
initrd() {
	local tree=$PWD/initrd module file
	mkdir -p "$tree"/{bin,modules,proc,sys,dev,new}
	cp /bin/busybox "$tree/bin"
	for module in virtio_pci virtio_blk ext4; do
		modprobe --set-version "$kernel" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++' | while read -r file; do
		cp "$file" "$tree/modules"
		basename "${file%.xz}" >>"$tree/modules/order"
	done
	find "$tree/modules" -name '*.xz' -exec xz -d {} +
	install -m 755 "$image/init" "$tree/init"
	(cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) >/parts/initrd
}

mkdir /parts
say "Gathering what speakerd is installed from: Debian's packages, and Python's"
debian_packages
wheelhouse
say "Building gpio-sim for Debian's kernel"
linux
modules
initrd
cc -O2 -Wall -Wextra -Werror -o /parts/button "$image/button.c"
