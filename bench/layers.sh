#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What kinds of int8 layers cost on an emulated Cortex-M4: instructions (exact) a multiplication, by the kernel that a plan
# would choose and by the portable one that reads its input where it lies. Needs arm-none-eabi-gcc and qemu-system-arm.
# usage: bench/layers.sh [known|sparse] [m0|m3]     known: layers of MLPerf Tiny's networks; sparse: with more and more weights that are zero; m0, m3: as a Cortex-M0
# or M3 has it, which have no DSP instructions
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
which=kinds cpu="-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16" portable=
for word; do
	case $word in
	known) which= ;;
	sparse) which=sparse ;;
	m0 | m3) cpu=-mcpu=cortex-$word portable=,arg=portable ;;
	esac
done
sed 's/BOARD_FLASH/4M/;s/BOARD_RAM/4M/;s/BOARD_FAST/0/g' port/cortex-m4/board.ld >"$out/board.ld"
arm-none-eabi-gcc $cpu -mthumb -O2 -Isrc -Iport/common -Iport/cortex-m4 -ffunction-sections -fdata-sections \
	tests/kernel/cortexm/layers.c src/kernel/cortexm/*.c src/kernel/ref/q[cewps]*.c src/kernel/ref/pack_sparse.c src/plan/ahead.c port/cortex-m/io.c port/cortex-m/start.c \
	-nostartfiles --specs=nano.specs --specs=nosys.specs -Wl,--gc-sections,--no-warnings,--defsym=end=ld_bss_end -Lport/cortex-m -T "$out/board.ld" -o "$out/layers.elf" || exit 1
qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -icount shift=7,align=off,sleep=off \
	-semihosting-config "enable=on,target=native,arg=layers${which:+,arg=$which}$portable" -kernel "$out/layers.elf" >"$out/said" 2>&1 || { cat "$out/said"; exit 1; }
printf '| layer | kernel | instructions a multiplication | in its place | scratch, bytes |\n|---|---|---:|---:|---:|\n'
sed -n 's/^\(.*\): \([0-9]*\)  *\([a-z0-9_]*\)  *[0-9a-f]* \([0-9]*\) instructions, portable \([0-9]*\), scratch \([0-9]*\),.*/\1|\2|\3|\4|\5|\6/p' "$out/said" |
	awk -F'|' '{printf "| %s | %s | %.2f | %.1f | %d |\n", $1, $3, $4 / $2, $5 / $2, $6}'
