#!/usr/bin/env bash
# make deb: dist/speakerd_VERSION_ARCH.deb for this release of Debian, checked by lintian. Needs no root
# but to install what is missing. docs/installing.md says what goes where.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=systemd/functions.sh
source systemd/functions.sh
# shellcheck source=systemd/environment.sh
source systemd/environment.sh

# What the libraries in the package link to, as Debian's own packages find it.
linked() {
	local objects=()
	mapfile -d '' objects < <(find "$stage/opt" -name '*.so' -type f -print0)
	mkdir "$work/debian"
	printf 'Source: speakerd\n\nPackage: speakerd\nArchitecture: any\n' >"$work/debian/control"
	(cd "$work" && dpkg-shlibdeps -O "${objects[@]/#/-e}" 2>"$work/shlibdeps.log") || {
		cat "$work/shlibdeps.log" >&2
		return 1
	}
}

# Whose work is in the package: ours, and that of the libraries, by what they say of themselves.
copyright() {
	cat <<-TEXT
		Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
		Upstream-Name: speakerd
		Comment: the texts of the libraries' licences are in /opt/speakerd/lib, in their
		 *.dist-info folders.

		Files: *
		Copyright: 2026 The speakerd authors
		License: Expat
	TEXT
	sed -n '/^Permission/,$ { s/^$/./; s/^/ /; p; }' LICENSE
	"$stage/opt/speakerd/bin/python" -I - <<-'PYTHON'
		import importlib.metadata

		for package in sorted(importlib.metadata.distributions(), key=lambda found: found.name.lower()):
		    if package.name == "speakerd":
		        continue
		    told = package.metadata
		    classes = [text for text in told.get_all("Classifier", []) if text.startswith("License :: ")]
		    terms = told.get("License-Expression") or (classes[0].split(" :: ")[-1] if classes else told.get("License"))
		    author = told.get("Author") or told.get("Author-email") or f"the authors of {package.name}"
		    print(f"\nFiles: opt/speakerd/lib/*/{package.name}*")
		    print(f"Copyright: {author}\nLicense: {package.name}-licence\n {package.name} {package.version}: {terms}")
	PYTHON
}

fill_in() { # NAME=VALUE...
	local text pair
	text=$(cat)
	for pair; do text=${text//@${pair%%=*}@/${pair#*=}}; done
	printf '%s\n' "$text"
}

build() {
	local version architecture depends doc=$stage/usr/share/doc/speakerd
	# Debian's own variables for whoever builds a package
	local maintainer="${DEBFULLNAME:-The speakerd authors} <${DEBEMAIL:-speakerd@packages.invalid}>"
	version=$(speakerd_version)
	architecture=$(dpkg --print-architecture)
	package=dist/speakerd_${version}_$architecture.deb

	say "Building the environment with $("$PYTHON" -V)"
	chmod 755 "$stage"
	mkdir -p "$stage/opt"
	make_environment "$stage/opt/speakerd" /opt/speakerd
	# an upgrade brings everything
	quietly "$stage/opt/speakerd/bin/python" -I -m pip --disable-pip-version-check uninstall -y pip
	rm "$stage/opt/speakerd/lock.sha256"
	local share=$stage/opt/speakerd/share/speakerd
	install -D -m 644 "$share/speakerd.service" "$stage/usr/lib/systemd/system/speakerd.service"
	install -D -m 644 "$share/speakerd.sysusers" "$stage/usr/lib/sysusers.d/speakerd.conf"
	install -D -m 644 "$share/speakerd.udev" "$stage/usr/lib/udev/rules.d/60-speakerd.rules"
	install -D -m 644 "$share/speakerd.env.example" "$stage/etc/speakerd/speakerd.env.example"
	install -D -m 644 systemd/deb/speakerd.lintian-overrides "$stage/usr/share/lintian/overrides/speakerd"
	mkdir -p "$stage/usr/bin" "$doc"
	ln -s /opt/speakerd/bin/speakerd "$stage/usr/bin/speakerd"
	ln -s /opt/speakerd/bin/speakerd-board "$stage/usr/bin/speakerd-board"
	ln -s /opt/speakerd/bin/speakerd-keypad "$stage/usr/bin/speakerd-keypad"
	ln -s /opt/speakerd/bin/speakerd-camera "$stage/usr/bin/speakerd-camera"
	copyright >"$doc/copyright"
	gzip -9n <CHANGELOG.md >"$doc/CHANGELOG.md.gz"
	printf '%s\n' "speakerd ($version) stable; urgency=medium" "" "  * See CHANGELOG.md.gz." "" \
		" -- $maintainer  $(date -R)" | gzip -9n >"$doc/changelog.gz"

	# Bound to this very Python: by its own package, which an upgrade of Debian leaves in place.
	depends="python$(python_version), $(linked | sed -n 's/^shlibs:Depends=//p'), ca-certificates, systemd"
	mkdir "$stage/DEBIAN"
	install -m 755 systemd/deb/preinst systemd/deb/postinst systemd/deb/prerm systemd/deb/postrm "$stage/DEBIAN"
	echo /etc/speakerd/speakerd.env.example >"$stage/DEBIAN/conffiles"
	fill_in "VERSION=$version" "ARCHITECTURE=$architecture" "DEPENDS=$depends" \
		"SIZE=$(du -sk --exclude=DEBIAN "$stage" | cut -f1)" \
		"MAINTAINER=$maintainer" <systemd/deb/control.in >"$stage/DEBIAN/control"
	(cd "$stage" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
	chmod -R go=u-w "$stage"
	mkdir -p dist
	quietly dpkg-deb --root-owner-group -Zxz --build "$stage" "$package"
}

[ "$(id -u)" != 0 ] || [ -z "${SUDO_USER:-}" ] || die "make deb needs no sudo: dist/ would be root's"
check_machine
install_build_packages dpkg-dev lintian
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage
mkdir "$stage"
build
say "Checking it with lintian"
# root is who builds in containers
lintian --allow-root --fail-on error --tag-display-limit 0 "$package"
say "Built $package. Install it with: sudo apt install ./$package"
