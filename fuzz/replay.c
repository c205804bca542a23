/* SPDX-License-Identifier: Apache-2.0 */
/* A plain main for fuzz targets: runs each file named, or each file of each folder named, and prints TAP. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

static int ran;

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0, got = 1;
	while (file && got > 0) {
		uint8_t *grown = realloc(data, size + 65536);
		if (!grown)
			break;
		data = grown;
		got = fread(data + size, 1, 65536, file);
		size += got;
	}
	if (file)
		(void)fclose(file);
	/* A block of the exact size, so that a sanitizer sees a read past its end. */
	uint8_t *exact = malloc(size ? size : 1);
	if (exact && size)
		memcpy(exact, data, size);
	free(data);
	if (exact)
		(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	ran++;
}

static void run_path(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return;
	if (!S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
		char name[4096];
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		run_file(name);
	}
	if (dir)
		(void)closedir(dir);
}

int main(int argc, char **argv)
{
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("1..1\n%s 1 - %d inputs replayed\n", ran > 0 ? "ok" : "not ok", ran);
	return ran > 0 ? 0 : 1;
}
