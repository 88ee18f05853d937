/* SPDX-License-Identifier: Apache-2.0
 *
 * qtrain.h - training of int8 layers: gradients of the operators that compute on integers, and what updates of integers share.
 *
 * The gradient of an int8 value is a float: of the loss with respect to one step of that integer. Rounding passes it straight through; where a
 * result is at the end of its range it is 0.
 */
#ifndef COP_QTRAIN_H
#define COP_QTRAIN_H

#include "kernel/qerr.h"
#include "kernel/qstep.h"
#include "op/op.h"

cop_status cop__qconv_grad(cop_grad *d, cop_nid n);
cop_status cop__qadd_grad(cop_grad *d, cop_nid n);
cop_status cop__qavgpool_grad(cop_grad *d, cop_nid n);
cop_status cop__dequantize_grad(cop_grad *d, cop_nid n);
/* Of an update of integers: inputs `lr`, `lr + 1` (of each row of the weight, input 0, the factor of its gradient) and, to round by chance, `lr + 2`,
 * the step. The result is written over the weight. */
cop_status cop__q_step_over(cop_graph *g, cop_nid n, int lr, int32_t round);
/* Of an operator that gives an error as bytes: result 1 is its unit, input `at` that of another one (0: none). */
cop_status cop__error_unit(cop_graph *g, cop_nid n, int at, int32_t round);
/* The same where result 0 goes through factors and bits, inputs m and m + 1, if there are any. */
cop_status cop__error_through(cop_graph *g, cop_nid n, int m, int at, int32_t round);

#endif
