/* SPDX-License-Identifier: Apache-2.0
 *
 * error - the first failure of a context as a sentence, and the log.
 */
#include "core/core.h"

#include <stdio.h>

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
