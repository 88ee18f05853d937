/* SPDX-License-Identifier: Apache-2.0
 *
 * 05 - writes a network as C into a folder. The library hands out texts; where they go is the caller's business.
 *
 *   ./example_05_emit_c FOLDER [NAME or FILE.cop] [TARGET]
 */
#include <coppice.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static cop_status write_file(void *ud, const char *path, const void *bytes, size_t size)
{
	char full[1024];

	snprintf(full, sizeof full, "%s/check", (const char *)ud); /* some paths begin with check/ */
	if (mkdir(full, 0777) && errno != EEXIST) return COP_IO;
	snprintf(full, sizeof full, "%s/%s", (const char *)ud, path);
	FILE *f = fopen(full, "wb");
	if (!f) return COP_IO;
	size_t n = fwrite(bytes, 1, size, f);
	printf("%8zu bytes  %s\n", n, full);
	return fclose(f) || n != size ? COP_IO : COP_OK;
}

int main(int argc, char **argv)
{
	cop_ctx *cx;
	cop_graph *g = NULL;
	cop_target t;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER [NAME or FILE.cop] [TARGET]\n", argv[0]);
		return 2;
	}
	if (cop_ctx_new(&cx, NULL)) return 1;
	cop_status st = mkdir(argv[1], 0777) && errno != EEXIST ? COP_IO : COP_OK;
	if (!st) st = cop_target_find(&t, cx, argc > 3 ? argv[3] : "host");
	if (!st) st = cop_model_load(&g, cx, argc > 2 ? argv[2] : "mlp-784x32x10");
	if (!st) st = cop_emit_c(g, &t, &(cop_emit_args){.name = "net"}, write_file, argv[1]);
	if (st) fprintf(stderr, "%s\n", *cop_error_text(cx) ? cop_error_text(cx) : cop_status_text(st));
	cop_graph_free(g);
	cop_ctx_free(cx);
	return -st;
}
