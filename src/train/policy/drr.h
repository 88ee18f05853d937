/* SPDX-License-Identifier: Apache-2.0
 *
 * drr.h - the penalty on weights that are not zero, for the stage that cuts them.
 */
#ifndef COP_POLICY_DRR_H
#define COP_POLICY_DRR_H

#include "train/policy.h"

#define COP_DRR_SOURCE "Barth and von Petersenn 2025, arXiv 2505.17469"

typedef struct cop_drr_options { float alpha, beta, over; char of[128]; } cop_drr_options;
extern const cop_loss cop_loss_drr; /* y: a weight, target: alpha, one number */
cop_status cop__drr(cop_policy *out, cop_arena *mem, const cop_drr_options *o); /* o must stay */
float cop__drr_alpha(const cop_drr_options *o, int64_t step, int64_t steps);

#endif
