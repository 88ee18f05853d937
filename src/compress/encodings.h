/* SPDX-License-Identifier: Apache-2.0
 *
 * encodings.h - the smallest encoding of a weight, remembered by its contents: a recipe measures the same weights again and again, and
 * trying the encodings and coders is most of what measuring costs.
 */
#ifndef COP_ENCODINGS_H
#define COP_ENCODINGS_H

#include "io/cop/codec.h"

typedef struct cop_smallest { cop_type type; const void *blob; } cop_smallest; /* blob: remembered here; NULL: the weight stays as it is */

typedef struct cop_known_size { uint8_t key[32]; size_t bytes; } cop_known_size;
typedef struct cop_known_form { uint8_t key[32]; uint32_t name; cop_type type; void *blob; /* NULL: dense */ } cop_known_form;
typedef struct cop_encodings {
	cop_ctx *cx;
	cop_known_size *size; /* what a tensor takes in a file */
	int32_t n_size, cap_size;
	cop_known_form *form; /* the encoding of a dense weight; the two latest for each name: what is, and what is being tried */
	int32_t n_form, cap_form;
	int32_t tried;        /* how often the encodings of a weight were tried out */
} cop_encodings;

void cop__encodings_begin(cop_encodings *e, cop_ctx *cx);
void cop__encodings_free(cop_encodings *e);
/* Of the encodings `among` (a bit each) that of value x (dense floats) which takes the fewest bytes in a file under codec, then in memory. */
cop_status cop__smallest(cop_smallest *out, cop_encodings *e, const cop_value *x, uint32_t among, cop_codec codec);
/* What a tensor takes in a file; ud: a cop_encodings. */
cop_status cop__encodings_stored(void *ud, size_t *bytes, const cop_value *x);

#endif
