/* SPDX-License-Identifier: Apache-2.0
 *
 * clock - how much time goes by.
 */
#include "core/core.h"

#include <time.h>

double cop__seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double cop__cpu_seconds(void)
{
	struct timespec t;
	return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) ? 0 : (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
