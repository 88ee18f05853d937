/* SPDX-License-Identifier: Apache-2.0
 *
 * keeping.h - what was learnt, kept by the emitted program itself: its main gets this in front, and hands out the parameters only after they were kept, lost and
 * restored, and after the power went at each operation of a later save.
 */
#ifndef TESTS_EMIT_KEEPING_H
#define TESTS_EMIT_KEEPING_H

#include "emit/training.h"

static const char keeping[] =
	"#include \"io.h\"\n#include \"my_net.h\"\n"
	"static unsigned char slot[2][MY_NET_KEEP_BYTES], old[MY_NET_PARAMETER_BYTES], new[MY_NET_PARAMETER_BYTES];\n"
	"static long left, done; /* operations until the power goes, below 0: never; that were asked for */\n"
	"static int alive(void) { done++; return left < 0 || done <= left; }\n"
	"static int erase(void *ud, int s) { unsigned long i; (void)ud; if (alive()) for (i = 0; i < sizeof slot[0]; i++) slot[s][i] = 0xff; return 0; }\n"
	"static int put(void *ud, int s, uint32_t at, const void *from, uint32_t n)\n"
	"{ uint32_t i; (void)ud; if (!alive()) n = done == left + 1 ? n / 2 : 0; for (i = 0; i < n; i++) slot[s][at + i] = ((const unsigned char *)from)[i]; return 0; }\n"
	"static int get(void *ud, int s, uint32_t at, void *to, uint32_t n)\n"
	"{ uint32_t i; (void)ud; for (i = 0; i < n; i++) ((unsigned char *)to)[i] = slot[s][at + i]; return 0; }\n"
	"static const cop_flash flash = {0, MY_NET_KEEP_BYTES, erase, put, get};\n"
	"static void copy(void *to, const void *from) { unsigned long i; for (i = 0; i < MY_NET_PARAMETER_BYTES; i++) ((unsigned char *)to)[i] = ((const unsigned char *)from)[i]; }\n"
	"static int same(const void *a) { unsigned long i; for (i = 0; i < MY_NET_PARAMETER_BYTES; i++) if (((unsigned char *)my_net_parameters())[i] != ((const unsigned char *)a)[i]) return 0; return 1; }\n"
	"static void *kept(void)\n{\n\tlong at, olds = 0;\n\n"
	"\tleft = -1;\n\tcopy(old, my_net_parameters());\n\tmy_net_init();\n\tif (my_net_restore(&flash) != COP_KEEP_NONE || same(old)) return new;\n"
	"\tcopy(new, my_net_parameters());\n\tcopy(my_net_parameters(), old);\n\tif (my_net_keep(&flash)) return new;\n"
	"\tfor (at = 0, done = 1; done > at; at++) {\n"
	"\t\tcopy(my_net_parameters(), new);\n\t\tleft = at;\n\t\tdone = 0;\n\t\tmy_net_keep(&flash);\n\t\tleft = -1;\n\t\tmy_net_init();\n"
	"\t\tif (my_net_restore(&flash) || same(old) + same(new) != 1) return new;\n\t\tolds += same(old);\n"
	"\t\tcopy(my_net_parameters(), old);\n\t\tif (my_net_keep(&flash)) return new;\n\t}\n"
	"\tmy_net_init();\n\tif (my_net_restore(&flash) || olds < 5) return new;\n"
	"\tio_print(\"kept\\n\");\n\treturn my_net_parameters();\n}\n"
	"#define my_net_parameters kept\n";

/* check_training, by way of a flash. */
static inline void check_keeping(cop_ctx *cx, const cop_graph *model, const machine *m, const char *spec) { check_trained_by(cx, model, m, spec, keeping); }

#endif
