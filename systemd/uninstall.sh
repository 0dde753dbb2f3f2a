#!/usr/bin/env bash
# sudo make uninstall: removes what install.sh has installed. PURGE=1: the configuration, the
# conversation, the key and the user as well.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=systemd/functions.sh
source systemd/functions.sh

root=${DESTDIR:-} # the tests install into a folder

remove() {
	local folder unit=/usr/local/lib/systemd/system/speakerd.service
	if [ -e "$root$unit" ]; then
		say "Stopping speakerd"
		quietly systemctl disable speakerd
		[ ! -d "$root/run/systemd/system" ] || quietly systemctl stop speakerd
	fi
	say "Removing /opt/speakerd, the unit and the command speakerd"
	rm -f "$root$unit" "$root/usr/local/lib/sysusers.d/speakerd.conf" \
		"$root/usr/local/lib/udev/rules.d/60-speakerd.rules" \
		"$root/usr/local/bin/speakerd" "$root/usr/local/bin/speakerd-board" "$root/usr/local/bin/speakerd-keypad" \
		"$root/usr/local/bin/speakerd-camera" \
		"$root/opt/speakerd" "$root/opt/.speakerd"
	rm -rf "$root"/opt/speakerd-[0-9]*
	close_doors
	for folder in systemd/system sysusers.d udev/rules.d; do
		[ ! -d "$root/usr/local/lib/$folder" ] ||
			(cd "$root/usr/local/lib" && rmdir -p --ignore-fail-on-non-empty "$folder")
	done
	[ ! -d "$root/run/systemd/system" ] || systemctl daemon-reload
}

# The links that speakerd-keypad, speakerd-camera and a person for mcp have made; the next installation makes the first two again.
close_doors() {
	local device folder=$root/etc/systemd/system/speakerd.service.d
	for device in keypad camera mcp; do
		[[ $(readlink "$folder/$device.conf") = /opt/speakerd/* ]] || continue
		rm "$folder/$device.conf"
		rmdir --ignore-fail-on-non-empty "$folder" || true # it may be a link
	done
}

# What is not in the checkout may be gone by now.
take_back_board() {
	[ -e "$root/etc/speakerd/board" ] || return 0
	say "Taking back what the board $(cat "$root/etc/speakerd/board/name") has brought"
	DESTDIR=$root PYTHONPATH=$PWD python3 -sB systemd/board.py --remove ||
		say "That is to be done by hand, for the reason above; /etc/speakerd/board tells what was written"
}

purge() {
	take_back_board
	if [ -e "$root/etc/speakerd/board" ]; then # what it tells of is still there
		say "Removing /etc/speakerd but for board, the conversation, the key and the user speakerd"
		find "$root/etc/speakerd" -mindepth 1 -maxdepth 1 ! -name board -exec rm -rf {} +
	else
		say "Removing /etc/speakerd, the conversation, the key and the user speakerd"
		rm -rf "$root/etc/speakerd"
	fi
	rm -rf "$root/var/lib/speakerd" "$root/var/cache/speakerd"
	rm -f "$root/etc/credstore/gemini-api-key"
	# The folder is systemd's, but on Debian 12 nobody's, and then made for the key.
	[ ! -d "$root/etc/credstore" ] || dpkg-query -S /etc/credstore >/dev/null 2>&1 ||
		rmdir --ignore-fail-on-non-empty "$root/etc/credstore"
	! getent passwd speakerd >/dev/null || quietly userdel speakerd
	! getent group speakerd >/dev/null || quietly groupdel speakerd
}

[ "$(id -u)" = 0 ] || die "this needs root: sudo make uninstall"
[ "$(dpkg-query -W -f '${db:Status-Status}' speakerd 2>/dev/null)" != installed ] ||
	die "speakerd is installed as a Debian package: sudo apt-get remove speakerd, or purge"
remove
if [ "${PURGE:-}" = 1 ]; then
	purge
else
	[ ! -e "$root/etc/speakerd/board" ] ||
		say "Kept: the lines for $(cat "$root/etc/speakerd/board/name") in config.txt, and /etc/asound.conf"
	say "Kept: /etc/speakerd, the conversation in /var/lib/speakerd, and the key; sudo make uninstall PURGE=1 removes them, too"
fi
