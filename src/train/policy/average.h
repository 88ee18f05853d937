/* SPDX-License-Identifier: Apache-2.0
 *
 * average.h - a second copy of everything that training changes, as states of the training graph, so that checkpoints hold it.
 */
#ifndef COP_POLICY_AVERAGE_H
#define COP_POLICY_AVERAGE_H

#include "train/policy.h"

typedef struct cop_average { const char *name; cop_handle w, mean; } cop_average;
typedef struct cop_averages { const void *o; cop_arena *mem; const char *what; bool means; cop_average *at; int32_t n; } cop_averages;

/* A policy on averages, its ud, with the options o of its row. It has states "<weight>.<what>" of all real parameters and, with `means`, of the
 * running means of batch norm, at first their values. The row adds what it does after a step. */
cop_status cop__averages_make(cop_policy *out, cop_arena *mem, const void *o, const char *what, bool means);
/* mean += part (w - mean) */
cop_status cop__averages_move(const cop_averages *a, const cop_trainer *t, float part);
cop_status cop__averages_back(const cop_averages *a, const cop_trainer *t); /* w = mean */
cop_status cop__averages_bake(void *ud, const cop_progress *p, cop_graph *model); /* the same in the model: for finish */

#endif
