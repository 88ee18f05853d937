/* SPDX-License-Identifier: Apache-2.0
 *
 * qstep.h - how an integer moves by a distance that is no integer: w - d, rounded.
 *
 *   nearest      the next integer; moves of less than half a step are lost
 *   stochastic   down or up by chance, so that the mean of many moves is d
 *   truncate     towards 0, as a conversion in C does it: whatever the move, one step towards 0 on average half of the time
 */
#ifndef COP_QSTEP_H
#define COP_QSTEP_H

#include "kernel/math.h"

enum cop_q_round { COP_Q_NEAREST, COP_Q_STOCHASTIC, COP_Q_TRUNCATE, COP_Q_ROUNDS };

/* The largest integer that is not above v, held within +-2^30; 0 for NaN. */
static inline int32_t cop_floor(float v)
{
	const float most = 1 << 30;

	v = v > most ? most : v < -most ? -most : v == v ? v : 0;
	int32_t whole = (int32_t)v;
	return whole - ((float)whole > v);
}

/* By how much w moves down; a distance that is not finite moves nothing. draw: 32 bits of chance. */
static inline int32_t cop_q_move(int32_t w, float d, int32_t round, uint32_t draw)
{
	if (!(d - d == 0)) return 0;
	if (round == COP_Q_NEAREST) return cop_floor(d + 0.5f);
	int32_t down = cop_floor(d);
	if (round == COP_Q_STOCHASTIC) return down + ((float)(draw >> 8) * (1.0f / 16777216) < d - (float)down);
	if ((float)down == d) return down;
	return w > down ? down + 1 : down; /* w - d above 0: cut to what is below it */
}

/* w - d within +-most. */
static inline int32_t cop_q_moved(int32_t w, float d, int32_t most, int32_t round, uint32_t draw)
{
	int64_t v = (int64_t)w - cop_q_move(w, d, round, draw);
	return v > most ? most : v < -most ? -most : (int32_t)v;
}

#endif
