/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a saved difference of the network that seeds.c makes one of. The checksums of a record are put right first, so that what lies behind them is reached.
 */
#include "fuzz.h"

#include <string.h>

enum { HEAD = 32, MOST = 1 << 16 };

/* CRC-32 as in zip. */
static uint32_t crc_of(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static uint32_t word(const uint8_t *p)
{
	uint32_t w;
	memcpy(&w, p, 4);
	return w;
}

static void put(uint8_t *p, uint32_t w) { memcpy(p, &w, 4); }

/* The record begins behind the empty line that ends the text, or with the file. */
static uint8_t *record_of(uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (p[i] == '\n' && p[i + 1] == '\n') return p + i + 2;
	return p;
}

static void right(uint8_t *file, size_t n)
{
	uint8_t *p = record_of(file, n);
	const size_t left = n - (size_t)(p - file);

	if (left < HEAD) return;
	const size_t parts = word(p + 16) & 0x7fffffff, body = word(p + 8);
	if (parts > left / 8 || HEAD + 8 * parts > left || body > left - HEAD - 8 * parts) return;
	put(p + 20, crc_of(p + HEAD, 8 * parts + body));
	put(p + 28, crc_of(p, 28));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t file[MOST];
	cop_ctx *cx;
	cop_graph *g;
	size_t used;

	if (n > MOST || fuzz_ctx(&cx, &used)) return 0;
	memcpy(file, p, n);
	right(file, n);
	if (!cop_zoo_build(&g, cx, "mlp-9x4x3", &(cop_zoo_args){.batch = 1, .seed = 1})) {
		if (cop_diff_apply(&g, file, n) && !cop_error_text(cx)[0]) abort();
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
