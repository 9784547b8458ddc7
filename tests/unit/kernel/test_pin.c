/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether pins outlive the process: what /proc/PID/mountinfo says in each surrounding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "maps/pin.h"

static void check_shared(void **state)
{
	static const struct {
		const char *lines;
		bool shared;
	} rows[] = {
		/* the host */
		{ "24 29 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
		  "33 24 0:29 / /sys/fs/bpf rw,nosuid shared:11 - bpf bpf rw,mode=700\n",
		  true },
		/* a service of systemd with mounts of its own */
		{ "524 520 0:22 / /sys ro,nosuid master:7 - sysfs sysfs rw\n"
		  "533 524 0:29 / /sys/fs/bpf rw,nosuid master:11 - bpf bpf rw,mode=700\n",
		  true },
		/* ip netns exec: what the host had is covered */
		{ "24 29 0:22 / /sys rw,nosuid master:7 - sysfs sysfs rw\n"
		  "33 24 0:29 / /sys/fs/bpf rw,nosuid master:11 - bpf bpf rw,mode=700\n"
		  "90 29 0:50 / /sys rw,relatime - sysfs mail rw\n"
		  "91 90 0:51 / /sys/fs/bpf rw,relatime - bpf bpf rw,mode=700\n",
		  false },
		/* another mount that begins with the same letters */
		{ "24 29 0:22 / /sys rw - sysfs sysfs rw\n"
		  "33 24 0:29 / /sys/fs/bpfx rw shared:11 - bpf bpf rw\n",
		  false },
		{ "33 1 0:29 / / rw shared:1 - ext4 /dev/vda1 rw\n", true },
		{ "nonsense\n\n - \n", false },
		{ "\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FILE *file = fmemopen((void *)(uintptr_t)rows[i].lines, strlen(rows[i].lines), "r");

		assert_non_null(file);
		if (rg_pin_is_shared(file, "/sys/fs/bpf/repgate") != rows[i].shared)
			fail_msg("row %zu", i);
		fclose(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(check_shared) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
