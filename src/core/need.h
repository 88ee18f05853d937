/* SPDX-License-Identifier: Apache-2.0
 *
 * need.h - what public calls say to a caller who left something out.
 */
#ifndef COP_NEED_H
#define COP_NEED_H

#include "core/core.h"

/* In a function that returns a cop_status: p, whose name in the header it is, may not be NULL (or 0). cx NULL: there is no place for a sentence. */
#define COP_NEED(cx, p)                                                                            \
	do {                                                                                       \
		if (!(p)) return cop__error(cx, COP_ARG, "%s: %s is NULL", __func__, #p);          \
	} while (0)
#define COP_CX(x) ((x) ? (x)->cx : NULL)

#endif
