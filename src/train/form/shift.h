/* SPDX-License-Identifier: Apache-2.0
 *
 * shift.h - weights that are powers of two: a product with one is a shift.
 */
#ifndef COP_FORM_SHIFT_H
#define COP_FORM_SHIFT_H

#include "train/build.h"

#define COP_SHIFT_SOURCE "DeepShift: Elhoushi et al. 2021, arXiv 1905.13298"

/* exponents: neighbouring ones, up to that of the largest weight of a tensor. More than COP_SHIFTS do not fit int8 or four bits. */
enum { COP_SHIFTS = 7 };
typedef struct cop_shift_options { int32_t exponents; bool zeros, apart; } cop_shift_options;
extern const cop_option cop_shift_table[]; /* the stage has them, too */

/* The latents: a number that is rounded; or, apart, exponents below that of the largest, and signs. */
#define COP_SHIFT_LATENT "latent"
#define COP_SHIFT_POWER "power"
#define COP_SHIFT_SIGN "sign"

#endif
