/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.h - see encode.c.
 */
#ifndef COP_ENCODE_H
#define COP_ENCODE_H

#include "compress/encodings.h"

/* g with each weight that matches in the encoding that is smallest under codec; batch norms are folded first. */
cop_status cop__encode_weights(cop_graph **out, const cop_graph *g, const char *layers, cop_codec codec, cop_encodings *e);

#endif
