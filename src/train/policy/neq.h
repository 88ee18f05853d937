/* SPDX-License-Identifier: Apache-2.0
 *
 * neq.h - thresholds of neurons at equilibrium, apart from a training.
 */
#ifndef COP_NEQ_H
#define COP_NEQ_H

#include "core/core.h"

/* The velocity below or at which that part of n neurons is; -1: none is. room[n]. */
float cop__slowest(const float *velocity, int32_t n, float part, float *room);
/* eps after an epoch. rise[n]: by how much the loss rises with another such move of the neuron, 0 of those that did not move; t: how wide the threshold is. */
float cop__learn_threshold(float eps, float step, const float *velocity, const float *rise, int32_t n, float t);

#endif
