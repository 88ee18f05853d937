/* SPDX-License-Identifier: Apache-2.0
 *
 * compared.h - several networks side by side, for `compare` and for the page.
 */
#ifndef CLI_COMPARED_H
#define CLI_COMPARED_H

#include "cli.h"

enum { CLI_MOST_COMPARED = 32 };
typedef struct cli_compared {
	const char *data, *target; /* NULL: none; host */
	int32_t limit;
	const char *file[CLI_MOST_COMPARED];
	int n;
	cli_samples s;
	cop_compared of[CLI_MOST_COMPARED];
} cli_compared;
cop_status cli_compared_measure(cli_compared *all, cli *c);

#endif
