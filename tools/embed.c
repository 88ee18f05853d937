/* SPDX-License-Identifier: Apache-2.0
 *
 * embed OUT ROOT FILE... - writes the texts of FILEs as C arrays, so that `coppice emit` carries the
 * kernels it ships. Paths are kept relative to ROOT.
 */
#include <stdio.h>
#include <string.h>

static int put_file(FILE *out, const char *path, int index)
{
	FILE *in = fopen(path, "rb");
	int c, column = 0;

	if (!in) return perror(path), 1;
	fprintf(out, "static const unsigned char file_%d[] = {\n", index);
	while ((c = getc(in)) != EOF) fprintf(out, "%d,%s", c, ++column % 32 ? "" : "\n");
	fprintf(out, "0};\n");
	return fclose(in);
}

int main(int argc, char **argv)
{
	FILE *out = argc > 2 ? fopen(argv[1], "wb") : NULL;
	size_t root = argc > 2 ? strlen(argv[2]) + 1 : 0;

	if (!out) return fprintf(stderr, "usage: embed OUT ROOT FILE...\n"), 1;
	fprintf(out, "/* written by tools/embed.c */\n#include \"emit/embedded.h\"\n");
	for (int i = 3; i < argc; i++)
		if (put_file(out, argv[i], i - 3)) return 1;
	fprintf(out, "const cop_embedded cop_embedded_files[] = {\n");
	for (int i = 3; i < argc; i++) fprintf(out, "\t{\"%s\", file_%d, sizeof file_%d - 1},\n", argv[i] + root, i - 3, i - 3);
	fprintf(out, "\t{0, 0, 0}\n};\n");
	return fclose(out);
}
