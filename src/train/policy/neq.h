/* SPDX-License-Identifier: Apache-2.0
 *
 * neq.h - thresholds of neurons at equilibrium.
 */
#ifndef COP_NEQ_H
#define COP_NEQ_H

#include "train/velocity.h"

/* The velocity below or at which that part of n neurons is; -1: none is. room[n]. */
float cop__slowest(const float *velocity, int32_t n, float part, float *room);
/* eps after an epoch. rise[n]: by how much the loss rises with another such move of the neuron, 0 of those that did not move; t: how wide the threshold is. */
float cop__learn_threshold(float eps, float step, const float *velocity, const float *rise, int32_t n, float t);

/* ---- moves.c: threshold=steps ---- */

/* In place of samples that are kept out it sees the training itself: of each neuron, how its weights moved in the last step and in the one before. The gradient
 * of this step's samples times the move before says how the loss rises with another such move, on samples that the move has not seen. Biases and batch norm
 * are left out. */
typedef struct cop_moving_layer { cop_handle w; int32_t rows, first; int64_t each; } cop_moving_layer;
typedef struct cop_moves {
	cop_moving_layer *layer; /* those before the head */
	int32_t n_layer;
	int64_t numbers;
	float momentum;
	float *state;            /* [2 numbers] weights after the last step, and its move */
	cop_handle of_state;
} cop_moves;
cop_status cop__moves_build(cop_moves *s, bool *live, cop_arena *mem, cop_build *b, const char *names); /* with every build; live[hidden] as the lists of the model say */
cop_status cop__moves_rise(float *rise, cop_moves *s, const bool *live, const cop_progress *p); /* after a step; rise[hidden] times the rate; 0 of those that are left out */
cop_status cop__moves_keep(cop_moves *s, cop_trainer *t); /* before the next build, which goes on from there */
/* Of n weights that were `was` before a step with that momentum, and whose move before it was `move`; both are those of this step then. */
float cop__rise_of_move(const float *w, float *was, float *move, int64_t n, float momentum);

#endif
