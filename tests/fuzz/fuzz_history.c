/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the history of a recipe's run, and the tables that a page makes of it. The pictures, which another program draws, are left out.
 */
#include "fuzz.h"
#include "report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cop_ctx *cx;
	cop_story s = {0};
	cop_text t;
	size_t used;

	if (fuzz_ctx(&cx, &used)) return 0;
	if (!cop__story_read(&s, cx, (const char *)p, n)) {
		cop__text_init(&t, cx);
		cop__html_text(&t, s.recipe);
		cop__html_stages(&t, &s);
		cop__html_cards(&t, &s.before, &s.after);
		cop__html_compare(&t, &s.before, &s.after);
		cop__text_free(&t);
		cop__story_free(&s);
	} else if (!cop_error_text(cx)[0]) {
		abort();
	}
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
