/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map_bytes PIN: writes the bytes of all keys and values of a pinned BPF map, one entry after the other, to
 * standard output. bpftool prints them as text, a hundred times more of it. A map without values to read
 * (a ring buffer) gives nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what)
{
	fprintf(stderr, "map_bytes: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int open_pin(const char *path)
{
	union bpf_attr attr = { .pathname = (uintptr_t)path, .file_flags = BPF_F_RDONLY };
	int fd = bpf(BPF_OBJ_GET, &attr);

	if (fd < 0)
		fail(path);
	return fd;
}

static struct bpf_map_info info_of(int fd)
{
	struct bpf_map_info info = {};
	union bpf_attr attr = {
		.info = { .bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = (uintptr_t)&info }
	};

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
		fail("the map's info");
	return info;
}

/* The numbers of CPUs are those below this one: "0-3" gives 4. */
static size_t possible_cpus(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/possible", "re");
	unsigned int first, last;
	int got = file ? fscanf(file, "%u-%u", &first, &last) : 0;

	if (got < 1)
		fail("possible CPUs");
	fclose(file);
	return (got == 2 ? last : first) + 1;
}

/* Bytes that a lookup writes. */
static size_t value_size(const struct bpf_map_info *info)
{
	switch (info->type) {
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return (info->value_size + 7) / 8 * 8 * possible_cpus();
	default:
		return info->value_size;
	}
}

int main(int argc, char **argv)
{
	union bpf_attr attr = {};
	struct bpf_map_info info;
	char *key, *value;
	size_t size;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: map_bytes PIN\n");
		return 2;
	}
	fd = open_pin(argv[1]);
	info = info_of(fd);
	size = value_size(&info);
	key = malloc(info.key_size + 1);
	value = malloc(size + 8);
	if (!key || !value)
		fail("memory");
	attr.map_fd = (uint32_t)fd;
	attr.next_key = (uintptr_t)key;
	while (!bpf(BPF_MAP_GET_NEXT_KEY, &attr)) {
		union bpf_attr lookup = { .map_fd = (uint32_t)fd,
					  .key = (uintptr_t)key,
					  .value = (uintptr_t)value };

		fwrite(key, info.key_size, 1, stdout);
		if (!bpf(BPF_MAP_LOOKUP_ELEM, &lookup))
			fwrite(value, size, 1, stdout);
		attr.key = (uintptr_t)key;
	}
	free(key);
	free(value);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
