/* SPDX-License-Identifier: Apache-2.0
 *
 * q24 - int8 convolutions and fully connected layers of whose weights at most two of four neighbours are kept, for permutations of bytes (VBMI).
 *
 * Where a kept weight stands in its four takes two bits, so a vector of those serves four steps: a step of a lane is two fours, and takes its two bits
 * of each byte. Both kinds lie in the order in which they are read:
 *
 *   i32 sum[panels][VW]               of the weights of a row
 *   for each panel and run, by four steps, the last ones filled up with zeros:
 *     u8 place[lane][slot]            bits 2 i and 2 i + 1: of step i
 *     i8 weight[4][lane][slot]        slots 0 and 1: of the first four, 2 and 3: of the second
 */
#include "kernel/qvec/qconv.h"

#if defined(QPLAIN) || defined(__AVX512VBMI__)
#include "kernel/qvec/qsparse.h"

enum { FOUR = 4, COLUMNS = 2 * FOUR, STEPS = 4, BLOCK = (1 + STEPS) * STEP, WIDTH = 64, PIXELS = 8 }; /* columns of a step, steps and bytes of a block, staged inputs that are in a register */

static long blocks_of(long run) { return (run + STEPS * COLUMNS - 1) / (STEPS * COLUMNS); }

/* The inputs of step `at` of a tile, from the places of step i of a block. */
AI vi pick(vi x, vi places, int i, int at)
{
#if defined(QPLAIN)
	uint8_t from[64], place[64], got[64];
	memcpy(from, &x, 64), memcpy(place, &places, 64);
	for (int s = 0; s < 64; s++) got[s] = from[COLUMNS * at + s % SLOTS / 2 * FOUR + (place[s] >> 2 * i & 3)];
	memcpy(&x, got, 64);
	return x;
#else
	const mi mine = _mm512_set1_epi32(0x04040000 + COLUMNS * at * 0x01010101);
	mi index = _mm512_ternarylogic_epi32(_mm512_srli_epi16((mi)places, 2 * i), _mm512_set1_epi8(3), mine, 0xea); /* (a & b) | c */
	return (vi)_mm512_permutexvar_epi8(index, (mi)x);
#endif
}

/* A block, whose inputs begin at step `at` of the tiles x. */
AI void block(const int np, const int chains, const int8_t *p, int at, const vi *x, vi sums[PIXELS][STEPS])
{
	vi places = LDI(p);

	UNROLL
	for (int i = 0; i < STEPS; i++) {
		vi w = LDI(p + (1 + i) * STEP);
		UNROLL
		for (int q = 0; q < np; q++) sums[q][i % chains] = dot(sums[q][i % chains], pick(x[q], places, i, at + i), w);
	}
}

AI void panel_pixels(const int np, const int chains, const layer *l, long panel, const staged *x, int8_t *y)
{
	const long blocks = blocks_of(l->run);
	const int8_t *p = (const int8_t *)l->pack + panel * l->runs * blocks * BLOCK;
	vi sums[PIXELS][STEPS], in[PIXELS], all[PIXELS];

	UNROLL
	for (int q = 0; q < np; q++)
		UNROLL
		for (int i = 0; i < chains; i++) sums[q][i] = i ? (vi){0} : first_of(l, panel);
	for (long r = 0; r < l->runs; r++, x += l->line)
		for (long b = 0; b < blocks; b += 2, p += 2 * BLOCK) {
			UNROLL
			for (int q = 0; q < np; q++) in[q] = LDI(x + q * l->step + b / 2 * WIDTH);
			block(np, chains, p, 0, in, sums);
			if (b + 1 == blocks) {
				p -= BLOCK;
				continue;
			}
			block(np, chains, p + BLOCK, STEPS, in, sums);
		}
	UNROLL
	for (int q = 0; q < np; q++) {
		all[q] = sums[q][0];
		UNROLL
		for (int i = 1; i < chains; i++) all[q] += sums[q][i];
	}
	finish(np, l, panel, all, y);
}

static NOINLINE void one(const layer *l, long panel, const staged *x, int8_t *y) { panel_pixels(1, STEPS, l, panel, x, y); }
static NOINLINE void some(const layer *l, long panel, const staged *x, int8_t *y) { panel_pixels(PIXELS, 1, l, panel, x, y); }

/* ---- what a plan asks ---- */

static long panels_of(const int32_t *k) { return (k[CK_O] + VW - 1) / VW; }
static long run_of(const int32_t *k) { return (long)k[CK_KW] * k[CK_C]; }
static size_t sums_bytes(const int32_t *k) { return (size_t)panels_of(k) * VW * sizeof(int32_t); }
static long all_blocks(const int32_t *k) { return panels_of(k) * k[CK_KH] * blocks_of(run_of(k)); }

bool VN(q24_fits)(const int32_t *k) { return fits(k) && run_of(k) % FOUR == 0; }
size_t VN(q24_work)(const int32_t *k) { return work_of(k); }
size_t VN(q24_pack_bytes)(const int32_t *k) { return sums_bytes(k) + (size_t)all_blocks(k) * BLOCK; }

int64_t VN(q24_steps)(const int32_t *k, const void *weight)
{
	const int8_t *w = weight;

	for (int64_t i = 0; i < (int64_t)k[CK_O] * k[CK_KH] * run_of(k); i += FOUR)
		if (!!w[i] + !!w[i + 1] + !!w[i + 2] + !!w[i + 3] > 2) return -1;
	return (int64_t)all_blocks(k) * STEPS;
}

/* What is kept of a run of n weights, for one lane; returns its sum. */
static int32_t pack_run(int8_t *to, const int8_t *w, long n)
{
	int32_t sum = 0;

	for (long i = 0; i < n; i += FOUR) {
		long slot = i / FOUR % 2 * 2, step = i / COLUMNS % STEPS;
		int8_t *b = to + i / (STEPS * COLUMNS) * BLOCK;
		for (int j = 0; j < FOUR; j++) {
			if (!w[i + j]) continue;
			b[slot] = (int8_t)(b[slot] | (int8_t)(uint8_t)(j << 2 * step));
			b[(1 + step) * STEP + slot++] = w[i + j];
			sum += w[i + j];
		}
	}
	return sum;
}

void VN(q24_pack)(const cop_call *c)
{
	const int32_t *k = c->k;
	const int8_t *w = c->buf[2];
	int32_t *sum = c->work;
	int8_t *to = (int8_t *)c->work + sums_bytes(k);
	long run = run_of(k), blocks = blocks_of(run);

	if (c->part) return;
	memset(c->work, 0, VN(q24_pack_bytes)(k));
	for (long o = 0; o < k[CK_O]; o++)
		for (long r = 0; r < k[CK_KH]; r++, w += run) sum[o] += pack_run(to + (o / VW * k[CK_KH] + r) * blocks * BLOCK + o % VW * SLOTS, w, run);
}

void VN(q24_i8)(const cop_call *c)
{
	layer l = layer_of(c, one, some, PIXELS);

	l.sum = c->pack;
	l.pack = (const int8_t *)c->pack + sums_bytes(c->k);
	run(c, &l);
}

#endif
