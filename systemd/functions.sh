# shellcheck shell=bash
# Shell functions for the Makefile and for the scripts beside this one, which all run in the top folder
# of the checkout.

say() { printf '%s\n' "$*"; }
die() {
	printf 'speakerd: %s\n' "$*" >&2
	exit 1
}
# Runs a command without a word, unless it fails: then shows what it said.
quietly() {
	local log status=0
	log=$(mktemp)
	"$@" >"$log" 2>&1 </dev/null || status=$?
	[ $status = 0 ] || cat "$log" >&2
	rm -f "$log"
	return $status
}
apt_get() {
	local as_root=()
	[ "$(id -u)" = 0 ] || as_root=(sudo)
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}
# Installs those of the Debian packages that are missing; asks for nothing when none is.
# --no-remove: what a person has installed is never traded in.
apt_install() {
	local package missing=()
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
		echo "Debian packages are missing, and there is neither root nor sudo. As root: apt-get install ${missing[*]}" >&2
		return 1
	fi
	echo "Installing Debian packages: ${missing[*]}"
	if ! quietly apt_get update || ! quietly apt_get install -y --no-install-recommends --no-remove "${missing[@]}"; then
		echo "That failed. Install these packages by hand, then run make again: ${missing[*]}" >&2
		return 1
	fi
}
# The pins of one section of requirements.lock.
locked() { sed -n "/^# == $1\$/,/^# == /p" requirements.lock; }
