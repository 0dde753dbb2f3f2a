#!/usr/bin/env bash
# Installs speakerd, upgrades and removes it, by make install and as a Debian package, and looks at what
# is there after each step. Changes the machine: `make test-install` runs it in a Debian of its own.
#   lifecycle.sh CHECKOUT      as root; with or without a running systemd
set -euo pipefail
checkout=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
env=/etc/speakerd/speakerd.env
key=/etc/credstore/gemini-api-key
conversation=/var/lib/speakerd/conversation-for-the-test
config=/boot/firmware/config.txt
dropin=/etc/systemd/system/speakerd.service.d/keypad.conf

step() { printf '\n== %s\n' "$*"; }
# check WORDS...: a condition for [ ] or a command, which must be true.
check() {
	"$@" || { echo "NOT TRUE: $*" >&2; exit 1; }
}
no() { ! "$@"; }
same() { [ "$1" = "$2" ] || { echo "$1 is not $2" >&2; return 1; }; }
there() { [ -e "$1" ]; }
with_systemd() { [ -d /run/systemd/system ]; }
mode() { stat -c '%a %U:%G' "$1"; }
listing() { (cd "$1" && find . -path ./.git -prune -o -printf '%p %u %y %s %T@\n' | sort); }

# How many there are of what the daemon may import.
modules() { find /opt/speakerd/lib -path '*/site-packages/pip' -prune -o -name "$1" -print | wc -l; }

installed() {
	check same "$(mode $env)" "640 root:speakerd"
	check same "$(mode /var/lib/speakerd)" "700 speakerd:speakerd"
	check same "$(mode /var/cache/speakerd)" "700 speakerd:speakerd"
	check id -nG speakerd
	check no runuser -u nobody -- cat $env 2>/dev/null
	check same "$(systemctl is-enabled speakerd 2>/dev/null)" enabled
	check systemd-analyze verify --man=no --recursive-errors=no speakerd.service
	check same "$(runuser -u speakerd -- speakerd --version)" "speakerd $version"
	(cd "$work" && check /opt/speakerd/bin/python -I -c 'import alsaaudio, google.genai, gpiozero, lgpio, systemd.journal')
	check same "$(modules '*.py')" "$(modules '*.pyc')"
	if with_systemd; then check systemctl is-active --wait speakerd; fi
}
# board NAME OVERLAY
board() {
	check same "$(cat /etc/speakerd/board/name)" "$1"
	check grep -qx "dtoverlay=$2" $config
	check same "$(grep -c speakerd-board $config)" 2
	check there /etc/asound.conf
	check same "$(mode $env)" "640 root:speakerd"
	check grep -q "set up here" <(runuser -u nobody -- speakerd-board)
}
# keypad yes|no: whether the service may read input devices
keypad() {
	if [ "$1" = yes ]; then
		check grep -qx 'DeviceAllow=char-input r' $dropin
		check systemd-analyze verify --man=no --recursive-errors=no speakerd.service
	else
		check no there "${dropin%/*}"
	fi
}
# What a person would lose.
use() {
	echo '# mine' >>$env
	echo x >$conversation
	install -d -m 700 "${key%/*}"
	echo not-a-key >$key
}
unlost() {
	check grep -q '^# mine' $env
	check there $conversation
	check there $key
}
purged() {
	local path
	check same "$(cat $config)" dtparam=audio=on
	check no there $config.before-speakerd
	for path in /etc/speakerd /var/lib/speakerd /var/cache/speakerd /etc/asound.conf $key /opt/speakerd /opt/speakerd-*; do check no there "$path"; done
	check same "$(find /etc/systemd /usr/local -name '*speakerd*')" ""
	[ ! -e "${key%/*}" ] || check dpkg-query -S "${key%/*}" >/dev/null
}
removed() {
	check there /opt
	check no there /opt/speakerd
	check no systemctl cat speakerd.service >/dev/null 2>&1
	check no command -v speakerd
	keypad no
	unlost
}

cp -r "$checkout" "$work/checkout"
cd "$work/checkout"
rm -rf dist
version=$(sed -nE 's/^version = "(.*)"$/\1/p' pyproject.toml)
listing . >"$work/before"

mkdir -p "${config%/*}"
echo dtparam=audio=on >$config

step "make install"
make install
! with_systemd || { echo GEMINI_API_KEY=not-a-key >>$env; systemctl restart speakerd; }
installed
first=$(readlink /opt/speakerd)
check diff "$work/before" <(listing .)

step "make install, once more"
use
make install | tee "$work/log"
check grep -q "^Nothing to build" "$work/log"
check same "$(readlink /opt/speakerd)" "$first"
installed
unlost

step "make install for a keypad"
keypad no
echo SPEAKERD_KEYPAD=FootSwitch >>$env
make install | tee "$work/log"
check grep -q "the service may use FootSwitch" "$work/log"
keypad yes
sed -i '/^SPEAKERD_KEYPAD/d' $env
speakerd-keypad --apply
keypad no
echo SPEAKERD_KEYPAD=FootSwitch >>$env
speakerd-keypad --apply
keypad yes
installed
unlost

step "make install, which fails"
cp -r . "$work/broken"
sed -i 's/sha256:[0-9a-f]\{8\}/sha256:00000000/' "$work/broken/requirements.lock"
check no make -C "$work/broken" install 2>"$work/log"
check grep -q "what was installed before is as it was" "$work/log"
check same "$(readlink /opt/speakerd)" "$first"
check same "$(ls -d /opt/speakerd-*)" "/opt/$first"
installed
unlost

step "make install of another version"
cp -r . "$work/next"
echo >>"$work/next/speakerd/__main__.py"
make -C "$work/next" install
check no same "$(readlink /opt/speakerd)" "$first"
check same "$(ls -d /opt/speakerd-*)" "/opt/$(readlink /opt/speakerd)"
keypad yes
installed
unlost

step "make install for a sound board, and for another one"
check no make -C "$work/next" install BOARD=gramophone 2>"$work/log"
check grep -q "there are: .*usb-sound-card" "$work/log"
make -C "$work/next" install BOARD=google-aiy-voice-kit-v1 | tee "$work/log"
check grep -q "sudo reboot" "$work/log"
board google-aiy-voice-kit-v1 googlevoicehat-soundcard
check same "$(cat $config.before-speakerd)" dtparam=audio=on
speakerd-board hifiberry-dac
board hifiberry-dac hifiberry-dac
make -C "$work/next" install
board hifiberry-dac hifiberry-dac
installed

step "make uninstall, and PURGE=1"
make uninstall
removed
make uninstall PURGE=1
purged
check no id speakerd 2>/dev/null

step "make deb, by a user who is not root"
useradd -m packager-for-the-test
apt-get install -qq -y --no-install-recommends dpkg-dev lintian >/dev/null 2>&1
cp -r . /home/packager-for-the-test/checkout
chown -R packager-for-the-test: /home/packager-for-the-test/checkout
runuser -u packager-for-the-test -- make -C /home/packager-for-the-test/checkout deb | tee "$work/log"
check no grep -qE '^[EW]: ' "$work/log"
mv /home/packager-for-the-test/checkout/dist "$work/dist" && chmod -R go+rX "$work"
userdel -r packager-for-the-test 2>/dev/null
package=("$work"/dist/speakerd_"${version}"_*.deb)

step "apt install"
apt_quietly() { apt-get -qq -y -o Dpkg::Use-Pty=0 "$@" </dev/null; }
apt_quietly install "${package[0]}"
hash -r # its commands are elsewhere
! with_systemd || { echo GEMINI_API_KEY=not-a-key >>$env; systemctl restart speakerd; }
installed
check same "$(dpkg --verify speakerd)" ""
use
keypad no
echo SPEAKERD_KEYPAD=FootSwitch >>$env
speakerd-keypad --apply
keypad yes
speakerd-board google-aiy-voice-kit-v1
board google-aiy-voice-kit-v1 googlevoicehat-soundcard
check no make install
check same "$(dpkg-query -W -f '${db:Status-Status}' speakerd)" installed

step "apt install of the next version, which knows a new option"
dpkg-deb -R "${package[0]}" "$work/tree"
sed -i "s/^Version: .*/Version: $version.1/" "$work/tree/DEBIAN/control"
echo '#SPEAKERD_NEW=' >>"$work/tree/etc/speakerd/speakerd.env.example"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$work/tree" "$work/dist/next.deb" >/dev/null
apt_quietly install "$work/dist/next.deb"
keypad yes
installed
unlost
check grep -q SPEAKERD_NEW $env.example

step "apt remove, and purge"
apt_quietly remove speakerd
removed
apt_quietly install "${package[0]}"
keypad yes
installed
unlost
apt_quietly purge speakerd
purged

step "All of it is true, on $(. /etc/os-release && echo "$PRETTY_NAME"), $(systemctl --version | head -1)"
