# shellcheck shell=bash
# shellcheck disable=SC2034 # used by who sources this
# The Debian packages that the virtual Raspberry Pi is made of and with.

# On this host: what makes a Debian, and what the machine runs on.
APT=(mmdebstrap debian-archive-keyring uidmap e2fsprogs openssh-client qemu-system-x86 qemu-utils)

# On the machine, as on Raspberry Pi OS Lite; iproute2 (tc), nftables and strace are the tests'.
# Of what speakerd is built with that brings a compiler and python3-venv, and nothing else.
MACHINE=(
	systemd systemd-sysv systemd-timesyncd libpam-systemd udev dbus kmod procps psmisc iproute2 netbase
	openssh-server sudo less ca-certificates git python3 python3-venv build-essential pkg-config alsa-utils espeak-ng
	nftables strace
	# a camera of the kernel's own, vivid, is looked through by this
	fswebcam
)

# Where its parts and speakerd's Debian package are built, besides what `make install` needs.
BUILDER=(busybox-static cpio patch xz-utils dpkg-dev lintian make)
