/* SPDX-License-Identifier: Apache-2.0
 *
 * map.h - the functions of one element by number, as it stands in word FN_FN and in graphs. functions.h says what they are.
 */
#ifndef COP_MAP_H
#define COP_MAP_H

#include "kernel/kernel.h"

enum cop_map_fn {
#define FN(name, ...) MAP_##name,
#include "kernel/functions.h"
#undef FN
	MAP_FNS
};

void cop_map_f32(const cop_call *c);

#endif
