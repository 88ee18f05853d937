/* SPDX-License-Identifier: Apache-2.0
 *
 * words.h - short texts under the range coder: each byte from what stood before it, with what texts of graphs look like known from the start.
 */
#ifndef COP_IO_WORDS_H
#define COP_IO_WORDS_H

#include "io/cop/mix.h"

typedef struct cop_words cop_words;
cop_status cop__words_new(cop_words **out, cop_ctx *cx); /* freed with cop__free */
/* Codes byte b when encoding; returns it. */
uint8_t cop__words_byte(cop_range *r, cop_words *w, uint8_t b);

#endif
