#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tables of results: each one is made by a script of its own and kept on a page of its own.
#
#   bench/results.sh --list                         the tables, a line each
#   bench/results.sh NAME [PROGRAM [FOLDER]]        makes one again and writes docs/results/NAME.md; PROGRAM: build/coppice
#   SEEDS=1 bench/results.sh NAME ...               with other seeds than the script's own
#   bench/results.sh --index                        writes docs/results/README.md again (NAME does, too)
#
# bench/results/NAME.sh makes the table NAME. It is called with the program and with a folder for runs that are done (FOLDER, build/results/NAME),
# so that it goes on where it was stopped, and prints Markdown. Its first comment after the licence is the line of --list. "# seeds: 1 2 3 4 5" in it
# states its seeds, where they are not 1 2 3; it finds them in SEEDS. What stands on a page from "## Notes" on is written by people and stays.
set -u
cd "$(dirname "$0")/.." || exit 2
pages=docs/results

about() { sed -n '3s/^# //p' "bench/results/$1.sh"; }
names() { for s in bench/results/*.sh; do s=${s##*/}; echo "${s%.sh}"; done; }

# docs/results/README.md from the scripts and the pages that there are
index() {
	printf '# Tables of results\n\n'
	printf 'Each table is made by one command, which its page repeats: `bench/results.sh NAME` writes the page again, and `bench/results.sh --list` names all tables.\n'
	printf 'Runs that are done are kept in `build/results`, so a table that was stopped goes on where it was. `bench/results/NAME.sh` is the script of a table.\n\n'
	printf '| table | what it shows | made on |\n|---|---|---|\n'
	for n in $(names); do
		if [ -f "$pages/$n.md" ]; then
			printf '| [%s](%s.md) | %s | %s |\n' "$n" "$n" "$(about "$n")" "$(sed -n 's/^- date: //p' "$pages/$n.md" | head -1)"
		else
			printf '| %s | %s | not measured yet |\n' "$n" "$(about "$n")"
		fi
	done
}
write_index() { index >"$pages/README.md.part" && mv "$pages/README.md.part" "$pages/README.md"; }

machine() {
	cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
	echo "${cpu:-$(uname -m)}, $(getconf _NPROCESSORS_ONLN) processors, $("$1" --version | head -1)"
}

# NAME PROGRAM, the table on stdin
page() {
	given=
	for v in SEEDS EPOCHS ONLY LIMIT PRINT; do
		eval "said=\${given_$v}"
		[ -z "$said" ] || given="$given$v=\"$said\" "
	done
	printf '# %s\n\n%s.\n\n' "$1" "$(about "$1")"
	cat
	printf '\n## How it was made\n\n```\n%sbench/results.sh %s\n```\n\n' "$given" "$1"
	printf -- '- seeds: %s\n- date: %s\n- machine: %s\n' "$SEEDS" "$(date -u +%Y-%m-%d)" "$(machine "$2")"
	[ ! -f "$pages/$1.md" ] || sed -n '/^## Notes$/,$p' "$pages/$1.md" | sed '1s/^/\n/'
}

case ${1:-} in
--list) for n in $(names); do printf '%-20s %s\n' "$n" "$(about "$n")"; done; exit ;;
--index) write_index; exit ;;
'' | -*) sed -n '3,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
script=bench/results/$1.sh
[ -f "$script" ] || { echo "bench/results.sh: there is no table '$1'; --list names them" >&2; exit 2; }
program=${2:-build/coppice}
[ -x "$program" ] || { echo "bench/results.sh: $program is not there: build it, or name the program" >&2; exit 2; }
folder=${3:-build/results/$1}
mkdir -p "$folder" || exit 2
given_SEEDS=${SEEDS:-} given_EPOCHS=${EPOCHS:-} given_ONLY=${ONLY:-} given_LIMIT=${LIMIT:-} given_PRINT=
[ -n "${SEEDS:-}" ] || SEEDS=$(sed -n 's/^# seeds: //p' "$script")
SEEDS=${SEEDS:-1 2 3}
export SEEDS
program=$(cd "$(dirname "$program")" && pwd)/${program##*/}
folder=$(cd "$folder" && pwd)
"$script" "$program" "$folder" >"$folder/table.part" || { echo "bench/results.sh: $script stopped; the same command goes on where it was" >&2; exit 1; }
page "$1" "$program" <"$folder/table.part" >"$pages/$1.md.part" && mv "$pages/$1.md.part" "$pages/$1.md" && rm "$folder/table.part" && write_index && cat "$pages/$1.md"
