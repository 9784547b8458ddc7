/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/obstacle.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#define BIT(capability) (1ULL << (capability))

static uint64_t soft_limit(int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

static uint64_t read_capabilities(void)
{
	RG_CLEANUP_FCLOSE FILE *status = fopen("/proc/self/status", "re");
	unsigned long long set = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %llx", &set) == 1)
			break;
	return set;
}

/* In the host's user namespace each user has its own number. */
static bool has_own_users(void)
{
	RG_CLEANUP_FCLOSE FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned long first, there, count;

	return map && fscanf(map, "%lu %lu %lu", &first, &there, &count) == 3 &&
	       (there || count != UINT32_MAX);
}

/* The mode in force has brackets: "none [integrity] confidentiality". */
static bool is_locked_down(void)
{
	RG_CLEANUP_FCLOSE FILE *lockdown = fopen("/sys/kernel/security/lockdown", "re");
	char line[80];

	return lockdown && fgets(line, sizeof(line), lockdown) && strstr(line, "[confidentiality]");
}

void rg_obstacle_facts_read(struct rg_obstacle_facts *facts)
{
	struct utsname name;

	*facts = (struct rg_obstacle_facts){ .capabilities = read_capabilities(),
					     .max_files = soft_limit(RLIMIT_NOFILE),
					     .max_locked = soft_limit(RLIMIT_MEMLOCK),
					     .has_own_users = has_own_users(),
					     .is_locked_down = is_locked_down() };
	if (!uname(&name))
		(void)sscanf(name.release, "%u.%u", &facts->linux_major, &facts->linux_minor);
}

static bool is_older_than(const struct rg_obstacle_facts *facts, unsigned int major,
			  unsigned int minor)
{
	if (!facts->linux_major)
		return false;
	return facts->linux_major < major ||
	       (facts->linux_major == major && facts->linux_minor < minor);
}

/* The capabilities that are missing, as "CAP_BPF and CAP_PERFMON". Returns how many. */
static unsigned int list_missing(const struct rg_obstacle_facts *facts, char *text, size_t size)
{
	static const struct {
		int capability;
		const char *name;
	} needed[] = { { CAP_BPF, "CAP_BPF" },
		       { CAP_PERFMON, "CAP_PERFMON" },
		       { CAP_NET_ADMIN, "CAP_NET_ADMIN" } };
	uint64_t has = facts->capabilities;
	unsigned int count = 0;

	if (has & BIT(CAP_SYS_ADMIN)) /* stands for both */
		has |= BIT(CAP_BPF) | BIT(CAP_PERFMON);
	*text = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		size_t len = strlen(text);

		if (has & BIT(needed[i].capability))
			continue;
		snprintf(text + len, size - len, "%s%s", count++ ? " and " : "", needed[i].name);
	}
	return count;
}

/* -EACCES, where no capability is missing, is the verifier's answer to a program. */
static void explain_refusal(const struct rg_obstacle_facts *facts, int err, char *text, size_t size)
{
	char missing[64];
	unsigned int count = list_missing(facts, missing, sizeof(missing));

	if (count)
		snprintf(text, size,
			 "; %s %s missing: run repgated as root, or give it AmbientCapabilities=CAP_BPF "
			 "CAP_PERFMON CAP_NET_ADMIN",
			 missing, count > 1 ? "are" : "is");
	else if (facts->has_own_users)
		snprintf(text, size,
			 "; this is a container with users of its own, where capabilities do not count for "
			 "BPF: run repgated on the host");
	else if (is_older_than(facts, 5, 11) && facts->max_locked != UINT64_MAX)
		snprintf(text, size,
			 "; before Linux 5.11 maps count as locked memory, and RLIMIT_MEMLOCK allows %llu "
			 "bytes: set LimitMEMLOCK=infinity, or ulimit -l unlimited",
			 (unsigned long long)facts->max_locked);
	else if (err == -EACCES)
		return;
	else if (facts->is_locked_down)
		snprintf(text, size,
			 "; the kernel's lockdown mode \"confidentiality\" refuses BPF programs: boot with "
			 "lockdown=integrity");
	else
		snprintf(text, size,
			 "; all capabilities are there: a seccomp filter (SystemCallFilter=bpf allows the "
			 "call) or a security module refuses");
}

const char *rg_obstacle_explain(const struct rg_obstacle_facts *facts, int err,
				char text[RG_OBSTACLE_TEXT])
{
	const size_t size = RG_OBSTACLE_TEXT;

	*text = '\0';
	switch (err) {
	case -EPERM:
	case -EACCES:
		explain_refusal(facts, err, text, size);
		break;
	case -EMFILE:
		snprintf(text, size,
			 "; RLIMIT_NOFILE allows %llu open files: set LimitNOFILE=131072, or ulimit -n 131072",
			 (unsigned long long)facts->max_files);
		break;
	case -ENFILE:
		snprintf(text, size,
			 "; all processes together have too many open files: raise fs.file-max");
		break;
	case -ENOMEM:
		snprintf(text, size,
			 "; lower max_verdicts, max_peers or max_list, or raise MemoryMax= of the unit");
		break;
	case -ENOSYS:
		snprintf(text, size, "; the kernel has no bpf(2): it needs CONFIG_BPF_SYSCALL");
		break;
	case -EINVAL:
	case -EOPNOTSUPP:
	case -E2BIG:
		if (is_older_than(facts, 5, 15))
			snprintf(text, size, "; this is Linux %u.%u, and repgate needs 5.15",
				 facts->linux_major, facts->linux_minor);
		break;
	default:
		break;
	}
	return text;
}

const char *rg_obstacle_advice(int err, char text[RG_OBSTACLE_TEXT])
{
	struct rg_obstacle_facts facts;

	rg_obstacle_facts_read(&facts);
	return rg_obstacle_explain(&facts, err, text);
}

int rg_obstacle_check_files(struct rg_error *error)
{
	char advice[RG_OBSTACLE_TEXT];

	if (soft_limit(RLIMIT_NOFILE) >= RG_OBSTACLE_FILES)
		return 0;
	return rg_fail(error, -EMFILE,
		       "too few descriptors, %d are needed and one for each session%s",
		       RG_OBSTACLE_FILES, rg_obstacle_advice(-EMFILE, advice));
}
