/* SPDX-License-Identifier: Apache-2.0
 *
 * folder.h - a folder that emission writes to, what lies in it, and commands that are run there. COPPICE_KEEP leaves it.
 */
#ifndef TESTS_EMIT_FOLDER_H
#define TESTS_EMIT_FOLDER_H

#include "help.h"

#include <sys/stat.h>
#include <unistd.h>

typedef struct folder { char path[80]; int files, fail_at; } folder;

static inline cop_status put_file(void *ud, const char *path, const void *bytes, size_t size)
{
	folder *f = ud;
	char full[256];

	if (++f->files == f->fail_at) return COP_IO;
	snprintf(full, sizeof full, "%s/check", f->path);
	(void)mkdir(full, 0777);
	snprintf(full, sizeof full, "%s/%s", f->path, path);
	FILE *out = fopen(full, "wb");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, size, out), size);
	fclose(out);
	return COP_OK;
}

static inline void open_folder(folder *f)
{
	*f = (folder){.path = "/tmp/coppice-emit-XXXXXX"};
	assert_non_null(mkdtemp(f->path));
}

static inline void close_folder(const folder *f)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", f->path);
	if (!getenv("COPPICE_KEEP") && system(command)) print_message("%s is left\n", f->path);
}

static inline void write_bytes(const folder *f, const char *name, const void *bytes, size_t size)
{
	folder plain = *f;
	plain.fail_at = 0;
	put_file(&plain, name, bytes, size);
}

static inline void *read_bytes(const folder *f, const char *name, size_t size)
{
	char full[256];
	uint8_t *data = malloc(size + 1);

	snprintf(full, sizeof full, "%s/%s", f->path, name);
	FILE *in = fopen(full, "rb");
	if (!in) fail_msg("%s was not written", full);
	if (fread(data, 1, size + 1, in) != size) fail_msg("%s does not have %zu bytes", full, size);
	fclose(in);
	return data;
}

/* Runs a command in the folder; shows its output when it fails or when asked. */
static inline void shell(const folder *f, const char *command, bool show)
{
	char full[1024], line[512];

	snprintf(full, sizeof full, "cd %s && (%s) >log 2>&1", f->path, command);
	int rc = system(full);
	if (rc || show) {
		snprintf(full, sizeof full, "%s/log", f->path);
		FILE *in = fopen(full, "r");
		while (in && fgets(line, sizeof line, in)) print_message("    %s", line);
		if (in) fclose(in);
	}
	if (rc) fail_msg("failed: %s", command);
}

static inline bool have_arm(void)
{
	return !system("command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null"
		       " && test -e \"$(arm-none-eabi-gcc -print-file-name=nano.specs)\"");
}

static inline void need_arm(void)
{
	if (have_arm()) return;
	print_message("skipped: needs arm-none-eabi-gcc with newlib and qemu-system-arm\n");
	skip();
}

#endif
