#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the build, the demo and the tests need on Debian; quiet and quick when all is there.
#   tools/setup.sh          that alone; a failure is an error
#   tools/setup.sh check    what tools/check.sh wants besides; a check whose tools are missing is left out there
set -eu

packages="gcc libc6-dev make cmake ninja-build pkg-config git
zlib1g-dev liblzma-dev libjpeg-dev libpng-dev libsndfile1-dev libcurl4-openssl-dev libjansson-dev libyaml-dev
libcmocka-dev gnuplot-nox python3
gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
if [ "${1:-}" = check ]; then
	version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
	packages="clang libclang-rt-${version:-14}-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
fi

missing=""
for p in $packages; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "setup: this system has no apt-get; please install:$missing" >&2
	exit 1
fi
as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
echo "setup: installing$missing"
log=$(mktemp)
if ! { $as_root apt-get update && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "setup: the packages could not be installed; the log is $log" >&2
	exit 1
fi
rm -f "$log"
