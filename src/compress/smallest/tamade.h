/* SPDX-License-Identifier: Apache-2.0
 *
 * tamade.h - the threshold below which weights can go, found by what it costs.
 */
#ifndef COP_TAMADE_H
#define COP_TAMADE_H

#include "core/core.h"

/* The loss of the network without its weights below thr. */
typedef cop_status cop_loss_at_fn(void *ud, float thr, double *loss);
/* By bisection on [0, most], to 1e-7: *thr has a loss of at most (1 + tolerance) times that at 0, and thr + 1e-7 has not, where the loss rises. */
cop_status cop__tamade(float *thr, float most, double tolerance, cop_loss_at_fn *loss_at, void *ud);

#endif
