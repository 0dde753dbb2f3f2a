# shellcheck shell=bash
# Makes the folder that speakerd runs from, for install.sh and deb.sh: a Python environment of the
# versions in requirements.lock, speakerd itself, and in share/speakerd what is installed elsewhere.
# Nothing is written into the checkout.

# Debian's own interpreter, by the name that an upgrade of Debian does not give to another one.
PYTHON=$(readlink -f "$(command -v "${PYTHON:-/usr/bin/python3}")" || true)
FILES=(speakerd.service speakerd-keypad.conf speakerd-camera.conf speakerd-mcp.conf speakerd.sysusers speakerd.udev speakerd.env.example)

# Ends with one clear line where speakerd cannot run.
check_machine() {
	command -v dpkg apt-get >/dev/null || die "this needs Debian 12 or 13, or Raspberry Pi OS; here is no apt-get"
	case $(dpkg --print-architecture) in
	amd64 | arm64) ;;
	armhf) [ "$(uname -m)" != armv6l ] || die "a Raspberry Pi Zero or 1 (ARMv6) is not supported: Pi 2, Zero 2 W, or newer" ;;
	*) die "this needs arm64, armhf or amd64; here is $(dpkg --print-architecture)" ;;
	esac
	[ -x "$PYTHON" ] || die "Debian's python3 is missing: sudo apt-get install python3"
	"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
		die "speakerd needs Python 3.11 or newer (Debian 12, Raspberry Pi OS bookworm); here is $("$PYTHON" -V)"
}

python_version() { "$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }
speakerd_version() { sed -nE 's/^version = "(.*)"$/\1/p' pyproject.toml; }

# What installing needs besides what is there; its own libraries come with the headers.
install_build_packages() {
	local packages=(gcc libc6-dev libasound2-dev libsystemd-dev pkgconf python3-dev python3-venv)
	# lgpio has no wheel for it (docs/dependencies.md)
	"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 13))' && packages+=(swig)
	[ "$(dpkg --print-architecture)" != armhf ] || packages+=(libffi-dev)
	apt_install "${packages[@]}" "$@"
}

# A name for what would be installed: another source, lock or Python has another one.
release_name() {
	local digest
	digest=$({
		python_version
		dpkg --print-architecture
		find speakerd systemd hardware/boards pyproject.toml requirements.lock -name __pycache__ -prune -o -type f -print0 |
			LC_ALL=C sort -z | xargs -0 sha256sum
	} | sha256sum)
	echo "speakerd-$(speakerd_version)-${digest:0:10}"
}

# Whether an environment that was made before has these libraries, each file as pip has installed it.
has_libraries() { # DIR LIBRARIES
	[ "$(cat "$1/lock.sha256" 2>/dev/null)" = "$2" ] &&
		quietly "$PYTHON" -I systemd/untouched.py "$1"/lib/python*/site-packages
}

# make_environment DIR HOME [LIKE]: makes DIR, which is later found as HOME (a Python environment may be moved;
# only its scripts and its bytecode know where they are). LIKE is one that was made before: libraries that it
# has are copied, which takes a small Pi seconds and not minutes.
make_environment() {
	local dir=$1 home=$2 like=${3:-} work file status=0
	mkdir -p "$dir" || return
	work=$(mktemp -d "$dir/work.XXXXXX") || return # in there, whatever ends this removes it as well
	_make_environment || status=$?
	rm -rf "$work"
	return $status
}

# PYPI=1: where there is no wheel, lgpio's own C library is built in.
# The last line of each step: `set -e` does not reach into a function whose status is looked at.
_make_environment() {
	# -I: nothing of the caller's PYTHONPATH or user site gets in.
	local pip=(env PIP_USER=0 PYPI=1 "$dir/bin/python" -I -m pip --disable-pip-version-check --no-input -q)
	local compile=("$dir/bin/python" -I -m compileall -q -s "$dir" -p "$home") libraries section
	for section in build runtime pi; do
		locked "$section" >"$work/$section.lock" || return
	done
	libraries=$({ "$PYTHON" -VV && dpkg --print-architecture && cat "$work"/*.lock; } | sha256sum) || return
	mkdir "$work/source" || return
	cp -r speakerd pyproject.toml README.md LICENSE "$work/source" || return

	if has_libraries "$like" "$libraries" && cp -a "$like"/{bin,include,lib*,pyvenv.cfg} "$dir"; then
		say "Taking the libraries of the version before"
	else
		rm -rf "${dir:?}"/{bin,include,lib*,pyvenv.cfg} || return # what could not be copied whole
		quietly "$PYTHON" -m venv "$dir" || return
		quietly "${pip[@]}" install --no-compile --require-hashes -r "$work/build.lock" || return
		quietly "${pip[@]}" install --no-compile --require-hashes --no-build-isolation \
			-r "$work/runtime.lock" -r "$work/pi.lock" || return
		quietly "${compile[@]}" -j0 -x /site-packages/pip/ "$dir/lib" || return
	fi
	echo "$libraries" >"$dir/lock.sha256" || return
	quietly "${pip[@]}" wheel --no-index --no-deps --no-build-isolation -w "$work" "$work/source" || return
	quietly "${pip[@]}" install --no-compile --no-index --no-deps --force-reinstall --find-links "$work" speakerd || return
	quietly "${compile[@]}" "$dir"/lib/python*/site-packages/speakerd || return
	quietly "${pip[@]}" check || return

	# of the programs only speakerd, without those of the libraries
	find "$dir/bin" -type f -delete || return
	rm -f "$dir/.gitignore" || return
	sed -i '/^command = /d' "$dir/pyvenv.cfg" || return
	cat >"$dir/bin/speakerd" <<-SCRIPT || return
		#!$home/bin/python -I
		import sys

		from speakerd.__main__ import main

		sys.exit(main())
	SCRIPT
	chmod 755 "$dir/bin/speakerd" || return
	for file in board keypad camera; do
		{ echo "#!$home/bin/python -I" && cat "systemd/$file.py"; } >"$dir/bin/speakerd-$file" || return
		chmod 755 "$dir/bin/speakerd-$file" || return
	done
	for file in "${FILES[@]}"; do
		install -D -m 644 "systemd/$file" "$dir/share/speakerd/$file" || return
	done
	install -D -m 644 -t "$dir/share/speakerd/boards" hardware/boards/*.toml || return
	quietly "$dir/bin/python" -I "$dir/bin/speakerd" --version
}
