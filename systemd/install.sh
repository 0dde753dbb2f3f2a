#!/usr/bin/env bash
# sudo make install: speakerd as a service, or an upgrade of it. docs/installing.md says what goes where.
#
# The new version is built in a folder of its own, /opt/speakerd-VERSION-DIGEST, while the old one runs.
# Only when it is complete is the link /opt/speakerd moved to it, in one step. If it does not start where
# the old one did, the link is moved back.
#
# BOARD=NAME sets the machine up for one of hardware/boards as well (systemd/board.py).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=systemd/functions.sh
source systemd/functions.sh
# shellcheck source=systemd/environment.sh
source systemd/environment.sh

root=${DESTDIR:-} # the tests install into a folder
board=${BOARD:-}
umask 022         # root's may be stricter, and the service is not root
# What pip would keep for root would stay behind. An upgrade does not need it; a build that has failed begins anew.
export PIP_NO_CACHE_DIR=1

# copy FROM TO: replaces TO in one step, if it is another one.
copy() {
	cmp -s "$1" "$root$2" && return
	not_started
	install -D -m 644 "$1" "$root$2.new"
	mv "$root$2.new" "$root$2"
}

# Whether what is installed has been started; kept in a file, for a run of this script that was interrupted.
not_started() { rm -f "$root"/opt/speakerd-*/started; }

build() { # RELEASE
	say "Building $1 in /opt with $("$PYTHON" -V); the first time takes some minutes on a Raspberry Pi"
	building=$root/opt/$1
	rm -rf "$building"
	mkdir -p "$root/opt"
	make_environment "$building" "$root/opt/$1" "$root/opt/speakerd" || die "building failed, see above; what was installed before is as it was"
	touch "$building/complete"
	building=
}

make_user() {
	say "User speakerd, and the groups speakerd, audio, gpio, input and video"
	quietly systemd-sysusers "$PWD/systemd/speakerd.sysusers"
	# Made here and not only by the service, for a root file system that becomes read-only.
	mkdir -p "$root/var/lib/speakerd" "$root/var/cache/speakerd" "$root/etc/speakerd"
	chmod 700 "$root/var/lib/speakerd" "$root/var/cache/speakerd"
	chown speakerd:speakerd "$root/var/lib/speakerd" "$root/var/cache/speakerd"
}

configure() {
	local env=$root/etc/speakerd/speakerd.env
	install -m 644 systemd/speakerd.env.example "$root/etc/speakerd/speakerd.env.example"
	if [ -e "$env" ] || [ -L "$env" ]; then
		say "Keeping /etc/speakerd/speakerd.env; speakerd.env.example beside it has every option"
	else
		say "Writing /etc/speakerd/speakerd.env, with every option at its default"
		install -m 640 systemd/speakerd.env.example "$env.new"
		chown root:speakerd "$env.new"
		mv "$env.new" "$env"
	fi
}

has_board() {
	local there=(hardware/boards/*.toml)
	there=("${there[@]#hardware/boards/}")
	[[ -z $board || " ${there[*]%.toml} " = *" $board "* ]] || die "there is no board $board; there are: ${there[*]%.toml}"
}

# follow_options RELEASE: the service may read input devices if the env file names a keypad, open cameras if it
# names a command for one, and only then.
follow_options() {
	local device program dropin before
	for device in keypad camera; do
		program=$root/opt/$1/bin/speakerd-$device
		dropin=$root/etc/systemd/system/speakerd.service.d/$device.conf
		before=$(readlink "$dropin" || true)
		if [ -x "$program" ]; then
			DESTDIR=$root "$program" --apply || true # the service itself tells of a bad file
		elif [[ $before = /opt/speakerd/* ]]; then
			rm "$dropin" # an older release
		fi
		[ "$before" = "$(readlink "$dropin" || true)" ] || not_started
	done
}

# switch_to RELEASE: from here on it is the one that runs.
switch_to() {
	local share=$root/opt/$1/share/speakerd
	# /usr/local/lib: what is in /etc is the administrator's, to mask and to override
	copy "$share/speakerd.service" /usr/local/lib/systemd/system/speakerd.service
	copy "$share/speakerd.sysusers" /usr/local/lib/sysusers.d/speakerd.conf
	copy "$share/speakerd.udev" /usr/local/lib/udev/rules.d/60-speakerd.rules
	if [ "$(readlink "$root/opt/speakerd" || true)" != "$1" ]; then
		not_started
		ln -sfn "$1" "$root/opt/.speakerd"
		mv -T "$root/opt/.speakerd" "$root/opt/speakerd"
	fi
	mkdir -p "$root/usr/local/bin"
	ln -sfn /opt/speakerd/bin/speakerd "$root/usr/local/bin/speakerd"
	ln -sfn /opt/speakerd/bin/speakerd-board "$root/usr/local/bin/speakerd-board"
	ln -sfn /opt/speakerd/bin/speakerd-keypad "$root/usr/local/bin/speakerd-keypad"
	ln -sfn /opt/speakerd/bin/speakerd-camera "$root/usr/local/bin/speakerd-camera"
	follow_options "$1"
	if [ -e "$root/run/udev/control" ]; then
		udevadm control --reload
		udevadm trigger --subsystem-match=gpio
	fi
	[ ! -d "$root/run/systemd/system" ] || systemctl daemon-reload
}

has_key() {
	[ -s "$root/etc/credstore/gemini-api-key" ] ||
		grep -qsE "^[[:space:]]*(GEMINI_API_KEY|SPEAKERD_TOKEN_COMMAND|SPEAKERD_TOKEN_URL)[[:space:]]*=[[:space:]]*[\"']?[^[:space:]\"']" "$root/etc/speakerd/speakerd.env"
}

# Starts it, and waits until it is ready or has failed. Without a key it does, and that is told later.
start() { # RELEASE
	local started=$root/opt/$1/started
	[ ! -e "$started" ] || ! systemctl is-active --quiet speakerd || return 0
	say "Starting it"
	touch "$started"
	if has_key; then quietly systemctl restart speakerd; else systemctl restart speakerd 2>/dev/null; fi
}

go_back_to() { # RELEASE
	say "Going back to $1, which did start" >&2
	switch_to "$1"
	start "$1" || true
	remove_others "$1"
}

remove_others() { # RELEASE
	local other
	for other in "$root"/opt/speakerd-[0-9]*; do
		[ "$other" = "$root/opt/$1" ] || rm -rf "$other"
	done
}

main() {
	local release old state was_active=
	[ "$(id -u)" = 0 ] || die "this needs root: sudo make install"
	check_machine
	[ "$(dpkg-query -W -f '${db:Status-Status}' speakerd 2>/dev/null)" != installed ] ||
		die "speakerd is installed as a Debian package: upgrade that, or first: sudo apt-get remove speakerd"
	[ -L "$root/opt/speakerd" ] || [ ! -e "$root/opt/speakerd" ] ||
		die "/opt/speakerd is there, and not from make install: move it away"
	has_board

	install_build_packages alsa-utils ca-certificates espeak-ng systemd
	release=$(release_name)
	old=$(readlink "$root/opt/speakerd" || true)
	if [ -e "$root/opt/$release/complete" ]; then
		say "Nothing to build: $release is there"
	else
		build "$release"
	fi
	make_user
	configure
	[ -z "$board" ] || DESTDIR=$root "$root/opt/$release/bin/speakerd-board" "$board" ||
		die "the board is not set up, for the reason above; what was installed before is as it was"
	# what a person has decided about the service stays so
	state=$(systemctl is-enabled speakerd 2>/dev/null || true)
	# disabled, too, is what an installation was that has been interrupted before it got there
	[[ $state = masked* ]] || [ -e "$root/opt/${old:-none}/enabled" ] || state=''
	[ ! -d "$root/run/systemd/system" ] || ! systemctl is-active --quiet speakerd || was_active=yes
	switch_to "$release"
	case $state in
	masked*) ;;
	disabled) say "Not starting it by itself: it was disabled (sudo systemctl enable --now speakerd)" ;;
	*)
		say "Starting speakerd whenever the machine does (systemctl enable)"
		quietly systemctl enable speakerd
		;;
	esac
	touch "$root/opt/$release/enabled"

	if [[ $state = masked* || $state = disabled ]] && [ -z "$was_active" ]; then
		remove_others "$release"
		say "speakerd is installed and not started, because it is $state."
	elif [ ! -d "$root/run/systemd/system" ]; then
		remove_others "$release"
		say "systemd does not run here: speakerd is installed, and starts with the next boot."
	elif start "$release"; then
		say "speakerd runs."
		remove_others "$release"
	elif [ -n "$was_active" ] && [ -n "$old" ] && [ "$old" != "$release" ]; then
		journalctl -u speakerd -n 10 --no-pager -o cat >&2 || true
		go_back_to "$old"
		die "the new version does not start, for the reason above; the old one is back"
	elif has_key; then
		journalctl -u speakerd -n 10 --no-pager -o cat >&2 || true
		die "speakerd is installed and does not start, for the reason above"
	fi
	if [ -d "$root/run/systemd/system" ]; then
		say ""
		# in a folder of its own, because lgpio leaves a pipe where it is called
		scratch=$(mktemp -d)
		(cd "$scratch" && "$root/opt/speakerd/bin/speakerd" doctor --no-ask) || true
		say ""
	fi
	has_key || say "It has no key yet. Store it with: sudo speakerd key"
}

building=''
scratch=''
trap 'rm -rf ${building:+"$building"} ${scratch:+"$scratch"}' EXIT
trap 'exit 130' INT TERM HUP
main
