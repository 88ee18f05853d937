# SPDX-License-Identifier: Apache-2.0
# What the journeys share; each sources it first: . "${0%/*}/journey.sh"
# A journey goes the way of a user, in an empty folder, by the commands of the pages alone, from a beginning to a goal. It shows each
# command and ends at the first that fails. Where a program is missing that the goal needs, it says so and exits with 77: skipped.
# usage of a journey: NAME.sh path/to/coppice [build folder of Coppice]
set -u
journey=$(basename "$0" .sh)
home=$(cd "$(dirname "$0")" && pwd)
PATH=$(cd "$(dirname "$1")" && pwd):$PATH
build=${2:+$(cd "$2" && pwd)}
here=$(mktemp -d) && cd "$here" || exit 2
trap 'rm -rf "$here"' EXIT

has() {
	for program; do command -v "$program" >/dev/null || return 1; done
}
skip() {
	echo "$journey: skipped: $*"
	exit 77
}
fail() {
	echo "$journey: failed: $*"
	exit 1
}
# Runs a command; what it says stays in the file `said`.
go() {
	echo "\$ $*"
	"$@" >said 2>&1
	result=$?
	cat said
	[ $result = 0 ] || fail "exit code $result of: $*"
}
# The last command said this (a regular expression).
says() {
	grep -q -e "$1" said || fail "nothing is said of '$1'"
}
# The number behind a word in what the last command said, without the commas between thousands.
number() {
	sed -n "s/^ *$1  *\([0-9,.]*\).*/\1/p" said | tr -d , | head -n 1
}
# A .npy of floats: at most $3 lies between any two numbers of the files $1 and $2, of which there are as many.
near() {
	floats "$1" >a.txt && floats "$2" >b.txt
	[ -s a.txt ] || fail "$1 holds no numbers"
	paste a.txt b.txt | awk -v most="$3" 'NF != 2 { bad = 1 } { d = $1 - $2; if (d < 0) d = -d; if (!(d <= most)) bad = 1; if (d > far) far = d } END { print "largest difference " far + 0; exit bad }' || fail "$1 is not $2"
}
floats() {
	head_bytes=$(od -An -tu2 -j8 -N2 "$1")
	tail -c +$((head_bytes + 11)) "$1" | od -An -v -tf4 -w4
}
