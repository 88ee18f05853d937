/* SPDX-License-Identifier: Apache-2.0
 *
 * ctx - the context: allocator, first error, log sink. Everything else hangs on one of these;
 * there is no global state.
 */
#include "core/core.h"

#include <stdio.h>
#include <stdlib.h>

static void *libc_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
	(void)ud, (void)osize;
	if (nsize) return realloc(p, nsize);
	free(p);
	return NULL;
}

cop_status cop_ctx_new(cop_ctx **out, const cop_alloc *alloc)
{
	if (!out) return COP_ARG;
	const cop_alloc libc = {libc_alloc, NULL};
	const cop_alloc *a = alloc ? alloc : &libc;
	cop_ctx *cx = a->fn(a->ud, NULL, 0, sizeof *cx);

	*out = NULL;
	if (!cx) return COP_NOMEM;
	*cx = (cop_ctx){.alloc = *a, .isa = cop__cpu_isa()};
	cop_status st = cop__isa_from_env(cx);
	*out = cx; /* handed out even then, so that the sentence can be read */
	return st;
}

void cop_ctx_free(cop_ctx *cx)
{
	if (!cx) return;
	cop_alloc a = cx->alloc;
	a.fn(a.ud, cx, sizeof *cx, 0);
}

void cop_ctx_log(cop_ctx *cx, cop_level upto, cop_log_fn *fn, void *ud)
{
	if (!cx) return;
	cx->log = fn;
	cx->log_ud = ud;
	cx->log_level = upto;
}

void cop_ctx_stop(cop_ctx *cx, const volatile bool *flag) { if (cx) cx->stop = flag; }
const char *cop_error_text(const cop_ctx *cx) { return cx ? cx->text : ""; }

void cop_error_clear(cop_ctx *cx)
{
	if (!cx) return;
	cx->code = COP_OK;
	cx->text[0] = 0;
}

const char *cop_status_text(cop_status code)
{
	switch (code) {
#define X(name, value, text) case COP_##name: return text;
		COP_STATUS_MAP(X)
#undef X
	}
	return "unknown status";
}

cop_status cop__verror(cop_ctx *cx, cop_status code, const char *fmt, va_list ap)
{
	if (!cx || cx->code != COP_OK) return code; /* the first cause wins */
	cx->code = code;
	char text[sizeof cx->text];

	cop__vformat(text, sizeof text, fmt, ap);
	cop_text_shown(cx->text, sizeof cx->text, text);
	cop__log(cx, COP_LOG_DEBUG, "error: %s", cx->text);
	return code;
}

cop_status cop__error(cop_ctx *cx, cop_status code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	cop__verror(cx, code, fmt, ap);
	va_end(ap);
	return code;
}

void cop__error_in(cop_ctx *cx, const char *file)
{
	char was[sizeof cx->text], shown[sizeof cx->text];

	cop_text_shown(shown, sizeof shown, file);
	if (!*cx->text || strstr(cx->text, shown)) return;
	memcpy(was, cx->text, sizeof was);
	snprintf(cx->text, sizeof cx->text, "%.150s: %.240s", shown, was);
}

void cop__log(cop_ctx *cx, cop_level level, const char *fmt, ...)
{
	char text[512], shown[512];
	va_list ap;

	if (!cx->log || level > cx->log_level) return;
	va_start(ap, fmt);
	cop__vformat(text, sizeof text, fmt, ap);
	va_end(ap);
	cop_text_shown(shown, sizeof shown, text);
	cx->log(cx->log_ud, level, shown);
}
