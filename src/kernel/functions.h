/* SPDX-License-Identifier: Apache-2.0
 *
 * functions.h - functions of one element: a table with a line each, and a header by its name, since emitted code takes it
 * along as one. A line is all that a function needs: the operator map computes it, map_grad goes back through it, tables of
 * int8 are made of it, and ONNX is read and written by its name.
 *
 * FN(NAME, kind, name in ONNX, how many of alpha and beta it has, what they are in ONNX if absent, value, gradient)
 *   kind      REAL; STEP: no gradient goes through; WHOLE: takes whole numbers, too; WHOLE_STEP: both; TRUTH: of bytes
 *   value     of x, in float, by kernel/math.h
 *   gradient  of dy and x
 * Files and graphs name a function by its place, so a new one comes last.
 */
FN(NEG, WHOLE, Neg, 0, 0, 0, -x, -dy)
FN(ABS, WHOLE, Abs, 0, 0, 0, cop_absf(x), dy * sign(x))
FN(EXP, REAL, Exp, 0, 0, 0, cop_expf(x), dy * cop_expf(x))
FN(LOG, REAL, Log, 0, 0, 0, cop_logf(x), dy / x)
FN(SQRT, REAL, Sqrt, 0, 0, 0, cop_sqrtf(x), 0.5f * dy / cop_sqrtf(x))
FN(RECIPROCAL, REAL, Reciprocal, 0, 0, 0, 1.0f / x, -dy / (x * x))
FN(ERF, REAL, Erf, 0, 0, 0, cop_erff(x), dy * (1.12837917f * cop_expf(-x * x)))
FN(FLOOR, STEP, Floor, 0, 0, 0, cop_floorf(x), 0.0f * x)
FN(CEIL, STEP, Ceil, 0, 0, 0, cop_ceilf(x), 0.0f * x)
FN(ROUND, STEP, Round, 0, 0, 0, cop_roundf(x), 0.0f * x) /* half to even */
FN(SIGN, WHOLE_STEP, Sign, 0, 0, 0, sign(x), 0.0f * x)
FN(SOFTPLUS, REAL, Softplus, 0, 0, 0, softplus(x), dy * cop_sigmoidf(x))
FN(SOFTSIGN, REAL, Softsign, 0, 0, 0, x / (1.0f + cop_absf(x)), dy * (1.0f / ((1.0f + cop_absf(x)) * (1.0f + cop_absf(x)))))
FN(ELU, REAL, Elu, 1, 1, 0, x < 0.0f ? alpha * cop_expm1f(x) : x, dy * (x < 0.0f ? alpha * cop_expf(x) : 1.0f))
FN(CELU, REAL, Celu, 1, 1, 0, x < 0.0f ? alpha * cop_expm1f(x / alpha) : x, dy * (x < 0.0f ? cop_expf(x / alpha) : 1.0f))
FN(LEAKYRELU, REAL, LeakyRelu, 1, 0.01f, 0, x < 0.0f ? alpha * x : x, dy * (x < 0.0f ? alpha : 1.0f))
FN(HARDSIGMOID, REAL, HardSigmoid, 2, 0.2f, 0.5f, cop_clampf(alpha * x + beta, 0.0f, 1.0f), dy * hardsigmoid_slope(x, alpha, beta))
FN(MISH, REAL, Mish, 0, 0, 0, x * mish_gate(x), dy * mish_slope(x))
FN(THRESHOLDEDRELU, REAL, ThresholdedRelu, 1, 1, 0, x > alpha ? x : 0.0f, x > alpha ? dy : 0.0f)
FN(SIN, REAL, Sin, 0, 0, 0, cop_sinf(x), dy * cop_cosf(x))
FN(COS, REAL, Cos, 0, 0, 0, cop_cosf(x), dy * -cop_sinf(x))
FN(ATAN, REAL, Atan, 0, 0, 0, cop_atanf(x), dy / (1.0f + x * x))
FN(NOT, TRUTH, Not, 0, 0, 0, x, 0.0f * x)
