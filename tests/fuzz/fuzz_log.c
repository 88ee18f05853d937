/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the log of a training, and what a page says of its epochs. Every figure that is accepted must be a number.
 */
#include "fuzz.h"
#include "report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_ctx *cx;
	cop_story s;
	size_t used;

	if (fuzz_ctx(&cx, &used)) return 0;
	cop__story_none(&s, cx);
	if (!cop__log_read(&s, (const char *)p, n)) {
		int32_t best = cop__story_best(&s);
		if (best >= s.n_point) abort();
		for (int32_t i = 0; i < s.n_point; i++) {
			const cop_story_point *o = &s.point[i];
			if (!o->stage || !(o->loss >= 0 && o->epoch >= 0 && o->rate >= 0 && o->seconds >= 0 && o->accuracy >= -1 && o->mse >= -1)) abort();
			if (best >= 0 && o->accuracy > s.point[best].accuracy && s.point[best].accuracy >= 0) abort();
			(void)cop__story_stage_begins(&s, i);
		}
	} else if (!cop_error_text(cx)[0]) {
		abort();
	}
	cop__story_free(&s);
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
