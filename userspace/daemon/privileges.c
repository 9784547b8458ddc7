/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/privileges.h"

#include "maps/pin.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define BIT(capability) (1ULL << (capability))

static uint64_t needed(const struct rg_conf *conf)
{
	uint64_t set = BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_PERFMON);

	/* libxdp opens the programs of its dispatcher by id (docs/platforms.md). */
	return conf->xdp_attach == RG_ATTACH_DISPATCHER ? set | BIT(CAP_SYS_ADMIN) : set;
}

static int get_capabilities(struct __user_cap_header_struct *header,
			    struct __user_cap_data_struct data[2])
{
	*header = (struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 };
	return syscall(SYS_capget, header, data) ? -errno : 0;
}

int rg_privileges_drop(const struct rg_conf *conf)
{
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[2];
	uint64_t keep = needed(conf), had;
	int err = get_capabilities(&header, data);

	if (err)
		return err;
	had = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	/* Fails without CAP_SETPCAP. That is harmless, because of no_new_privs below. */
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (!(keep & BIT(capability)))
			(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (!(had & ~keep))
		return 0; /* nothing to drop */
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int rg_privileges_prepare(const struct rg_conf *conf, const char *user, struct rg_error *error)
{
	const struct passwd *entry = getpwnam(user);
	struct rg_conf *as_user = NULL;
	int err;

	if (!entry)
		return rg_fail(error, -ENOENT, "there is no user \"%s\"", user);
	err = rg_pin_give(conf->pin_path, entry->pw_uid, entry->pw_gid);
	if (err)
		return rg_fail(error, err, "pin_path %s: %s", conf->pin_path, strerror(-err));
	/* Check as the user: a file that only root can read must not stop the agent later. */
	if (initgroups(user, entry->pw_gid) || setegid(entry->pw_gid) || seteuid(entry->pw_uid))
		return rg_fail(error, -errno, "as user \"%s\": %m", user);
	err = rg_conf_load(&as_user, conf->path, error);
	rg_conf_unref(as_user);
	return err;
}
