/* SPDX-License-Identifier: Apache-2.0
 *
 * mix.h - one bit under several opinions of how likely it is. Each context has an estimate of its own; they are mixed as logarithms of odds, with
 * weights that follow what has proved right (Mahoney 2005, "Adaptive weighing of context models"). An estimate that has seen little has a weight of
 * its own, so that a new context does not spoil what the others know.
 *
 * Everything is whole numbers, so that every machine decodes the same bits. Odds are in 1/256 of a bit.
 */
#ifndef COP_IO_MIX_H
#define COP_IO_MIX_H

#include "enc/range.h"

enum { COP_MIX_MOST = 6, COP_MIX_TRUST = 8, COP_MIX_LEAST = 16 /* of 65536: the least probability a bit is coded with */ };

/* An estimate, and what it has seen. */
typedef struct cop_guess { uint16_t fast, slow, seen; } cop_guess;
/* The weights of up to six opinions, by how much each has seen: 65536 is 1. */
typedef struct cop_mixer { int32_t weight[COP_MIX_MOST][COP_MIX_TRUST]; int pace; } cop_mixer;

/* n opinions; pace: the higher, the slower their weights move. */
void cop__mixer_begin(cop_mixer *m, int n, int pace);
static inline cop_guess cop__guess(uint32_t p) { return (cop_guess){(uint16_t)p, (uint16_t)p, 0}; }
/* Codes `bit` when encoding; returns the bit. */
int cop__mix_bit(cop_range *r, cop_mixer *m, cop_guess *const *of, int n, int bit);
/* The same without a coder: what it would have learned. */
int cop__mix_learn(cop_mixer *m, cop_guess *const *of, int n, int bit);

#endif
