#!/usr/bin/env bash
# package.sh [SUITE]: speakerd's Debian package, by `make deb` from what git knows of this checkout, as it is
# now. The last line on the standard output is a folder with speakerd_VERSION_amd64.deb, and with the next
# version, VERSION.1, which has an option more. Everything else is said on the standard error.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# shellcheck source=systemd/functions.sh
source systemd/functions.sh
# shellcheck source=tests/virtual_pi/image/functions.sh
source tests/virtual_pi/image/functions.sh
exec 3>&1 1>&2
umask 022
suite=${1:-trixie}

# Without what does not get into the package.
files() {
	local file
	git -c safe.directory='*' ls-files -z -- . ':!tests' ':!docs' | while read -r -d '' file; do
		# what has been removed, git knows until that is committed
		[ ! -e "$file" ] || printf '%s\0' "$file"
	done
}

build() {
	work=$cache/$suite.package
	trap 'remove_tree "$work"' EXIT
	remove_tree "$work"
	mkdir -p "$work"/{checkout,result}
	files | xargs -0 cp --parents -t "$work/checkout"
	in_namespace $here/deb.sh "$image" "$work"
	mv "$work/result" "$folder"
	keep_two "$cache/packages" "$suite"
}

image=$($here/build.sh "$suite" 3>&-)
make_cache
renice -n 10 $$ >/dev/null
mkdir -p "$cache/packages"
digest=$({ files | xargs -0 sha256sum && sha256sum $here/package.sh $here/deb.sh && echo "$image"; } | sha256sum)
folder=$cache/packages/$suite-${digest:0:12}
if [ ! -e "$folder" ]; then
	take_turns "$suite-package"
	[ -e "$folder" ] || build
fi
touch "$folder"
echo "$folder" >&3
