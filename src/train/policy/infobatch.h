/* SPDX-License-Identifier: Apache-2.0
 *
 * infobatch.h - which samples are left out of an epoch by their scores.
 */
#ifndef COP_POLICY_INFOBATCH_H
#define COP_POLICY_INFOBATCH_H

#include "train/policy.h"

/* weight[n]: 0 of those that are left out, 1 / (1 - part) of those that could have been, else 1. */
void cop__infobatch_draw(float *weight, const float *score, int32_t n, float part, uint64_t seed, int32_t epoch);

#endif
