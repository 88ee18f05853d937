/* SPDX-License-Identifier: Apache-2.0
 *
 * deploy.h - a model as it is run on this machine: the form that inference takes, planned, with a session. Written once,
 * for scoring, timing, calibration and training.
 */
#ifndef COP_DEPLOY_H
#define COP_DEPLOY_H

#include "plan/plan.h"

/* A plan on this machine, and its session. cop__host_close releases what was made, after a failure too. */
typedef struct cop_host { cop_plan *plan; cop_session *s; } cop_host;
/* isa: kernels it may use, of those the machine has (0: the portable ones; COP_ISA_ALL). */
cop_status cop__host_open(cop_host *h, cop_graph *const *entry, int n_entry, uint32_t isa, int threads);
void cop__host_close(cop_host *h);

/* A model as it is deployed; g is what the session runs, for `batch` samples at once. */
typedef struct cop_deployed { cop_graph *g; cop_host host; int32_t batch; } cop_deployed;
/* each: numbers of a sample; 0: not known. Where samples cannot go side by side, they go one after the other. */
typedef struct cop_deploy_args { int32_t batch; int64_t each; int threads; } cop_deploy_args;
cop_status cop__deploy(cop_deployed *d, const cop_graph *model, const cop_deploy_args *a);
void cop__deploy_free(cop_deployed *d); /* after a failure, too */

/* seconds[steps]: of each step of an entry, the quickest of some rounds, on what its inputs hold. It runs, so what it keeps changes. */
cop_status cop__step_seconds(double *seconds, cop_session *s, int entry);

/* The median time of one sample on one thread, as deployed. */
cop_status cop__latency(double *microseconds, const cop_graph *model);

#endif
