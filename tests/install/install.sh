#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs a build into a folder of its own and uses it from there: an example by find_package and by pkg-config, the program with a recipe
# by name. A shared library made of the same objects exports names of coppice.h and no other.
# usage: install.sh SOURCE BUILD
set -eu
source=$1 build=$2
for tool in cmake pkg-config nm cc; do command -v $tool >/dev/null || { echo "$tool is not there: skipped"; exit 77; }; done
[ -e "$build/coppice" ] || { echo "the program is not built: skipped"; exit 77; }
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
fail() { echo "install: $*"; exit 1; }

cmake --install "$build" --prefix "$dir/to" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "cmake --install failed"; }
for file in bin/coppice include/coppice.h share/coppice/recipes/deep-compression.yaml share/coppice/examples/01_run_a_model.c; do
	[ -e "$dir/to/$file" ] || fail "$file is not installed"
done
find "$dir/to" -name networks.md | grep -q . || fail "the pages are not installed"
pc=$(dirname "$(find "$dir/to" -name coppice.pc)")
grep -q '^Requires.private:' "$pc/coppice.pc" || fail "coppice.pc has no Requires.private"

# ---- pkg-config; --static names what a static library stands on ----
export PKG_CONFIG_PATH="$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
lib=$(dirname "$pc")
example=$source/examples/07_graph_from_text.c
pkg-config --libs --static coppice | grep -q -- "-lcoppice.*-lm" || fail "pkg-config --static does not name what a static library stands on"
cc "$example" $(pkg-config --cflags --libs coppice) -Wl,-rpath,"$lib" -o "$dir/by_pkg_config" || fail "pkg-config does not link"
"$dir/by_pkg_config" >"$dir/said" || fail "the example by pkg-config does not run"

# ---- find_package ----
mkdir "$dir/project"
cat >"$dir/project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.18)
project(user C)
find_package(coppice 0.1 REQUIRED)
add_executable(user $example)
target_link_libraries(user PRIVATE coppice::coppice)
END
{ cmake -S "$dir/project" -B "$dir/project/build" -DCMAKE_PREFIX_PATH="$dir/to" && cmake --build "$dir/project/build"; } >"$dir/log" 2>&1 || { cat "$dir/log"; fail "find_package does not build"; }
"$dir/project/build/user" | cmp -s - "$dir/said" || fail "the example by find_package says something else"

# ---- the program, moved with its folder ----
mv "$dir/to" "$dir/moved"
export LD_LIBRARY_PATH="$dir/moved/${lib#"$dir/to/"}"
"$dir/moved/bin/coppice" --version | grep -q '^coppice [0-9]' || fail "coppice --version"
(cd "$dir" && moved/bin/coppice compress mlp-4x3 --recipe deep-compression --data none -o x.cop 2>&1) | grep -q "data set 'none'" || fail "the recipe is not found by its name"

# ---- exported names ----
shared=$(find "$dir/moved" -name 'libcoppice.so.*' -type f | head -1)
if [ -z "$shared" ]; then
	shared=$dir/libcoppice.so
	cc -shared -o "$shared" -Wl,--whole-archive "$(find "$dir/moved" -name libcoppice.a)" -Wl,--no-whole-archive $(pkg-config --libs zlib 2>/dev/null) -lm -pthread || fail "no shared library of the objects"
fi
nm -D --defined-only "$shared" | awk '{print $NF}' | sed 's/@.*//' | sort >"$dir/exported"
grep -oE '\bcop_[a-z0-9_]+ *\(' "$source/include/coppice.h" | tr -d ' (' | sort -u >"$dir/declared"
other=$(grep -vxF -f "$dir/declared" "$dir/exported" | grep -v '^_' || true)
[ -z "$other" ] || fail "exported, and not of coppice.h: $(echo $other | head -c 300)"
[ "$(wc -l <"$dir/exported")" -gt 80 ] || fail "only $(wc -l <"$dir/exported") names are exported"
echo "install: $(wc -l <"$dir/exported") names exported, all of coppice.h"
