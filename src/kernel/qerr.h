/* SPDX-License-Identifier: Apache-2.0
 *
 * qerr.h - errors, the gradients of activations, as bytes that share one unit (NITI: Wang et al. 2020, arXiv 2009.13108; Deutel et al. 2024 on a Cortex-M): a
 * sum of 32 bits loses as many bits as leave seven of the largest one, and the unit is doubled as often.
 *
 * How many is known when the last sum is. Keeping the sums would take four bytes each, which is what bytes are to save; summing twice would take twice
 * the work; a number of bits from the step before would be wrong where samples differ. So sums are written, some at a time, with the shift that
 * those before them ask for. Where later ones ask for more, all before them are summed again at the end: few, since a sum with as many bits comes early as a
 * rule. The result depends on no order.
 */
#ifndef COP_QERR_H
#define COP_QERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the bits that are lost round a magnitude:
 *   pseudo      up where their upper half is more than their lower half, as numbers: right in the mean but for a few hundredths, and no chance to draw
 *   nearest     up from half on
 *   stochastic  up by chance, drawn from the sum itself and its place: right in the mean
 *   truncate    never up */
enum cop_e_round { COP_E_PSEUDO, COP_E_NEAREST, COP_E_STOCHASTIC, COP_E_TRUNCATE, COP_E_ROUNDS };

static inline uint32_t cop_e_size(int32_t acc) { return acc < 0 ? 0u - (uint32_t)acc : (uint32_t)acc; }

/* Bits to lose so that seven are left of the largest of some magnitudes; all: those, or all their bits in one number. */
static inline int32_t cop_e_shift(uint32_t all)
{
	int32_t shift = 0;
	while (all >> shift > 127) shift++;
	return shift;
}

/* A number that looks drawn, of a sum and its place. */
static inline uint32_t cop_e_draw(uint32_t size, uint32_t at)
{
	uint32_t h = size * 0x9e3779b1u ^ (at * 0x85ebca77u + 0x165667b1u);

	h = (h ^ h >> 15) * 0x2c1b3c6du;
	h = (h ^ h >> 12) * 0x297a2d39u;
	return h ^ h >> 15;
}

static inline uint32_t cop_e_up(uint32_t size, int32_t shift, int32_t round, uint32_t at)
{
	const uint32_t rest = size & ((1u << shift) - 1);
	const int32_t half = shift >> 1;

	if (round == COP_E_PSEUDO) return rest >> half > (rest & ((1u << half) - 1)) << (shift & 1);
	if (round == COP_E_NEAREST) return rest << 1 >> shift;
	return round == COP_E_STOCHASTIC && (cop_e_draw(size, at) & ((1u << shift) - 1)) < rest;
}

static inline int8_t cop_e_byte(int32_t acc, int32_t shift, int32_t round, uint32_t at)
{
	uint32_t size = cop_e_size(acc);

	if (!acc) return 0;
	size = (size >> shift) + cop_e_up(size, shift, round, at);
	size = size > 127 ? 127 : size;
	return (int8_t)(acc < 0 ? -(int32_t)size : (int32_t)size);
}

/* Where the sums of a unit of work go: some pixels of some channels; ps, cs: elements from one to the next, among the sums. */
typedef struct cop_e_part { int32_t pixel, pixels, c, channels, ps, cs; } cop_e_part;
/* What fills acc with the sums of unit u and says where they go. */
typedef cop_e_part cop_e_fill(const void *job, int32_t *acc, int32_t u);

/* An error of c_n channels that is made. m: factors, 2^31 the whole, that sums shifted by `up` are multiplied by, so that they lose no bit that counts; in: bits,
 * elsewhere it is 0; NULL: none. acc: room for the sums of a unit. */
typedef struct cop_e_made {
	int8_t *to;
	int32_t c_n, units, round, up;
	const int32_t *m;
	const uint8_t *in;
	cop_e_fill *fill;
	const void *job;
	int32_t *acc;
} cop_e_made;

/* Sums of one channel, through its factor and its bits; all their bits in one number. */
static inline uint32_t cop_e_channel(const cop_e_made *e, int32_t *acc, int32_t n, int32_t ps, int32_t pixel, int32_t c)
{
	static const uint8_t always = 0xff;
	const int32_t bytes = (e->c_n + 7) / 8, step = e->in ? bytes : 0, m = e->m ? e->m[c] : 0, up = e->up, bit = 1 << (c & 7);
	const uint8_t *in = e->in ? e->in + (size_t)pixel * (size_t)bytes + c / 8 : &always;
	uint32_t all = 0;

	if (!e->m) {
		for (; n > 0; n--, acc += ps, in += step) {
			if (!(*in & bit)) *acc = 0;
			all |= cop_e_size(*acc);
		}
		return all;
	}
	for (; n > 0; n--, acc += ps, in += step) { /* many are cut off: they cost little */
		int32_t v = 0;
		if (*in & bit) v = (int32_t)((int64_t)(int32_t)((uint32_t)*acc << up) * m >> 32), all |= cop_e_size(v);
		*acc = v;
	}
	return all;
}

static inline uint32_t cop_e_sums(const cop_e_made *e, int32_t u, cop_e_part *p)
{
	uint32_t all = 0;

	*p = e->fill(e->job, e->acc, u);
	for (int32_t i = 0; i < p->channels; i++) all |= cop_e_channel(e, e->acc + i * p->cs, p->pixels, p->ps, p->pixel, p->c + i);
	return all;
}

/* n sums of a channel as bytes; at: the first one's place. */
static inline void cop_e_bytes(const cop_e_made *e, const int32_t *acc, int32_t n, int32_t ps, int32_t at, int32_t shift)
{
	int8_t *to = e->to + at;
#define COP_E_RUN(how) for (int32_t i = 0; i < n; i++, acc += ps, to += e->c_n) *to = cop_e_byte(*acc, shift, how, (uint32_t)(at + i * e->c_n))
	switch (e->round) {
	case COP_E_PSEUDO: COP_E_RUN(COP_E_PSEUDO); break;
	case COP_E_NEAREST: COP_E_RUN(COP_E_NEAREST); break;
	case COP_E_STOCHASTIC: COP_E_RUN(COP_E_STOCHASTIC); break;
	default: COP_E_RUN(COP_E_TRUNCATE);
	}
#undef COP_E_RUN
}

static inline void cop_e_write(const cop_e_made *e, const cop_e_part *p, int32_t shift)
{
	for (int32_t i = 0; i < p->channels; i++) cop_e_bytes(e, e->acc + i * p->cs, p->pixels, p->ps, p->pixel * e->c_n + p->c + i, shift);
}

/* All of it; how many bits were lost. */
static inline int32_t cop_e_make(const cop_e_made *e)
{
	int32_t shift = 0, again = 0;
	cop_e_part p;

	for (int32_t u = 0; u < e->units; u++) {
		const uint32_t all = cop_e_sums(e, u, &p);
		if (all >> shift > 127) shift = cop_e_shift(all), again = u;
		cop_e_write(e, &p, shift);
	}
	for (int32_t u = 0; u < again; u++) {
		cop_e_sums(e, u, &p);
		cop_e_write(e, &p, shift);
	}
	return shift;
}

/* By how much a unit of work is larger than one of the sums: with factors a sum is 2^(up - 1) times as much. */
static inline int32_t cop_e_lost(const cop_e_made *e, int32_t shift) { return e->m ? shift + 1 - e->up : shift; }

/* Some numbers that lie one after the other, as the work of a unit. */
enum { COP_E_RUN_OF = 256 };
static inline cop_e_part cop_e_run(int32_t u, int32_t count)
{
	const int32_t from = u * COP_E_RUN_OF, n = count - from < COP_E_RUN_OF ? count - from : COP_E_RUN_OF;
	return (cop_e_part){from, n, 0, 1, 1, 0};
}
static inline int32_t cop_e_runs(int32_t count) { return (count + COP_E_RUN_OF - 1) / COP_E_RUN_OF; }

#endif
