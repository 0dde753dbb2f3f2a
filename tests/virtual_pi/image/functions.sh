# shellcheck shell=bash
# What build.sh and package.sh share. Both run in the top folder of the checkout, after systemd/functions.sh.

here=tests/virtual_pi/image
# shellcheck source=tests/virtual_pi/image/packages.sh
source $here/packages.sh

# Everything is kept in here, outside the checkout; it may be removed at any time.
make_cache() {
	cache=${SPEAKERD_PI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/speakerd/virtual-pi}
	mkdir -p "$cache"
	cache=$(cd "$cache" && pwd)
}

check_suite() {
	case $1 in
	trixie | bookworm) ;;
	*) die "there is no virtual Raspberry Pi of $1: trixie or bookworm" ;;
	esac
	[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || die "the virtual Raspberry Pi needs an amd64 host with apt-get"
}

# The name of the image: another one as soon as something that it is made of is another one.
image_name() { # SUITE
	local digest
	digest=$({
		find $here requirements.lock systemd/functions.sh systemd/environment.sh -type f ! -name package.sh ! -name deb.sh -print0 |
			LC_ALL=C sort -z | xargs -0 sha256sum
		grep install_build_packages systemd/install.sh systemd/deb.sh
	} | sha256sum)
	echo "$1-${digest:0:12}"
}

# One at a time; the others wait, and then find what they need.
take_turns() { # NAME
	exec 9>"$cache/$1.lock"
	flock --nonblock 9 && return
	say "Waiting for another run that makes this"
	flock 9
}

# Of what has been made for a suite, those two that were used last: another checkout may be using the older one.
keep_two() { # FOLDER SUITE
	find "$1" -maxdepth 1 -type d -name "$2-*" -printf '%T@ %p\0' | sort -rnz | tail -zn +3 | cut -zd' ' -f2- | xargs -0r rm -rf
}

# in_namespace COMMAND...: as root in namespaces of its own, in which it may mount; without being root in
# truth where that is possible. Its processes and mounts end with it.
in_namespace() {
	local how=(--mount --pid --fork --kill-child --mount-proc)
	[ "$(id -u)" = 0 ] || how+=(--user --map-root-user --map-auto)
	if ! quietly unshare "${how[@]}" true; then
		[ "$(id -u)" != 0 ] ||
			die "this needs a root that may mount (CAP_SYS_ADMIN), see above"
		die "this needs user namespaces and, for $(id -un), at least 65535 ids in /etc/subuid and /etc/subgid, see above; or root"
	fi
	unshare "${how[@]}" "$@" 9>&-
}

# Of another user's files, as an ordinary user's namespace leaves them.
remove_tree() { [ ! -e "$1" ] || in_namespace rm -rf --one-file-system "$1"; }

# in_tree TREE COMMAND...: with TREE as its root directory. For root in a namespace of its own.
in_tree() {
	local name passed=()
	# how this host reaches the world
	for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST; do
		[ -z "${!name:-}" ] || passed+=("$name=${!name}")
	done
	[ ! -e "$1/etc/ssl/host.crt" ] || passed+=(PIP_CERT=/etc/ssl/host.crt)
	# shellcheck disable=SC2016 # $1 is the inner shell's
	unshare --mount bash -euc '
		mount -t proc proc "$1/proc"
		mount --rbind /dev "$1/dev"
		exec chroot "$1" env -i "${@:2}"
	' - "$1" HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "${passed[@]}" "${@:2}" </dev/null
}
